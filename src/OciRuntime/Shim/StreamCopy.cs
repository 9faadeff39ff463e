using OciRuntime.Linux;

namespace OciRuntime.Shim;

/// <summary>
/// Carries bytes from one descriptor to another until the first one ends: from pipe to pipe without copying them, else through a buffer
/// that all share. Whoever does not read fills what the kernel has room for, and then the writer waits; nothing grows.
/// </summary>
internal sealed class StreamCopy : IDisposable
{
    private const int Chunk = 64 << 10, BufferSize = 16 << 10;

    // One that never runs dry must let others have their turn.
    private const int Rounds = 8;

    private const int RetryMilliseconds = 100;

    // Only the loop's thread copies.
    private static readonly byte[] s_buffer = new byte[BufferSize];

    private readonly EventLoop _loop;
    private readonly Fd _from, _to;
    private readonly Action _ended;
    private EventLoop.Watch? _watch;
    private EventLoop.Timer? _retry;
    private bool _waitsForTarget, _waitsForChange, _splices;
    private byte[]? _rest;

    /// <param name="loop">Waits.</param>
    /// <param name="from">Does not block; from now on this object's.</param>
    /// <param name="to">Does not block, or is a file on a disk; from now on this object's.</param>
    /// <param name="splices">One of them is a pipe, and the other one takes part.</param>
    /// <param name="ended">There is no more, and both are closed.</param>
    public StreamCopy(EventLoop loop, Fd from, Fd to, bool splices, Action ended)
    {
        (_loop, _from, _to, _splices, _ended) = (loop, from, to, splices, ended);
        Wait(forTarget: false);
    }

    /// <summary>
    /// A terminal that no process has open may be opened again, as long as there is one that would: then its hangup is not the end.
    /// </summary>
    public bool OutlastsHangup { get; set; }

    /// <summary>Nobody opens the terminal any more: what is left in it is the last.</summary>
    public void EndAtHangup()
    {
        OutlastsHangup = false;
        if (_waitsForChange) Move(0);
    }

    /// <summary>Closes both descriptors, whatever is still to be carried.</summary>
    public void Dispose()
    {
        _watch?.Dispose();
        _retry?.Cancel();
        _from.Dispose();
        _to.Dispose();
    }

    private void Move(uint _)
    {
        for (int round = 0; round < Rounds; round++)
        {
            long moved = _splices ? Splice() : Copy();
            if (moved > 0) continue;
            if (moved == -Errno.EAGAIN)
            {
                Wait(forTarget: _rest is not null || (_splices && !IsWritable()));
                return;
            }
            if (moved == -Errno.EINVAL && _splices)
            {
                // A file system, or a terminal, that takes no part.
                _splices = false;
                continue;
            }
            if (moved == -Errno.EIO && OutlastsHangup)
            {
                WaitForChange();
                return;
            }
            // The end; also by an error: EIO is a terminal's, EPIPE that of a reader who has gone. Others are a disk's.
            if (moved < 0 && moved is not (-Errno.EIO or -Errno.EPIPE))
                ShimLog.Warn($"output or input is cut short: {ErrnoText.Full((int)-moved)}");
            Dispose();
            _ended();
            return;
        }
        Wait(forTarget: _rest is not null);
    }

    /// <summary>As long as nobody has the terminal open, that alone would wake us again and again.</summary>
    private void WaitForChange()
    {
        if (_waitsForChange && _watch is not null) return;
        (_waitsForTarget, _waitsForChange) = (false, true);
        Watch(_from, Epoll.EPOLLIN | Epoll.EPOLLET);
    }

    private void Watch(Fd fd, uint events)
    {
        _watch?.Dispose();
        _watch = null;
        try
        {
            _watch = _loop.Add(fd.Number, events, Move);
        }
        catch (OciException e)
        {
            // A file on a disk is always ready (EPERM). Else memory has run out, or the watches that the user may have: that ends.
            _retry = _loop.After(e.Errno == Errno.EPERM ? 0 : RetryMilliseconds, () => Move(0));
        }
    }

    private long Splice() => Files.Splice(_from.Number, _to.Number, Chunk);

    private long Copy()
    {
        if (_rest is null)
        {
            long read = Files.Read(_from.Number, s_buffer);
            return read <= 0 ? read : Write(s_buffer.AsSpan(0, (int)read));
        }
        byte[] rest = _rest;
        _rest = null;
        return Write(rest);
    }

    /// <summary>Keeps what there is no room for.</summary>
    private long Write(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            long written = Files.Write(_to.Number, bytes);
            if (written == -Errno.EAGAIN) _rest = bytes.ToArray();
            if (written < 0) return written;
            bytes = bytes[(int)written..];
        }
        return 1;
    }

    private bool IsWritable()
    {
        Span<PollFd> poll = [new PollFd { Fd = _to.Number, Events = Processes.POLLOUT }];
        return Processes.Poll(poll, 0) > 0;
    }

    /// <summary>
    /// One of the two is watched, never both: the end of the source, which is always told, would wake us again and again while the target
    /// is full.
    /// </summary>
    private void Wait(bool forTarget)
    {
        if (_watch is not null && _waitsForTarget == forTarget && !_waitsForChange) return;
        (_waitsForTarget, _waitsForChange) = (forTarget, false);
        if (forTarget) Watch(_to, Epoll.EPOLLOUT);
        else Watch(_from, Epoll.EPOLLIN);
    }
}
