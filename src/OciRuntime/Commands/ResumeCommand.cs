using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun resume ID</c>.</summary>
internal static class ResumeCommand
{
    public static int Run(GlobalOptions g, ResumeOptions o)
    {
        using ContainerEntry entry = new ContainerStore(StateRoot.Resolve(g.Root)).Open(o.Id);
        entry.Acquire("resume");
        ContainerState state = entry.ReadState();
        if (entry.Probe(state) != ContainerStatus.Paused) throw new OciException("container not paused", Errno.EINVAL);
        OwnCgroup.Of(state).Thaw();
        return ExitCodes.Success;
    }
}
