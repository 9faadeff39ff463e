using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun pause ID</c>.</summary>
internal static class PauseCommand
{
    public static int Run(GlobalOptions g, PauseOptions o)
    {
        using ContainerEntry entry = new ContainerStore(StateRoot.Resolve(g.Root)).Open(o.Id);
        entry.Acquire("pause");
        ContainerState state = entry.ReadState();
        // As with runc a paused one does not count as running.
        if (entry.Probe(state) is not (ContainerStatus.Running or ContainerStatus.Created))
            throw new OciException("container not running", Errno.ESRCH);
        OwnCgroup.Of(state).Freeze();
        return ExitCodes.Success;
    }
}
