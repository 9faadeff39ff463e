using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Checkpoint;

/// <summary>
/// Makes the mount points of a container that is restored where there are none: criu does not, and the root file system may be a fresh copy
/// of the image.
/// </summary>
internal static class MountPoints
{
    /// <summary>
    /// In the order of the mounts, as create does it, but without the mounts: what comes to lie in a bind mount is made in its source.
    /// </summary>
    public static void Make(LaunchPlan plan, string rootfs)
    {
        List<(string Target, string? Source)> mounted = [];
        foreach (PlanStep step in plan.Steps)
        {
            if (step is not IMountStep mount) continue;
            string target = mount.Target.Path;
            (string above, string? source) = mounted.FindLast(m => ContainerPath.IsBelow(target, m.Target));
            string? bound = (step as MountBindStep)?.Source;
            if (above is null) Make(rootfs, target, step, mount, bound);
            // In a file system of the container's own, criu has kept it.
            else if (source is not null && target != above) Make(source, target[(above.Length + 1)..], step, mount, bound);
            mounted.Add((target, bound));
        }
    }

    private static void Make(string root, string path, PlanStep step, IMountStep mount, string? bound)
    {
        long opened = Files.OpenAt(Files.AT_FDCWD, root, Files.O_PATH | Files.O_DIRECTORY);
        using Fd directory = new((int)OciException.Check(opened, $"{step.Origin}: open {root}"));
        bool isDirectory = bound is null || Files.StatAt(Files.AT_FDCWD, bound, 0, out Statx source) < 0 || source.IsDirectory;
        long made = ContainerPath.Make(directory.Number, path, isDirectory);
        OciException.Check(made, $"{step.Origin}: make the mount point {ContainerPath.Absolute(mount.Target.Path)}");
        Files.Close((int)made);
    }
}
