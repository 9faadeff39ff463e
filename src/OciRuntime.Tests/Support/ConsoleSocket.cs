namespace OciRuntime.Tests.Support;

/// <summary>The receiving side of --console-socket.</summary>
public sealed class ConsoleSocket(bool longPath = false) : IDisposable
{
    private readonly DescriptorSocket _socket = new(longPath);

    /// <summary>The value for --console-socket.</summary>
    public string SocketPath => _socket.SocketPath;

    /// <summary>Waits for a connection and returns the terminal it brought.</summary>
    public PtyMaster Receive(TimeSpan? timeout = null)
    {
        (int fd, string text) = _socket.Receive(timeout);
        return new PtyMaster(fd, text);
    }

    /// <inheritdoc/>
    public void Dispose() => _socket.Dispose();
}
