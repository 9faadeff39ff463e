using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// The socket on which a created container waits. It does what others use an exec fifo for, and more: the connection stays open until
/// execve closes it, so `start` learns whether the program really runs, and a container that died is a refused connection.
/// </summary>
internal static class StartSocket
{
    /// <summary>Makes the listening socket that the child inherits.</summary>
    public static Fd Listen(ContainerEntry entry)
    {
        Fd socket = Sockets.Open(Sockets.SOCK_SEQPACKET);
        try
        {
            OciException.Check(Sockets.Bind(socket.Number, entry.StartSocketPath), $"bind {entry.Path}/{ContainerEntry.StartSocketName}");
            OciException.Check(Sockets.Listen(socket.Number, 1), "listen");
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Has a container that waits let an ordinary user look at its first process, and through that enter, until the connection is closed.
    /// Null when nobody waits there.
    /// </summary>
    /// <param name="entry">The container.</param>
    /// <param name="interruption">Ends the wait for the answer.</param>
    /// <param name="milliseconds">How long it is waited for; -1 for no limit.</param>
    public static Fd? Look(ContainerEntry entry, Interruption interruption, int milliseconds)
    {
        Fd socket = Sockets.Open(Sockets.SOCK_SEQPACKET | Sockets.SOCK_NONBLOCK);
        try
        {
            // Behind others that a paused container keeps waiting there is no end to it.
            long connected = interruption.ForPeer.Retry(() => Sockets.Connect(socket.Number, entry.StartSocketPath));
            SyncMessage message = new() { Kind = SyncKind.Look };
            if (connected >= 0) connected = Sockets.SendValue(socket.Number, message);
            if (connected >= 0)
            {
                // Another one may be looking; or somebody in a pid namespace that it shares holds it.
                if (!interruption.WaitFor(socket.Number, milliseconds))
                {
                    throw new OciException(
                        $"the container's init has been silent for {milliseconds / 1000} s: it is frozen, or another process holds it",
                        Errno.ETIMEDOUT);
                }
                // Not recvmsg(2), which would take a descriptor in that whoever traces init sends along.
                connected = Files.Read(socket.Number, out message);
            }
            if (connected == SyncMessage.Size && message.Errno == 0) return socket;
            socket.Dispose();
            return null;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Lets the container go. Null when its program runs; otherwise the step that failed.</summary>
    /// <param name="entry">The container.</param>
    /// <param name="hooks">Its startContainer hooks, which init runs first; asked for only when it is silent for long.</param>
    /// <exception cref="OciException">Nobody waits on the socket: ECONNREFUSED in its errno. Or init does not get on
    /// (ETIMEDOUT).</exception>
    public static InitMessage? Start(ContainerEntry entry, Func<Hook[]> hooks)
    {
        Timeline.Phase("tell init to go on");
        Fd socket = Sockets.Open(Sockets.SOCK_SEQPACKET | Sockets.SOCK_NONBLOCK);
        using Conversation init = new(socket, plan: null);
        // Its queue may be full of others that have not been heard (EAGAIN).
        Patience patience = Patience.Of(Patience.PeerMilliseconds);
        long connected = patience.Retry(() => Sockets.Connect(socket.Number, entry.StartSocketPath));
        // An earlier start was killed after it had renamed the socket and before it said "go".
        if (connected == -Errno.ENOENT) connected = patience.Retry(() => Sockets.Connect(socket.Number, entry.StartingSocketPath));
        // One that could not be asked still waits: the next start may be luckier. Failing the renaming the state stays "created" for this
        // moment.
        else if (connected >= 0)
            Files.RenameAt(entry.Directory, ContainerEntry.StartSocketName, entry.Directory, ContainerEntry.StartingSocketName);
        OciException.Check(connected, "connect to the container's init");
        OciException.Check(Sockets.SendValue<SyncMessage>(socket.Number, default), "start the container's init");
        Timeline.Phase("wait until init executes its program, after startContainer hooks");
        // Signals have their default action here, so nothing but the time has to be watched.
        while (init.Next(null, () => Conversation.PatienceWith(Conversation.PatienceMilliseconds, hooks())) is { } received)
        {
            if (received.Kind == SyncKind.Error) return received;
            received.Dispose();
        }
        // The end of the connection alone may as well be the end of init.
        return init.IsAtEnd ? null : throw new OciException("container init was killed before its program ran");
    }
}
