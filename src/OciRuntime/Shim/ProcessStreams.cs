using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Shim;

/// <summary>
/// The streams of one process: what it is given, and what carries them from and to the client. It has pipes, not the client's own: so its
/// output survives a client that goes away, and a process that it leaves behind cannot hold the client's.
/// </summary>
internal sealed class ProcessStreams : IDisposable
{
    private readonly StreamNames _names;
    private readonly List<Fd> _childEnds = [];
    private readonly List<(Fd From, Fd To)> _outputs = [];
    private readonly List<Fd> _keepers = [];
    private readonly List<StreamCopy> _copies = [];
    private (Fd From, Fd To)? _input;
    private Fd? _stdinKeeper, _master;
    private LoggerProgram? _logger;
    private int _open;
    private bool _stdinIsClosed;
    private WindowDimensions? _size;

    private readonly bool _outlivesClient;

    private ProcessStreams(StreamNames names, bool outlivesClient) => (_names, _outlivesClient) = (names, outlivesClient);

    /// <summary>What the process has as 0, 1 and 2.</summary>
    public int[] Child { get; private set; } = [];

    /// <summary>All that it has written has been passed on, or nobody will.</summary>
    public bool IsDrained => _open == 0;

    /// <summary>Called when it becomes so.</summary>
    public Action? Drained { get; set; }

    /// <summary>Opens everything; may wait for the client.</summary>
    /// <param name="names">What the client says.</param>
    /// <param name="outlivesClient">A terminal stays when whoever sits at it goes away: that of a container, to which others attach, and
    /// not that of an exec, which would be left to nobody.</param>
    /// <param name="owner">Whom the process's ends belong to.</param>
    /// <param name="logger">How a program for the output is started.</param>
    /// <exception cref="OciException">Something cannot be opened. Nothing is left open.</exception>
    public static ProcessStreams Open(StreamNames names, bool outlivesClient, (uint Uid, uint Gid) owner,
        Func<string, LoggerProgram> logger)
    {
        ProcessStreams streams = new(names, outlivesClient);
        try
        {
            streams.Open(owner, logger);
            return streams;
        }
        catch
        {
            streams.Dispose();
            throw;
        }
    }

    /// <summary>The process has them by now, or there is none.</summary>
    public void CloseChildEnds()
    {
        foreach (Fd end in _childEnds) end.Dispose();
        _childEnds.Clear();
    }

    /// <summary>Carries from now on. On the loop's thread, as all that follows.</summary>
    /// <param name="loop">Waits.</param>
    /// <param name="master">The terminal's master, if the process has one.</param>
    public void Begin(EventLoop loop, Fd? master)
    {
        if (master is not null) BeginTerminal(master);
        foreach ((Fd from, Fd to) in _outputs) Carry(loop, from, to, splices: !_names.Terminal && IsPipe(to), End);
        _open = _copies.Count;
        _outputs.Clear();
        if (_input is { } input)
            Carry(loop, input.From, input.To, splices: !_names.Terminal, _names.Terminal ? HangUp : static () => { });
        _input = null;
        if (_stdinIsClosed) CloseStdin();
        if (_size is { } size) Resize(size);
    }

    /// <summary>The client writes no more: the process sees the end when the client's own end is closed, too.</summary>
    public void CloseStdin()
    {
        _stdinIsClosed = true;
        _stdinKeeper?.Dispose();
        _stdinKeeper = null;
    }

    /// <summary>Of a terminal; what has none keeps nothing.</summary>
    public void Resize(WindowDimensions size)
    {
        _size = size;
        // A terminal that is gone has no size.
        if (_master is { IsOpen: true })
            Terminal.SetSize(_master.Number, new WindowSize { Rows = size.Rows, Columns = size.Columns });
    }

    /// <summary>The process has ended: its terminal is not opened again.</summary>
    public void EndAtHangup()
    {
        foreach (StreamCopy copy in _copies.ToArray()) copy.EndAtHangup();
    }

    public void Dispose()
    {
        CloseChildEnds();
        foreach (StreamCopy copy in _copies) copy.Dispose();
        foreach ((Fd from, Fd to) in _outputs) Close(from, to);
        if (_input is { } input) Close(input.From, input.To);
        foreach (Fd keeper in _keepers) keeper.Dispose();
        _stdinKeeper?.Dispose();
        _master?.Dispose();
        _open = 0;
        _logger?.Dispose();
    }

    private static void Close(Fd from, Fd to)
    {
        from.Dispose();
        to.Dispose();
    }

    private void Open((uint Uid, uint Gid) owner, Func<string, LoggerProgram> logger)
    {
        Fd none = Keep(Fd.Open("/dev/null", Files.O_RDWR, "open /dev/null"));
        Child = [none.Number, none.Number, none.Number];
        bool isLogged = StreamUri.Scheme(_names.Stdout) == "binary";
        if (_names.Terminal)
        {
            // The process's end is the terminal, which there is none of yet: see Begin.
            if (_names.Stdin.Length > 0)
                _input = (Fifo.ForInput(StreamUri.Fifo(_names.Stdin), _outlivesClient, out _stdinKeeper), new Fd(-1));
            if (isLogged)
            {
                _logger = logger(_names.Stdout);
                // A terminal has but one output.
                _logger.Stderr.Dispose();
                _outputs.Add((new Fd(-1), _logger.Stdout));
            }
            else if (_names.Stdout.Length > 0)
            {
                _outputs.Add((new Fd(-1), OpenOutput(_names.Stdout)));
            }
            return;
        }
        if (isLogged)
        {
            _logger = logger(_names.Stdout);
            (Child[1], Child[2]) = (Give(_logger.Stdout, owner), Give(_logger.Stderr, owner));
        }
        else
        {
            if (_names.Stdout.Length > 0) Child[1] = Output(_names.Stdout, owner);
            if (_names.Stderr.Length > 0) Child[2] = Output(_names.Stderr, owner);
        }
        if (_names.Stdin.Length > 0) Child[0] = Input(owner);
    }

    private int Input((uint Uid, uint Gid) owner)
    {
        Fd from = Fifo.ForInput(StreamUri.Fifo(_names.Stdin), keeps: true, out _stdinKeeper);
        // Closed with the rest if there is no pipe to be had.
        _input = (from, new Fd(-1));
        Pipe pipe = new();
        _input = (from, pipe.Writer);
        return Give(pipe.Reader, owner);
    }

    private int Output(string name, (uint Uid, uint Gid) owner)
    {
        Fd to = OpenOutput(name);
        _outputs.Add((new Fd(-1), to));
        Pipe pipe = new();
        _outputs[^1] = (pipe.Reader, to);
        return Give(pipe.Writer, owner);
    }

    private Fd OpenOutput(string name)
    {
        Fd to;
        if (StreamUri.Scheme(name) == "file")
        {
            string path = StreamUri.Path(name);
            if (Path.GetDirectoryName(path) is { } parent) DirectoryTree.Make(parent, FileModes.PublicDirectory);
            to = Fd.OpenAt(Files.AT_FDCWD, path, Files.O_WRONLY | Files.O_CREAT | Files.O_APPEND | Files.O_NOCTTY | Files.O_NONBLOCK,
                $"open {path}", FileModes.PublicFile);
        }
        else
        {
            to = Fifo.ForOutput(StreamUri.Fifo(name), out Fd? keeper);
            if (keeper is not null) _keepers.Add(keeper);
        }
        return to;
    }

    /// <summary>The process may reopen /dev/stdout only as its owner.</summary>
    private int Give(Fd end, (uint Uid, uint Gid) owner)
    {
        Keep(end);
        if (owner != (0, 0)) OciException.Check(Files.Chown(end.Number, owner.Uid, owner.Gid), "chown a pipe");
        return end.Number;
    }

    private Fd Keep(Fd end)
    {
        _childEnds.Add(end);
        return end;
    }

    /// <summary>Each direction has a descriptor of its own to be watched.</summary>
    private void BeginTerminal(Fd master)
    {
        _master = master;
        for (int i = 0; i < _outputs.Count; i++) _outputs[i] = (Duplicate(master), _outputs[i].To);
        if (_input is { } input) _input = (input.From, Duplicate(master));
    }

    private static Fd Duplicate(Fd fd) => Fd.Of(Files.Fcntl(fd.Number, Files.F_DUPFD_CLOEXEC, 3), "duplicate a terminal's master");

    private void Carry(EventLoop loop, Fd from, Fd to, bool splices, Action ended)
    {
        foreach (Fd end in (Fd[])[from, to])
        {
            long flags = OciException.Check(Files.Fcntl(end.Number, Files.F_GETFL), "fcntl");
            OciException.Check(Files.Fcntl(end.Number, Files.F_SETFL, (nint)flags | Files.O_NONBLOCK), "fcntl");
        }
        _copies.Add(new StreamCopy(loop, from, to, splices, ended) { OutlastsHangup = _names.Terminal });
    }

    private static bool IsPipe(Fd fd) => Files.Stat(fd.Number, out Statx stat) >= 0 && stat.Type == Files.S_IFIFO;

    private void End()
    {
        if (--_open > 0) return;
        foreach (Fd keeper in _keepers) keeper.Dispose();
        // Output ends when no process has the terminal any more.
        _master?.Dispose();
        Drained?.Invoke();
    }

    /// <summary>Whoever was at the terminal has gone: so has the terminal, which its processes are told by SIGHUP.</summary>
    private void HangUp()
    {
        foreach (StreamCopy copy in _copies) copy.Dispose();
        _master?.Dispose();
        _open = 0;
        Drained?.Invoke();
    }
}
