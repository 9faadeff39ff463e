using System.Net.Sockets;

namespace OciRuntime.Tests.Support;

/// <summary>
/// A unix socket on which the runtime delivers one descriptor: the receiving side of --console-socket and --pidfd-socket.
/// .NET's sockets cannot receive descriptors, so the last step is recvmsg.
/// </summary>
public sealed unsafe class DescriptorSocket : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    /// <summary>Listens on a new socket; on one whose path does not fit sockaddr_un, if asked.</summary>
    public DescriptorSocket(bool longPath = false)
    {
        SocketPath = TestRun.NewPath("sockets", ".sock");
        _listener.Bind(new UnixDomainSocketEndPoint(SocketPath));
        _listener.Listen(4);
        if (longPath)
        {
            // bind(2) takes no such path, but a socket can be renamed like any file.
            string path = Path.Combine(TestRun.NewPath("sockets") + new string('x', 200), "s");
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Move(SocketPath, path);
            SocketPath = path;
        }
    }

    /// <summary>The value for the option.</summary>
    public string SocketPath { get; }

    /// <summary>Waits for a connection and takes the text and the one descriptor that it brings.</summary>
    public (int Fd, string Text) Receive(TimeSpan? timeout = null)
    {
        TimeSpan limit = timeout ?? CommandOptions.DefaultTimeout;
        if (!_listener.Poll(limit, SelectMode.SelectRead)) throw new TimeoutException($"no runtime connected to {SocketPath}");
        using Socket connection = _listener.Accept();
        if (!connection.Poll(limit, SelectMode.SelectRead))
            throw new TimeoutException($"the runtime connected to {SocketPath}, but sent nothing");
        return ReceiveDescriptor((int)connection.Handle);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _listener.Dispose();
        File.Delete(SocketPath);
        string directory = Path.GetDirectoryName(SocketPath)!;
        if (Path.GetFileName(SocketPath) == "s") Directory.Delete(directory);
    }

    private static (int, string) ReceiveDescriptor(int socket)
    {
        byte* data = stackalloc byte[4096];
        byte* control = stackalloc byte[64];
        Libc.IoVec vector = new() { Base = data, Length = 4096 };
        Libc.MsgHdr message = new() { Iov = &vector, IovLength = 1, Control = control, ControlLength = 64 };
        int length = Libc.Check(Libc.recvmsg(socket, &message, Libc.MSG_CMSG_CLOEXEC), "recvmsg");
        Libc.CmsgHdr* header = (Libc.CmsgHdr*)control;
        if (message.ControlLength < (nuint)sizeof(Libc.CmsgHdr) || header->Level != Libc.SOL_SOCKET || header->Type != Libc.SCM_RIGHTS)
            throw new InvalidDataException("the runtime's message carries no descriptor");
        if (header->Length != (nuint)(sizeof(Libc.CmsgHdr) + sizeof(int)))
        {
            throw new InvalidDataException(
                $"the runtime sent {(header->Length - (nuint)sizeof(Libc.CmsgHdr)) / sizeof(int)} descriptors instead of one");
        }
        return (*(int*)(header + 1), System.Text.Encoding.UTF8.GetString(data, length));
    }
}
