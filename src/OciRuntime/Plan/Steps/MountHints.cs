using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>Why the kernel refused a mount, where its errno alone leaves one guessing, for steps of several kinds.</summary>
internal static class MountHints
{
    // statfs(2), f_flags. The first four have the values of MOUNT_ATTR_….
    private const long ST_NOATIME = 1024, ST_NODIRATIME = 2048, ST_RELATIME = 4096;

    private static readonly (ulong Flag, string Name)[] Lockable =
    [
        (Mounts.MOUNT_ATTR_RDONLY, "ro"), (Mounts.MOUNT_ATTR_NOSUID, "nosuid"), (Mounts.MOUNT_ATTR_NODEV, "nodev"),
        (Mounts.MOUNT_ATTR_NOEXEC, "noexec"),
    ];

    /// <summary>The hint as the end of a message, or "".</summary>
    /// <param name="plan">The plan: whether its steps are done in a user namespace.</param>
    /// <param name="failure">What the child says.</param>
    /// <param name="set">MOUNT_ATTR_… that are set.</param>
    /// <param name="clear">MOUNT_ATTR_… that are cleared.</param>
    /// <param name="tree">Mounts below are changed, too.</param>
    public static string Of(LaunchPlan plan, in StepFailure failure, ulong set, ulong clear, bool tree) =>
        (failure.Detail, failure.Errno) switch
        {
            (InitDetail.Attributes, Errno.EPERM) when plan.InUserNamespace => Locked(failure.Value, set, clear, tree),
            (InitDetail.Source, Errno.EACCES) => ": the container's root user cannot reach it: check the permissions on the way to it",
            (InitDetail.Attach or InitDetail.Target, Errno.ENOTDIR) =>
                ": a directory can only be mounted on a directory, and a file on a file, with nothing but directories above",
            _ => "",
        };

    /// <summary>
    /// A mount namespace with a less privileged user namespace gets its mounts with ro, nosuid, nodev, noexec and the access time mode
    /// locked as they are (mount_namespaces(7)). Setting more of the four is possible; only what the configuration clears or changes is
    /// refused.
    /// </summary>
    private static string Locked(long flags, ulong set, ulong clear, bool tree)
    {
        List<string> names = [];
        foreach ((ulong flag, string name) in Lockable) if ((clear & (ulong)flags & flag) != 0) names.Add(name);
        const ulong atime = Mounts.MOUNT_ATTR__ATIME | Mounts.MOUNT_ATTR_NODIRATIME;
        if (((set | clear) & atime) != 0)
        {
            names.Add((flags & ST_NOATIME) != 0 ? "noatime" : (flags & ST_RELATIME) != 0 ? "relatime" : "strictatime");
            if ((flags & ST_NODIRATIME) != 0) names.Add("nodiratime");
        }
        if (names.Count == 0 && !tree) return "";
        string which = names.Count == 0
            ? "a mount below has options that are locked"
            : $"the mount is {string.Join(',', names)} on the host, which is locked";
        return $": {which}: a user namespace cannot take that back";
    }
}
