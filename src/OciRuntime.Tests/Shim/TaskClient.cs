using System.Collections.Concurrent;
using System.Net.Sockets;
using OciRuntime.Protobuf;
using OciRuntime.Shim;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>A call that the shim has refused.</summary>
internal sealed class CallRefused(int code, string message) : Exception($"{code}: {message}")
{
    public int Code => code;
}

/// <summary>containerd's side of a shim's socket. Calls may be made at once.</summary>
internal sealed class TaskClient : IDisposable
{
    private const string Service = "containerd.task.v2.Task";

    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly ConcurrentDictionary<uint, TaskCompletionSource<byte[]>> _waiting = new();
    private readonly Lock _sending = new();
    private uint _stream;

    public TaskClient(string path)
    {
        _socket.Connect(new UnixDomainSocketEndPoint(path));
        OwnThread.Run(Read);
    }

    /// <summary>The answer's message.</summary>
    public byte[] Call(string method, ProtobufWriter request) =>
        CallAsync(method, request).WaitAsync(TimeSpan.FromSeconds(30)).GetAwaiter().GetResult();

    /// <param name="method">Its name.</param>
    /// <param name="request">Its message.</param>
    /// <param name="service">Whose it is.</param>
    /// <param name="nanoseconds">How long it says that it waits; 0 for ever.</param>
    public Task<byte[]> CallAsync(string method, ProtobufWriter request, string service = Service, long nanoseconds = 0)
    {
        TaskCompletionSource<byte[]> answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_sending)
        {
            uint stream = _stream == 0 ? 1 : _stream + 2;
            _stream = stream;
            _waiting[stream] = answer;
            Send(Frame.Encode(stream, Frame.Request,
                new ProtobufWriter().Text(1, service).Text(2, method).Bytes(3, request.Written).Number(4, nanoseconds).Written));
        }
        return answer.Task;
    }

    /// <summary>Whatever bytes.</summary>
    public void Send(byte[] bytes) => _socket.Send(bytes);

    public void Dispose() => _socket.Dispose();

    private void Read()
    {
        FrameReader frames = new();
        try
        {
            for (int count; (count = _socket.Receive(frames.Room)) > 0;)
            {
                frames.Add(count);
                while (frames.Next(out uint stream, out _, out _, out byte[]? message)) Take(stream, message!);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
        foreach (TaskCompletionSource<byte[]> one in _waiting.Values) one.TrySetException(new IOException("the connection is closed"));
    }

    private void Take(uint stream, byte[] message)
    {
        if (!_waiting.TryRemove(stream, out TaskCompletionSource<byte[]>? answer)) return;
        int code = 0;
        string words = "";
        byte[] result = [];
        for (ProtobufReader field = new(message); field.Next();)
        {
            if (field.Field == 2) result = field.Bytes.ToArray();
            if (field.Field != 1) continue;
            for (ProtobufReader status = new(field.Bytes); status.Next();)
            {
                if (status.Field == 1) code = (int)status.Number;
                else if (status.Field == 2) words = status.Text;
            }
        }
        if (code == 0) answer.SetResult(result);
        else answer.SetException(new CallRefused(code, words));
    }
}
