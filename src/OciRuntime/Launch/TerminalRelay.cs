using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>
/// Carries bytes between the caller's terminal (or pipes) and the master of the container's terminal. Neither direction waits for the
/// other: a program that prints a lot and reads nothing must not block on us because we block on it.
/// </summary>
internal sealed class TerminalRelay : IDisposable
{
    public const int MaxPollFds = 3;

    // A shell that brings a job to the foreground need not tell it, if it has not been stopped (bash).
    private const int BackgroundMilliseconds = 250;

    private const int WriterStackBytes = 1 << 17;

    // How long output that is still in the terminal is waited for after the program's end.
    private const int DrainMilliseconds = 200;

    // Of PIPE_BUF: a pipe that polls as writable takes it all.
    private const int Chunk = 4096;

    private const int StandardOutput = 1;
    private readonly int _master;
    private readonly Fd? _output;
    private readonly bool _writesBytes;
    private TerminalModes? _savedModes;
    private bool _isBehind;
    private readonly byte[] _fromCaller = new byte[Chunk], _fromProgram = new byte[Chunk];
    private int _inputStart, _inputEnd, _outputStart, _outputEnd;
    private bool _inputOpen = true;

    public TerminalRelay(int master)
    {
        _master = master;
        // The description is ours alone: the child has closed its copy.
        // Never refused for a pty (fcntl(2)), nor below: what fails is only how the terminal looks.
        Files.Fcntl(master, Files.F_SETFL, Files.O_RDWR | Files.O_NONBLOCK);
        _output = BeginOutput();
        _writesBytes = _output is null && Terminal.GetModes(StandardOutput, out _) >= 0;
        Resume();
    }

    /// <summary>
    /// How long to wait for what <see cref="FillPoll"/> names. In the background, until there may be a foreground again; else for ever.
    /// </summary>
    public int PollMilliseconds => _isBehind ? BackgroundMilliseconds : -1;

    /// <summary>
    /// Takes the caller's terminal. In the background it is left alone: the signals that would stop whoever touches it there are blocked,
    /// so the kernel would let the modes be changed under the shell's hands, and gives every read an input/output error.
    /// </summary>
    public void Resume()
    {
        _isBehind = Terminal.IsInBackground(0);
        if (_isBehind) return;
        MakeRaw();
        // What the caller's window became meanwhile.
        Resize();
    }

    /// <summary>Takes the master that init has sent.</summary>
    /// <param name="message">It is in there.</param>
    /// <param name="relays">The caller's own terminal is at the other side; else a client's, who wants it as the kernel made it.</param>
    /// <exception cref="OciException">It is none.</exception>
    public static Fd Take(InitMessage message, bool relays)
    {
        OciException.Check(Terminal.GetNumber(message.Descriptor.Number, out _), "the terminal's master that init has sent");
        if (relays) Prepare(message.Descriptor.Number);
        return new Fd(message.Descriptor.Release());
    }

    /// <summary>
    /// Before the program runs, or its first output would have other line ends, and its first look at the size find none.
    /// </summary>
    public static void Prepare(int master)
    {
        LeaveLineEnds(master);
        Resize(master);
    }

    /// <summary>
    /// The descriptors to watch: the master, stdin while there is room for more, stdout's writer while something is left to write.
    /// </summary>
    public int FillPoll(Span<PollFd> fds)
    {
        if (_isBehind) Resume();
        bool outputEmpty = _outputStart == _outputEnd, inputEmpty = _inputStart == _inputEnd;
        fds[0] = new PollFd { Fd = _master, Events = (short)((outputEmpty ? Processes.POLLIN : 0) | (inputEmpty ? 0 : Processes.POLLOUT)) };
        fds[1] = PollFd.Reading(_inputOpen && inputEmpty && !_isBehind ? 0 : -1);
        fds[2] = new PollFd { Fd = outputEmpty ? -1 : Output, Events = Processes.POLLOUT };
        return MaxPollFds;
    }

    /// <summary>Moves what can be moved.</summary>
    public void Transfer(ReadOnlySpan<PollFd> fds)
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
        bool isMore = true;
        while (isMore)
        {
            while (_outputStart < _outputEnd)
            {
                if (!signals.Await(Output, Processes.POLLOUT)) return;
                WriteOutput();
            }
            Span<PollFd> poll = [PollFd.Reading(_master)];
            isMore = Processes.Poll(poll, DrainMilliseconds) > 0 && (poll[0].Returned & Processes.POLLIN) != 0 && ReadOutput();
        }
        if (_output is null) return;
        // Never refused for a pair. The writer closes its end when it has written all.
        Sockets.EndSending(_output.Number);
        signals.Await(_output.Number, Processes.POLLIN);
    }

    /// <summary>Gives the container's terminal the size of the caller's.</summary>
    public void Resize() => Resize(_master);

    private static void Resize(int master)
    {
        // The container's terminal keeps the size it has.
        if (Terminal.GetSize(0, out WindowSize size) >= 0) Terminal.SetSize(master, size);
    }

    /// <summary>
    /// A socket for the output. What comes there is written by a thread of its own, so that signals are passed on and the program's end is
    /// seen however long the caller's terminal takes: that polls as writable with room for a single byte. Not to wait there (O_NONBLOCK)
    /// is for all who share the open file, and another user's terminal cannot be opened anew (su(1)). Null at a limit on processes or
    /// descriptors: the program runs already, and is not to be left alone for that (<see cref="WriteOutput"/>).
    /// </summary>
    private static Fd? BeginOutput()
    {
        Fd? output = null, other = null;
        try
        {
            (output, other) = Sockets.Pair(Sockets.SOCK_STREAM);
            // As above.
            Files.Fcntl(output.Number, Files.F_SETFL, Files.O_RDWR | Files.O_NONBLOCK);
            int source = other.Number;
            // Where it still waits it ends with the process.
            new Thread(() => Files.Carry(source, StandardOutput), WriterStackBytes) { IsBackground = true }.Start();
            // The thread's by now.
            other.Release();
            return output;
        }
        catch (Exception e) when (e is OciException or OutOfMemoryException)
        {
            // The latter is .NET's word for a thread that the kernel does not make.
            other?.Dispose();
            output?.Dispose();
            return null;
        }
    }

    private int Output => _output?.Number ?? StandardOutput;

    private bool ReadOutput()
    {
        long n = Files.Read(_master, _fromProgram);
        if (n <= 0) return n == -Errno.EAGAIN;
        _outputStart = 0;
        _outputEnd = (int)n;
        return true;
    }

    /// <summary>Of what polls as writable. To a terminal this very thread writes byte by byte, as there may be room for one.</summary>
    private void WriteOutput()
    {
        long n = Files.Write(Output, _fromProgram.AsSpan(_outputStart..(_writesBytes ? _outputStart + 1 : _outputEnd)));
        if (n >= 0) _outputStart += (int)n;
        // Nobody reads any more: the program goes on, as it would with a window that was closed.
        else if (n != -Errno.EAGAIN) _outputStart = _outputEnd;
    }

    private bool ReadInput()
    {
        long n = Files.Read(0, _fromCaller);
        // Just put there; the terminal has not ended.
        _isBehind = n == -Errno.EIO && Terminal.IsInBackground(0);
        if (n <= 0) return n == -Errno.EAGAIN || _isBehind;
        _inputStart = 0;
        _inputEnd = (int)n;
        return true;
    }

    private void WriteInput()
    {
        long n = Files.Write(_master, _fromCaller.AsSpan(_inputStart.._inputEnd));
        if (n >= 0) _inputStart += (int)n;
        else if (n != -Errno.EAGAIN) _inputStart = _inputEnd;
    }

    /// <summary>
    /// Raw mode for the caller's terminal: echo, line editing and signals are the container's. Output processing stays on, as the
    /// container's terminal leaves line ends alone. Nothing where stdin is no terminal.
    /// </summary>
    private void MakeRaw()
    {
        if (Terminal.GetModes(0, out TerminalModes raw) < 0) return;
        _savedModes ??= raw;
        raw.Input &= ~(Terminal.IGNBRK | Terminal.BRKINT | Terminal.PARMRK | Terminal.ISTRIP | Terminal.INLCR | Terminal.IGNCR
            | Terminal.ICRNL | Terminal.IXON);
        raw.Control = (raw.Control & ~(Terminal.CSIZE | Terminal.PARENB)) | Terminal.CS8;
        raw.Local &= ~(Terminal.ECHO | Terminal.ECHONL | Terminal.ICANON | Terminal.ISIG | Terminal.IEXTEN);
        raw.Characters[Terminal.VMIN] = 1;
        raw.Characters[Terminal.VTIME] = 0;
        // A terminal that is gone needs no modes.
        Terminal.SetModes(0, raw);
    }

    /// <summary>
    /// The container's terminal does not turn \n into \r\n, as with runc: what goes to a file or pipe then is what the program wrote.
    /// </summary>
    private static void LeaveLineEnds(int master)
    {
        if (Terminal.GetModes(master, out TerminalModes modes) < 0) return;
        modes.Output &= ~Terminal.ONLCR;
        // Line ends stay \r\n.
        Terminal.SetModes(master, modes);
    }

    /// <summary>Gives the caller's terminal its modes back.</summary>
    public void Dispose()
    {
        // A terminal that is gone needs nothing back, and where the shell has it again, its modes are the shell's.
        if (_savedModes is { } modes && !Terminal.IsInBackground(0)) Terminal.SetModes(0, modes);
        _output?.Dispose();
    }
}
