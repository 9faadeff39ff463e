using System.Text;
using OciRuntime.Cli;
using OciRuntime.Linux;

namespace OciRuntime.Commands;

/// <summary>
/// The caller's terminal while a table is shown on it: no cursor, and where standard input is a terminal, too, keys without echo and without Enter. Interrupt
/// and suspend keys stay signals. Dispose gives everything back.
/// </summary>
internal sealed unsafe class TopScreen : IDisposable
{
    private const uint TCGETS = 0x5401, TCSETS = 0x5402, TIOCGWINSZ = 0x5413;
    private const uint ICANON = 2, ECHO = 8;
    private const int TermiosSize = 60, LocalFlags = 3;
    private readonly byte[] _modes = new byte[TermiosSize];
    private bool _hasKeys, _restores, _shown;

    public TopScreen() => Enter();

    /// <summary>True when standard output is a terminal.</summary>
    public static bool IsTerminal
    {
        get
        {
            byte* modes = stackalloc byte[TermiosSize];
            return Files.Ioctl(1, TCGETS, (nint)modes) >= 0;
        }
    }

    /// <summary>What to wait on for keys, or -1.</summary>
    public int Keys => _hasKeys ? 0 : -1;

    /// <summary>Whether one of the keys that were pressed is q. Takes the keys; at their end there will be no more.</summary>
    public bool TakeQuit()
    {
        byte* keys = stackalloc byte[64];
        long n = Files.Read(0, keys, 64);
        if (n is 0 or < 0 and not -Errno.EINTR and not -Errno.EAGAIN) _hasKeys = false;
        return n > 0 && new ReadOnlySpan<byte>(keys, (int)n).ContainsAny((byte)'q', (byte)'Q');
    }

    /// <summary>Columns and lines; a terminal that does not know has 80 by 24.</summary>
    public (int Width, int Height) Size
    {
        get
        {
            // struct winsize: rows, columns, and two that nobody fills in.
            ushort* size = stackalloc ushort[4];
            bool known = Files.Ioctl(1, TIOCGWINSZ, (nint)size) >= 0 && size[0] > 0 && size[1] > 0;
            return known ? (size[1], size[0]) : (80, 24);
        }
    }

    /// <summary>Draws over what was there, in one write, so that nothing flickers.</summary>
    public static void Show(List<string> lines)
    {
        StringBuilder text = new("\x1b[H");
        for (int i = 0; i < lines.Count; i++) text.Append(i == 0 ? "" : "\n").Append(lines[i]).Append("\x1b[K");
        Output.Write(text.Append("\x1b[J").ToString());
    }

    /// <summary>Gives the terminal back, stops as the key asks, and goes on when somebody says so.</summary>
    public void Suspend()
    {
        Dispose();
        // One may always send a signal to oneself.
        Processes.Kill(Processes.Pid(), Processes.SIGSTOP);
        Enter();
    }

    private void Enter()
    {
        fixed (byte* modes = _modes)
        {
            _hasKeys = Files.Ioctl(0, TCGETS, (nint)modes) >= 0;
            if (_hasKeys)
            {
                byte* changed = stackalloc byte[TermiosSize];
                new ReadOnlySpan<byte>(modes, TermiosSize).CopyTo(new Span<byte>(changed, TermiosSize));
                ((uint*)changed)[LocalFlags] &= ~(ICANON | ECHO);
                // Failing that the keys take effect with the next line end.
                Files.Ioctl(0, TCSETS, (nint)changed);
            }
            _restores = _hasKeys;
        }
        _shown = true;
        Output.Write("\x1b[?25l\x1b[H\x1b[J");
    }

    public void Dispose()
    {
        fixed (byte* modes = _modes)
        {
            // A terminal that is gone needs nothing back.
            if (_restores) Files.Ioctl(0, TCSETS, (nint)modes);
        }
        // The last table stays, the prompt comes below it. Where the terminal is gone there is nobody to tell.
        if (_shown) Output.WriteAll(Output.StandardOutput, "\x1b[?25h\n"u8);
        _shown = _restores = false;
    }
}
