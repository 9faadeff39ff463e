using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>
/// File systems on block devices that the container's device cgroup denies. Its rules are for what the container's processes open; a mount is opened
/// by the kernel, in the name of whoever makes it, and the child that makes the others is in the cgroup already.
/// </summary>
internal static unsafe class BlockFilesystem
{
    /// <summary>Answers the child's request.</summary>
    /// <param name="child">The child.</param>
    /// <param name="step">The mount.</param>
    /// <param name="native">The same step.</param>
    public static void Provide(ChildProcess child, PlanStep step, InitStep* native)
    {
        if (step.Op != InitOp.MountFilesystem || (step.Flags & InitFlags.OnDevice) == 0) throw new OciException($"init asks for a file system in a step that makes none: {StepText.Describe(step)}");
        InitState s = default;
        long mount = MountSteps.CreateFilesystem(ref s, native, -1);
        using Fd fd = new((int)mount);
        child.Answer(mount < 0 ? (int)-mount : 0, (int)mount);
    }
}
