using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>
/// Who owns the pipes and sockets that a process in a user namespace has as stdin, stdout and stderr. It can write to them, but reopen
/// /dev/stdout only as their owner; and init, which gives them away elsewhere, has no say in a user namespace over what belongs to nobody
/// in it.
/// </summary>
internal static class StandardStreamOwner
{
    // Pipes and sockets that have no name anywhere (include/uapi/linux/magic.h): whoever may open a file on disk, a named pipe among them,
    // is not for the runtime to change.
    private const long PIPEFS_MAGIC = 0x50495045, SOCKFS_MAGIC = 0x534F434B;

    /// <summary>Init cannot: it is in a user namespace. A terminal of its own is of its own devpts, and so init's to give.</summary>
    public static bool IsNeeded(LaunchPlan plan)
    {
        // By hand: init waits for this answer, and a type as a parameter is looked up at run time.
        bool isInside = false;
        foreach (PlanStep step in plan.Steps)
        {
            if (step is ConsoleStep) return false;
            isInside |= step is BecomeRootStep;
        }
        return isInside;
    }

    /// <summary>
    /// Gives them to the user of a process that is set up. Where the runtime may not (rootless), they stay as they are: nothing is lost but
    /// reopening.
    /// </summary>
    /// <param name="plan">What the process has walked.</param>
    /// <param name="child">The process.</param>
    /// <param name="inherited">What it was given.</param>
    public static void Give(LaunchPlan plan, ChildProcess child, InheritedDescriptors inherited)
    {
        if (!IsNeeded(plan)) return;
        uint? owner = null;
        for (int number = 0; number <= 2; number++)
        {
            int fd = inherited.Named.Stream(number);
            if (Files.StatFs(fd, out Statfs fs) < 0 || fs.Type is not (PIPEFS_MAGIC or SOCKFS_MAGIC)) continue;
            owner ??= child.EffectiveUid();
            if (owner is null || Files.Stat(fd, out Statx stat) < 0 || stat.Uid == owner) continue;
            // EPERM for an ordinary user.
            Files.Chown(fd, owner.Value, uint.MaxValue);
        }
    }
}
