using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// The socket on which a created container waits. It does what others use an exec fifo for, and more: the connection stays open until execve
/// closes it, so `start` learns whether the program really runs, and a container that died is a refused connection.
/// </summary>
internal static unsafe class StartSocket
{
    /// <summary>Makes the listening socket that the child inherits.</summary>
    public static Fd Listen(ContainerEntry entry)
    {
        Fd socket = new((int)OciException.Check(Sockets.Create(Sockets.SOCK_SEQPACKET), "socket"));
        OciException.Check(Sockets.Bind(socket.Number, entry.StartSocketPath), $"bind {entry.Path}/{ContainerEntry.StartSocketName}");
        OciException.Check(Sockets.Listen(socket.Number, 1), "listen");
        return socket;
    }

    /// <summary>Lets the container go. Null when its program runs; otherwise the step that failed.</summary>
    /// <exception cref="OciException">Nobody waits on the socket: ECONNREFUSED in its errno.</exception>
    public static SyncMessage? Start(ContainerEntry entry)
    {
        using Fd socket = new((int)OciException.Check(Sockets.Create(Sockets.SOCK_SEQPACKET), "socket"));
        long connected = Sockets.Connect(socket.Number, entry.StartSocketPath);
        // An earlier start was killed after it had renamed the socket and before it said "go".
        if (connected == -Errno.ENOENT) connected = Sockets.Connect(socket.Number, entry.StartingSocketPath);
        // Failing that the state stays "created" for this moment.
        else Files.RenameAt(entry.Directory, ContainerEntry.StartSocketName, entry.Directory, ContainerEntry.StartingSocketName);
        OciException.Check(connected, "connect to the container's init");
        SyncMessage message = default;
        OciException.Check(Sockets.Send(socket.Number, &message, sizeof(SyncMessage)), "start the container's init");
        bool executing = false;
        while (true)
        {
            long received = Sockets.Receive(socket.Number, &message, sizeof(SyncMessage), out _);
            if (received == -Errno.EINTR) continue;
            if (received == sizeof(SyncMessage) && message.Kind == SyncKind.Error) return message;
            if (received != sizeof(SyncMessage)) break;
            executing |= message.Kind == SyncKind.Executing;
        }
        // The end of the connection alone may as well be the end of init.
        return executing ? null : throw new OciException("container init was killed before its program ran");
    }
}
