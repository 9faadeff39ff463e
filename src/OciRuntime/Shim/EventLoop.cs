using System.Collections.Concurrent;
using OciRuntime.Linux;

namespace OciRuntime.Shim;

/// <summary>
/// The shim's one thread that owns everything: it waits for descriptors, times and finished work, and runs what belongs to them, one after
/// the other. Nothing that it runs waits for anybody; so no state of the shim's needs a lock.
/// </summary>
internal sealed class EventLoop : IDisposable
{
    private const int Batch = 64;

    private readonly Fd _set = Fd.Of(Epoll.Create(), "epoll_create1");
    private readonly Fd _told = Fd.Of(Processes.EventFd(), "eventfd");
    private readonly Dictionary<ulong, Watch> _watches = [];
    private readonly ConcurrentQueue<Action> _posted = new();
    private readonly PriorityQueue<Timer, long> _timers = new();
    private readonly Action<Exception> _failed;
    private ulong _named;
    private bool _ended;

    /// <param name="failed">Takes what an action throws, which is a mistake of ours and ends nothing else.</param>
    public EventLoop(Action<Exception> failed)
    {
        _failed = failed;
        Add(_told.Number, Epoll.EPOLLIN, _ => Files.Read(_told.Number, out ulong _));
    }

    /// <summary>Runs an action whenever one of the events is there, or EPOLLHUP or EPOLLERR, which need not be asked for.</summary>
    /// <param name="fd">Stays open until the watch is disposed of.</param>
    /// <param name="events">EPOLL… bits; 0 for none for now.</param>
    /// <param name="act">Gets the events.</param>
    /// <exception cref="OciException">The descriptor cannot be waited for.</exception>
    public Watch Add(int fd, uint events, Action<uint> act)
    {
        // Never used again, unlike descriptors: an event for what has been closed in the same round is nobody's.
        Watch watch = new(this, ++_named, fd, act);
        OciException.Check(Epoll.Add(_set.Number, fd, events, watch.Name), $"epoll_ctl {fd}");
        _watches.Add(watch.Name, watch);
        return watch;
    }

    /// <summary>Runs an action later, once.</summary>
    public Timer After(int milliseconds, Action act)
    {
        Timer timer = new() { Act = act };
        _timers.Enqueue(timer, Processes.Milliseconds() + milliseconds);
        return timer;
    }

    /// <summary>Has the loop run an action soon. The one member that may be called from any thread.</summary>
    public void Post(Action act)
    {
        _posted.Enqueue(act);
        ulong one = 1;
        // It fails when the counter is full: then it has been told.
        Files.Write(_told.Number, BitConverter.GetBytes(one));
    }

    /// <summary>Returns once <see cref="End"/> was called.</summary>
    public void Run()
    {
        Span<EpollEvent> events = stackalloc EpollEvent[Batch];
        while (!_ended)
        {
            long count = OciException.Check(Epoll.Wait(_set.Number, events, Milliseconds()), "epoll_wait");
            for (int i = 0; i < count && !_ended; i++)
            {
                (uint ready, ulong name) = (events[i].Events, events[i].Data);
                if (_watches.TryGetValue(name, out Watch? watch)) Try(() => watch.Act(ready));
            }
            while (!_ended && _posted.TryDequeue(out Action? act)) Try(act);
            long now = Processes.Milliseconds();
            while (!_ended && _timers.TryPeek(out Timer? timer, out long due) && due <= now)
            {
                _timers.Dequeue();
                if (timer.Act is { } act) Try(act);
            }
        }
    }

    public void End() => _ended = true;

    public void Dispose()
    {
        _set.Dispose();
        _told.Dispose();
    }

    private int Milliseconds()
    {
        while (_timers.TryPeek(out Timer? timer, out _) && timer.Act is null) _timers.Dequeue();
        return _timers.TryPeek(out _, out long due) ? (int)Math.Clamp(due - Processes.Milliseconds(), 0, int.MaxValue) : -1;
    }

    private void Try(Action act)
    {
        try
        {
            act();
        }
        catch (Exception e)
        {
            _failed(e);
        }
    }

    /// <summary>An action that is due at some time, unless it is cancelled.</summary>
    internal sealed class Timer
    {
        public Action? Act { get; set; }

        public void Cancel() => Act = null;
    }

    /// <summary>A descriptor that is waited for. Disposed of before it is closed.</summary>
    internal sealed class Watch(EventLoop loop, ulong name, int fd, Action<uint> act) : IDisposable
    {
        private uint? _events;

        public ulong Name => name;

        public Action<uint> Act => act;

        /// <summary>Waits for other events from now on.</summary>
        public void Change(uint events)
        {
            if (_events == events || !loop._watches.ContainsKey(name)) return;
            _events = events;
            OciException.Check(Epoll.Modify(loop._set.Number, fd, events, name), $"epoll_ctl {fd}");
        }

        public void Dispose()
        {
            if (!loop._watches.Remove(name)) return;
            // The kernel itself forgets what is closed.
            Epoll.Remove(loop._set.Number, fd);
        }
    }
}
