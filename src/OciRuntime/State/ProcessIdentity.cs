using System.Buffers.Text;
using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>
/// A process that cannot be mistaken for another: the kernel hands a pid out again, but not with the same start time.
/// </summary>
/// <param name="Pid">In the pid namespace of the runtime; 0 for none.</param>
/// <param name="StartTime">Clock ticks since boot, field 22 of /proc/PID/stat (proc_pid_stat(5)).</param>
internal readonly record struct ProcessIdentity(int Pid, ulong StartTime)
{
    /// <summary>No process, the default; nobody has been recorded.</summary>
    public bool IsNone => Pid <= 0;

    /// <summary>The process that runs this code.</summary>
    public static ProcessIdentity Self() => Of(Processes.Pid()) ?? throw new OciException("read /proc/self/stat: is /proc mounted?");

    /// <summary>The process that has this pid now, dead or alive, or null.</summary>
    public static ProcessIdentity? Of(int pid) =>
        ProcessStat.TryRead(pid, out ProcessStat stat) ? new ProcessIdentity(pid, stat.StartTime) : null;

    /// <summary>True while this very process has not ended. A zombie has ended.</summary>
    public bool IsAlive() => !IsNone && ProcessStat.TryRead(Pid, out ProcessStat stat) && stat.StartTime == StartTime && !stat.IsDead;

    /// <summary>
    /// Opens a pidfd of this very process, or returns a negated errno; ESRCH when it is gone and also when its pid belongs to somebody
    /// else.
    /// </summary>
    public long OpenPidFd()
    {
        if (IsNone) return -Errno.ESRCH;
        long fd = Processes.PidFdOpen(Pid);
        // A recycled pid whose leader is not the task looked up gives EINVAL (pidfd_open(2)): it is not our process either.
        if (fd is -Errno.EINVAL or -Errno.ESRCH) return -Errno.ESRCH;
        // Whatever else went wrong, what is gone need not be opened: a container can be deleted also where pidfds are not to be had.
        if (fd < 0) return ProcessStat.TryRead(Pid, out ProcessStat present) && present.StartTime == StartTime ? fd : -Errno.ESRCH;
        using Fd process = new((int)fd);
        // Only after opening: the pidfd pins the process, so what is compared now is what will be signalled.
        return ProcessStat.TryRead(Pid, out ProcessStat stat) && stat.StartTime == StartTime ? process.Release() : -Errno.ESRCH;
    }

    /// <summary>Sends a signal to this very process. Returns 0 or a negated errno; ESRCH when it is gone.</summary>
    public long Signal(int signal)
    {
        long fd = OpenPidFd();
        if (fd < 0) return fd;
        using Fd process = new((int)fd);
        return Processes.PidFdSendSignal(process.Number, signal);
    }
}

/// <summary>The fields of /proc/PID/stat that identify a process and tell whether it lives.</summary>
/// <param name="State">Field 3: R, S, D, Z, X …</param>
/// <param name="Threads">Field 20.</param>
/// <param name="StartTime">Field 22.</param>
internal readonly record struct ProcessStat(char State, long Threads, ulong StartTime)
{
    /// <summary>
    /// Ended, whether or not its parent has taken notice. A leader that called pthread_exit is shown as a zombie too, while its other
    /// threads (which only then count more than itself) still run the program.
    /// </summary>
    public bool IsDead => State is 'Z' or 'X' or 'x' && Threads <= 1;

    /// <summary>Reads the stat line of <paramref name="pid"/>; false when there is no such process.</summary>
    /// <exception cref="OciException">The kernel refused for another reason: "gone" would be a guess, and a dangerous one.</exception>
    public static bool TryRead(int pid, out ProcessStat stat)
    {
        stat = default;
        if (pid <= 0) return false;
        Span<byte> line = stackalloc byte[1024];
        long length = Files.OpenAt(Files.AT_FDCWD, $"/proc/{Digits.Of(pid)}/stat", Files.O_RDONLY);
        if (length >= 0)
        {
            using Fd file = new((int)length);
            length = Files.Read(file.Number, line);
        }
        // ESRCH: it went away between open and read.
        if (length is -Errno.ENOENT or -Errno.ESRCH) return false;
        OciException.Check(length, $"read /proc/{pid}/stat");
        return TryParse(line[..(int)length], out stat);
    }

    /// <summary>Takes them from the line; false when it is none.</summary>
    public static bool TryParse(ReadOnlySpan<byte> line, out ProcessStat stat)
    {
        stat = default;
        if (StatLine.From(line, 3) is not [byte state, ..] || !Utf8Parser.TryParse(StatLine.From(line, 20), out long threads, out _)
            || !Utf8Parser.TryParse(StatLine.From(line, 22), out ulong startTime, out _))
        {
            return false;
        }
        stat = new ProcessStat((char)state, threads, startTime);
        return true;
    }
}
