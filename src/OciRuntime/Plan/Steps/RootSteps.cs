using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="flags">MS_….</param>
/// <param name="rootfs">Its parent mount becomes private.</param>
internal sealed class HostPropagationStep(Origin origin, ulong flags, string rootfs)
    : PlanStep<HostPropagationArguments>(StepChapter.FileSystems, origin)
{
    public override bool GoesWithoutNetwork => true;

    protected override string Words =>
        $"make all mounts {MountWords.Name(flags)}"
        + ((flags & Mounts.MS_SHARED) != 0 ? ": the container's reach the host, and the host's the container"
            : (flags & Mounts.MS_SLAVE) != 0 ? ", so that none of the container's reach the host"
            : ", so that the container and the host see none of each other's");

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => failure.Errno switch
    {
        Errno.EINVAL when !IsMountPoint("/") =>
            ": / is no mount point: does the runtime run in a chroot? bind the new root onto itself before entering it",
        Errno.EPERM or Errno.EACCES => UserNamespace.Obstacle(),
        _ => "",
    };

    protected override HostPropagationArguments Compile(PlanCompiler compiler) => new() { Flags = flags, Rootfs = compiler.Text(rootfs) };

    private static bool IsMountPoint(string path) =>
        Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat) >= 0 && (stat.Attributes & Files.STATX_ATTR_MOUNT_ROOT) != 0;
}

internal sealed class BindRootfsStep(string rootfs) : PlanStep<BindRootfsArguments>(StepChapter.FileSystems, new("/root/path"))
{
    public override bool GoesWithoutNetwork => true;

    protected override string Words => $"bind the root file system {rootfs} onto itself, as a mount of its own";

    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        failure.Errno == Errno.EACCES
            ? ": the container's root user cannot reach the directory: check the permissions on the way to it"
            : "";

    protected override BindRootfsArguments Compile(PlanCompiler compiler) => new() { Rootfs = compiler.Text(rootfs) };
}

internal sealed class HostRootStep(string rootfs)
    : PlainStep(InitOp.HostRoot, StepChapter.FileSystems, new("/root/path"),
        $"mount what follows on {rootfs}, in the runtime's own mount namespace (no mount namespace)");

internal sealed class MakeDirectoryStep(Origin origin, string path) : PlanStep<MakeDirectoryArguments>(StepChapter.Root, origin)
{
    public string Path => path;

    protected override string Words => $"make the directory {ContainerPath.Absolute(Path)} if it is missing";

    protected override MakeDirectoryArguments Compile(PlanCompiler compiler) => new() { Path = compiler.Text(Path) };
}

internal sealed class PivotRootStep()
    : PlainStep(InitOp.PivotRoot, StepChapter.Root, new("/root/path"), "make the root file system / with pivot_root, and detach the host's")
{
    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        failure.Errno == Errno.EINVAL && MountTable.Read().Exists(static m => m is { Point: "/", Type: "rootfs" })
            ? ": the host's root is the initial RAM file system, which cannot be pivoted from: use --no-pivot"
            : "";
}

internal sealed class MoveRootStep()
    : PlainStep(InitOp.MoveRoot, StepChapter.Root, new("/root/path"), "move the root file system over / and chroot into it (--no-pivot)");

internal sealed class ChangeRootStep(string rootfs) : PlanStep<ChangeRootArguments>(StepChapter.Root, new("/root/path"))
{
    protected override string Words => $"chroot into {rootfs} (no mount namespace)";

    protected override ChangeRootArguments Compile(PlanCompiler compiler) => new() { Rootfs = compiler.Text(rootfs) };
}

internal sealed class DetachMountStep(string path) : PlanStep<DetachMountArguments>(StepChapter.Root, new("/root/path"))
{
    protected override string Words => $"detach the host's {path}";

    protected override DetachMountArguments Compile(PlanCompiler compiler) => new() { Path = compiler.Text(path) };
}

/// <param name="flags">MS_….</param>
internal sealed class RootPropagationStep(ulong flags)
    : PlanStep<RootPropagationArguments>(StepChapter.Root, new("/linux/rootfsPropagation"))
{
    public ulong Flags => flags;

    protected override string Words => $"make / {MountWords.Name(Flags)}";

    protected override RootPropagationArguments Compile(PlanCompiler compiler) => new() { Flags = Flags };
}
