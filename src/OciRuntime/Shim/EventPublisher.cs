using OciRuntime.Linux;
using OciRuntime.Protobuf;

namespace OciRuntime.Shim;

/// <summary>
/// Forwards events to containerd, one after the other and in their order. While containerd is away they are kept, up to a number, and the
/// oldest is tried again and again.
/// </summary>
/// <param name="loop">Waits.</param>
/// <param name="address">containerd's ttrpc socket; empty where nobody listens.</param>
/// <param name="space">containerd's namespace.</param>
internal sealed class EventPublisher(EventLoop loop, string address, string space)
{
    private const string Service = "containerd.services.events.ttrpc.v1.Events", Method = "Forward";
    private const int Most = 2048, AnswerMilliseconds = 5000, FirstPause = 100, LongestPause = 5000;

    private readonly Queue<byte[]> _waiting = new();
    private Fd? _socket;
    private EventLoop.Watch? _watch;
    private EventLoop.Timer? _patience;
    private FrameReader _frames = new();
    private byte[] _sending = [];
    private int _sent, _pause = FirstPause;
    private uint _stream = 1;

    /// <summary>Nothing is left to be forwarded.</summary>
    public bool IsEmpty => _waiting.Count == 0;

    /// <param name="topic">Such as "/tasks/exit".</param>
    /// <param name="type">The message's name.</param>
    /// <param name="message">The event.</param>
    public void Publish(string topic, string type, ProtobufWriter message)
    {
        if (address.Length == 0) return;
        ProtobufWriter envelope = new ProtobufWriter().Message(1, Instant.Now().Write()).Text(2, space).Text(3, topic)
            .Message(4, AnyMessage.Write(type, message.Written));
        if (_waiting.Count == Most)
        {
            ShimLog.Warn($"{Most} events wait for containerd: {topic} is dropped");
            return;
        }
        _waiting.Enqueue(new ProtobufWriter().Text(1, Service).Text(2, Method).Bytes(3, new ProtobufWriter().Message(1, envelope).Written)
            .Number(4, AnswerMilliseconds * 1_000_000L).Written.ToArray());
        if (_waiting.Count == 1) Next();
    }

    private void Next()
    {
        if (_sending.Length > 0 || !_waiting.TryPeek(out byte[]? request)) return;
        try
        {
            if (_socket is null) Connect();
            _sending = Frame.Encode(_stream, Frame.Request, request);
            _sent = 0;
            _patience = loop.After(AnswerMilliseconds, Retry);
            Flush();
        }
        catch (OciException)
        {
            // Nobody listens, or there are no descriptors left: neither is a reason to lose an event, or what comes after it is told.
            Retry();
        }
    }

    private void Connect()
    {
        _socket = Sockets.Open(Sockets.SOCK_STREAM | Sockets.SOCK_NONBLOCK);
        OciException.Check(Sockets.Connect(_socket.Number, address), $"connect to {address}");
        _watch = loop.Add(_socket.Number, Epoll.EPOLLIN, Move);
        _frames = new();
        _stream = 1;
    }

    private void Move(uint ready)
    {
        if ((ready & Epoll.EPOLLOUT) != 0) Flush();
        if ((ready & ~Epoll.EPOLLOUT) == 0 || _socket is null) return;
        long count = Files.Read(_socket.Number, _frames.Room);
        if (count == -Errno.EAGAIN) return;
        if (count <= 0)
        {
            // Idle it is no loss; else the event was perhaps not heard.
            if (_sending.Length > 0) Retry();
            else Disconnect();
            return;
        }
        _frames.Add((int)count);
        while (_frames.Next(out uint stream, out byte type, out byte _, out byte[]? answer))
        {
            if (type == Frame.Response && stream == _stream && _sending.Length > 0) Done(answer);
        }
        Next();
    }

    /// <summary>containerd has it, or does not want it: it will not want it the next time either.</summary>
    private void Done(byte[]? answer)
    {
        _patience?.Cancel();
        if (Refusal(answer) is { Length: > 0 } refusal) ShimLog.Warn($"containerd refuses an event: {refusal}");
        _waiting.Dequeue();
        _sending = [];
        _stream += 2;
        _pause = FirstPause;
    }

    private static string Refusal(byte[]? answer)
    {
        try
        {
            for (ProtobufReader field = new(answer); field.Next();)
            {
                if (field.Field != 1) continue;
                for (ProtobufReader status = new(field.Bytes); status.Next();) if (status.Field == 2) return status.Text;
            }
        }
        catch (FormatException e)
        {
            return e.Message;
        }
        return "";
    }

    private void Flush()
    {
        if (_socket is null || _sent == _sending.Length) return;
        long count = Sockets.Send(_socket.Number, _sending.AsSpan(_sent), flags: Sockets.MSG_DONTWAIT);
        if (count > 0) _sent += (int)count;
        // The end of the connection is told by the next read.
        _watch!.Change(Epoll.EPOLLIN | (_sent < _sending.Length && count is > 0 or -Errno.EAGAIN ? Epoll.EPOLLOUT : 0));
    }

    private void Retry()
    {
        Disconnect();
        loop.After(_pause, Next);
        _pause = Math.Min(2 * _pause, LongestPause);
    }

    private void Disconnect()
    {
        _patience?.Cancel();
        _watch?.Dispose();
        _socket?.Dispose();
        _socket = null;
        _sending = [];
    }
}
