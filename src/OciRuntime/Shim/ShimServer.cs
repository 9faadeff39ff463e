using OciRuntime.Linux;

namespace OciRuntime.Shim;

/// <summary>The shim as it runs: one for a pod, or a container.</summary>
internal sealed class ShimServer : IDisposable
{
    /// <summary>Where <see cref="ShimStart"/> leaves the socket.</summary>
    public const int Listener = 3;

    // A shim that containerd has forgotten is nobody's.
    private const int ForsakenMilliseconds = 300_000;
    private const int FlushMilliseconds = 4000, AnswerMilliseconds = 50, LingerMilliseconds = 5000, AcceptMilliseconds = 100;

    private readonly string _address;
    private readonly Fd _listener = new(Listener);
    private readonly Fd _request = Fd.Of(Processes.EventFd(), "eventfd");
    private readonly EventLoop _loop = new(ShimLog.Bug);
    private readonly HashSet<ClientConnection> _clients = [];
    private readonly EventPublisher _events;
    private readonly Workers _workers, _brief;
    private readonly TaskService _tasks;
    private readonly EventLoop.Watch _listening;
    private EventLoop.Timer? _forsaken;

    /// <param name="space">containerd's namespace.</param>
    /// <param name="address">The path of the socket, which is removed in the end.</param>
    /// <param name="events">containerd's own socket for events.</param>
    private ShimServer(string space, string address, string events)
    {
        _address = address;
        _events = new EventPublisher(_loop, events, space);
        _workers = new Workers(_loop, most: 32, kept: 1);
        _brief = new Workers(_loop, most: 8, kept: 0);
        _tasks = new TaskService(_loop, _workers, _brief, _events, space, _request, EndIfIdle, WatchForsaken);
        _listening = _loop.Add(_listener.Number, Epoll.EPOLLIN, _ => Accept());
    }

    /// <summary>Serves until the last client wishes the end, or a signal does.</summary>
    /// <param name="space">containerd's namespace.</param>
    /// <param name="events">containerd's own socket for events; empty where nobody listens.</param>
    public static void Run(string space, string events)
    {
        Prepare();
        using ShimServer server = new(space, Sockets.PathOf(Listener), events);
        server.Serve();
    }

    public void Dispose()
    {
        foreach (ClientConnection client in _clients) client.Dispose();
        _listening.Dispose();
        _listener.Dispose();
        _request.Dispose();
        _loop.Dispose();
    }

    /// <summary>What holds for the whole process, and for what it makes.</summary>
    private static void Prepare()
    {
        // Its descriptors lead to containers, and containers' processes may have its user.
        OciException.Check(Processes.Prctl(Processes.PR_SET_DUMPABLE, 0), "prctl PR_SET_DUMPABLE");
        OciException.Check(Processes.Prctl(Processes.PR_SET_CHILD_SUBREAPER, 1), "become child subreaper");
        // Only ps(1) shows it.
        Processes.SetName("containerd-shim");
        ShimLog.Open(".");
        // A process takes up to a dozen, and a pod may have hundreds of them.
        if (Processes.RaiseFileLimit() is < 0 and var error) ShimLog.Warn($"RLIMIT_NOFILE stays as it is: {ErrnoText.Full((int)-error)}");
        OciException.Check(Files.Fcntl(Listener, Files.F_SETFD, Files.FD_CLOEXEC), "fcntl");
        OciException.Check(Files.Fcntl(Listener, Files.F_SETFL, Files.O_NONBLOCK), "fcntl");
        using Fd root = Fd.Open("/", Files.O_PATH | Files.O_DIRECTORY, "open /");
        // The bundle may be unmounted and removed.
        OciException.Check(Files.ChangeDirectory(root.Number), "chdir /");
        Kernel.IsShared = true;
    }

    private void Serve()
    {
        ulong signals = Processes.SignalSet(Processes.SIGTERM, Processes.SIGINT, Processes.SIGCHLD);
        OciException.Check(Processes.SetSignalMask(Processes.SIG_BLOCK, signals, out _), "block signals");
        using Fd signal = Fd.Of(Processes.SignalFd(signals, Files.O_NONBLOCK), "signalfd");
        using EventLoop.Watch signalWatch = _loop.Add(signal.Number, Epoll.EPOLLIN, _ => TakeSignals(signal));
        WatchForsaken();
        _loop.Run();
    }

    private void TakeSignals(Fd signals)
    {
        bool ends = false;
        while (Files.Read(signals.Number, out SignalInfo info) > 0) ends |= info.Signal != Processes.SIGCHLD;
        _tasks.ReapOrphans();
        // Containers are left as they are: whoever ends the shim does not mean them.
        if (ends) End();
    }

    /// <summary>Only whoever is who we are: containerd is.</summary>
    private void Accept()
    {
        long accepted = Sockets.Accept(_listener.Number, Sockets.SOCK_NONBLOCK);
        if (accepted < 0)
        {
            // Or the client has changed its mind. Else there is no descriptor, or no memory: it waits, and would wake us again and again.
            if (accepted is not (-Errno.EAGAIN or -Errno.ECONNABORTED)) RestFromAccepting();
            return;
        }
        Fd socket = new((int)accepted);
        bool isOurs = Sockets.PeerOf(socket.Number, out PeerCredentials peer) >= 0
            && peer.Uid == Processes.EffectiveUid() && peer.Gid == Processes.EffectiveGid();
        try
        {
            if (isOurs) _clients.Add(new ClientConnection(socket, _loop, _tasks.Serve, Forget));
            else socket.Dispose();
        }
        catch (OciException e)
        {
            // It cannot be waited for: whoever is at its other end is not to wait, either.
            socket.Dispose();
            ShimLog.Warn($"a client cannot be served: {e.Message}");
        }
    }

    private void RestFromAccepting()
    {
        _listening.Change(0);
        _loop.After(AcceptMilliseconds, () => _listening.Change(Epoll.EPOLLIN));
    }

    private void Forget(ClientConnection client)
    {
        _clients.Remove(client);
        WatchForsaken();
    }

    private void WatchForsaken()
    {
        if (_clients.Count > 0 || !_tasks.IsEmpty) return;
        _forsaken?.Cancel();
        _forsaken = _loop.After(ForsakenMilliseconds, () =>
        {
            if (_clients.Count == 0 && _tasks.IsEmpty) End();
        });
    }

    /// <summary>A client wished the end, and there are no containers.</summary>
    /// <param name="isAsked">It does just now, so nothing more is to come.</param>
    private void EndIfIdle(bool isAsked)
    {
        _loop.After(isAsked ? 0 : LingerMilliseconds, () =>
        {
            if (_tasks.IsEmpty) End();
        });
    }

    /// <summary>Nobody finds it any more; what is under way is undone, and containerd gets the last events.</summary>
    private void End()
    {
        if (_tasks.IsEnding) return;
        _tasks.End();
        // Gone already, perhaps with the directory.
        if (_address.Length > 0) Files.UnlinkAt(Files.AT_FDCWD, _address);
        // The counter has room for it.
        Files.Write(_request.Number, BitConverter.GetBytes(1UL));
        long deadline = Processes.Milliseconds() + FlushMilliseconds;
        Leave();

        void Leave()
        {
            bool isDone = _events.IsEmpty && _workers.IsIdle && _brief.IsIdle;
            _loop.After(AnswerMilliseconds, isDone || Processes.Milliseconds() > deadline ? _loop.End : Leave);
        }
    }
}
