using System.Text;
using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>The container's init from clone3(2) on, as its parent sees it.</summary>
internal sealed unsafe class ChildProcess : IDisposable
{
    private readonly Fd _sync;

    private ChildProcess(int pid, Fd pidfd, Fd sync)
    {
        Pid = pid;
        PidFd = pidfd;
        _sync = sync;
    }

    public int Pid { get; private set; }
    public Fd PidFd { get; private set; }

    /// <summary>Descriptor of the conversation; readable when the child said something or is gone.</summary>
    public int SyncFd => _sync.Number;

    /// <summary>
    /// Clones the child. The descriptors in <paramref name="native"/> are inherited by it; everything else of the parent's is closed there at
    /// once, above all the lock and the parent's end of the socket, whose copies would keep both alive after the parent's death.
    /// </summary>
    public static ChildProcess Clone(LaunchPlan plan, InitPlan* native, int cgroupFd, int pidNamespaceFd)
    {
        int* pair = stackalloc int[2];
        OciException.Check(Sockets.Pair(Sockets.SOCK_SEQPACKET, pair), "socketpair");
        Fd parentEnd = new(pair[0]);
        using Fd childEnd = new(pair[1]);
        native->SyncFd = childEnd.Number;
        FillCloseRanges(native);
        int pidfd = -1;
        CloneArgs args = new()
        {
            Flags = plan.CloneFlags | Processes.CLONE_PIDFD | (cgroupFd >= 0 ? Processes.CLONE_INTO_CGROUP : 0),
            PidFd = (ulong)&pidfd,
            ExitSignal = Processes.SIGCHLD,
            Cgroup = cgroupFd >= 0 ? (ulong)cgroupFd : 0,
        };
        long pid = pidNamespaceFd < 0 ? CloneInit(&args, native) : CloneInit(&args, native, pidNamespaceFd, $"{plan.PidNamespace?.Origin} {plan.PidNamespace?.Path}: join pid namespace");
        if (pid < 0)
        {
            parentEnd.Dispose();
            OciException plain = OciException.FromResult(pid, plan.CloneFlags == 0 ? "clone3 into the container's cgroup" : $"/linux/namespaces: clone3 with new namespaces {string.Join(", ", NamespaceNames.Of(plan.CloneFlags))}");
            throw new OciException(plain.Message + (plan.IdMaps == null ? "" : UserNamespace.Obstacle()), plain.Errno);
        }
        return new ChildProcess((int)pid, new Fd(pidfd), parentEnd);
    }

    /// <summary>Returns in the parent only.</summary>
    private static long CloneInit(CloneArgs* args, InitPlan* native)
    {
        long pid = Processes.Clone(*args);
        if (pid == 0) InitMain.Run(native);
        return pid;
    }

    private static long CloneInit(CloneArgs* args, InitPlan* native, int pidNamespaceFd, string what) =>
        PidNamespaceBirth.In(pidNamespaceFd, what, () => CloneInit(args, native));

    /// <summary>The next message; null when the child ended or closed its side.</summary>
    public SyncMessage? Receive(out int passed)
    {
        SyncMessage message = default;
        long n;
        do n = Sockets.Receive(_sync.Number, &message, sizeof(SyncMessage), out passed);
        while (n == -Errno.EINTR);
        // Only an end that is one means that the child is ending and can be waited for.
        if (n != -Errno.ECONNRESET) OciException.Check(n, "receive from init");
        return n == sizeof(SyncMessage) ? message : null;
    }

    /// <summary>Answers a request: go on, with a descriptor if one was asked for, or fail with this errno.</summary>
    public void Answer(int errno = 0, int passed = -1)
    {
        SyncMessage message = new() { Errno = errno };
        long result;
        do result = Sockets.Send(_sync.Number, &message, sizeof(SyncMessage), passed);
        while (result == -Errno.EINTR);
        // A child that is gone shows as the end of the conversation; one that is there would wait for ever for an answer that was not sent.
        if (result is not (-Errno.EPIPE or -Errno.ECONNRESET)) OciException.Check(result, "answer init");
    }

    /// <summary>
    /// The descriptor that a message is about: it came with it, or is fetched by the number that the child has for it. Null when it cannot be
    /// fetched, which the child has been told then; it may send it along.
    /// </summary>
    public Fd? Take(in SyncMessage message, int passed)
    {
        long fetched = passed >= 0 ? passed : Processes.PidFdGetFd(PidFd.Number, (int)message.Value);
        if (fetched >= 0) return new Fd((int)fetched);
        Answer((int)-fetched);
        return null;
    }

    /// <summary>The first child made the real init, a sibling, and ended: takes its place.</summary>
    public void Succeed(int pid)
    {
        // The number came from a process that others may have got hold of by now: nothing is done to a process that is not ours. The number
        // of a child stays its own until it has been waited for.
        if (pid == Pid || !Processes.IsChild(pid)) throw new OciException($"pid {pid}, which init says it has cloned, is not a child of this process");
        while (Processes.Wait(Pid, out _, 0) == -Errno.EINTR) { }
        PidFd.Dispose();
        Pid = pid;
        long pidFd = Processes.PidFdOpen(pid);
        // Whoever undoes the launch has no other way to it.
        if (pidFd < 0) Processes.Kill(pid, Processes.SIGKILL);
        PidFd = new Fd((int)OciException.Check(pidFd, "pidfd_open"));
    }

    /// <summary>Its pid in the pid namespace it lives in (proc_pid_status(5), NSpid: one number for each level, the innermost last).</summary>
    public int InnerPid()
    {
        byte[] status = Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{Pid}/status", 1 << 16, out _) ?? [];
        foreach (string line in Encoding.ASCII.GetString(status).Split('\n'))
        {
            if (line.StartsWith("NSpid:", StringComparison.Ordinal)) return int.Parse(line[(line.LastIndexOf('\t') + 1)..]);
        }
        return Pid;
    }

    /// <summary>Kills the child and takes its wait status.</summary>
    public int Kill()
    {
        // ESRCH: it has ended by itself.
        Processes.PidFdSendSignal(PidFd.Number, Processes.SIGKILL);
        return Wait();
    }

    /// <summary>Waits for the child's end.</summary>
    public int Wait()
    {
        int status;
        while (Processes.Wait(Pid, out status, 0) == -Errno.EINTR) { }
        return status;
    }

    /// <summary>All descriptors the child does not need, as ranges: complement of stdio, the preserved ones and those the plan names.</summary>
    private static void FillCloseRanges(InitPlan* native)
    {
        List<int> kept = [native->SyncFd];
        if (native->StartFd >= 0) kept.Add(native->StartFd);
        if (native->ConsoleFd >= 0) kept.Add(native->ConsoleFd);
        if (native->StateFd >= 0) kept.Add(native->StateFd);
        if (native->HookStdout >= 0) kept.Add(native->HookStdout);
        if (native->HookStderr >= 0) kept.Add(native->HookStderr);
        for (int i = 0; i < native->FdCount; i++) kept.Add(native->Fds[i]);
        kept.Sort();
        uint first = (uint)(3 + native->PreservedFds);
        int ranges = 0;
        foreach (int fd in kept)
        {
            if (fd < first) continue;
            if (fd > first) AddRange(native, ref ranges, first, (uint)fd - 1);
            first = (uint)fd + 1;
        }
        AddRange(native, ref ranges, first, uint.MaxValue);
        native->CloseRangeCount = ranges;
    }

    private static void AddRange(InitPlan* native, ref int count, uint first, uint last)
    {
        native->CloseRanges[2 * count] = first;
        native->CloseRanges[2 * count + 1] = last;
        count++;
    }

    public void Dispose()
    {
        _sync.Dispose();
        PidFd.Dispose();
    }
}
