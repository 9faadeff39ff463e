using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Checkpoint;

/// <summary>
/// Makes the mount points of a container that is restored where there are none: criu does not, and the root file system may be a fresh copy of the image.
/// </summary>
internal static unsafe class MountPoints
{
    /// <summary>In the order of the mounts, as create does it, but without the mounts: what comes to lie in a bind mount is made in its source.</summary>
    public static void Make(LaunchPlan plan, string rootfs)
    {
        List<(string Target, string? Source)> mounted = [];
        foreach (PlanStep step in plan.Steps)
        {
            if (step.Op is not (InitOp.MountFilesystem or InitOp.MountBind)) continue;
            string target = step.Text2!;
            (string above, string? source) = mounted.FindLast(m => ContainerPath.IsBelow(target, m.Target));
            bool bind = step.Op == InitOp.MountBind;
            if (above == null) Make(rootfs, target, step);
            // In a file system of the container's own, criu has kept it.
            else if (source != null && target != above) Make(source, target[(above.Length + 1)..], step);
            mounted.Add((target, bind ? step.Text1 : null));
        }
    }

    private static void Make(string root, string path, PlanStep step)
    {
        long opened = Files.OpenAt(Files.AT_FDCWD, root, Files.O_PATH | Files.O_DIRECTORY);
        using Fd directory = new((int)OciException.Check(opened, $"{step.Origin}: open {root}"));
        bool isDirectory = step.Op == InitOp.MountFilesystem || Files.StatAt(Files.AT_FDCWD, step.Text1!, 0, out Statx source) < 0 || source.IsDirectory;
        long made;
        InitState place = new() { RootFd = directory.Number };
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax]))
        {
            made = isDirectory ? RootPath.OpenDirectory(ref place, p) : RootPath.OpenFile(ref place, p);
        }
        OciException.Check(made, $"{step.Origin}: make the mount point {ContainerPath.Absolute(step.Text2!)}");
        Files.Close((int)made);
    }
}
