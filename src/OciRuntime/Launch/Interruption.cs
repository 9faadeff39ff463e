using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>A signal asked the runtime to stop while it worked; what was begun is undone and the exit status is 128 + signal.</summary>
/// <param name="signal">The signal.</param>
/// <param name="outcome">What has come of it.</param>
internal sealed class InterruptedException(int signal, string outcome = "undone") : Exception($"interrupted by signal {signal}; {outcome}")
{
    public int Signal { get; } = signal;
}

/// <summary>
/// The signals of this process, read from a descriptor. They are blocked in every thread since before the .NET runtime started (see the
/// sealing code), so none can end the runtime between two steps of a launch.
/// </summary>
internal sealed class Interruption : IDisposable
{
    // Everything but the synchronous faults, the two that cannot be caught, those of the C library (32, 33) and the one NativeAOT suspends
    // threads with.
    private static ulong Watched => ~Processes.SignalSet(
        Processes.SIGILL, Processes.SIGTRAP, Processes.SIGABRT, Processes.SIGBUS, Processes.SIGFPE, Processes.SIGSEGV, Processes.SIGSYS,
        Processes.SIGKILL, Processes.SIGSTOP, 32, 33, SIGRTMIN);

    private const int SIGRTMIN = 34;
    private readonly Fd _fd;
    private readonly bool _readsSignals;

    /// <summary>In the shim, which reads its signals elsewhere: the request is that something can be read.</summary>
    /// <param name="request">Its owner closes it.</param>
    public Interruption(Fd request) => _fd = request;

    public Interruption()
    {
        _readsSignals = true;
        ulong watched = Watched;
        OciException.Check(Processes.SetSignalMask(Processes.SIG_BLOCK, watched, out _), "block signals");
        _fd = Fd.Of(Processes.SignalFd(watched, Files.O_NONBLOCK), "signalfd");
    }

    /// <summary>Readable when a signal is pending.</summary>
    public int Descriptor => _fd.Number;

    /// <summary>The next pending signal, or 0.</summary>
    public int Take()
    {
        if (!_readsSignals) return Processes.AwaitReadable(_fd.Number, 0) ? Processes.SIGTERM : 0;
        while (Files.Read(_fd.Number, out SignalInfo info) > 0)
        {
            // Raised by our own writing to a terminal or pipe that is gone; nobody means the container by it.
            if (info.Signal != Processes.SIGPIPE || info.Pid != Processes.Pid()) return info.Signal;
        }
        return 0;
    }

    /// <summary>Throws when one of the pending signals asks a process to end.</summary>
    public void Check()
    {
        for (int signal = Take(); signal != 0; signal = Take())
        {
            if (IsRequestToEnd(signal)) throw new InterruptedException(signal);
        }
    }

    /// <summary>How long a peer is waited for that takes a connection or a few bytes; a request to end throws.</summary>
    public Patience ForPeer => new(Patience.PeerMilliseconds, milliseconds => WaitFor(-1, milliseconds));

    /// <summary>
    /// Waits until <paramref name="fd"/> is readable or closed; with -1, for the time only. False after the given time; a request to end
    /// throws.
    /// </summary>
    public bool WaitFor(int fd, int milliseconds = -1)
    {
        Span<PollFd> fds = stackalloc PollFd[2];
        long deadline = Environment.TickCount64 + milliseconds;
        while (true)
        {
            fds[0] = PollFd.Reading(fd);
            fds[1] = PollFd.Reading(Descriptor);
            int left = milliseconds < 0 ? -1 : (int)Math.Max(0, deadline - Environment.TickCount64);
            long ready = OciException.Check(Processes.Poll(fds, left), "poll");
            // In this order: a signal that comes just after the program was executed is the program's, not a request to take it all back.
            if (ready > 0 && fds[0].Returned != 0) return true;
            if (ready > 0 && fds[1].Returned != 0) Check();
            if (ready == 0) return false;
        }
    }

    /// <summary>
    /// Waits until <paramref name="fd"/> is ready for these events; false when the runtime is asked to end meanwhile, which is no reason to
    /// fail any more.
    /// </summary>
    public bool Await(int fd, short events)
    {
        Span<PollFd> fds = stackalloc PollFd[2];
        while (true)
        {
            fds[0] = new PollFd { Fd = fd, Events = events };
            fds[1] = PollFd.Reading(Descriptor);
            OciException.Check(Processes.Poll(fds, -1), "poll");
            if (fds[0].Returned != 0) return true;
            for (int signal = Take(); signal != 0; signal = Take()) if (IsRequestToEnd(signal)) return false;
        }
    }

    private static bool IsRequestToEnd(int signal) =>
        signal is Processes.SIGHUP or Processes.SIGINT or Processes.SIGQUIT or Processes.SIGTERM;

    public void Dispose()
    {
        if (_readsSignals) _fd.Dispose();
    }
}
