using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>clone3(2) argument, version 2 (Linux 5.7, with the cgroup field).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CloneArgs
{
    public ulong Flags, PidFd, ChildTid, ParentTid, ExitSignal, Stack, StackSize, Tls, SetTid, SetTidSize, Cgroup;
}

/// <summary>The kernel's sigaction on 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct KernelSigaction
{
    public nint Handler;
    public ulong Flags;
    public nint Restorer;
    public ulong Mask;
}

/// <summary>prlimit64(2) argument.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct ResourceLimit
{
    public ulong Soft, Hard;
}

/// <summary>poll(2) entry.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PollFd
{
    public int Fd;
    public short Events, Returned;

    /// <summary>Until a descriptor can be read, has an error or is closed at the other end; one that is -1 is left out.</summary>
    public static PollFd Reading(int fd) => new() { Fd = fd, Events = Processes.POLLIN };
}

/// <summary>struct signalfd_siginfo, as far as it is read here.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct SignalInfo
{
    [FieldOffset(0)] public int Signal;

    /// <summary>Who has sent it.</summary>
    [FieldOffset(12)] public int Pid;
}

/// <summary>struct timespec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TimeSpec
{
    public long Seconds, Nanoseconds;
}

/// <summary>Processes, signals and waiting.</summary>
internal static unsafe class Processes
{
    public const ulong CLONE_NEWTIME = 0x80, CLONE_PIDFD = 0x1000, CLONE_PARENT = 0x8000, CLONE_NEWNS = 0x20000,
        CLONE_NEWCGROUP = 0x2000000, CLONE_NEWUTS = 0x4000000,
        CLONE_NEWIPC = 0x8000000, CLONE_NEWUSER = 0x10000000, CLONE_NEWPID = 0x20000000, CLONE_NEWNET = 0x40000000,
        CLONE_INTO_CGROUP = 0x200000000;
    public const int SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGILL = 4, SIGTRAP = 5, SIGABRT = 6, SIGBUS = 7, SIGFPE = 8, SIGKILL = 9,
        SIGSEGV = 11, SIGPIPE = 13, SIGTERM = 15, SIGCHLD = 17, SIGCONT = 18, SIGSTOP = 19, SIGTSTP = 20,

        SIGURG = 23, SIGWINCH = 28, SIGSYS = 31, SignalCount = 64;
    private const ulong SA_RESTORER = 0x04000000;
    private const int SIG_IGN = 1;
    public const int SIG_BLOCK = 0, SIG_SETMASK = 2;
    public const int PR_SET_PDEATHSIG = 1, PR_SET_DUMPABLE = 4, PR_SET_KEEPCAPS = 8, PR_SET_NAME = 15, PR_CAPBSET_READ = 23,
        PR_CAPBSET_DROP = 24,
        PR_SET_CHILD_SUBREAPER = 36, PR_SET_NO_NEW_PRIVS = 38, PR_CAP_AMBIENT = 47, PR_CAP_AMBIENT_RAISE = 2, PR_CAP_AMBIENT_CLEAR_ALL = 4;
    public const short POLLIN = 1, POLLPRI = 2, POLLOUT = 4, POLLHUP = 16;
    public const int WNOHANG = 1, WNOTHREAD = 0x20000000, P_PID = 1, P_PIDFD = 3, WEXITED = 4, WNOWAIT = 0x1000000;
    public const int RLIMIT_NOFILE = 7;
    public const int CLOCK_MONOTONIC = 1;

    public static long Clone(in CloneArgs args)
    {
        fixed (CloneArgs* p = &args) return CloneUncollected(SyscallNumber.Clone3, (nint)p, sizeof(CloneArgs));
    }

    /// <summary>
    /// No collection of another thread's may have begun: in the clone, where that thread is not, it would never end, and the next look at
    /// whether there is one would wait for it (Native/runtime.c).
    /// </summary>
    private static long CloneUncollected(nint call, nint a, nint b = 0, nint c = 0)
    {
        if (!Kernel.IsShared) return Kernel.CallOnce(call, a, b, c);
        ForbidCollections();
        long pid = Kernel.CallOnce(call, a, b, c);
        if (pid == 0) Kernel.IsShared = false;
        else AllowCollections();
        return pid;
    }

    // Not without a transition: it may wait for a collection, which waits for threads without one.
    [DllImport("libc", EntryPoint = "ocirun_forbid_collections")]
    private static extern void ForbidCollections();

    [DllImport("libc", EntryPoint = "ocirun_allow_collections"), SuppressGCTransition]
    private static extern void AllowCollections();

    /// <summary>As <see cref="Clone(in CloneArgs)"/>, for a child with a pidfd. Returns in it, too, with 0.</summary>
    /// <param name="flags">CLONE_… flags besides CLONE_PIDFD.</param>
    /// <param name="pidfd">Its pidfd.</param>
    /// <param name="cgroup">Descriptor of the cgroup v2 that it is born in, or -1 for the caller's.</param>
    public static long Clone(ulong flags, out int pidfd, int cgroup = -1)
    {
        // Not through the reference: where that points to is its owner's to say, and a collection's.
        int fd = -1;
        CloneArgs args = new() { Flags = flags | CLONE_PIDFD, PidFd = (ulong)&fd, ExitSignal = SIGCHLD };
        if (cgroup >= 0)
        {
            args.Flags |= CLONE_INTO_CGROUP;
            args.Cgroup = (ulong)cgroup;
        }
        long pid = Clone(args);
        pidfd = fd;
        return pid;
    }

    /// <summary>
    /// A child like fork's, with a pidfd. Seccomp profiles answer clone3 with ENOSYS, as its flags are out of their reach, and allow the
    /// old call, which can do this, too (Linux 5.2).
    /// </summary>
    /// <param name="pidfd">Takes the pidfd.</param>
    /// <param name="flags">CLONE_NEW… flags of namespaces that it is born in.</param>
    public static long Fork(int* pidfd, ulong flags = 0)
    {
        flags |= CLONE_PIDFD;
        long pid = Clone(new CloneArgs { Flags = flags, PidFd = (ulong)pidfd, ExitSignal = SIGCHLD });
        if (pid is -Errno.ENOSYS or -Errno.EPERM) pid = CloneUncollected(SyscallNumber.Clone, (nint)flags | SIGCHLD, 0, (nint)pidfd);
        if (pid == 0) Trace.Stop();
        return pid;
    }

    /// <summary>A child like fork's that makes no descriptor; by the old call where a profile hides clone3.</summary>
    public static long ForkSimply()
    {
        long pid = Clone(new CloneArgs { ExitSignal = SIGCHLD });
        if (pid is -Errno.ENOSYS or -Errno.EPERM) pid = CloneUncollected(SyscallNumber.Clone, SIGCHLD);
        if (pid == 0) Trace.Stop();
        return pid;
    }

    /// <summary>
    /// A child of this process's own parent (CLONE_PARENT), which it signals as this one does; by the old call where a profile hides
    /// clone3.
    /// </summary>
    public static long ForkSibling(ulong flags)
    {
        long pid = Clone(new CloneArgs { Flags = CLONE_PARENT | flags });
        if (pid is -Errno.ENOSYS or -Errno.EPERM && flags == 0) pid = CloneUncollected(SyscallNumber.Clone, (nint)CLONE_PARENT);
        // The sibling goes on in this one's place.
        if (pid > 0) Trace.Stop();
        return pid;
    }

    /// <summary>True when the process is a child of this one, ended or not, that has not been waited for.</summary>
    public static bool IsChild(int pid)
    {
        byte* info = stackalloc byte[128];
        return Kernel.Call(SyscallNumber.Waitid, P_PID, pid, (nint)info, WEXITED | WNOHANG | WNOWAIT) >= 0;
    }

    /// <summary>A copy of another process's descriptor, close-on-exec.</summary>
    public static long PidFdGetFd(int pidfd, int fd) => Kernel.Call(SyscallNumber.PidfdGetfd, pidfd, fd);

    public static long Unshare(ulong flags) => Kernel.Call(SyscallNumber.Unshare, (nint)flags);

    public static long SetNamespace(int fd, ulong flags) => Kernel.Call(SyscallNumber.Setns, fd, (nint)flags);

    public static long Execute(byte* path, byte** argv, byte** envp) =>
        Kernel.Call(SyscallNumber.Execve, (nint)path, (nint)argv, (nint)envp);

    /// <summary>Does not return, not even when a seccomp filter denies exit_group: init must not go on after a failed step.</summary>
    public static void Exit(int status)
    {
        // If it returns, see below.
        Kernel.Call(SyscallNumber.ExitGroup, status);
        // A fault needs no system call; init has given SIGSEGV its default action before it loaded a filter.
        *(int*)8 = status;
    }

    public static int Pid() => (int)Kernel.Call(SyscallNumber.Getpid);

    /// <summary>
    /// New memory, all 0, of which only those pages cost something that are touched. A command never gives it back, as it ends in
    /// milliseconds; the shim does.
    /// </summary>
    /// <param name="size">Bytes.</param>
    /// <param name="isShared">What a clone writes there, this process reads.</param>
    public static byte* MapMemory(nint size, bool isShared)
    {
        const int PROT_READ = 1, PROT_WRITE = 2, MAP_SHARED = 1, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20;
        int flags = MAP_ANONYMOUS | (isShared ? MAP_SHARED : MAP_PRIVATE);
        return (byte*)OciException.Check(Kernel.Call(SyscallNumber.Mmap, 0, size, PROT_READ | PROT_WRITE, flags, -1, 0), "mmap");
    }

    /// <summary>Gives memory of <see cref="MapMemory"/> back.</summary>
    public static long UnmapMemory(byte* start, nint size) => Kernel.Call(SyscallNumber.Munmap, (nint)start, size);

    /// <summary>This process's own memory, where the kernel has put things in it (proc_pid_stat(5)).</summary>
    public static ReadOnlySpan<byte> OwnMemory(long start, int length) => new((byte*)start, length);

    public static int ParentPid() => (int)Kernel.Call(SyscallNumber.Getppid);

    public static uint EffectiveUid() => (uint)Kernel.Call(SyscallNumber.Geteuid);

    public static uint EffectiveGid() => (uint)Kernel.Call(SyscallNumber.Getegid);

    public static long Wait(int pid, out int status, int options)
    {
        // Of what cannot be waited for nobody shall take it that it has succeeded.
        status = 0xff << 8;
        fixed (int* p = &status) return Kernel.CallBlocking(SyscallNumber.Wait4, pid, (nint)p, options);
    }

    /// <summary>Waits for a child's end, with WNOHANG not at all. Returns its pid, 0 when it has not ended, or a negated errno.</summary>
    public static long Reap(int pid, out WaitStatus status, int options = 0)
    {
        long result = Wait(pid, out int value, options);
        status = new WaitStatus(value);
        return result;
    }

    /// <summary>
    /// Waits for a child's end without asking how it was, with WNOHANG not at all. Whoever else may have reaped it (-ECHILD), no other
    /// child is taken for it, as it may be by its number.
    /// </summary>
    public static long ReapByPidFd(int pidfd, int options = 0)
    {
        byte* info = stackalloc byte[128];
        return Kernel.CallBlocking(SyscallNumber.Waitid, P_PIDFD, pidfd, (nint)info, WEXITED | options);
    }

    public static long PidFdOpen(int pid) => Kernel.Call(SyscallNumber.PidfdOpen, pid);

    public static long PidFdSendSignal(int pidfd, int signal) => Kernel.Call(SyscallNumber.PidfdSendSignal, pidfd, signal);

    public static long Kill(int pid, int signal) => Kernel.Call(SyscallNumber.Kill, pid, signal);

    public static long Prctl(int option, nint a = 0, nint b = 0, nint c = 0, nint d = 0) =>
        Kernel.Call(SyscallNumber.Prctl, option, a, b, c, d);

    /// <summary>What ps(1) shows, up to 15 bytes.</summary>
    public static long SetName(string name)
    {
        fixed (byte* p = CString.Encode(name, stackalloc byte[64])) return Prctl(PR_SET_NAME, (nint)p);
    }

    /// <summary>The process group of this process.</summary>
    public static long ProcessGroup() => Kernel.Call(SyscallNumber.Getpgid);

    public static long SetSession() => Kernel.Call(SyscallNumber.Setsid);

    public static long SetLimit(int pid, int resource, ResourceLimit limit) =>
        Kernel.Call(SyscallNumber.Prlimit64, pid, resource, (nint)(&limit));

    public static long GetLimit(int pid, int resource, out ResourceLimit limit)
    {
        fixed (ResourceLimit* p = &limit) return Kernel.Call(SyscallNumber.Prlimit64, pid, resource, 0, (nint)p);
    }

    // 0 where nothing was raised.
    private static ulong s_callersFiles;

    /// <summary>
    /// From now on this process may have as many descriptors as it may ask for; what it clones gets the caller's limit back
    /// (<see cref="RestoreFileLimit"/>), as programs may close all that they could have open, or select(2) among them.
    /// </summary>
    public static long RaiseFileLimit()
    {
        long result = GetLimit(0, RLIMIT_NOFILE, out ResourceLimit limit);
        if (result < 0 || limit.Soft >= limit.Hard) return result;
        result = SetLimit(0, RLIMIT_NOFILE, new ResourceLimit { Soft = limit.Hard, Hard = limit.Hard });
        if (result >= 0) s_callersFiles = limit.Soft;
        return result;
    }

    /// <summary>In a clone, before it runs a program. The hard limit is what this process has by now.</summary>
    public static long RestoreFileLimit()
    {
        if (s_callersFiles == 0) return 0;
        long result = GetLimit(0, RLIMIT_NOFILE, out ResourceLimit limit);
        if (result < 0) return result;
        limit.Soft = s_callersFiles < limit.Hard ? s_callersFiles : limit.Hard;
        return SetLimit(0, RLIMIT_NOFILE, limit);
    }

    /// <summary>Milliseconds on a clock that nobody sets; unlike Environment.TickCount64 also for the child after clone3(2).</summary>
    public static long Milliseconds()
    {
        TimeSpec now = default;
        // Every kernel has this clock; a profile that denies the call makes it stand still, at 0.
        Kernel.Call(SyscallNumber.ClockGettime, CLOCK_MONOTONIC, (nint)(&now));
        return now.Seconds * 1000 + now.Nanoseconds / 1_000_000;
    }

    /// <summary>
    /// Waits for events; a negative timeout in milliseconds waits for ever. It is that of the whole, whatever signals come: ppoll(2) leaves
    /// what is left of it.
    /// </summary>
    public static long Poll(PollFd* fds, int count, int timeoutMilliseconds)
    {
        TimeSpec wait = new() { Seconds = timeoutMilliseconds / 1000, Nanoseconds = timeoutMilliseconds % 1000 * 1_000_000L };
        return Kernel.CallBlocking(SyscallNumber.Ppoll, (nint)fds, count, timeoutMilliseconds < 0 ? 0 : (nint)(&wait), 0, 8);
    }

    /// <summary>As <see cref="Poll(PollFd*, int, int)"/>.</summary>
    public static long Poll(Span<PollFd> fds, int timeoutMilliseconds)
    {
        fixed (PollFd* p = fds) return Poll(p, fds.Length, timeoutMilliseconds);
    }

    /// <summary>Waits until a descriptor can be read, or is closed at the other end; false when the time is over before.</summary>
    /// <param name="fd">The descriptor.</param>
    /// <param name="timeoutMilliseconds">Negative for no limit.</param>
    /// <exception cref="OciException">It cannot be waited for.</exception>
    public static bool AwaitReadable(int fd, int timeoutMilliseconds)
    {
        PollFd poll = PollFd.Reading(fd);
        return OciException.Check(Poll(&poll, 1, timeoutMilliseconds), "poll") > 0;
    }

    public static void Sleep(int milliseconds)
    {
        TimeSpec wait = new() { Seconds = milliseconds / 1000, Nanoseconds = milliseconds % 1000 * 1_000_000L };
        // Whoever waits looks again afterwards, and has a deadline.
        Kernel.CallBlocking(SyscallNumber.ClockNanosleep, CLOCK_MONOTONIC, 0, (nint)(&wait), 0);
    }

    /// <summary>The thread's signal mask, bit n-1 for signal n.</summary>
    public static long SetSignalMask(int how, ulong set, out ulong old)
    {
        fixed (ulong* p = &old) return Kernel.Call(SyscallNumber.RtSigprocmask, how, (nint)(&set), (nint)p, 8);
    }

    /// <summary>Gives a signal its default action.</summary>
    public static long ResetSignal(int signal) => SetAction(signal, default);

    /// <summary>Ignores a signal.</summary>
    public static long IgnoreSignal(int signal) => SetAction(signal, new() { Handler = SIG_IGN });

    /// <summary>From now on the signal ends the process with the exit status 128 + signal, also the first one of a pid namespace.</summary>
    public static long EndAt(int signal)
    {
        // The restorer is what returns from a handler. This one never does, but without any the kernel refuses to call it (x86_64).
        nint handler = EndHandler();
        return SetAction(signal, new() { Handler = handler, Flags = SA_RESTORER, Restorer = handler });
    }

    private static long SetAction(int signal, KernelSigaction action) =>
        Kernel.Call(SyscallNumber.RtSigaction, signal, (nint)(&action), 0, sizeof(ulong));

    // In Native/runtime.c: a signal handler must not be managed code.
    [DllImport("libc", EntryPoint = "ocirun_end_handler"), SuppressGCTransition]
    private static extern nint EndHandler();

    public static long SignalFd(ulong mask, int flags) =>
        Kernel.Call(SyscallNumber.Signalfd4, -1, (nint)(&mask), 8, flags | Files.O_CLOEXEC);

    /// <summary>A counter to be told by and to poll (eventfd(2)), without waiting.</summary>
    /// <param name="byOne">Each read takes 1 of it, not all.</param>
    public static long EventFd(bool byOne = false)
    {
        const int EFD_SEMAPHORE = 1;
        return Kernel.Call(SyscallNumber.Eventfd2, 0, Files.O_CLOEXEC | Files.O_NONBLOCK | (byOne ? EFD_SEMAPHORE : 0));
    }

    /// <summary>Signals as the kernel has sets of them, bit n-1 for signal n.</summary>
    public static ulong SignalSet(params ReadOnlySpan<int> signals)
    {
        ulong set = 0;
        foreach (int signal in signals) set |= 1UL << (signal - 1);
        return set;
    }
}
