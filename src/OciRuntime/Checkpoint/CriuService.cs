using OciRuntime.Host;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Protobuf;

namespace OciRuntime.Checkpoint;

/// <summary>
/// A running `criu swrk`: criu as a child that serves the requests of one SOCK_SEQPACKET connection, with notifications while it works.
/// Disposing of it ends it.
/// </summary>
internal sealed class CriuService : IDisposable
{
    // The first one with all that is asked for here: another security profile, external pid namespaces, a notification when lazy pages are
    // ready.
    private const int MinimumVersion = 316;

    // criu's messages are short. What does not fit is no message of criu's, and the kernel cuts it off (recv(2), SOCK_SEQPACKET).
    private const int MaxMessage = 40 << 10;

    // How long criu may take to undo what it has begun once the connection is closed.
    private const int EndMilliseconds = 5000;
    private readonly Interruption _interruption;
    private readonly int _patience;
    private readonly Fd _channel;
    private readonly Fd _pidfd;
    private readonly byte[] _buffer = new byte[MaxMessage];
    private InterruptedException? _interrupted;
    private long _deadline;
    private bool _reaped;

    private CriuService(int pid, Fd pidfd, Fd channel, Interruption interruption, int patience)
    {
        Pid = pid;
        _pidfd = pidfd;
        _channel = channel;
        _interruption = interruption;
        _patience = patience;
    }

    public int Pid { get; }

    /// <summary>From 3.17 on.</summary>
    public bool HasSinglePreDump { get; private set; }

    /// <summary>Starts criu and asks for its version.</summary>
    /// <param name="verb">For the message when it is missing.</param>
    /// <param name="inherited">What criu has as descriptors 4, 5, …</param>
    /// <param name="streams">What criu has as 0, 1 and 2; null for the caller's.</param>
    /// <param name="trees">Detached mounts for absolute paths in a mount namespace of criu's own.</param>
    /// <param name="interruption">The signals.</param>
    /// <param name="patience">How many milliseconds the current work may go on after a request to end.</param>
    public static CriuService Start(string verb, int[] inherited, int[]? streams, (int Tree, string Target)[] trees,
        Interruption interruption, int patience)
    {
        string path = ProgramPath.Find("criu")
            ?? throw new OciException(
            $"{verb}: \"criu\": executable file not found in $PATH: install CRIU {Words(MinimumVersion)} or newer (https://criu.org)",
            Errno.ENOENT);
        (Fd own, Fd other) = Sockets.Pair(Sockets.SOCK_SEQPACKET);
        using Fd theirs = other;
        (int pid, Fd pidfd) = HelperProcess.Start(new CompanionProgram
        {
            Path = path,
            Arguments = ["criu", "swrk", "3"],
            Channels = [theirs.Number, .. inherited],
            Stdio = streams,
            Trees = trees,
        });
        CriuService service = new(pid, pidfd, own, interruption, patience);
        try
        {
            theirs.Dispose();
            service.CheckVersion();
            return service;
        }
        catch
        {
            service.Dispose();
            throw;
        }
    }

    /// <summary>Memory tracking and lazy pages depend on kernel and architecture.</summary>
    public void RequireFeatures(bool memoryTracking, bool lazyPages)
    {
        if (!memoryTracking && !lazyPages) return;
        ProtobufWriter features = new();
        if (memoryTracking) features.Number(1, 1);
        if (lazyPages) features.Number(2, 1);
        ProtobufWriter request = Request(CriuRequestType.FeatureCheck, keepOpen: true);
        request.Message(5, features);
        Send(request);
        CriuResponse response = Receive();
        if (memoryTracking && !response.HasMemoryTracking)
            throw new OciException("--pre-dump: criu says that memory tracking (CONFIG_MEM_SOFT_DIRTY) is not to be had on this kernel");
        if (lazyPages && !response.HasLazyPages)
            throw new OciException("--lazy-pages: criu says that userfaultfd is not to be had on this kernel");
    }

    /// <summary>Makes a request and answers notifications until its result is there.</summary>
    /// <param name="type">Dump, PreDump or Restore.</param>
    /// <param name="options">Its options.</param>
    /// <param name="notified">Takes each notification, with the descriptor that came along or -1, which is closed afterwards. What it
    /// throws ends the work.</param>
    /// <param name="log">Where criu writes why something failed.</param>
    public CriuResponse Work(CriuRequestType type, CriuOptions options, Action<CriuResponse, Fd> notified, CriuLog log)
    {
        ProtobufWriter request = Request(type);
        request.Message(2, options.Message);
        Send(request);
        while (true)
        {
            CriuResponse response;
            int passed;
            try
            {
                response = Receive(out passed);
            }
            catch (OciException e)
            {
                throw new OciException(e.Message + log.Reason(), e.Errno);
            }
            using Fd descriptor = new(passed);
            if (!response.Success) throw log.Failure(type, response);
            if (response.Type == type) return response;
            if (response.Type != CriuRequestType.Notify)
                throw new OciException($"criu answered a request of type {(int)type} with one of type {(int)response.Type}{log.Reason()}");
            Answer(response, descriptor, notified);
        }
    }

    private void Answer(CriuResponse notification, Fd descriptor, Action<CriuResponse, Fd> notified)
    {
        bool done = false;
        try
        {
            notified(notification, descriptor);
            done = true;
        }
        finally
        {
            ProtobufWriter answer = Request(CriuRequestType.Notify);
            answer.Number(3, done ? 1 : 0);
            // Without success criu takes back what it has done; the caller is to see why, not that criu is gone.
            Send(answer, mayBeGone: !done);
        }
    }

    private void CheckVersion()
    {
        Send(Request(CriuRequestType.Version, keepOpen: true));
        CriuResponse response = Receive();
        if (response.Type != CriuRequestType.Version || !response.Success || response.Version == 0)
            throw new OciException("criu does not tell its version: is the \"criu\" in $PATH the one from https://criu.org?");
        if (response.Version < MinimumVersion)
            throw new OciException($"ocirun needs CRIU {Words(MinimumVersion)} or newer; this is {Words(response.Version)}");
        HasSinglePreDump = response.Version >= 317;
    }

    private static ProtobufWriter Request(CriuRequestType type, bool keepOpen = false)
    {
        ProtobufWriter request = new();
        request.Number(1, (long)type);
        if (keepOpen) request.Number(4, 1);
        return request;
    }

    private void Send(ProtobufWriter request, bool mayBeGone = false)
    {
        long result = Sockets.Send(_channel.Number, request.Written);
        if (result >= 0 || mayBeGone) return;
        throw result is -Errno.EPIPE or -Errno.ECONNRESET ? Ended() : OciException.FromResult(result, "send a request to criu");
    }

    private CriuResponse Receive()
    {
        CriuResponse response = Receive(out int passed);
        // None is asked for.
        if (passed >= 0) Files.Close(passed);
        return response;
    }

    private CriuResponse Receive(out int passed)
    {
        passed = -1;
        Await();
        long length = Sockets.Receive(_channel.Number, _buffer, out passed);
        if (length is 0 or -Errno.ECONNRESET) throw Ended();
        OciException.Check(length, "receive from criu");
        try
        {
            if (length == MaxMessage) throw new FormatException($"longer than {MaxMessage} bytes");
            return CriuResponse.Parse(_buffer.AsSpan(0, (int)length));
        }
        catch (FormatException e)
        {
            if (passed >= 0) Files.Close(passed);
            throw new OciException($"criu sent what is no message of its protocol: {e.Message}", Errno.EPROTO);
        }
    }

    /// <summary>
    /// Waits for a message or criu's end, on its pidfd: processes that it is restoring may still hold the other end of the connection.
    /// There is no limit, as a big container takes its time; a request to end is one.
    /// </summary>
    private void Await()
    {
        Span<PollFd> fds = stackalloc PollFd[3];
        while (true)
        {
            fds[0] = PollFd.Reading(_channel.Number);
            fds[1] = PollFd.Reading(_pidfd.Number);
            fds[2] = PollFd.Reading(_interruption.Descriptor);
            int left = _interrupted is null ? -1 : (int)Math.Max(0, _deadline - Environment.TickCount64);
            long ready = Processes.Poll(fds, left);
            OciException.Check(ready, "poll");
            if (ready == 0) throw _interrupted!;
            if (fds[0].Returned != 0) return;
            if (fds[1].Returned != 0) throw Ended();
            Interrupt();
        }
    }

    /// <summary>The first request to end starts the patience, the second ends it.</summary>
    private void Interrupt()
    {
        try
        {
            _interruption.Check();
        }
        catch (InterruptedException e) when (_patience > 0 && _interrupted is null)
        {
            _interrupted = e;
            _deadline = Environment.TickCount64 + _patience;
        }
    }

    private OciException Ended()
    {
        WaitStatus status = End();
        return new OciException($"criu {(status.IsKilled ? "was" : "ended with")} {status} before it answered");
    }

    /// <summary>Lets criu end by itself, for a while, after closing the connection.</summary>
    public WaitStatus End()
    {
        _channel.Dispose();
        if (_reaped) return default;
        // It is a child that nobody else waits for, and has not been reaped.
        if (!Processes.AwaitReadable(_pidfd.Number, EndMilliseconds)) Processes.PidFdSendSignal(_pidfd.Number, Processes.SIGKILL);
        _reaped = true;
        // Even killed it may wait in the kernel, for a file system that the container serves.
        if (!Processes.AwaitReadable(_pidfd.Number, EndMilliseconds)) return WaitStatus.Killed(Processes.SIGKILL);
        // It has ended, and nobody else waits for it.
        Processes.Reap(Pid, out WaitStatus status);
        return status;
    }

    private static string Words(int version) => $"{version / 100}.{version % 100}";

    public void Dispose()
    {
        End();
        _pidfd.Dispose();
    }
}
