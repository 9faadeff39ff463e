using System.Buffers.Text;
using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>
/// A process that cannot be mistaken for another: the kernel hands a pid out again, but not with the same start time.
/// </summary>
/// <param name="Pid">In the pid namespace of the runtime; 0 for none.</param>
/// <param name="StartTime">Clock ticks since boot, field 22 of /proc/PID/stat (proc_pid_stat(5)).</param>
internal readonly record struct ProcessIdentity(int Pid, ulong StartTime)
{
    /// <summary>No process.</summary>
    public static ProcessIdentity None => default;

    /// <summary>Nobody has been recorded.</summary>
    public bool IsNone => Pid <= 0;

    /// <summary>The process that runs this code.</summary>
    public static ProcessIdentity Self() => Of(Processes.Pid()) ?? throw new OciException("read /proc/self/stat: is /proc mounted?");

    /// <summary>The process that has this pid now, dead or alive, or null.</summary>
    public static ProcessIdentity? Of(int pid) => ProcessStat.TryRead(pid, out ProcessStat stat) ? new ProcessIdentity(pid, stat.StartTime) : null;

    /// <summary>True while this very process has not ended. A zombie has ended.</summary>
    public bool IsAlive() => !IsNone && ProcessStat.TryRead(Pid, out ProcessStat stat) && stat.StartTime == StartTime && !stat.IsDead;

    /// <summary>
    /// Opens a pidfd of this very process, or returns a negated errno; ESRCH when it is gone and also when its pid belongs to somebody else.
    /// </summary>
    public long OpenPidFd()
    {
        if (IsNone) return -Errno.ESRCH;
        long fd = Processes.PidFdOpen(Pid);
        // A recycled pid whose leader is not the task looked up gives EINVAL (pidfd_open(2)): it is not our process either.
        if (fd is -Errno.EINVAL or -Errno.ESRCH) return -Errno.ESRCH;
        // Whatever else went wrong, what is gone need not be opened: a container can be deleted also where pidfds are not to be had.
        if (fd < 0) return ProcessStat.TryRead(Pid, out ProcessStat present) && present.StartTime == StartTime ? fd : -Errno.ESRCH;
        // Only after opening: the pidfd pins the process, so what is compared now is what will be signalled.
        if (ProcessStat.TryRead(Pid, out ProcessStat stat) && stat.StartTime == StartTime) return fd;
        Files.Close((int)fd);
        return -Errno.ESRCH;
    }

    /// <summary>Sends a signal to this very process. Returns 0 or a negated errno; ESRCH when it is gone.</summary>
    public long Signal(int signal)
    {
        long fd = OpenPidFd();
        if (fd < 0) return fd;
        long result = Processes.PidFdSendSignal((int)fd, signal);
        Files.Close((int)fd);
        return result;
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
    public static unsafe bool TryRead(int pid, out ProcessStat stat)
    {
        stat = default;
        if (pid <= 0) return false;
        byte* path = stackalloc byte[32];
        Span<byte> text = new(path, 32);
        "/proc/"u8.CopyTo(text);
        Utf8Formatter.TryFormat(pid, text[6..], out int digits);
        "/stat\0"u8.CopyTo(text[(6 + digits)..]);

        byte* line = stackalloc byte[1024];
        long fd = Files.OpenAt(Files.AT_FDCWD, path, Files.O_RDONLY);
        long length = fd;
        if (fd >= 0)
        {
            do length = Files.Read((int)fd, line, 1024);
            while (length == -Errno.EINTR);
            Files.Close((int)fd);
        }
        // ESRCH: it went away between open and read.
        if (length is -Errno.ENOENT or -Errno.ESRCH) return false;
        OciException.Check(length, $"read /proc/{pid}/stat");
        return TryParse(new ReadOnlySpan<byte>(line, (int)length), out stat);
    }

    /// <summary>Parses the line. The name in field 2 is the program's choice and may hold blanks and parentheses: fields are counted from the last one.</summary>
    public static bool TryParse(ReadOnlySpan<byte> line, out ProcessStat stat)
    {
        stat = default;
        int name = line.LastIndexOf((byte)')');
        if (name < 0 || line.Length < name + 3) return false;
        ReadOnlySpan<byte> rest = line[(name + 2)..];
        char state = (char)rest[0];
        return Field(rest, 20 - 3, out ReadOnlySpan<byte> threads) && Utf8Parser.TryParse(threads, out long threadCount, out _)
            && Field(rest, 22 - 3, out ReadOnlySpan<byte> start) && Utf8Parser.TryParse(start, out ulong startTime, out _)
            && Assign(out stat, new ProcessStat(state, threadCount, startTime));
    }

    private static bool Assign(out ProcessStat target, ProcessStat value)
    {
        target = value;
        return true;
    }

    private static bool Field(ReadOnlySpan<byte> text, int index, out ReadOnlySpan<byte> field)
    {
        for (; index > 0; index--)
        {
            int blank = text.IndexOf((byte)' ');
            if (blank < 0) break;
            text = text[(blank + 1)..];
        }
        field = text;
        return index == 0;
    }
}
