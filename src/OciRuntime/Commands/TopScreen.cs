using System.Text;
using OciRuntime.Cli;
using OciRuntime.Linux;

namespace OciRuntime.Commands;

/// <summary>
/// The caller's terminal while a table is shown on it: no cursor, and where standard input is a terminal, too, keys without echo and
/// without Enter. Interrupt and suspend keys stay signals. Dispose gives everything back.
/// </summary>
internal sealed class TopScreen : IDisposable
{
    private TerminalModes _modes;
    private bool _hasKeys, _restores, _shown;

    public TopScreen() => Enter();

    /// <summary>True when standard output is a terminal.</summary>
    public static bool IsTerminal => Terminal.GetModes(1, out _) >= 0;

    /// <summary>What to wait on for keys, or -1.</summary>
    public int Keys => _hasKeys ? 0 : -1;

    /// <summary>Whether one of the keys that were pressed is q. Takes the keys; at their end there will be no more.</summary>
    public bool TakeQuit()
    {
        Span<byte> keys = stackalloc byte[64];
        long n = Files.Read(0, keys);
        if (n is 0 or < 0 and not -Errno.EAGAIN) _hasKeys = false;
        return n > 0 && keys[..(int)n].ContainsAny((byte)'q', (byte)'Q');
    }

    /// <summary>Columns and lines; a terminal that does not know has 80 by 24.</summary>
    public static (int Width, int Height) Size
    {
        get
        {
            bool known = Terminal.GetSize(1, out WindowSize size) >= 0 && size.Rows > 0 && size.Columns > 0;
            return known ? (size.Columns, size.Rows) : (80, 24);
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
        _hasKeys = _restores = Terminal.GetModes(0, out _modes) >= 0;
        if (_hasKeys)
        {
            TerminalModes changed = _modes;
            changed.Local &= ~(Terminal.ICANON | Terminal.ECHO);
            // Failing that the keys take effect with the next line end.
            Terminal.SetModes(0, changed);
        }
        _shown = true;
        Output.Write("\x1b[?25l\x1b[H\x1b[J");
    }

    public void Dispose()
    {
        // A terminal that is gone needs nothing back.
        if (_restores) Terminal.SetModes(0, _modes);
        // The last table stays, the prompt comes below it. Where the terminal is gone there is nobody to tell.
        if (_shown) Output.WriteAll(Output.StandardOutput, "\x1b[?25h\n"u8);
        _shown = _restores = false;
    }
}
