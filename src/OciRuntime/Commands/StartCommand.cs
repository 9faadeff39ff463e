using OciRuntime.Cli;
using OciRuntime.Init;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun start ID</c>.</summary>
internal static class StartCommand
{
    public static int Run(GlobalOptions g, StartOptions o)
    {
        ContainerStore store = new(StateRoot.Resolve(g.Root));
        using ContainerEntry entry = store.Open(o.Id);
        entry.Acquire("start");
        ContainerState state = entry.ReadState();
        CheckCreated(entry.Probe(state));
        // As with runc the variable counts that start itself was given: a client that does not want readiness here must not be made to wait for it.
        using NotifyProxy? notify = state.NotifySocket != null && NotifyProxy.HostSocket is { } host ? NotifyProxy.Open(entry, host, message => Logger.Warn(g, message)) : null;
        Release(g, entry, state);
        if (state.Poststart.Length > 0) RunPoststart(g, entry, state);
        if (notify != null) AwaitReadiness(notify, entry, state);
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

    private static void CheckCreated(ContainerStatus status)
    {
        switch (status)
        {
            case ContainerStatus.Created: return;
            case ContainerStatus.Stopped: throw new OciException("cannot start a container that has stopped");
            case ContainerStatus.Paused: throw new OciException("cannot start a container in the paused state");
            case ContainerStatus.Creating: throw new OciException("cannot start a container that is being created");
            default: throw new OciException("cannot start an already running container");
        }
    }

    /// <summary>Lets init go. The socket goes afterwards, whatever came of it: the container is not in the state "created" any more.</summary>
    private static void Release(GlobalOptions g, ContainerEntry entry, ContainerState state)
    {
        InitMessage? failure;
        try
        {
            failure = StartSocket.Start(entry, () => SpecLoader.Reload(entry).Hooks?.StartContainer ?? []);
        }
        catch (OciException e) when (e.Errno == Errno.ECONNREFUSED)
        {
            // Nobody listens any more: init was let go, or died, the moment after it was looked at.
            RemoveSocket(entry);
            throw new OciException("cannot start an already running container");
        }
        catch (OciException)
        {
            // It has been let go all the same, and may get on, or be killed.
            if (!entry.AwaitsStart) RemoveSocket(entry);
            throw;
        }
        RemoveSocket(entry);
        if (failure is not { } message) return;
        // A failed startContainer hook ends the container (runtime-spec runtime.md, "Lifecycle", step 7).
        if (message.Op == InitOp.StartHook) ContainerTeardown.Run(entry, state, journal => PoststopHooks.Run(g, journal));
        throw FailureText.Explain(plan: null, message);
    }

    private static void RemoveSocket(ContainerEntry entry)
    {
        // Only one of the two is there. What is left says that the container is created, which the next look at its init corrects.
        Files.UnlinkAt(entry.Directory, ContainerEntry.StartSocketName);
        Files.UnlinkAt(entry.Directory, ContainerEntry.StartingSocketName);
    }

    private static void RunPoststart(GlobalOptions g, ContainerEntry entry, ContainerState state)
    {
        using Interruption interruption = new();
        try
        {
            new HookRunner(state, interruption).Run("poststart", state.Poststart, ContainerStatus.Running);
        }
        catch
        {
            ContainerTeardown.Run(entry, state, journal => PoststopHooks.Run(g, journal));
            throw;
        }
    }
}
