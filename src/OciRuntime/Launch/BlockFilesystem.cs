using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>
/// File systems on block devices that the container's device cgroup denies. Its rules are for what the container's processes open; a mount is opened
/// by the kernel, in the name of whoever makes it, and the child that makes the others is in the cgroup already.
/// </summary>
internal static unsafe class BlockFilesystem
{
    /// <summary>Answers the child's request.</summary>
    /// <param name="init">The conversation with it.</param>
    /// <param name="native">The mount.</param>
    public static void Provide(Conversation init, InitStep* native)
    {
        InitState s = new(null);
        long mount = MountSteps.CreateFilesystem(ref s, native, -1);
        using Fd fd = new((int)mount);
        init.Answer(mount < 0 ? (int)-mount : 0, (int)mount);
    }
}
