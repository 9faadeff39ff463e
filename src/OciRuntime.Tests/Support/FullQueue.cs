using System.Net.Sockets;

namespace OciRuntime.Tests.Support;

/// <summary>A unix socket whose listener takes no connection, and whose queue is full: connect(2) blocks.</summary>
public sealed class FullQueue : IDisposable
{
    private readonly Socket _listener = New();
    private readonly List<Socket> _clients = [];

    /// <summary>With one client, the queue of length 0 is full (unix(7)): the kernel takes one more than it is told.</summary>
    public FullQueue(int clients = 1)
    {
        Path = TestRun.NewPath("sockets", ".sock");
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        _listener.Listen(clients == 0 ? 1 : 0);
        for (int i = 0; i < clients; i++)
        {
            _clients.Add(New());
            _clients[i].Connect(new UnixDomainSocketEndPoint(Path));
        }
    }

    /// <summary>The socket's path.</summary>
    public string Path { get; }

    /// <summary>Takes one connection.</summary>
    public void Accept() => _clients.Add(_listener.Accept());

    /// <inheritdoc/>
    public void Dispose()
    {
        _clients.ForEach(client => client.Dispose());
        _listener.Dispose();
        File.Delete(Path);
    }

    private static Socket New() => new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
}
