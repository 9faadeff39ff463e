using OciRuntime.Linux;

namespace OciRuntime.Shim;

/// <summary>
/// Threads for what may wait: a launch with its hooks, a mount, a cgroup that does not get empty. There are as many as there is work at
/// once, up to a limit, behind which work queues, but neither without bound nor for ever; those that find nothing to do end after a while.
/// </summary>
/// <param name="loop">Runs what follows on work; its thread alone gives work.</param>
/// <param name="most">So many pieces of work may hang, and others still get on.</param>
/// <param name="kept">So many threads stay without work.</param>
/// <param name="patience">Milliseconds that work waits for its turn.</param>
internal sealed class Workers(EventLoop loop, int most, int kept, int patience = Workers.Patience)
{
    // Work that does not hang takes milliseconds.
    private const int Patience = 60_000;

    /// <summary>More than so many pieces do not wait for their turn.</summary>
    public const int MostWaiting = 1024;

    private const int IdleMilliseconds = 10_000, RetryMilliseconds = 50;
    private const int StackBytes = 1 << 20;

    private readonly Lock _lock = new();
    private readonly LinkedList<Piece> _queue = new();
    private readonly Fd _waiting = Fd.Of(Processes.EventFd(byOne: true), "eventfd");
    private int _threads, _work;
    private bool _retries;

    /// <summary>Nothing is being done, or waits for its turn.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_lock) return _work == 0;
        }
    }

    /// <summary>
    /// Does some work on another thread, then has the loop run what follows: with null, or with what the work has thrown, or with the
    /// reason why it was not begun.
    /// </summary>
    public void Run(Action work, Action<Exception?> then)
    {
        lock (_lock)
        {
            if (_work >= most + MostWaiting)
            {
                Exception refusal = Busy($"{MostWaiting} wait for their turn");
                loop.Post(() => then(refusal));
                return;
            }
        }
        Piece piece = new(work, then) { IsRefusable = true };
        if (Enqueue(piece))
            piece.Patience = loop.After(patience, () => GiveUp(piece, $"this one has waited {patience} ms for its turn"));
    }

    /// <summary>The same for what is to be done in any case, however long it waits: nobody could ask for it again.</summary>
    public void RunAnyway(Action work, Action<Exception?> then) => Enqueue(new Piece(work, then));

    /// <summary>True when there is no thread for it yet.</summary>
    private bool Enqueue(Piece piece)
    {
        int ahead;
        lock (_lock)
        {
            ahead = _work++;
            _queue.AddLast(piece.Node);
        }
        Start();
        // The counter has room for more than there is memory for.
        Files.Write(_waiting.Number, BitConverter.GetBytes(1UL));
        lock (_lock) return ahead >= _threads;
    }

    /// <summary>On the loop's thread, which a new one is like: in its namespaces, on its CPUs.</summary>
    private void Start()
    {
        lock (_lock)
        {
            if (_work <= _threads || _threads == most) return;
            _threads++;
        }
        try
        {
            new Thread(Work, StackBytes) { IsBackground = true }.Start();
        }
        catch (OutOfMemoryException)
        {
            lock (_lock) _threads--;
            // One after the other, whatever comes meanwhile: what may not be refused needs a thread some time.
            if (_retries) return;
            _retries = true;
            loop.Post(GiveUpWithoutThread);
            loop.After(RetryMilliseconds, () =>
            {
                _retries = false;
                Start();
            });
        }
    }

    /// <summary>What waits does so for nobody.</summary>
    private void GiveUpWithoutThread()
    {
        Piece[] waiting;
        lock (_lock) waiting = _threads > 0 ? [] : [.. _queue];
        foreach (Piece piece in waiting) if (piece.IsRefusable) GiveUp(piece, "no thread can be made");
    }

    /// <summary>What has not been begun is not done any more, and with it goes all that it holds.</summary>
    private void GiveUp(Piece piece, string why)
    {
        Exception refusal;
        lock (_lock)
        {
            if (piece.Node.List is null) return;
            _queue.Remove(piece.Node);
            _work--;
            refusal = Busy(why);
        }
        piece.Patience?.Cancel();
        piece.Then(refusal);
    }

    private TaskError Busy(string why) =>
        new(RpcCode.ResourceExhausted, $"the shim is busy: {_threads} requests are under way, and {why}");

    /// <summary>The oldest one that nobody has taken, or null.</summary>
    private Piece? Take()
    {
        lock (_lock)
        {
            Piece? oldest = _queue.First?.Value;
            if (oldest is not null) _queue.RemoveFirst();
            return oldest;
        }
    }

    private static Exception? Try(Action work)
    {
        try
        {
            work();
            return null;
        }
        catch (Exception e)
        {
            return e;
        }
    }

    private void Work()
    {
        bool mayLeave = true;
        while (true)
        {
            PollFd waiting = PollFd.Reading(_waiting.Number);
            long ready = Processes.Poll([waiting], mayLeave ? IdleMilliseconds : -1);
            if (ready < 0)
            {
                // ENOMEM. Whoever threw it here would end the shim.
                Processes.Sleep(RetryMilliseconds);
                continue;
            }
            bool any = ready > 0;
            // Another one may have been faster, or it was given up.
            if (any && Files.Read(_waiting.Number, out ulong _) == sizeof(ulong) && Take() is { } next)
            {
                Exception? thrown = Try(next.Work);
                lock (_lock)
                {
                    _work--;
                    if (thrown is not null) _threads--;
                }
                loop.Post(() =>
                {
                    Start();
                    next.Patience?.Cancel();
                    next.Then(thrown);
                });
                // Who knows where it was when it failed: in the network namespace that it was making, on the CPUs of an exec.
                if (thrown is not null) return;
                mayLeave = true;
            }
            else if (!any)
            {
                lock (_lock)
                {
                    mayLeave = _threads > kept && _work < _threads;
                    if (mayLeave)
                    {
                        _threads--;
                        return;
                    }
                }
            }
        }
    }

    /// <summary>A piece of work, which is begun or given up by whoever takes it out of the queue.</summary>
    private sealed class Piece
    {
        public Piece(Action work, Action<Exception?> then)
        {
            (Work, Then) = (work, then);
            Node = new(this);
        }

        public Action Work { get; }

        public Action<Exception?> Then { get; }

        /// <summary>Its place in the queue.</summary>
        public LinkedListNode<Piece> Node { get; }

        /// <summary>Somebody waits for it, who can be told that it is not done.</summary>
        public bool IsRefusable { get; init; }

        /// <summary>Ends its waiting; the loop's.</summary>
        public EventLoop.Timer? Patience { get; set; }
    }
}
