using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>A namespace given by path.</summary>
/// <param name="Type">The spec's word.</param>
/// <param name="Flag">CLONE_NEW… flag, which setns(2) checks against the file.</param>
/// <param name="Path">Path on the host.</param>
/// <param name="Index">Element of linux.namespaces; -1 for what is not from there.</param>
internal readonly record struct NamespacePath(string Type, ulong Flag, string Path, int Index)
{
    public Origin Origin => new("/linux/namespaces", Index, "path");
}

/// <summary><see cref="InitOp.JoinNamespaces"/>. It is given a descriptor of each.</summary>
internal sealed class JoinNamespacesStep(Origin origin) : PlanStep<JoinNamespacesArguments>(StepChapter.Namespaces, origin)
{
    public required List<NamespacePath> Joins { get; init; }

    /// <inheritdoc cref="JoinNamespacesArguments.Namespaces"/>
    public ulong Namespaces { get; init; }

    /// <inheritdoc cref="JoinNamespacesArguments.HasHooks"/>
    public bool HasHooks { get; init; }

    /// <inheritdoc cref="JoinNamespacesArguments.NewUserNext"/>
    public bool NewUserNext { get; init; }

    protected override string Words =>
        "join namespaces: "
        + string.Join(", ",
        Joins.ConvertAll(static join => $"{(join.Flag == Processes.CLONE_NEWPID ? "later " : "")}{join.Type} {join.Path}"));

    public override string Explain(LaunchPlan plan, in StepFailure failure) =>
        failure is { Detail: InitDetail.None, Value: >= 0 } && Joins[(int)failure.Value] is { Index: >= 0 } join
            ? $"{join.Origin}: join the {join.Type} namespace {join.Path}: {failure.Reason}"
            : base.Explain(plan, failure);

    protected override JoinNamespacesArguments Compile(PlanCompiler compiler)
    {
        NamespaceJoin[] joins = new NamespaceJoin[Joins.Count];
        for (int i = 0; i < joins.Length; i++) joins[i] = new NamespaceJoin { Fd = compiler.Descriptor(this, i), Flag = Joins[i].Flag };
        return new()
        {
            Joins = compiler.Copy<NamespaceJoin>(joins),
            Namespaces = Namespaces,
            HasHooks = HasHooks,
            NewUserNext = NewUserNext,
        };
    }
}

internal sealed class JoinPidNamespaceStep(Origin origin, string path, bool hasHooks)
    : PlanStep<JoinPidNamespaceArguments>(StepChapter.Program, origin)
{
    protected override string Words => $"have the next clone born in the pid namespace {path}";

    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        failure.Errno == Errno.EPERM
            ? ": neither the caller nor the container's user namespace has power over the user namespace it belongs to"
            : "";

    protected override JoinPidNamespaceArguments Compile(PlanCompiler compiler) => new() { HasHooks = hasHooks };
}

/// <summary>
/// <see cref="InitOp.JoinContainer"/>. It is given a pidfd of the container's first process, or the one namespace that is joined, and, if
/// it changes the root, that one's.
/// </summary>
internal sealed class JoinContainerStep(ulong namespaces) : PlanStep<JoinContainerArguments>(StepChapter.Namespaces, Origin.Runtime)
{
    /// <summary>The container's root is not the one of a mount namespace.</summary>
    public bool ChangesRoot { get; init; }

    /// <summary>What is said when the container has ended.</summary>
    public string Stopped { get; init; } = "cannot exec in a stopped container";

    protected override string Words =>
        $"join the container's namespaces: {string.Join(", ", NamespaceNames.Of(namespaces))}"
        + (ChangesRoot ? "; chroot into its root" : "");

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => failure.Errno switch
    {
        Errno.ESRCH => $": {Stopped}",
        Errno.EPERM when Processes.EffectiveUid() != 0 => ": an ordinary user may only enter containers of his own",
        _ => "",
    };

    protected override JoinContainerArguments Compile(PlanCompiler compiler) =>
        new() { Namespaces = namespaces, PidFd = compiler.Descriptor(this), Root = ChangesRoot ? compiler.Descriptor(this, 1) : -1 };
}

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="namespaces">CLONE_NEW… flags.</param>
internal sealed class UnshareStep(Origin origin, ulong namespaces) : PlanStep<UnshareArguments>(StepChapter.Namespaces, origin)
{
    public ulong Namespaces => namespaces;

    protected override string Words => NamespaceNames.Of(Namespaces) is [string only]
        ? $"make a new {only} namespace"
        : $"make new namespaces: {string.Join(", ", NamespaceNames.Of(Namespaces))}";

    // The first thing for which root of a new user namespace needs its power.
    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        plan.IdMaps is not null && failure.Errno is (Errno.EPERM or Errno.EACCES) && !HostFacts.Probe().Has(Credentials.CAP_SYS_ADMIN)
            ? UserNamespace.Obstacle() : "";

    protected override UnshareArguments Compile(PlanCompiler compiler) => new() { Namespaces = Namespaces };
}

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="lines">What the parent writes to timens_offsets.</param>
internal sealed class TimeOffsetsStep(Origin origin, string lines) : PlanStep<TimeOffsetsArguments>(StepChapter.Namespaces, origin)
{
    public string Lines => lines;

    public override SyncKind[] Says => Lines.Length > 0 ? [SyncKind.TimeOffsets] : [];

    protected override string Words =>
        "enter the new time namespace" + (Lines.Length == 0 ? "" : $", its clocks offset by {Lines.TrimEnd().Replace("\n", ", ")}");

    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        failure.Errno == Errno.ERANGE ? ": a clock would show less than zero, or more than 146 years" : "";

    protected override TimeOffsetsArguments Compile(PlanCompiler compiler) => new() { HasOffsets = Lines.Length > 0 };
}

internal sealed class AwaitIdMapsStep()
    : PlainStep(InitOp.AwaitIdMaps, StepChapter.Namespaces, new("/linux/uidMappings"), "wait until the runtime has written the id maps",
        SyncKind.IdMaps);

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="uid">What to become where there is no uid 0.</param>
/// <param name="gid">The same.</param>
/// <param name="groups">What becomes of the caller's supplementary groups.</param>
internal sealed class BecomeRootStep(Origin origin, uint uid, uint gid, GroupPolicy groups)
    : PlanStep<BecomeRootArguments>(StepChapter.Namespaces, origin)
{
    protected override string Words =>
        "become uid 0 and gid 0 of the user namespace" + ((uid | gid) == 0 ? "" : $", or uid {uid} and gid {gid} where it has none");

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => SetUserStep.IdHint(plan, failure);

    protected override BecomeRootArguments Compile(PlanCompiler compiler) => new() { Uid = uid, Gid = gid, Groups = groups };
}

/// <summary>Into a pid namespace that is joined, or with <see cref="IsNew"/> into a new one.</summary>
internal sealed class ForkIntoPidNamespaceStep(Origin origin) : PlanStep<ForkIntoPidNamespaceArguments>(StepChapter.Namespaces, origin)
{
    public bool IsNew { get; init; }

    /// <summary>The pid namespace where it is neither new nor the container's own.</summary>
    public string? Path { get; init; }

    /// <summary>A scheduling policy that a clone does not inherit: the parent sets it then. Size 0 for none.</summary>
    public SchedAttr Schedule { get; init; }

    public override SyncKind[] Says => [SyncKind.Forked];

    protected override string Words =>
        "clone once more, into "
        + (IsNew ? "a new pid namespace" : Path is null ? "the container's pid namespace" : $"the pid namespace {Path}")
        + (Schedule.Size == 0 ? "" : $"; there the runtime sets the policy: {SchedulerStep.Describe(Schedule)}");

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => failure.Errno switch
    {
        Errno.ENOMEM when Path is not null => ": it takes no more processes, as its first one has ended",
        // With a pid namespace that is made here it is a matter of memory.
        Errno.ENOMEM when !IsNew => ": the container's pid namespace takes no more processes: cannot exec in a stopped container",
        Errno.EAGAIN => ": a limit on processes is reached (/linux/resources/pids, RLIMIT_NPROC, or the kernel's own)",
        _ => SeccompStep.DenialHint(plan, this, failure),
    };

    protected override unsafe ForkIntoPidNamespaceArguments Compile(PlanCompiler compiler) =>
        new() { Namespaces = IsNew ? Processes.CLONE_NEWPID : 0, Successor = compiler.Successor };
}

internal sealed class UndumpableStep()
    : PlainStep(InitOp.Undumpable, StepChapter.Namespaces, Origin.Runtime,
        "become undumpable, so that nothing in the container can trace the runtime");

internal sealed class NewSessionStep()
    : PlainStep(InitOp.NewSession, StepChapter.Namespaces, Origin.Runtime, "start a new session, apart from the caller's terminal")
{
    protected override string Hint(LaunchPlan plan, in StepFailure failure) => SeccompStep.DenialHint(plan, this, failure);
}

/// <summary>The last of a new network namespace.</summary>
/// <param name="origin">Where config.json asks for it.</param>
/// <param name="isLent">The parent makes it, while the child begins.</param>
internal sealed class LoopbackUpStep(Origin origin, bool isLent = false)
    : PlainStep(isLent ? InitOp.EnterNetwork : InitOp.LoopbackUp, isLent ? StepChapter.Any : StepChapter.Namespaces, origin,
        isLent ? "enter the network namespace that the runtime has made" : "bring the loopback interface up")
{
    public bool IsLent => isLent;
}

internal sealed class AwaitNetworkDevicesStep()
    : PlainStep(InitOp.AwaitNetworkDevices, StepChapter.Namespaces, new("/linux/netDevices"),
        "wait until the runtime has moved network devices here", SyncKind.NetworkDevices);
