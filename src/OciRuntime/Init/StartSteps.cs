using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>The end of the set-up: hand-over to the parent, the wait for `start`, execve.</summary>
internal static unsafe class StartSteps
{
    private const int ShortageMilliseconds = 50;

    /// <summary>
    /// Reports that all is set up, with the managed bytes allocated so far (which must be none), and waits until the parent recorded it.
    /// From then on the container must outlive the runtime.
    /// </summary>
    public static long Ready(ref InitState s)
    {
        long allocated = GC.GetAllocatedBytesForCurrentThread() - s.AllocatedAtStart;
        EndSetUp(ref s);
        long result = s.SetUpResult;
        // A copy that outlives the agent's would hold up whoever makes a call that the agent is to answer.
        if (s.ListenerFd >= 0) Files.Close(s.ListenerFd);
        s.ListenerFd = -1;
        if (result >= 0) result = Sync.Ask(ref s, SyncKind.Ready, allocated);
        return result < 0 ? result : Processes.Prctl(Processes.PR_SET_PDEATHSIG, 0);
    }

    /// <summary>
    /// Closes all that the set-up opened: a container may stay "created" for long, and whoever may look into init's /proc/PID/fd would find
    /// the way to a joined namespace or a detached mount there. Before a filter is loaded, which may kill for these calls.
    /// </summary>
    public static void EndSetUp(ref InitState s)
    {
        if (s.SetUpEnded) return;
        s.SetUpEnded = true;
        s.SetUpResult = s.Plan->Fds.Lasting.CloseOthers((uint)(3 + s.Plan->PreservedFds), default);
        s.RootFd = s.ProcFd = s.EmptyFd = s.NullFd = -1;
        if (s.SetUpResult >= 0 && s.Plan->Fds.Start >= 0) s.SetUpResult = CheckRoom(ref s);
    }

    /// <summary>
    /// The limit on descriptors is the program's by now, and may leave none for the connection of `start`: better that `create` fails than
    /// a container that it has promised.
    /// </summary>
    private static long CheckRoom(ref InitState s)
    {
        long result = Processes.GetLimit(0, Processes.RLIMIT_NOFILE, out ResourceLimit limit);
        if (result < 0) return result;
        // Closed by then.
        InitDescriptors open = s.Plan->Fds.Lasting with { Sync = -1 };
        uint first = (uint)(3 + s.Plan->PreservedFds);
        for (uint fd = first; fd < limit.Soft; fd++) if (open.Lowest(fd, default) != fd) return 0;
        for (uint fd = 0; fd < first && fd < limit.Soft; fd++) if (Files.Fcntl((int)fd, Files.F_GETFD) == -Errno.EBADF) return 0;
        return -Errno.EMFILE;
    }

    /// <summary>
    /// Waits on the start socket, from where signals can end it. Closing the sync socket tells `create` that nothing ties the container to
    /// it any more. A caller that connects and dies before it said "go" is not a start.
    /// </summary>
    public static long AwaitStart(ref InitState s)
    {
        Files.Close(s.Plan->Fds.Sync);
        // Under a filter it was done before that was loaded.
        if (!s.Filtered) InitMain.CreatedSignals();
        while (true)
        {
            long connection = Sockets.Accept(s.Plan->Fds.Start);
            if (connection is -Errno.EMFILE or -Errno.ENFILE or -Errno.ENOMEM or -Errno.ENOBUFS)
            {
                // The host is short of something, or somebody has changed the limit (prlimit(1)). Whoever connects waits meanwhile. A call
                // that a filter has to allow anyway; where one denies it, the next try comes at once.
                Processes.Poll(null, 0, ShortageMilliseconds);
                continue;
            }
            if (connection == -Errno.EAGAIN) continue;
            if (connection < 0) return connection;
            SyncMessage message = default;
            bool said = Files.Read((int)connection, (byte*)&message, sizeof(SyncMessage)) == sizeof(SyncMessage);
            if (said && message.Kind == SyncKind.Look)
            {
                long shown = Show((int)connection);
                if (shown < 0) return shown;
            }
            else if (said)
            {
                s.ReportFd = (int)connection;
                Files.Close(s.Plan->Fds.Start);
                return 0;
            }
            Files.Close((int)connection);
        }
    }

    /// <summary>
    /// Lets an ordinary user, whose own this process is, look for its namespaces: nobody but root may with one that is not dumpable
    /// (proc(5)). It is that only for as long as he asks, as then others with its ids may, too.
    /// </summary>
    private static long Show(int connection)
    {
        SyncMessage message = default;
        long shown = Processes.Prctl(Processes.PR_SET_DUMPABLE, 1);
        // A filter that is loaded already may deny it, which is his affair and not the container's end.
        message.Errno = (int)-shown;
        // If he is gone already, so is the connection, and the next read tells.
        Files.Write(connection, (byte*)&message, sizeof(SyncMessage));
        while (Files.Read(connection, (byte*)&message, sizeof(SyncMessage)) > 0) { }
        return shown < 0 ? 0 : Processes.Prctl(Processes.PR_SET_DUMPABLE, 0);
    }

    /// <summary>
    /// The container's program. Default signal actions and an empty mask, because ignored signals and the mask survive execve; no
    /// descriptor but stdio and those asked for (CVE-2024-21626).
    /// </summary>
    public static long Execute(ref InitState s)
    {
        long result = Announce(ref s);
        if (result < 0) return result;
        s.SetText(s.Executable);
        return Processes.Execute(s.Executable, (byte**)s.Plan->Arguments.Items, (byte**)s.Plan->Environment.Items);
    }

    /// <summary>All that has to be done before execve and can be done before a seccomp filter is loaded that allows little else.</summary>
    public static long Announce(ref InitState s)
    {
        if (s.Announced) return 0;
        s.Announced = true;
        // Under a filter this was done already, and what was opened since is close-on-exec from birth: a profile may not know close_range.
        if (!s.Filtered && Files.CloseRange(3, uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC) is var result and < 0) return result;
        // One that cannot be cleared is missing in the program, as one that was never open.
        for (int i = 0; i < s.Plan->OpenFds.Count; i++) Files.Fcntl(s.Plan->OpenFds[i], Files.F_SETFD, 0);
        // Whoever listens may be gone by now; the program runs all the same.
        Sync.Tell(ref s, SyncKind.Executing, 0);
        InitMain.DefaultSignals();
        return 0;
    }
}
