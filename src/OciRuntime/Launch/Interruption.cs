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
    // Everything but the synchronous faults, the two that cannot be caught, and the one NativeAOT suspends threads with (SIGRTMIN, 34).
    private const ulong Watched = ~(1UL << 3 | 1UL << 4 | 1UL << 5 | 1UL << 6 | 1UL << 7 | 1UL << 8 | 1UL << 10 | 1UL << 18 | 1UL << 30 | 1UL << 31 | 1UL << 32 | 1UL << 33);
    private readonly Fd _fd;

    public Interruption()
    {
        OciException.Check(Processes.SetSignalMask(Processes.SIG_BLOCK, Watched, out _), "block signals");
        _fd = new Fd((int)OciException.Check(Processes.SignalFd(Watched, Files.O_NONBLOCK), "signalfd"));
    }

    /// <summary>Readable when a signal is pending.</summary>
    public int Descriptor => _fd.Number;

    /// <summary>The next pending signal, or 0.</summary>
    public unsafe int Take()
    {
        // struct signalfd_siginfo: 128 bytes, the number first, the sender as the fourth word.
        int* info = stackalloc int[32];
        while (Files.Read(_fd.Number, (byte*)info, 128) == 128)
        {
            // Raised by our own writing to a terminal or pipe that is gone; nobody means the container by it.
            if (info[0] == Processes.SIGPIPE && info[3] == Processes.Pid()) continue;
            return info[0];
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

    /// <summary>Waits until <paramref name="fd"/> is readable or closed; with -1, for the time only. False after the given time; a request to end throws.</summary>
    public unsafe bool WaitFor(int fd, int milliseconds = -1)
    {
        PollFd* fds = stackalloc PollFd[2];
        long deadline = Environment.TickCount64 + milliseconds;
        while (true)
        {
            fds[0] = new PollFd { Fd = fd, Events = Processes.POLLIN };
            fds[1] = new PollFd { Fd = Descriptor, Events = Processes.POLLIN };
            int left = milliseconds < 0 ? -1 : (int)Math.Max(0, deadline - Environment.TickCount64);
            long ready = Processes.Poll(fds, 2, left);
            if (ready < 0 && ready != -Errno.EINTR) throw OciException.FromResult(ready, "poll");
            // In this order: a signal that comes just after the program was executed is the program's, not a request to take it all back.
            if (ready > 0 && fds[0].Returned != 0) return true;
            if (ready > 0 && fds[1].Returned != 0) Check();
            if (ready == 0) return false;
        }
    }

    /// <summary>Waits until <paramref name="fd"/> takes bytes; false when the runtime is asked to end meanwhile, which is no reason to fail any more.</summary>
    public unsafe bool WaitToWrite(int fd)
    {
        PollFd* fds = stackalloc PollFd[2];
        while (true)
        {
            fds[0] = new PollFd { Fd = fd, Events = Processes.POLLOUT };
            fds[1] = new PollFd { Fd = Descriptor, Events = Processes.POLLIN };
            OciException.Check(Processes.Poll(fds, 2, -1), "poll");
            if (fds[0].Returned != 0) return true;
            for (int signal = Take(); signal != 0; signal = Take()) if (IsRequestToEnd(signal)) return false;
        }
    }

    private static bool IsRequestToEnd(int signal) => signal is Processes.SIGHUP or Processes.SIGINT or 3 or Processes.SIGTERM;

    public void Dispose() => _fd.Dispose();
}
