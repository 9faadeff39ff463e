using System.Text;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>
/// Whoever asked for a pidfd of the container's first process: a handle that no recycled pid can mislead. One connection, one message, one
/// descriptor. It is the parent's own, from clone3(2), so nothing depends on what a seccomp filter lets init do.
/// </summary>
internal sealed class PidFdReceiver : IDisposable
{
    private readonly Fd _socket;
    private readonly string _what, _data;

    private PidFdReceiver(string what, string path, string data, Interruption interruption)
    {
        _what = $"{what} {path}";
        _data = data;
        _socket = Sockets.ConnectStream(path, _what, interruption.ForPeer);
    }

    /// <summary>Connects to all that are named, before there is anything to undo.</summary>
    /// <param name="option">--pidfd-socket.</param>
    /// <param name="word">What it is sent with.</param>
    /// <param name="annotation">The path in crun's annotation, or null.</param>
    /// <param name="interruption">What ends the waiting for one that takes no connection.</param>
    public static List<PidFdReceiver> Connect(string? option, string word, string? annotation, Interruption interruption)
    {
        List<PidFdReceiver> receivers = [];
        // runc's data tells the first process from those of exec; crun's means nothing, as a message must not be empty.
        if (option is not null) receivers.Add(new("--pidfd-socket", option, word, interruption));
        if (annotation is { } path) receivers.Add(new(Annotations.Pointer(Annotations.PidFdReceiver), path, " ", interruption));
        return receivers;
    }

    public void Send(int pidfd, Interruption interruption)
    {
        OciException.Check(Sockets.SendAll(_socket.Number, Encoding.UTF8.GetBytes(_data), pidfd, interruption.ForPeer),
            $"{_what}: send the pidfd");
        Dispose();
    }

    public void Dispose() => _socket.Dispose();
}
