using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun delete [--force] [--regex] ID</c>.</summary>
internal static class DeleteCommand
{
    public static int Run(GlobalOptions g, DeleteOptions o)
    {
        ContainerStore store = new(StateRoot.Resolve(g.Root));
        if (o.Regex) ContainerPattern.ForEach(store, o.Id, id => Delete(g, store, id, o.Force));
        else Delete(g, store, o.Id, o.Force);
        return ExitCodes.Success;
    }

    private static void Delete(GlobalOptions g, ContainerStore store, string id, bool force)
    {
        Timeline.Phase("open the container, take its lock, look at it");
        using ContainerEntry? entry = store.TryOpen(id);
        if (entry is null || !entry.TryAcquire("delete", ContainerLock.DefaultWaitMilliseconds, mayMake: true))
        {
            // containerd forces after every normal delete, podman after every failed create: there is nothing wrong with nothing.
            if (force) return;
            throw ContainerStore.DoesNotExist();
        }

        ContainerState? state = ReadState(g, entry, force);
        if (state is null)
        {
            // A create, or a delete, that was killed when there was no journal (yet, or any more): all that is left is the directory.
            entry.Remove();
            if (force) return;
            throw ContainerStore.DoesNotExist();
        }

        ContainerStatus status = entry.Probe(state);
        // The creator holds the lock for as long as it works. Whoever gets here while it lives has met one that has lost its way.
        if (status == ContainerStatus.Creating && state.Creator.IsAlive())
            throw new OciException($"container {id} is busy: held by pid {state.Creator.Pid} (create)", Errno.EBUSY);
        // What a killed creator leaves ends with it, which may take a moment: it never was a container that runs.
        if (!force && status is not (ContainerStatus.Stopped or ContainerStatus.Created or ContainerStatus.Creating))
            throw new OciException($"cannot delete container {id} that is not stopped: {status.Name()}");
        ContainerTeardown.Run(entry, state, journal => PoststopHooks.Run(g, journal));
    }

    /// <summary>
    /// A damaged journal tells nothing that could be undone. Keeping the directory for ever helps nobody, so force removes it, and says so;
    /// one of a newer version is kept: a newer ocirun can do better.
    /// </summary>
    private static ContainerState? ReadState(GlobalOptions g, ContainerEntry entry, bool force)
    {
        try
        {
            return entry.TryReadState();
        }
        catch (OciException e) when (force && e.Errno == Errno.EPROTO)
        {
            using Logger log = Logger.Open(g);
            log.Warning($"{e.Message}; only its directory is removed");
            return null;
        }
    }
}
