using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>Carries bytes between the caller's terminal (or pipes) and the master of the container's terminal.</summary>
internal sealed unsafe class TerminalRelay : IDisposable
{
    public const int MaxPollFds = 2;
    private const uint TCGETS = 0x5401, TCSETS = 0x5402, TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414;
    private const int BufferSize = 16 * 1024, TermiosSize = 60;

    // How long output that is still in the terminal is waited for after the program's end.
    private const int DrainMilliseconds = 200;
    private readonly int _master;
    private readonly byte[]? _savedModes;
    private bool _inputOpen = true;

    public TerminalRelay(int master)
    {
        _master = master;
        _savedModes = MakeRaw();
        Resize();
    }

    /// <summary>The descriptors to watch: the master, and stdin while it is open.</summary>
    public int FillPoll(PollFd* fds)
    {
        fds[0] = new PollFd { Fd = _master, Events = Processes.POLLIN };
        if (!_inputOpen) return 1;
        fds[1] = new PollFd { Fd = 0, Events = Processes.POLLIN };
        return 2;
    }

    /// <summary>Moves what is there.</summary>
    public void Transfer(PollFd* fds, int count)
    {
        if ((fds[0].Returned & Processes.POLLIN) != 0) Copy(_master, 1);
        else if (fds[0].Returned != 0) Processes.Sleep(5); // No process has the slave open just now.
        if (count > 1 && fds[1].Returned != 0) _inputOpen = Copy(0, _master);
    }

    /// <summary>The rest of the output after the program ended: until the last holder of the slave is gone.</summary>
    public void Drain()
    {
        PollFd poll = new() { Fd = _master, Events = Processes.POLLIN };
        while (Processes.Poll(&poll, 1, DrainMilliseconds) > 0 && (poll.Returned & Processes.POLLIN) != 0 && Copy(_master, 1))
        {
        }
    }

    /// <summary>Gives the container's terminal the size of the caller's.</summary>
    public void Resize()
    {
        long size = 0;
        if (Files.Ioctl(0, TIOCGWINSZ, (nint)(&size)) >= 0) Files.Ioctl(_master, TIOCSWINSZ, (nint)(&size));
    }

    private static bool Copy(int from, int to)
    {
        byte* buffer = stackalloc byte[BufferSize];
        long n = Files.Read(from, buffer, BufferSize);
        if (n is -Errno.EINTR or -Errno.EAGAIN) return true;
        if (n <= 0) return false;
        return Files.WriteAll(to, new ReadOnlySpan<byte>(buffer, (int)n)) >= 0;
    }

    /// <summary>Raw mode for the caller's terminal (cfmakeraw(3)): the container's own does echo and line editing. Null when stdin is none.</summary>
    private static byte[]? MakeRaw()
    {
        byte[] saved = new byte[TermiosSize];
        fixed (byte* p = saved)
        {
            if (Files.Ioctl(0, TCGETS, (nint)p) < 0) return null;
            byte* raw = stackalloc byte[TermiosSize];
            new ReadOnlySpan<byte>(p, TermiosSize).CopyTo(new Span<byte>(raw, TermiosSize));
            uint* flags = (uint*)raw;
            flags[0] &= ~0x5EBu; // c_iflag: IGNBRK BRKINT PARMRK ISTRIP INLCR IGNCR ICRNL IXON
            flags[1] &= ~0x1u; // c_oflag: OPOST
            flags[2] = (flags[2] & ~0x130u) | 0x30u; // c_cflag: CSIZE PARENB, CS8
            flags[3] &= ~0x804Bu; // c_lflag: ECHO ECHONL ICANON ISIG IEXTEN
            raw[17 + 6] = 1; // c_cc[VMIN]
            raw[17 + 5] = 0; // c_cc[VTIME]
            Files.Ioctl(0, TCSETS, (nint)raw);
        }
        return saved;
    }

    /// <summary>Gives the caller's terminal its modes back.</summary>
    public void Dispose()
    {
        if (_savedModes == null) return;
        fixed (byte* p = _savedModes) Files.Ioctl(0, TCSETS, (nint)p);
    }
}
