using System.Text;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>
/// The parent's end of the conversation with init, in create and run, in exec, in `mounts`, and in `start`. A container may, with the right to trace, get
/// hold of the process at the other end, or take a copy of its socket, and speak in its place; so each message is checked here, as a whole and before
/// anybody acts on it, against the plan that init walks. What does not fit ends the conversation: an honest init says nothing of the kind.
/// </summary>
internal sealed unsafe class Conversation : IDisposable
{
    /// <summary>How long init may be silent where nothing that it does is known to take longer.</summary>
    public const int PatienceMilliseconds = 120_000;

    // The last message announces the end of the connection as the next thing, and a signal that comes in between is the program's already. But what execve(2)
    // reads may be on a file system that the container serves, and does not: then it is the runtime's after all.
    private const int SoonMilliseconds = 2000;

    // The kernel's errnos end here (include/linux/err.h, MAX_ERRNO).
    private const int MaxErrno = 4095;

    private readonly Fd _socket;
    private readonly LaunchPlan? _plan;
    private readonly SyncKind _last;
    private int _step;
    private SyncKind _kind;

    /// <param name="socket">A SOCK_SEQPACKET connection, from now on this object's.</param>
    /// <param name="plan">What init walks; null for `start`, which sees the end of some plan.</param>
    public Conversation(Fd socket, LaunchPlan? plan)
    {
        _socket = socket;
        _plan = plan;
        _last = plan == null || (Has(plan, InitOp.Execute) && !Has(plan, InitOp.AwaitStart)) ? SyncKind.Executing : SyncKind.Ready;
    }

    /// <summary>Readable when init said something or is gone.</summary>
    public int Descriptor => _socket.Number;

    /// <summary>After this message nothing but the end is to come, or an error.</summary>
    public bool IsAtEnd => _kind == _last;

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

    /// <summary>Receives and serves until init closes its side: true when that came after its last message, false when it has ended early.</summary>
    /// <param name="interruption">What ends the waiting; null where signals do so by themselves.</param>
    /// <param name="patience">How many milliseconds init may be silent, -1 for no limit. Asked for only when it is silent for long, and again when that is over.</param>
    /// <param name="serve">Takes each message but errors, which are thrown.</param>
    /// <exception cref="OciException">Init's own failure in words; or it is silent, or says what it cannot mean.</exception>
    public bool Serve(Interruption? interruption, Func<int> patience, Action<InitMessage> serve)
    {
        while (Next(interruption, patience) is { } received)
        {
            using InitMessage message = received;
            if (message.Kind == SyncKind.Error) throw FailureText.Explain(_plan, message);
            serve(message);
        }
        return IsAtEnd;
    }

    /// <summary>Waits for the next message; see <see cref="Serve"/> and <see cref="Receive"/>.</summary>
    public InitMessage? Next(Interruption? interruption, Func<int> patience)
    {
        if (Await(IsAtEnd ? null : interruption, SoonMilliseconds)) return Receive();
        // Asked again when the time is over: the container may have been paused meanwhile.
        int waited = SoonMilliseconds;
        for (int limit = patience(); ; limit = patience())
        {
            if (limit >= 0 && waited >= limit) throw new OciException($"init has been silent for {waited / 1000} s: it waits for something in the kernel, or another process holds it", Errno.ETIMEDOUT);
            if (Await(interruption, limit < 0 ? -1 : limit - waited)) return Receive();
            waited = limit;
        }
    }

    /// <summary>The next message; null when init has ended or closed its side.</summary>
    /// <exception cref="OciException">It is none that init could send now. Its descriptors are closed.</exception>
    public InitMessage? Receive()
    {
        SyncMessage message = default;
        long length = Sockets.Receive(Descriptor, &message, sizeof(SyncMessage), out int passed, out int flags);
        using Fd descriptor = new(passed);
        if (length == -Errno.ECONNRESET || (length == 0 && (IsAtEnd || IsClosed()))) return null;
        OciException.Check(length, "receive from init");
        if (length != sizeof(SyncMessage) || (flags & Sockets.MSG_TRUNC) != 0) throw Nonsense($"a message of {length} bytes{((flags & Sockets.MSG_TRUNC) != 0 ? " and more" : "")}");
        if ((flags & Sockets.MSG_CTRUNC) != 0) throw Nonsense("more than one descriptor");
        PlanStep? step = Check(message, descriptor.IsOpen);
        (_step, _kind) = (message.Step, message.Kind);
        return new InitMessage
        {
            Kind = message.Kind, Step = step, Op = step?.Op ?? message.Op, Errno = message.Errno, Detail = message.Detail, Value = message.Value, Text = Words(message),
            Descriptor = new Fd(descriptor.Release()),
        };
    }

    /// <summary>Answers a request: go on, with a descriptor if one was asked for, or fail with this errno.</summary>
    public void Answer(int errno = 0, int passed = -1)
    {
        SyncMessage message = new() { Errno = errno };
        // There is room for many: one that has not read those before does not want this one.
        long result = Sockets.Send(Descriptor, &message, sizeof(SyncMessage), passed, Sockets.MSG_DONTWAIT);
        // An init that is gone shows as the end of the conversation; one that is there would wait for ever for an answer that was not sent.
        if (result is not (-Errno.EPIPE or -Errno.ECONNRESET)) OciException.Check(result, "answer init");
    }

    private bool Await(Interruption? interruption, int milliseconds)
    {
        if (interruption != null) return interruption.WaitFor(Descriptor, milliseconds);
        PollFd poll = new() { Fd = Descriptor, Events = Processes.POLLIN };
        return OciException.Check(Processes.Poll(&poll, 1, milliseconds), "poll") > 0;
    }

    /// <summary>Tells the end from an empty message, for both of which recvmsg(2) gives 0.</summary>
    private bool IsClosed()
    {
        PollFd poll = new() { Fd = Descriptor, Events = Processes.POLLIN };
        return Processes.Poll(&poll, 1, 0) > 0 && (poll.Returned & Processes.POLLHUP) != 0;
    }

    /// <summary>The step that the message is about, or null without a plan.</summary>
    private PlanStep? Check(in SyncMessage message, bool hasDescriptor)
    {
        SyncKind kind = message.Kind;
        if (!Enum.IsDefined(kind)) throw Nonsense($"kind {(int)kind}");
        if (message.Step < _step || (_plan != null && message.Step >= _plan.Steps.Count)) throw Nonsense($"step {message.Step} after step {_step}");
        // A step asks for each thing once, in this order; and an error is the end.
        if (_kind == SyncKind.Error || (message.Step == _step && kind != SyncKind.Error && kind <= _kind) || (IsAtEnd && kind != SyncKind.Error)) throw Nonsense($"{kind} after {_kind}");
        PlanStep? step = _plan?.Steps[message.Step];
        if (kind == SyncKind.Error) CheckError(message, step);
        else if (step == null ? kind != SyncKind.Executing : !Asks(kind, step)) throw Nonsense($"{kind} in step {message.Step}{(step == null ? "" : $", {step.Op}")}");
        else if (message is not { Errno: 0, TextLength: 0 }) throw Nonsense($"{kind} with an error");
        if (kind == SyncKind.Forked && message.Value is <= 0 or > int.MaxValue) throw Nonsense($"pid {message.Value}");
        if (hasDescriptor != Carries(kind, step)) throw Nonsense($"{kind} {(hasDescriptor ? "with" : "without")} a descriptor");
        return step;
    }

    private static void CheckError(in SyncMessage message, PlanStep? step)
    {
        if (step == null ? message.Op is not (InitOp.AwaitStart or InitOp.Seccomp or InitOp.StartHook or InitOp.Execute) : message.Op != step.Op) throw Nonsense($"an error of operation {(int)message.Op} in step {message.Step}");
        if (message.Errno is <= 0 or > MaxErrno) throw Nonsense($"errno {message.Errno}");
        if (!Enum.IsDefined(message.Detail)) throw Nonsense($"detail {(int)message.Detail}");
        if (message.TextLength is < 0 or > SyncMessage.TextSize) throw Nonsense($"a text of {message.TextLength} bytes");
        if (message.Op is InitOp.ContainerHook or InitOp.StartHook && (message.Value < 0 || (step != null && message.Value >> 32 != step.A))) throw Nonsense($"a failure of hook {message.Value >> 32}");
        if (message.Op == InitOp.JoinNamespaces && (message.Value < -1 || message.Value >= step!.Joins!.Count)) throw Nonsense($"a failure of namespace {message.Value}");
    }

    /// <summary>Whether this step may say so.</summary>
    private static bool Asks(SyncKind kind, PlanStep step) => kind switch
    {
        SyncKind.Cgroup => step.Op == InitOp.AwaitCgroup,
        SyncKind.IdMaps => step.Op == InitOp.AwaitIdMaps,
        SyncKind.TimeOffsets => step.Op == InitOp.TimeOffsets,
        SyncKind.Limits => step.Op == InitOp.AwaitLimits,
        SyncKind.NetworkDevices => step.Op == InitOp.AwaitNetworkDevices,
        SyncKind.Hooks => step.Op == InitOp.AwaitHooks,
        SyncKind.Source => step.Op == InitOp.MountBind,
        SyncKind.Device => step.Op == InitOp.DeviceMount,
        SyncKind.Filesystem => step.Op == InitOp.MountFilesystem && (step.Flags & InitFlags.OnDevice) != 0,
        SyncKind.MapIds => step.Op == InitOp.MountBind && (step.Flags & InitFlags.MapIds) != 0,
        SyncKind.Commit => step.Op == InitOp.AwaitCommit,
        SyncKind.Console => step.Op == InitOp.Console,
        SyncKind.Forked => step.Op == InitOp.ForkIntoPidNamespace,
        SyncKind.Listener => step.Op == InitOp.Seccomp && step.Filter!.NeedsListener,
        SyncKind.Ready => step.Op == InitOp.Ready,
        SyncKind.Executing => step.Op == InitOp.Execute || (step.Op == InitOp.Seccomp && (step.Flags & InitFlags.LastStep) != 0),
        _ => false,
    };

    private static bool Carries(SyncKind kind, PlanStep? step) =>
        kind is SyncKind.MapIds or SyncKind.Console || (kind == SyncKind.Listener && (step!.Flags & InitFlags.ListenerByNumber) == 0);

    /// <summary>The words of an error. A hook's output has lines; nothing of it may speak to the terminal that it ends up on.</summary>
    private static string Words(in SyncMessage message)
    {
        if (message.TextLength == 0) return "";
        string text;
        fixed (byte* bytes = message.Text) text = Encoding.UTF8.GetString(bytes, message.TextLength).TrimEnd();
        return string.Join('\n', Array.ConvertAll(text.Split('\n'), StepText.OneLine));
    }

    private static OciException Nonsense(string what) => new($"init, or another process in its place, sent what it cannot mean: {what}", Errno.EPROTO);

    private static bool Has(LaunchPlan plan, InitOp op) => plan.Steps.Exists(step => step.Op == op);

    public void Dispose() => _socket.Dispose();
}
