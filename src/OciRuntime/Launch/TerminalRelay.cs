using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>
/// Carries bytes between the caller's terminal (or pipes) and the master of the container's terminal. Neither direction waits for the other: a
/// program that prints a lot and reads nothing must not block on us because we block on it.
/// </summary>
internal sealed unsafe class TerminalRelay : IDisposable
{
    public const int MaxPollFds = 3;
    private const uint TCGETS = 0x5401, TCSETS = 0x5402, TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414, TIOCGPTN = 0x80045430;
    private const uint ONLCR = 4;
    private const int TermiosSize = 60;

    // How long output that is still in the terminal is waited for after the program's end.
    private const int DrainMilliseconds = 200;

    // A pipe that polls as writable takes this much without blocking (pipe(7), PIPE_BUF), whoever else holds its other end.
    private const int Chunk = 4096;
    private readonly int _master;
    private readonly byte[]? _savedModes;
    private readonly byte[] _input = new byte[Chunk], _output = new byte[Chunk];
    private int _inputStart, _inputEnd, _outputStart, _outputEnd;
    private bool _inputOpen = true;

    public TerminalRelay(int master)
    {
        _master = master;
        // The description is ours alone: the child has closed its copy.
        // Never refused for a pty (fcntl(2)), nor below: what fails is only how the terminal looks.
        Files.Fcntl(master, Files.F_SETFL, Files.O_RDWR | Files.O_NONBLOCK);
        _savedModes = MakeRaw();
        // What the caller's window became while the container was made.
        Resize();
    }

    /// <summary>Takes the master that init has sent.</summary>
    /// <exception cref="OciException">It is none.</exception>
    public static Fd Take(InitMessage message)
    {
        int number;
        OciException.Check(Files.Ioctl(message.Descriptor.Number, TIOCGPTN, (nint)(&number)), "the terminal's master that init has sent");
        Prepare(message.Descriptor.Number);
        return new Fd(message.Descriptor.Release());
    }

    /// <summary>Before the program runs, or its first output would have other line ends, and its first look at the size find none.</summary>
    public static void Prepare(int master)
    {
        LeaveLineEnds(master);
        Resize(master);
    }

    /// <summary>The descriptors to watch: the master, stdin while there is room for more, stdout while something is left to write.</summary>
    public int FillPoll(PollFd* fds)
    {
        bool outputEmpty = _outputStart == _outputEnd, inputEmpty = _inputStart == _inputEnd;
        fds[0] = new PollFd { Fd = _master, Events = (short)((outputEmpty ? Processes.POLLIN : 0) | (inputEmpty ? 0 : Processes.POLLOUT)) };
        fds[1] = new PollFd { Fd = _inputOpen && inputEmpty ? 0 : -1, Events = Processes.POLLIN };
        fds[2] = new PollFd { Fd = outputEmpty ? -1 : 1, Events = Processes.POLLOUT };
        return MaxPollFds;
    }

    /// <summary>Moves what can be moved.</summary>
    public void Transfer(PollFd* fds)
    {
        if (fds[2].Returned != 0) WriteOutput();
        if ((fds[0].Returned & Processes.POLLOUT) != 0) WriteInput();
        if ((fds[0].Returned & Processes.POLLIN) != 0) ReadOutput();
        // No process has the slave open just now.
        else if ((fds[0].Returned & Processes.POLLHUP) != 0) Processes.Sleep(5);
        if (fds[1].Returned != 0) _inputOpen = ReadInput();
    }

    /// <summary>The rest of the output after the program ended: until the last holder of the slave is gone.</summary>
    /// <param name="signals">A request to end is one to stop: whoever should read the output may never do so.</param>
    public void Drain(Interruption signals)
    {
        do
        {
            while (_outputStart < _outputEnd)
            {
                if (!signals.WaitToWrite(1)) return;
                WriteOutput();
            }
            PollFd poll = new() { Fd = _master, Events = Processes.POLLIN };
            if (Processes.Poll(&poll, 1, DrainMilliseconds) <= 0 || (poll.Returned & Processes.POLLIN) == 0) return;
        }
        while (ReadOutput());
    }

    /// <summary>Gives the container's terminal the size of the caller's.</summary>
    public void Resize() => Resize(_master);

    private static void Resize(int master)
    {
        long size = 0;
        // The container's terminal keeps the size it has.
        if (Files.Ioctl(0, TIOCGWINSZ, (nint)(&size)) >= 0) Files.Ioctl(master, TIOCSWINSZ, (nint)(&size));
    }

    private bool ReadOutput()
    {
        long n;
        fixed (byte* buffer = _output) n = Files.Read(_master, buffer, Chunk);
        if (n <= 0) return n is -Errno.EINTR or -Errno.EAGAIN;
        _outputStart = 0;
        _outputEnd = (int)n;
        return true;
    }

    private void WriteOutput()
    {
        long n;
        fixed (byte* buffer = _output) n = Files.Write(1, buffer + _outputStart, _outputEnd - _outputStart);
        if (n >= 0) _outputStart += (int)n;
        // Nobody reads any more: the program goes on, as it would with a window that was closed.
        else if (n is not (-Errno.EINTR or -Errno.EAGAIN)) _outputStart = _outputEnd;
    }

    private bool ReadInput()
    {
        long n;
        fixed (byte* buffer = _input) n = Files.Read(0, buffer, Chunk);
        if (n <= 0) return n is -Errno.EINTR or -Errno.EAGAIN;
        _inputStart = 0;
        _inputEnd = (int)n;
        return true;
    }

    private void WriteInput()
    {
        long n;
        fixed (byte* buffer = _input) n = Files.Write(_master, buffer + _inputStart, _inputEnd - _inputStart);
        if (n >= 0) _inputStart += (int)n;
        else if (n is not (-Errno.EINTR or -Errno.EAGAIN)) _inputStart = _inputEnd;
    }

    /// <summary>
    /// Raw mode for the caller's terminal: echo, line editing and signals are the container's. Output processing stays on, as the container's
    /// terminal leaves line ends alone. Null when stdin is no terminal.
    /// </summary>
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
            flags[2] = (flags[2] & ~0x130u) | 0x30u; // c_cflag: CSIZE PARENB, CS8
            flags[3] &= ~0x804Bu; // c_lflag: ECHO ECHONL ICANON ISIG IEXTEN
            raw[17 + 6] = 1; // c_cc[VMIN]
            raw[17 + 5] = 0; // c_cc[VTIME]
            // A caller in the background may not (SIGTTOU is ignored); he sees his line editing.
            Files.Ioctl(0, TCSETS, (nint)raw);
        }
        return saved;
    }

    /// <summary>The container's terminal does not turn \n into \r\n, as with runc: what goes to a file or pipe then is what the program wrote.</summary>
    private static void LeaveLineEnds(int master)
    {
        byte* modes = stackalloc byte[TermiosSize];
        if (Files.Ioctl(master, TCGETS, (nint)modes) < 0) return;
        ((uint*)modes)[1] &= ~ONLCR;
        // Line ends stay \r\n.
        Files.Ioctl(master, TCSETS, (nint)modes);
    }

    /// <summary>Gives the caller's terminal its modes back.</summary>
    public void Dispose()
    {
        if (_savedModes == null) return;
        // A terminal that is gone needs nothing back.
        fixed (byte* p = _savedModes) Files.Ioctl(0, TCSETS, (nint)p);
    }
}
