using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>The control characters of a terminal, by their VMIN, VTIME …</summary>
[InlineArray(Count)]
internal struct ControlCharacters
{
    private const int Count = 19;
    private byte _first;
}

/// <summary>The kernel's struct termios (asm-generic/termbits.h): the modes of a terminal.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TerminalModes
{
    public uint Input, Output, Control, Local;
    public byte LineDiscipline;
    public ControlCharacters Characters;
}

/// <summary>struct winsize.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct WindowSize
{
    public ushort Rows, Columns, Width, Height;
}

/// <summary>Terminals (ioctl_tty(2)).</summary>
internal static unsafe class Terminal
{
    public const uint IGNBRK = 1, BRKINT = 2, PARMRK = 8, ISTRIP = 0x20, INLCR = 0x40, IGNCR = 0x80, ICRNL = 0x100, IXON = 0x400;
    public const uint ONLCR = 4;
    public const uint CSIZE = 0x30, CS8 = 0x30, PARENB = 0x100;
    public const uint ISIG = 1, ICANON = 2, ECHO = 8, ECHONL = 0x40, IEXTEN = 0x8000;
    public const int VTIME = 5, VMIN = 6;

    private const uint TCGETS = 0x5401, TCSETS = 0x5402, TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414, TIOCGPTN = 0x80045430,
        TIOCGPGRP = 0x540F;

    /// <summary>Reads the modes; ENOTTY for what is no terminal.</summary>
    public static long GetModes(int fd, out TerminalModes modes)
    {
        fixed (TerminalModes* p = &modes) return Files.Ioctl(fd, TCGETS, (nint)p);
    }

    /// <summary>Changes the modes at once, whatever is still to be printed.</summary>
    public static long SetModes(int fd, in TerminalModes modes)
    {
        fixed (TerminalModes* p = &modes) return Files.Ioctl(fd, TCSETS, (nint)p);
    }

    public static long GetSize(int fd, out WindowSize size)
    {
        fixed (WindowSize* p = &size) return Files.Ioctl(fd, TIOCGWINSZ, (nint)p);
    }

    public static long SetSize(int fd, in WindowSize size)
    {
        fixed (WindowSize* p = &size) return Files.Ioctl(fd, TIOCSWINSZ, (nint)p);
    }

    /// <summary>
    /// Whether a terminal is the one of this session, and at present another process group's: that of the shell, which has put this process
    /// into the background, or of what runs before it. Nobody is in the background of another session's terminal (ENOTTY).
    /// </summary>
    public static bool IsInBackground(int fd)
    {
        int foreground = 0;
        return Files.Ioctl(fd, TIOCGPGRP, (nint)(&foreground)) >= 0 && foreground != Processes.ProcessGroup();
    }

    /// <summary>The number of a pseudo-terminal, asked of its master; what is none has no number.</summary>
    public static long GetNumber(int master, out int number)
    {
        fixed (int* p = &number) return Files.Ioctl(master, TIOCGPTN, (nint)p);
    }
}
