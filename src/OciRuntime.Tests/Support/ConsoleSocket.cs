using System.Net.Sockets;

namespace OciRuntime.Tests.Support;

/// <summary>
/// The receiving side of --console-socket: listens on a unix socket and takes the one descriptor that the runtime sends.
/// .NET's sockets cannot receive descriptors, so the last step is recvmsg.
/// </summary>
public sealed unsafe class ConsoleSocket : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    /// <summary>Listens on a new socket.</summary>
    public ConsoleSocket()
    {
        SocketPath = TestRun.NewPath("sockets", ".sock");
        _listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        _listener.Listen(4);
    }

    /// <summary>The value for --console-socket.</summary>
    public string SocketPath { get; }

    /// <summary>Waits for a connection and returns the terminal it brought.</summary>
    public PtyMaster Receive(TimeSpan? timeout = null)
    {
        TimeSpan limit = timeout ?? CommandOptions.DefaultTimeout;
        if (!_listener.Poll(limit, SelectMode.SelectRead))
        {
            throw new TimeoutException($"no runtime connected to {SocketPath}");
        }
        using Socket connection = _listener.Accept();
        if (!connection.Poll(limit, SelectMode.SelectRead))
        {
            throw new TimeoutException($"the runtime connected to {SocketPath}, but sent nothing");
        }
        return ReceiveDescriptor((int)connection.Handle);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _listener.Dispose();
        File.Delete(SocketPath);
    }

    private static PtyMaster ReceiveDescriptor(int socket)
    {
        byte* data = stackalloc byte[4096];
        byte* control = stackalloc byte[64];
        var vector = new Libc.IoVec { Base = data, Length = 4096 };
        var message = new Libc.MsgHdr { Iov = &vector, IovLength = 1, Control = control, ControlLength = 64 };
        int length = Libc.Check(Libc.recvmsg(socket, &message, Libc.MSG_CMSG_CLOEXEC), "recvmsg");
        var header = (Libc.CmsgHdr*)control;
        if (message.ControlLength < (nuint)sizeof(Libc.CmsgHdr) || header->Level != Libc.SOL_SOCKET || header->Type != Libc.SCM_RIGHTS)
        {
            throw new InvalidDataException("the runtime's message carries no descriptor");
        }
        if (header->Length != (nuint)(sizeof(Libc.CmsgHdr) + sizeof(int)))
        {
            throw new InvalidDataException($"the runtime sent {(header->Length - (nuint)sizeof(Libc.CmsgHdr)) / sizeof(int)} descriptors instead of one");
        }
        string text = System.Text.Encoding.UTF8.GetString(data, length);
        return new PtyMaster(*(int*)(header + 1), text);
    }
}
