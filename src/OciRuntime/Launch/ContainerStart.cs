using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>Has a container that waits run its program.</summary>
internal static class ContainerStart
{
    /// <summary>Returns when the program runs, and poststart hooks have. The lock is held.</summary>
    /// <param name="entry">The container.</param>
    /// <param name="state">Its journal.</param>
    /// <param name="signals">What interrupts the hooks; asked for only where there are some.</param>
    /// <param name="poststop">Runs the hooks of a container that a failed hook has ended.</param>
    public static void Run(ContainerEntry entry, ContainerState state, Func<Interruption> signals, PoststopRunner poststop)
    {
        Release(entry, state, poststop);
        if (state.Poststart.Length > 0) RunPoststart(entry, state, signals, poststop);
    }

    /// <exception cref="OciException">It does not wait for it.</exception>
    public static void Check(ContainerStatus status)
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

    /// <summary>
    /// Lets init go. The socket goes afterwards, whatever came of it: the container is not in the state "created" any more.
    /// </summary>
    private static void Release(ContainerEntry entry, ContainerState state, PoststopRunner poststop)
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
        if (message.Op == InitOp.StartHook) ContainerTeardown.Run(entry, state, poststop);
        throw FailureText.Explain(plan: null, message);
    }

    private static void RemoveSocket(ContainerEntry entry)
    {
        Timeline.Phase("finish");
        // Only one of the two is there. What is left says that the container is created, which the next look at its init corrects.
        Files.UnlinkAt(entry.Directory, ContainerEntry.StartSocketName);
        Files.UnlinkAt(entry.Directory, ContainerEntry.StartingSocketName);
    }

    private static void RunPoststart(ContainerEntry entry, ContainerState state, Func<Interruption> signals, PoststopRunner poststop)
    {
        using Interruption interruption = signals();
        try
        {
            new HookRunner(state, interruption).Run("poststart", state.Poststart, ContainerStatus.Running);
        }
        catch
        {
            ContainerTeardown.Run(entry, state, poststop);
            throw;
        }
    }
}
