using System.Text;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>
/// The parent's end of the conversation with init, in create and run, in exec, in `mounts`, and in `start`. A container may, with the right
/// to trace, get hold of the process at the other end, or take a copy of its socket, and speak in its place; so each message is checked
/// here, as a whole and before anybody acts on it, against the plan that init walks. What does not fit ends the conversation: an honest
/// init says nothing of the kind.
/// </summary>
internal sealed class Conversation : IDisposable
{
    /// <summary>How long init may be silent where nothing that it does is known to take longer.</summary>
    public const int PatienceMilliseconds = 120_000;

    // The last message announces the end of the connection as the next thing, and a signal that comes in between is the program's already.
    // But what execve(2) reads may be on a file system that the container serves, and does not: then it is the runtime's after all.
    private const int SoonMilliseconds = 2000;

    // The kernel's errnos end here (include/linux/err.h, MAX_ERRNO).
    private const int MaxErrno = 4095;

    private readonly Fd _socket;
    private readonly LaunchPlan? _plan;
    private readonly SyncKind _last;
    private int _step;
    private SyncKind _kind;
    private bool _isAsked;

    /// <param name="socket">A SOCK_SEQPACKET connection, from now on this object's.</param>
    /// <param name="plan">What init walks; null for `start`, which sees the end of some plan.</param>
    public Conversation(Fd socket, LaunchPlan? plan)
    {
        _socket = socket;
        _plan = plan;
        _last = plan is null || (Has(plan, InitOp.Execute) && !Has(plan, InitOp.AwaitStart)) ? SyncKind.Executing : SyncKind.Ready;
    }

    /// <summary>Readable when init said something or is gone.</summary>
    public int Descriptor => _socket.Number;

    /// <summary>After this message nothing but the end is to come, or an error.</summary>
    public bool IsAtEnd => _kind == _last;

    /// <summary>Init itself has told a failure.</summary>
    public bool HasFailed => _kind == SyncKind.Error;

    /// <summary>How long init may be silent that runs hooks itself: they have a limit of their own, or none.</summary>
    public static int PatienceWith(int milliseconds, IEnumerable<Hook> hooks)
    {
        long all = milliseconds;
        foreach (Hook hook in hooks)
        {
            if (hook.Timeout is not > 0) return -1;
            all += hook.Timeout.Value * 1000L;
        }
        return (int)Math.Min(all, int.MaxValue);
    }

    /// <summary>
    /// Receives and serves until init closes its side: true when that came after its last message, false when it has ended early.
    /// </summary>
    /// <param name="interruption">What ends the waiting; null where signals do so by themselves.</param>
    /// <param name="patience">How many milliseconds init may be silent, -1 for no limit. Asked for only when it is silent for long, and
    /// again when that is over.</param>
    /// <param name="answer">What is done about a message that is no error, of which those are thrown; null where it is not expected. A
    /// question that this does not answer itself is one that is done when it returns.</param>
    /// <exception cref="OciException">Init's own failure in words; or it is silent, or says what it cannot mean.</exception>
    public bool Serve(Interruption? interruption, Func<int> patience, Func<InitMessage, Action?> answer)
    {
        while (Next(interruption, patience) is { } received)
        {
            using InitMessage message = received;
            if (message.Kind == SyncKind.Error) throw FailureText.Explain(_plan, message);
            // Nothing but an announcement, see IsAtEnd.
            if (message.Kind == SyncKind.Executing) continue;
            Action act = answer(message) ?? throw new OciException($"unexpected message {message.Kind} from init");
            using TraceSpan span = Timeline.IsOn ? Timeline.Span($"answer \"{message.Step!.Describe()}\"") : default;
            act();
            if (_isAsked) Answer();
        }
        Timeline.Ended();
        return IsAtEnd;
    }

    /// <summary>Waits for the next message; see <see cref="Serve"/> and <see cref="Receive"/>.</summary>
    public InitMessage? Next(Interruption? interruption, Func<int> patience)
    {
        Await(Descriptor, IsAtEnd ? null : interruption, interruption, patience);
        return Receive();
    }

    /// <summary>Waits for the end of a process of the conversation, by its pidfd, as for a message.</summary>
    public static void AwaitEnd(Fd process, Interruption interruption, Func<int> patience) =>
        Await(process.Number, interruption, interruption, patience);

    private static void Await(int fd, Interruption? soon, Interruption? interruption, Func<int> patience)
    {
        if (Await(fd, soon, SoonMilliseconds)) return;
        // Asked again when the time is over: the container may have been paused meanwhile.
        int waited = SoonMilliseconds;
        for (int limit = patience(); ; limit = patience())
        {
            if (limit >= 0 && waited >= limit)
            {
                throw new OciException(
                    $"init has been silent for {waited / 1000} s: it waits for something in the kernel, or another process holds it",
                    Errno.ETIMEDOUT);
            }
            if (Await(fd, interruption, limit < 0 ? -1 : limit - waited)) return;
            waited = limit;
        }
    }

    /// <summary>The next message; null when init has ended or closed its side.</summary>
    /// <exception cref="OciException">It is none that init could send now. Its descriptors are closed.</exception>
    public InitMessage? Receive()
    {
        long length = Sockets.ReceiveValue(Descriptor, out SyncMessage message, out int passed, out int flags);
        // Told once, and before what init has said: it has ended without reading what it was sent unasked (LentNetwork).
        if (length == -Errno.ECONNRESET) length = Sockets.ReceiveValue(Descriptor, out message, out passed, out flags);
        using Fd descriptor = new(passed);
        if (length == -Errno.ECONNRESET || (length == 0 && (IsAtEnd || IsClosed()))) return null;
        OciException.Check(length, "receive from init");
        if (length != SyncMessage.Size || (flags & Sockets.MSG_TRUNC) != 0)
            throw Nonsense($"a message of {length} bytes{((flags & Sockets.MSG_TRUNC) != 0 ? " and more" : "")}");
        if ((flags & Sockets.MSG_CTRUNC) != 0) throw Nonsense("more than one descriptor");
        PlanStep? step = Check(message, descriptor.IsOpen);
        (_step, _kind) = (message.Step, message.Kind);
        _isAsked = _kind is not (SyncKind.Error or SyncKind.Forked or SyncKind.Executing);
        return new InitMessage
        {
            Kind = message.Kind,
            Step = step,
            Op = step?.Op ?? message.Op,
            Errno = message.Errno,
            Detail = message.Detail,
            Value = message.Value,
            Text = Words(message),
            Descriptor = new Fd(descriptor.Release()),
        };
    }

    /// <summary>Answers a request: go on, with a descriptor if one was asked for, or fail with this errno.</summary>
    public void Answer(int errno = 0, int passed = -1)
    {
        _isAsked = false;
        SyncMessage message = new() { Errno = errno };
        // There is room for many: one that has not read those before does not want this one.
        long result = Sockets.SendValue(Descriptor, message, passed, Sockets.MSG_DONTWAIT);
        // An init that is gone shows as the end of the conversation; one that is there would wait for ever for an answer that was not sent.
        if (result is not (-Errno.EPIPE or -Errno.ECONNRESET)) OciException.Check(result, "answer init");
    }

    private static bool Await(int fd, Interruption? interruption, int milliseconds) =>
        interruption?.WaitFor(fd, milliseconds) ?? Processes.AwaitReadable(fd, milliseconds);

    /// <summary>Tells the end from an empty message, for both of which recvmsg(2) gives 0.</summary>
    private bool IsClosed()
    {
        Span<PollFd> poll = [PollFd.Reading(Descriptor)];
        return Processes.Poll(poll, 0) > 0 && (poll[0].Returned & Processes.POLLHUP) != 0;
    }

    /// <summary>The step that the message is about, or null without a plan.</summary>
    private PlanStep? Check(in SyncMessage message, bool hasDescriptor)
    {
        SyncKind kind = message.Kind;
        if (message.Step < _step || (_plan is not null && message.Step >= _plan.Steps.Count))
            throw Nonsense($"step {message.Step} after step {_step}");
        // A step asks for each thing once, in this order; and an error is the end.
        if (_kind == SyncKind.Error || (message.Step == _step && kind != SyncKind.Error && kind <= _kind)
            || (IsAtEnd && kind != SyncKind.Error))
        {
            throw Nonsense($"{kind} after {_kind}");
        }
        PlanStep? step = _plan?.Steps[message.Step];
        if (kind == SyncKind.Error) CheckError(message, step);
        else if (step is null ? kind != SyncKind.Executing : Array.IndexOf(step.Says, kind) < 0)
            throw Nonsense($"{kind} in step {message.Step}{(step is null ? "" : $", {step.Op}")}");
        else if (message is not { Errno: 0, TextLength: 0 }) throw Nonsense($"{kind} with an error");
        if (kind == SyncKind.Forked && message.Value is <= 0 or > int.MaxValue) throw Nonsense($"pid {message.Value}");
        if (hasDescriptor != Carries(kind, step)) throw Nonsense($"{kind} {(hasDescriptor ? "with" : "without")} a descriptor");
        return step;
    }

    private static void CheckError(in SyncMessage message, PlanStep? step)
    {
        if (step is null ? message.Op is not (InitOp.AwaitStart or InitOp.Seccomp or InitOp.StartHook or InitOp.Execute)
            : message.Op != step.Op)
        {
            throw Nonsense($"an error of operation {(int)message.Op} in step {message.Step}");
        }
        if (message.Errno is <= 0 or > MaxErrno) throw Nonsense($"errno {message.Errno}");
        if (!Enum.IsDefined(message.Detail)) throw Nonsense($"detail {(int)message.Detail}");
        if (message.TextLength is < 0 or > SyncMessage.TextSize) throw Nonsense($"a text of {message.TextLength} bytes");
        if (message.Op is InitOp.ContainerHook or InitOp.StartHook
            && (message.Value < 0 || (step is IHookStep hook && message.Value >> 32 != hook.Index)))
        {
            throw Nonsense($"a failure of hook {message.Value >> 32}");
        }
        if (message.Op == InitOp.JoinNamespaces && (message.Value < -1 || message.Value >= ((JoinNamespacesStep)step!).Joins.Count))
            throw Nonsense($"a failure of namespace {message.Value}");
    }

    private static bool Carries(SyncKind kind, PlanStep? step) =>
        kind is SyncKind.MapIds or SyncKind.Console || (kind == SyncKind.Listener && step is SeccompStep { ListenerByNumber: false });

    /// <summary>The words of an error. A hook's output has lines; nothing of it may speak to the terminal that it ends up on.</summary>
    private static string Words(in SyncMessage message) =>
        VisibleText.Lines(Encoding.UTF8.GetString(message.Text[..message.TextLength]).TrimEnd());

    private static OciException Nonsense(string what) =>
        new($"init, or another process in its place, sent what it cannot mean: {what}", Errno.EPROTO);

    private static bool Has(LaunchPlan plan, InitOp op) => plan.Steps.Exists(step => step.Op == op);

    public void Dispose() => _socket.Dispose();
}
