using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>A hook that the child itself runs.</summary>
internal struct HookCall
{
    public NativeText Path;
    public NativeArray<NativeText> Arguments, Environment;

    /// <summary>0 for no limit.</summary>
    public int TimeoutSeconds;

    /// <summary>Position in its list, for messages.</summary>
    public int Index;
}

internal struct ContainerHookArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.ContainerHook;
    public HookCall Hook;

    /// <summary>The directory that it starts in.</summary>
    public NativeText Rootfs;
}

internal struct StartHookArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.StartHook;
    public HookCall Hook;
}

/// <summary>
/// Hooks that run in the container: createContainer before the switch to its root, startContainer after it. The child itself starts them,
/// so that they have every namespace of the container, its ids and its cgroup, without any privilege that joining from outside would take.
/// </summary>
internal static unsafe class HookSteps
{
    public static long Run(ref InitState s, ContainerHookArguments* hook) => Run(ref s, &hook->Hook, hook->Rootfs);

    public static long Run(ref InitState s, StartHookArguments* hook) => Run(ref s, &hook->Hook, null);

    /// <summary>
    /// Runs one hook to its end: state on stdin, output kept for the error report, its process group killed when it takes too long.
    /// </summary>
    private static long Run(ref InitState s, HookCall* hook, byte* directory)
    {
        s.Detail = InitDetail.HookFork;
        s.SetText(hook->Path);
        s.Value = (long)hook->Index << 32;
        if (s.OutsideFd >= 0) return OutsideHooks.Run(ref s);
        int* output = stackalloc int[2];
        long result = Files.Pipe(output, 0);
        if (result < 0) return result;
        int pidfd = -1;
        long pid = Processes.Fork(&pidfd);
        if (pid == 0) Become(ref s, hook, directory, output[1]);
        Files.Close(output[1]);
        result = pid < 0 ? pid : Attend(ref s, hook, (int)pid, pidfd, output[0]);
        Files.Close(output[0]);
        Files.Close(pidfd);
        return result;
    }

    /// <summary>The hook's own process. Does not return.</summary>
    private static void Become(ref InitState s, HookCall* hook, byte* directory, int output)
    {
        // A hook must not outlive an init that is killed, and a session of its own makes it the leader of the group that a time-out kills.
        long result = Processes.Prctl(Processes.PR_SET_PDEATHSIG, Processes.SIGKILL);
        if (result >= 0 || s.Filtered) result = Processes.SetSession();
        // A seccomp profile for the program may deny either: no reason not to run its hook.
        if (result >= 0 || s.Filtered) result = Kernel.Call(SyscallNumber.Lseek, s.Plan->Fds.State, 0, 0);
        if (result >= 0) result = Files.Duplicate(s.Plan->Fds.State, 0);
        if (result >= 0) result = Files.Duplicate(s.Plan->Fds.HookStdout >= 0 ? s.Plan->Fds.HookStdout : output, 1);
        if (result >= 0) result = Files.Duplicate(s.Plan->Fds.HookStderr >= 0 ? s.Plan->Fds.HookStderr : output, 2);
        Files.SetUmask(s.CallersUmask);
        if (result >= 0 && directory is not null) result = Files.ChangeDirectory(directory);
        if (result >= 0 && !s.Filtered) result = Files.CloseRange(3, uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC);
        InitMain.DefaultSignals();
        s.Detail = InitDetail.HookExecute;
        if (result >= 0) result = Processes.Execute(hook->Path, (byte**)hook->Arguments.Items, (byte**)hook->Environment.Items);
        Sync.Fail(ref s, result);
    }

    private static long Attend(ref InitState s, HookCall* hook, int pid, int pidfd, int output)
    {
        long watched = Watch(ref s, pidfd, output, hook->TimeoutSeconds);
        if (watched < 0)
        {
            // It may have ended by now, or not have become the leader of its group yet.
            Processes.Kill(-pid, Processes.SIGKILL);
            Processes.PidFdSendSignal(pidfd, Processes.SIGKILL);
        }
        // Its own child: it is there to be waited for.
        Processes.Wait(pid, out int status, 0);
        if (watched >= 0 && status == 0)
        {
            s.TextLength = 0;
            s.Value = 0;
            return 0;
        }
        if (watched is < 0 and not -Errno.ETIMEDOUT)
        {
            s.Detail = InitDetail.HookWait;
            return watched;
        }
        bool inTime = watched >= 0, signalled = (status & 0x7f) != 0;
        s.Detail = !inTime ? InitDetail.HookTimeout : signalled ? InitDetail.HookSignal : InitDetail.HookStatus;
        s.Value |= !inTime ? (uint)hook->TimeoutSeconds : signalled ? (uint)(status & 0x7f) : (uint)(status >> 8 & 0xff);
        return inTime ? -Errno.EPROTO : -Errno.ETIMEDOUT;
    }

    /// <summary>
    /// Takes what the hook prints, so that it never blocks on a full pipe, until it ends. A daemon it leaves may keep the pipe: only the
    /// hook itself is waited for. ETIMEDOUT when its time is over.
    /// </summary>
    private static long Watch(ref InitState s, int pidfd, int output, int timeoutSeconds)
    {
        long deadline = timeoutSeconds > 0 ? Processes.Milliseconds() + timeoutSeconds * 1000L : long.MaxValue;
        PollFd* fds = stackalloc PollFd[2];
        bool open = true;
        while (true)
        {
            fds[0] = new PollFd { Fd = pidfd, Events = Processes.POLLIN };
            fds[1] = new PollFd { Fd = open ? output : -1, Events = Processes.POLLIN };
            long left = deadline == long.MaxValue ? -1 : deadline - Processes.Milliseconds();
            if (deadline != long.MaxValue && left <= 0) return -Errno.ETIMEDOUT;
            long ready = Processes.Poll(fds, 2, (int)(left > int.MaxValue ? int.MaxValue : left));
            if (ready == 0) continue;
            if (ready < 0) return ready;
            bool ended = fds[0].Returned != 0;
            if (fds[1].Returned != 0) open = Take(ref s, output);
            if (!ended) continue;
            // What it wrote last; of a daemon that goes on writing, no more than is kept anyway.
            fds[1] = new PollFd { Fd = output, Events = Processes.POLLIN };
            while (open && s.TextLength < SyncMessage.TextSize && Processes.Poll(fds + 1, 1, 0) > 0) open = Take(ref s, output);
            return 0;
        }
    }

    /// <summary>
    /// Appends output to the words of the report, behind the path and a line end; what finds no room is dropped. False at its end.
    /// </summary>
    private static bool Take(ref InitState s, int output)
    {
        byte* buffer = stackalloc byte[1024];
        long n = Files.Read(output, buffer, 1024);
        for (int i = -1; i < n && n > 0; i++)
        {
            if (i < 0 && s.HasOutput) continue;
            s.HasOutput = true;
            if (s.TextLength < SyncMessage.TextSize) s.Text[s.TextLength++] = i < 0 ? (byte)'\n' : buffer[i];
        }
        return n > 0;
    }
}
