using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>The end of the set-up: hand-over to the parent, the wait for `start`, startContainer hooks, execve.</summary>
internal static unsafe class StartSteps
{
    /// <summary>
    /// Reports that all is set up, with the managed bytes allocated so far (which must be none), and waits until the parent recorded it. From
    /// then on the container must outlive the runtime.
    /// </summary>
    public static long Ready(ref InitState s)
    {
        long allocated = GC.GetAllocatedBytesForCurrentThread() - s.AllocatedAtStart;
        long result = Sync.Ask(ref s, SyncKind.Ready, allocated);
        return result < 0 ? result : Processes.Prctl(Processes.PR_SET_PDEATHSIG, 0);
    }

    /// <summary>
    /// Waits on the start socket. Closing the sync socket tells `create` that nothing ties the container to it any more. A caller that
    /// connects and dies before it said "go" is not a start.
    /// </summary>
    public static long AwaitStart(ref InitState s)
    {
        Files.Close(s.Plan->SyncFd);
        while (true)
        {
            long connection = Sockets.Accept(s.Plan->StartFd);
            if (connection is -Errno.EINTR or -Errno.EAGAIN) continue;
            if (connection < 0) return connection;
            SyncMessage message = default;
            if (Sockets.Receive((int)connection, &message, sizeof(SyncMessage), out _) == sizeof(SyncMessage))
            {
                s.ReportFd = (int)connection;
                Files.Close(s.Plan->StartFd);
                return 0;
            }
            Files.Close((int)connection);
        }
    }

    /// <summary>Runs one startContainer hook inside the container, state on its stdin, and waits for it.</summary>
    public static long Hook(ref InitState s, InitStep* step)
    {
        HookCall* hook = (HookCall*)step->Data;
        int pidfd = -1;
        CloneArgs args = new() { Flags = Processes.CLONE_PIDFD, PidFd = (ulong)&pidfd, ExitSignal = Processes.SIGCHLD };
        s.Detail = InitDetail.HookFork;
        s.SetText(hook->Path);
        long pid = Processes.Clone(args);
        if (pid < 0) return pid;
        if (pid == 0) RunHook(ref s, hook);
        PollFd poll = new() { Fd = pidfd, Events = Processes.POLLIN };
        long ready;
        do ready = Processes.Poll(&poll, 1, hook->TimeoutSeconds > 0 ? hook->TimeoutSeconds * 1000 : -1);
        while (ready == -Errno.EINTR);
        if (ready == 0) Processes.PidFdSendSignal(pidfd, Processes.SIGKILL);
        int status;
        while (Processes.Wait((int)pid, out status, 0) == -Errno.EINTR) { }
        Files.Close(pidfd);
        if (ready == 0)
        {
            s.Detail = InitDetail.HookTimeout;
            return -Errno.ETIMEDOUT;
        }
        if (status == 0) return 0;
        bool signalled = (status & 0x7f) != 0;
        s.Detail = signalled ? InitDetail.HookSignal : InitDetail.HookStatus;
        s.Value = signalled ? status & 0x7f : status >> 8 & 0xff;
        return -Errno.EPROTO;
    }

    private static void RunHook(ref InitState s, HookCall* hook)
    {
        if (s.Plan->StateFd >= 0)
        {
            Kernel.Call(SyscallNumber.Lseek, s.Plan->StateFd, 0, 0);
            Files.Duplicate(s.Plan->StateFd, 0);
        }
        InitMain.DefaultSignals();
        Files.CloseRange(3, uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC);
        s.Detail = InitDetail.HookExecute;
        Sync.Fail(ref s, Processes.Execute(hook->Path, hook->Arguments, hook->Environment));
    }

    /// <summary>
    /// The container's program. Default signal actions and an empty mask, because ignored signals and the mask survive execve; no descriptor
    /// but stdio and those asked for (CVE-2024-21626).
    /// </summary>
    public static long Execute(ref InitState s)
    {
        int kept = s.Plan->PreservedFds;
        for (int fd = 3; fd < 3 + kept; fd++) Files.Fcntl(fd, Files.F_SETFD, 0);
        long result = Files.CloseRange((uint)(3 + kept), uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC);
        if (result < 0) return result;
        InitMain.DefaultSignals();
        s.SetText(s.Executable);
        return Processes.Execute(s.Executable, s.Plan->Arguments, s.Plan->Environment);
    }
}
