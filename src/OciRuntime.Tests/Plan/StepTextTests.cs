using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Seccomp;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Plan;

public sealed class StepTextTests
{
    private static readonly Rlimit Limit = new() { Type = "RLIMIT_CORE" };

    private static readonly SeccompProgram Filter = new() { Instructions = [], DefaultAction = 0, Flags = 0, UnknownNames = [] };

    /// <summary>One of each kind.</summary>
    private static readonly PlanStep[] Steps =
    [
        new OomScoreAdjustStep(1), new KeepHostProcStep(Origin.Runtime), new EnterCgroupStep(Origin.Runtime, "/c"),
        new AwaitCgroupStep(Origin.Runtime), new ResetAffinityStep(),
        new JoinNamespacesStep(Origin.Runtime) { Joins = [] }, new JoinContainerStep(Processes.CLONE_NEWNS),
        new AffinityStep(Origin.Runtime, "0"), new UnshareStep(Origin.Runtime, Processes.CLONE_NEWNS),
        new TimeOffsetsStep(Origin.Runtime, ""), new AwaitIdMapsStep(), new BecomeRootStep(Origin.Runtime, 0, 0, GroupPolicy.Set),
        new ForkIntoPidNamespaceStep(Origin.Runtime), new UndumpableStep(),
        new NewSessionStep(), new SessionKeyringStep("k"), new LoopbackUpStep(Origin.Runtime),
        new LoopbackUpStep(Origin.Runtime, isLent: true), new AwaitNetworkDevicesStep(),
        new HostPropagationStep(Origin.Runtime, 0, "/r"), new BindRootfsStep("/r"),
        new MountFilesystemStep(Origin.Runtime) { Type = "tmpfs", Target = new("t"), Options = [] }, new LabelQueuesStep("t", "l"),
        new MountBindStep(Origin.Runtime) { Source = "/s", Target = new("t") },
        new AttachMountStep(Origin.Runtime, "tmpfs", new(), new("t")),
        new RemoveMountStep(Origin.Runtime, new("t"), new(), remove: true, isUncovered: false, []),
        new AwaitCommitStep(), new SetMountAttributesStep(Origin.Runtime, "t"),
        new ReconfigureFilesystemStep(Origin.Runtime, "t", []), new DeviceNodeStep(Origin.Runtime, "dev/x", new()),
        new DeviceBindStep(Origin.Runtime, "dev/x", new()), new SymlinkStep(Origin.Runtime, "a", "b"),
        new AwaitHooksStep(), new ContainerHookStep(new(), 0, "/r"), new ConsoleStep(Origin.Runtime, new(), TerminalRole.Console),
        new ControllingTerminalStep(), new ListenPidStep(0),
        new MakeDirectoryStep(Origin.Runtime, "d"), new MaskPathStep(Origin.Runtime, "p", []), new ReadonlyPathStep(Origin.Runtime, "p"),
        new PivotRootStep(), new MoveRootStep(), new ChangeRootStep("/r"),
        new DetachMountStep("/d"), new RootPropagationStep(0), new HostnameStep(Origin.Runtime, "h"),
        new DomainnameStep(Origin.Runtime, "d"), new SysctlStep(Origin.Runtime, "sys/x", "1"),
        new SecurityAttributeStep(Origin.Runtime, "self/attr/exec", "l"), new CloseHostStep(), new NoNewPrivilegesStep(),
        new ResourceLimitStep(Origin.Runtime, Limit), new AwaitLimitsStep(),
        new SchedulerStep(Origin.Runtime, new()), new IoPriorityStep(1, 0), new PersonalityStep(is32Bit: false),
        new MemoryPolicyStep(new() { Mode = "MPOL_BIND" }), new BoundingSetStep(Origin.Runtime, 0, 40),
        new SetUserStep(new(), GroupPolicy.Set), new ChangeDirectoryStep("/", isFirstTry: true),
        new CapabilitiesStep(Origin.Runtime, new()), new UmaskStep(Origin.Runtime, 0), new HomeDirectoryStep(0, privileged: false),
        new FindExecutableStep("x", ["/bin/x"]), new SeccompStep(Filter, isLastStep: false), new ReadyStep(), new AwaitStartStep(),
        new StartHookStep(new(), 0), new ExecuteStep("x"), new GuardMountsStep(),
        new JoinPidNamespaceStep(Origin.Runtime, "/p", hasHooks: false), new HostRootStep("/r"), new OpenDevStep(),
        new DeviceMountStep(Origin.Runtime, "dev/x", new(), []),
    ];

    [Test]
    public void Every_operation_has_one_kind_of_step() => Steps.Select(step => step.Op).Should().BeEquivalentTo(Enum.GetValues<InitOp>());

    [Test]
    public void Every_kind_of_step_has_words()
    {
        foreach (PlanStep step in Steps) step.Describe().Should().MatchRegex("^[a-z]").And.NotEndWith(".").And.NotContain("\n");
    }

    /// <summary>`explain` begins a chapter where a step of another one comes: none is begun twice.</summary>
    [Test]
    public void Chapters_come_in_the_order_of_events()
    {
        LaunchPlan plan = Plans.Default(static config =>
        {
            config["process"]!["terminal"] = true;
            config["linux"]!["netDevices"] = Plans.Json("""{"eth1":{}}""");
            config["mounts"]!.AsArray()
                .Insert(1, Plans.Json("""{"destination":"/proc","type":"none","options":["remount","ro","hidepid=2"]}"""));
        });
        plan.Steps.Select(static step => step.Op).Should().Contain([InitOp.AwaitNetworkDevices, InitOp.ReconfigureFilesystem]);
        plan.Steps.ConvertAll(static step => step.Chapter).FindAll(static chapter => chapter != StepChapter.Any)
            .Should().BeInAscendingOrder();
        // Those are among the last where somebody's pid namespace is joined.
        (new ControllingTerminalStep().Chapter, new ListenPidStep(0).Chapter).Should().Be((StepChapter.Program, StepChapter.Program));
    }

    /// <summary>What the kernel would read to its NUL is not what was checked.</summary>
    [Test]
    public void No_text_of_a_step_is_cut_short()
    {
        LaunchPlan plan = Plans.Default();
        plan.Steps.Add(new HostnameStep(Origin.Runtime, "a\0b"));
        FluentActions.Invoking(() => PlanCompiler.Compile(plan, new())).Should().Throw<InvalidOperationException>()
            .WithMessage(@"a NUL in a\x00b");
    }

    /// <summary>An operation with arguments has a step that gives them.</summary>
    [Test]
    public void Every_kind_of_arguments_is_a_steps()
    {
        IEnumerable<Type?> given = Steps.Select(step => step.GetType().BaseType!)
            .Select(parent => parent.IsGenericType ? parent.GetGenericArguments()[0] : null);
        given.Where(arguments => arguments is not null).Should()
            .BeEquivalentTo(typeof(IStepArguments).Assembly.GetTypes()
            .Where(type => type.IsValueType && type.IsAssignableTo(typeof(IStepArguments))));
    }

    /// <summary>A configuration must not be able to write on somebody's terminal, nor to forge a line of the log.</summary>
    [Test]
    public void Control_characters_are_shown() =>
        new HostnameStep(Origin.Runtime, "a\u001b[2Jb\nc\td\u009be").Describe().Should().Be(@"set the hostname to a\x1b[2Jb\nc\td\u009be");

    [Test]
    public void Equal_capability_sets_are_named_together()
    {
        CapabilitiesStep step = new(Origin.Runtime, new() { Effective = 1, Permitted = 1, Ambient = 1UL << 45 });
        step.Describe().Should().Be("set capabilities: effective, permitted: CAP_CHOWN; inheritable: none; ambient: capability 45");
        new BoundingSetStep(Origin.Runtime, (1UL << 41) - 1, 40).Describe().Should().EndWith("to all");
    }

    [Test]
    public void Pointer_escapes_what_a_pointer_must()
    {
        new Origin("/linux/sysctl", Member: "net/ipv4/~x").ToString().Should().Be("/linux/sysctl/net~1ipv4~1~0x");
        new Origin("/mounts", 3).ToString().Should().Be("/mounts/3");
        new Origin("/linux/namespaces", 1, "path").ToString().Should().Be("/linux/namespaces/1/path");
        Origin.Runtime.ToString().Should().Be("");
    }
}
