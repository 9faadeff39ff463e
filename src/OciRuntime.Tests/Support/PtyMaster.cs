using System.Text;
using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>The user's end of a container's terminal.</summary>
public sealed unsafe class PtyMaster : IDisposable
{
    private readonly StringBuilder _read = new();
    private int _fd;

    internal PtyMaster(int fd, string name)
    {
        _fd = fd;
        Name = name;
    }

    /// <summary>The text that came with the descriptor.</summary>
    public string Name { get; }

    /// <summary>The descriptor itself.</summary>
    public int Fd => _fd;

    /// <summary>All output so far; a terminal turns each \n into \r\n.</summary>
    public string Output => _read.ToString();

    /// <summary>Types something.</summary>
    public void Write(string text)
    {
        byte[] content = Encoding.UTF8.GetBytes(text);
        fixed (byte* bytes = content)
        {
            Libc.Check(Syscall.write(_fd, bytes, (ulong)content.Length), "write to the terminal");
        }
    }

    /// <summary>Reads until the text has appeared, and returns all output so far; throws when it does not in time.</summary>
    public string ReadUntil(string text, TimeSpan? timeout = null)
    {
        bool found = Pump(() => Output.Contains(text, StringComparison.Ordinal), timeout ?? CommandOptions.DefaultTimeout);
        return found ? Output : throw new TimeoutException($"the terminal never showed \"{text}\" but: {Output}");
    }

    /// <summary>Reads until the other side has been closed by everybody.</summary>
    public string ReadToEnd(TimeSpan? timeout = null)
    {
        Pump(() => false, timeout ?? CommandOptions.DefaultTimeout);
        return Output;
    }

    /// <summary>Rows and columns.</summary>
    public (int Rows, int Columns) Size
    {
        get
        {
            Libc.WinSize size;
            Libc.Check(Libc.ioctl(_fd, Libc.TIOCGWINSZ, &size), "TIOCGWINSZ");
            return (size.Rows, size.Columns);
        }
        set
        {
            Libc.WinSize size = new() { Rows = (ushort)value.Rows, Columns = (ushort)value.Columns };
            Libc.Check(Libc.ioctl(_fd, Libc.TIOCSWINSZ, &size), "TIOCSWINSZ");
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_fd >= 0)
        {
            _ = Syscall.close(_fd);
            _fd = -1;
        }
    }

    private bool Pump(Func<bool> enough, TimeSpan timeout)
    {
        long end = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        while (!enough())
        {
            TimeSpan left = TimeSpan.FromMilliseconds(Math.Max(0, end - Environment.TickCount64));
            if (!Libc.WaitReadable(_fd, left) || !ReadOnce()) return false;
        }
        return true;
    }

    /// <summary>False at the end: a pty master reports EIO once no one has the other side open.</summary>
    private bool ReadOnce()
    {
        byte* buffer = stackalloc byte[4096];
        long got = Syscall.read(_fd, buffer, 4096);
        if (got < 0 && Libc.LastErrno != Libc.EIO) throw new IOException($"read from the terminal: errno {Libc.LastErrno}");
        if (got > 0) _read.Append(Encoding.UTF8.GetString(buffer, (int)got));
        return got > 0;
    }
}
