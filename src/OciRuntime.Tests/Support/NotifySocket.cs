using System.Net.Sockets;
using System.Text;

namespace OciRuntime.Tests.Support;

/// <summary>The service manager's end of sd_notify(3).</summary>
public sealed unsafe class NotifySocket : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
    private readonly string? _path;

    /// <summary>Binds a new socket, in the file system or in the abstract namespace.</summary>
    public NotifySocket(bool isAbstract = false)
    {
        _path = isAbstract ? null : TestRun.NewPath("sockets", ".sock");
        Name = _path ?? $"@{TestRun.Token}-notify-{TestRun.NextNumber()}";
        _socket.Bind(new UnixDomainSocketEndPoint(_path ?? '\0' + Name[1..]));
    }

    /// <summary>The value for $NOTIFY_SOCKET.</summary>
    public string Name { get; }

    /// <summary>Options for a command that is to report here.</summary>
    public CommandOptions Options => new() { Env = new Dictionary<string, string?> { ["NOTIFY_SOCKET"] = Name } };

    /// <summary>True when nothing comes for a while.</summary>
    public bool IsQuiet => !_socket.Poll(TimeSpan.FromMilliseconds(300), SelectMode.SelectRead);

    /// <summary>True when nothing is there.</summary>
    public bool IsEmpty => _socket.Available == 0;

    /// <summary>The next message and the descriptor that came with it, or -1.</summary>
    public (string Text, int Fd) Receive()
    {
        if (!_socket.Poll(TimeSpan.FromSeconds(10), SelectMode.SelectRead)) throw new TimeoutException($"no message on {Name}");
        const int MaxLength = 16384;
        byte* data = stackalloc byte[MaxLength];
        byte* control = stackalloc byte[64];
        Libc.IoVec vector = new() { Base = data, Length = MaxLength };
        Libc.MsgHdr message = new() { Iov = &vector, IovLength = 1, Control = control, ControlLength = 64 };
        int length = Libc.Check(Libc.recvmsg((int)_socket.Handle, &message, Libc.MSG_CMSG_CLOEXEC), "recvmsg");
        Libc.CmsgHdr* header = (Libc.CmsgHdr*)control;
        bool hasFd = message.ControlLength >= (nuint)sizeof(Libc.CmsgHdr) && header->Level == Libc.SOL_SOCKET
            && header->Type == Libc.SCM_RIGHTS;
        return (Encoding.UTF8.GetString(data, length), hasFd ? *(int*)(header + 1) : -1);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Dispose();
        if (_path is not null) File.Delete(_path);
    }
}
