using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun start ID</c>.</summary>
internal static class StartCommand
{
    public static int Run(GlobalOptions g, StartOptions o)
    {
        Timeline.Phase("open the container, take its lock, look at it");
        ContainerStore store = new(StateRoot.Resolve(g.Root));
        using ContainerEntry entry = store.Open(o.Id);
        entry.Acquire("start");
        ContainerState state = entry.ReadState();
        ContainerStart.Check(entry.Probe(state));
        // As with runc the variable counts that start itself was given: a client that does not want readiness here must not be made to wait
        // for it.
        using NotifyProxy? notify = state.NotifySocket is not null && NotifyProxy.HostSocket is { } host
            ? NotifyProxy.Open(entry, host, message => Logger.Warn(g, message)) : null;
        ContainerStart.Run(entry, state, static () => new Interruption(), journal => PoststopHooks.Run(g, journal));
        if (notify is not null) AwaitReadiness(notify, entry, state);
        return ExitCodes.Success;
    }

    /// <summary>Without the lock: a program that never gets ready must be deletable.</summary>
    private static void AwaitReadiness(NotifyProxy notify, ContainerEntry entry, ContainerState state)
    {
        entry.Lock?.Dispose();
        long fd = state.Init.OpenPidFd();
        // It has ended already; what it said before is still in the socket.
        using Fd? pidfd = fd >= 0 ? new Fd((int)fd) : null;
        notify.Relay(pidfd?.Number ?? -1, state.Init.Pid, null);
    }
}
