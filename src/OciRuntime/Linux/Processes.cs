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
    public const ulong CLONE_NEWTIME = 0x80, CLONE_PIDFD = 0x1000, CLONE_PARENT = 0x8000, CLONE_NEWNS = 0x20000, CLONE_NEWCGROUP = 0x2000000, CLONE_NEWUTS = 0x4000000,
        CLONE_NEWIPC = 0x8000000, CLONE_NEWUSER = 0x10000000, CLONE_NEWPID = 0x20000000, CLONE_NEWNET = 0x40000000, CLONE_CLEAR_SIGHAND = 0x100000000,
        CLONE_INTO_CGROUP = 0x200000000;
    public const int SIGHUP = 1, SIGINT = 2, SIGKILL = 9, SIGSYS = 31, SIGPIPE = 13, SIGTERM = 15, SIGCHLD = 17, SIGSTOP = 19, SIGURG = 23, SIGWINCH = 28, SignalCount = 64;
    private const ulong SA_RESTORER = 0x04000000;
    public const int SIG_BLOCK = 0, SIG_UNBLOCK = 1, SIG_SETMASK = 2;
    public const int PR_SET_PDEATHSIG = 1, PR_SET_DUMPABLE = 4, PR_SET_KEEPCAPS = 8, PR_SET_NAME = 15, PR_CAPBSET_READ = 23, PR_CAPBSET_DROP = 24,
        PR_SET_CHILD_SUBREAPER = 36, PR_SET_NO_NEW_PRIVS = 38, PR_CAP_AMBIENT = 47, PR_CAP_AMBIENT_RAISE = 2, PR_CAP_AMBIENT_CLEAR_ALL = 4;
    public const short POLLIN = 1, POLLPRI = 2, POLLOUT = 4, POLLERR = 8, POLLHUP = 16;
    public const int WNOHANG = 1, P_PID = 1, WEXITED = 4, WNOWAIT = 0x1000000;
    public const int CLOCK_MONOTONIC = 1, CLOCK_BOOTTIME = 7;

    public static long Clone(in CloneArgs args)
    {
        fixed (CloneArgs* p = &args) return Kernel.Call(SyscallNumber.Clone3, (nint)p, sizeof(CloneArgs));
    }

    /// <summary>
    /// A child like fork's, with a pidfd. Seccomp profiles answer clone3 with ENOSYS, as its flags are out of their reach, and allow the old
    /// call, which can do this, too (Linux 5.2).
    /// </summary>
    /// <param name="pidfd">Takes the pidfd.</param>
    /// <param name="flags">CLONE_NEW… flags of namespaces that it is born in.</param>
    public static long Fork(int* pidfd, ulong flags = 0)
    {
        flags |= CLONE_PIDFD;
        long pid = Clone(new CloneArgs { Flags = flags, PidFd = (ulong)pidfd, ExitSignal = SIGCHLD });
        return pid is -Errno.ENOSYS or -Errno.EPERM ? Kernel.Call(SyscallNumber.Clone, (nint)flags | SIGCHLD, 0, (nint)pidfd) : pid;
    }

    /// <summary>A child like fork's that makes no descriptor; by the old call where a profile hides clone3.</summary>
    public static long ForkSimply()
    {
        long pid = Clone(new CloneArgs { ExitSignal = SIGCHLD });
        return pid is -Errno.ENOSYS or -Errno.EPERM ? Kernel.Call(SyscallNumber.Clone, SIGCHLD) : pid;
    }

    /// <summary>A child of this process's own parent (CLONE_PARENT), which it signals as this one does; by the old call where a profile hides clone3.</summary>
    public static long ForkSibling(ulong flags)
    {
        long pid = Clone(new CloneArgs { Flags = CLONE_PARENT | flags });
        return pid is -Errno.ENOSYS or -Errno.EPERM && flags == 0 ? Kernel.Call(SyscallNumber.Clone, (nint)CLONE_PARENT) : pid;
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

    public static long Execute(byte* path, byte** argv, byte** envp) => Kernel.Call(SyscallNumber.Execve, (nint)path, (nint)argv, (nint)envp);

    public static long ExecuteAt(int dirfd, byte* path, byte** argv, byte** envp, int flags) =>
        Kernel.Call(SyscallNumber.Execveat, dirfd, (nint)path, (nint)argv, (nint)envp, flags);

    /// <summary>Does not return, not even when a seccomp filter denies exit_group: init must not go on after a failed step.</summary>
    public static void Exit(int status)
    {
        // If it returns, see below.
        Kernel.Call(SyscallNumber.ExitGroup, status);
        // A fault needs no system call; init has given SIGSEGV its default action before it loaded a filter.
        *(int*)8 = status;
    }

    public static int Pid() => (int)Kernel.Call(SyscallNumber.Getpid);

    public static int ParentPid() => (int)Kernel.Call(SyscallNumber.Getppid);

    public static uint EffectiveUid() => (uint)Kernel.Call(SyscallNumber.Geteuid);

    public static uint EffectiveGid() => (uint)Kernel.Call(SyscallNumber.Getegid);

    public static long Wait(int pid, out int status, int options)
    {
        fixed (int* p = &status) return Kernel.CallBlocking(SyscallNumber.Wait4, pid, (nint)p, options);
    }

    public static long PidFdOpen(int pid) => Kernel.Call(SyscallNumber.PidfdOpen, pid);

    public static long PidFdSendSignal(int pidfd, int signal) => Kernel.Call(SyscallNumber.PidfdSendSignal, pidfd, signal);

    public static long Kill(int pid, int signal) => Kernel.Call(SyscallNumber.Kill, pid, signal);

    public static long Prctl(int option, nint a = 0, nint b = 0, nint c = 0, nint d = 0) => Kernel.Call(SyscallNumber.Prctl, option, a, b, c, d);

    public static long SetSession() => Kernel.Call(SyscallNumber.Setsid);

    public static long SetLimit(int pid, int resource, ResourceLimit limit) => Kernel.Call(SyscallNumber.Prlimit64, pid, resource, (nint)(&limit));

    public static long GetLimit(int pid, int resource, out ResourceLimit limit)
    {
        fixed (ResourceLimit* p = &limit) return Kernel.Call(SyscallNumber.Prlimit64, pid, resource, 0, (nint)p);
    }

    /// <summary>Milliseconds on a clock that nobody sets; unlike Environment.TickCount64 also for the child after clone3(2).</summary>
    public static long Milliseconds()
    {
        TimeSpec now = default;
        // Every kernel has this clock; a profile that denies the call makes it stand still, at 0.
        Kernel.Call(SyscallNumber.ClockGettime, CLOCK_MONOTONIC, (nint)(&now));
        return now.Seconds * 1000 + now.Nanoseconds / 1_000_000;
    }

    /// <summary>Waits for events; a negative timeout in milliseconds waits for ever. EINTR is returned to the caller.</summary>
    public static long Poll(PollFd* fds, int count, int timeoutMilliseconds)
    {
        TimeSpec wait = new() { Seconds = timeoutMilliseconds / 1000, Nanoseconds = timeoutMilliseconds % 1000 * 1_000_000L };
        return Kernel.CallBlocking(SyscallNumber.Ppoll, (nint)fds, count, timeoutMilliseconds < 0 ? 0 : (nint)(&wait), 0, 8);
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
    public static long ResetSignal(int signal)
    {
        KernelSigaction action = default;
        return Kernel.Call(SyscallNumber.RtSigaction, signal, (nint)(&action), 0, 8);
    }

    /// <summary>Ignores a signal.</summary>
    public static long IgnoreSignal(int signal)
    {
        KernelSigaction action = new() { Handler = 1 };
        return Kernel.Call(SyscallNumber.RtSigaction, signal, (nint)(&action), 0, 8);
    }

    /// <summary>From now on the signal ends the process with the exit status 128 + signal, also the first one of a pid namespace.</summary>
    public static long EndAt(int signal)
    {
        // The restorer is what returns from a handler. This one never does, but without any the kernel refuses to call it (x86_64).
        nint handler = EndHandler();
        KernelSigaction action = new() { Handler = handler, Flags = SA_RESTORER, Restorer = handler };
        return Kernel.Call(SyscallNumber.RtSigaction, signal, (nint)(&action), 0, 8);
    }

    // In Native/seal.c: a signal handler must not be managed code.
    [DllImport("libc", EntryPoint = "ocirun_end_handler"), SuppressGCTransition]
    private static extern nint EndHandler();

    public static long SignalFd(ulong mask, int flags) => Kernel.Call(SyscallNumber.Signalfd4, -1, (nint)(&mask), 8, flags | Files.O_CLOEXEC);

}
