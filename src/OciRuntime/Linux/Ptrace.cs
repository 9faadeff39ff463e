namespace OciRuntime.Linux;

/// <summary>ptrace(2), as far as it takes to read a seccomp filter back.</summary>
internal static unsafe class Ptrace
{
    private const int PTRACE_DETACH = 17, PTRACE_SEIZE = 0x4206, PTRACE_INTERRUPT = 0x4207, PTRACE_SECCOMP_GET_FILTER = 0x420c;
    private const int WALL = 0x40000000;

    /// <summary>Attaches to a process without stopping it.</summary>
    public static long Seize(int pid) => Kernel.Call(SyscallNumber.Ptrace, PTRACE_SEIZE, pid);

    /// <summary>Stops it, and waits until it has.</summary>
    /// <returns>
    /// 0, or the signal that it was just to be given, for <see cref="Detach"/>; ETIMEDOUT when it does not stop, ECHILD when it has ended.
    /// </returns>
    public static long Stop(int pid, int milliseconds)
    {
        long result = Kernel.Call(SyscallNumber.Ptrace, PTRACE_INTERRUPT, pid);
        if (result < 0) return result;
        for (long end = Processes.Milliseconds() + milliseconds; ;)
        {
            long waited = Processes.Wait(pid, out int status, Processes.WNOHANG | WALL);
            if (waited < 0) return waited;
            // 0x7f in the low byte: stopped, and not ended. The next is the signal, if there is no event above it (ptrace(2)).
            if (waited == pid) return (status & 0xff) != 0x7f ? -Errno.ECHILD : status >> 16 == 0 ? status >> 8 & 0xff : 0;
            if (Processes.Milliseconds() >= end) return -Errno.ETIMEDOUT;
            Processes.Sleep(1);
        }
    }

    /// <summary>Lets it go on, with a signal that would be lost otherwise, or 0.</summary>
    public static long Detach(int pid, int signal) => Kernel.Call(SyscallNumber.Ptrace, PTRACE_DETACH, pid, 0, signal);

    /// <summary>
    /// A seccomp filter of a stopped process, 0 being the one that was loaded last; ENOENT behind the first. Takes CAP_SYS_ADMIN, and a
    /// caller that has no filter itself.
    /// </summary>
    public static SockFilter[]? Filter(int pid, int index, out long error)
    {
        error = Kernel.Call(SyscallNumber.Ptrace, PTRACE_SECCOMP_GET_FILTER, pid, index);
        if (error < 0) return null;
        SockFilter[] filter = new SockFilter[error];
        fixed (SockFilter* room = filter) error = Kernel.Call(SyscallNumber.Ptrace, PTRACE_SECCOMP_GET_FILTER, pid, index, (nint)room);
        return error < 0 ? null : filter;
    }
}
