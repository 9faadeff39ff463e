using System.Text;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>
/// Whoever asked for a pidfd of the container's first process: a handle that no recycled pid can mislead. One connection, one message, one
/// descriptor. It is the parent's own, from clone3(2), so nothing depends on what a seccomp filter lets init do.
/// </summary>
internal sealed unsafe class PidFdReceiver : IDisposable
{
    private readonly Fd _socket;
    private readonly string _what, _data;

    private PidFdReceiver(string what, string path, string data)
    {
        _what = $"{what} {path}";
        _data = data;
        _socket = Sockets.ConnectStream(path, _what);
    }

    /// <summary>Connects to all that are named, before there is anything to undo.</summary>
    /// <param name="option">--pidfd-socket.</param>
    /// <param name="word">What it is sent with.</param>
    /// <param name="annotation">The path in crun's annotation, or null.</param>
    public static List<PidFdReceiver> Connect(string? option, string word, string? annotation)
    {
        List<PidFdReceiver> receivers = [];
        // runc's data tells the first process from those of exec; crun's means nothing, as a message must not be empty.
        if (option != null) receivers.Add(new("--pidfd-socket", option, word));
        if (annotation is { } path) receivers.Add(new(Annotations.Pointer(Annotations.PidFdReceiver), path, " "));
        return receivers;
    }

    public void Send(int pidfd)
    {
        byte[] data = Encoding.UTF8.GetBytes(_data);
        fixed (byte* p = data) OciException.Check(Sockets.Send(_socket.Number, p, data.Length, pidfd), $"{_what}: send the pidfd");
        Dispose();
    }

    public void Dispose() => _socket.Dispose();
}
