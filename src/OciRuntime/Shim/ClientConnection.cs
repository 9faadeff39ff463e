using OciRuntime.Linux;

namespace OciRuntime.Shim;

/// <summary>A client's connection. It ends alone: with it go the requests that came over it, and nothing else.</summary>
internal sealed class ClientConnection : IDisposable
{
    /// <summary>A client that leaves more than this unread is none.</summary>
    private const int MostUnread = 2 * Frame.MaxMessage;

    private const int RetryMilliseconds = 50;

    private readonly Fd _socket;
    private readonly EventLoop _loop;
    private readonly EventLoop.Watch _watch;
    private readonly FrameReader _frames = new();
    private readonly Queue<byte[]> _unsent = new();
    private readonly HashSet<Call> _unanswered = [];
    private readonly Action<Call> _serve;
    private readonly Action<ClientConnection> _gone;
    private EventLoop.Timer? _retry;
    private int _sent, _unread;
    private uint _last;

    /// <param name="socket">The connection, which does not block; from now on this object's.</param>
    /// <param name="loop">Waits for it.</param>
    /// <param name="serve">Takes each request.</param>
    /// <param name="gone">The client is gone.</param>
    public ClientConnection(Fd socket, EventLoop loop, Action<Call> serve, Action<ClientConnection> gone)
    {
        (_socket, _loop) = (socket, loop);
        _serve = serve;
        _gone = gone;
        _watch = loop.Add(socket.Number, Epoll.EPOLLIN, Move);
    }

    public void Dispose()
    {
        _watch.Dispose();
        _socket.Dispose();
        foreach (Call call in _unanswered) call.Abandon();
        _unanswered.Clear();
    }

    private void Move(uint ready)
    {
        if ((ready & Epoll.EPOLLOUT) != 0) Flush();
        if ((ready & ~Epoll.EPOLLOUT) != 0 && _socket.IsOpen && !Receive()) Close();
    }

    private void Close()
    {
        Dispose();
        _gone(this);
    }

    /// <summary>False when the client is gone, or speaks another language.</summary>
    private bool Receive()
    {
        long count = Files.Read(_socket.Number, _frames.Room);
        if (count <= 0) return count == -Errno.EAGAIN;
        _frames.Add((int)count);
        while (_socket.IsOpen && _frames.Next(out uint stream, out byte type, out byte flags, out byte[]? message))
        {
            if (type != Frame.Request) continue;
            if (message is null) Send(Frame.Answer(stream, new TaskError(RpcCode.ResourceExhausted, "the request is longer than 4 MiB")));
            else if (stream % 2 == 0 || stream <= _last)
                Send(Frame.Answer(stream, new TaskError(RpcCode.InvalidArgument, $"stream {stream} after {_last}")));
            else if (flags != 0) Send(Frame.Answer(stream, new TaskError(RpcCode.Unimplemented, "there are no methods that stream")));
            else Serve(stream, message);
            if (stream % 2 == 1) _last = Math.Max(_last, stream);
        }
        return _socket.IsOpen;
    }

    private void Serve(uint stream, byte[] message)
    {
        try
        {
            Call? call = null;
            call = new Call(stream, message, frame =>
            {
                _unanswered.Remove(call!);
                Send(frame);
            });
            _unanswered.Add(call);
            _serve(call);
        }
        catch (FormatException e)
        {
            Send(Frame.Answer(stream, new TaskError(RpcCode.InvalidArgument, $"this is no request: {e.Message}")));
        }
    }

    private void Send(byte[] frame)
    {
        if (!_socket.IsOpen) return;
        _unsent.Enqueue(frame);
        _unread += frame.Length;
        Flush();
        if (_unread > MostUnread) Close();
    }

    private void Flush()
    {
        if (!_socket.IsOpen) return;
        while (_unsent.TryPeek(out byte[]? frame))
        {
            long count = Sockets.Send(_socket.Number, frame.AsSpan(_sent), flags: Sockets.MSG_DONTWAIT);
            if (count == -Errno.EAGAIN) break;
            if (count < 0 && count is not (-Errno.EPIPE or -Errno.ECONNRESET))
            {
                // ENOMEM. containerd takes a connection that is closed for a shim that is dead, and waits for an answer for ever.
                // There is room in the socket: waiting for it would be no waiting.
                _watch.Change(Epoll.EPOLLIN);
                _retry ??= _loop.After(RetryMilliseconds, () =>
                {
                    _retry = null;
                    Flush();
                });
                return;
            }
            // Whoever does not read any more is told so by the next read.
            if (count < 0) count = frame.Length - _sent;
            _sent += (int)count;
            _unread -= (int)count;
            if (_sent < frame.Length) continue;
            _unsent.Dequeue();
            _sent = 0;
        }
        _watch.Change(Epoll.EPOLLIN | (_unsent.Count > 0 ? Epoll.EPOLLOUT : 0));
    }
}
