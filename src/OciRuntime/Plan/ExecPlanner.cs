using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>What an exec knows of the container that it enters.</summary>
internal sealed class ExecTarget
{
    /// <summary>CLONE_NEW… flags of the namespaces to join.</summary>
    public required ulong Namespaces { get; init; }

    /// <summary>setgroups(2) was given up in its user namespace.</summary>
    public required bool DeniesSetgroups { get; init; }
}

/// <summary>
/// The steps of one more process in a container. It is made outside of the container's pid namespace, does everything there, and only the
/// last clone, with no more than the program's own rights and descriptors, is born where the container can see it: what others could trace
/// or hold on to is what they could of the program (CVE-2016-9962, CVE-2019-5736).
/// </summary>
internal sealed class ExecPlanner
{
    private readonly PlanRequest _request;
    private readonly ExecTarget _target;
    private readonly RuntimeSpec _spec;
    private readonly Process _process;
    private readonly List<PlanStep> _steps = new(32);
    private readonly List<string> _warnings = [], _refusals = [];

    private ExecPlanner(PlanRequest request, ExecTarget target)
    {
        _request = request;
        _target = target;
        _spec = request.Spec;
        _process = request.Spec.Process!;
    }

    /// <summary>Plans it. The spec is the container's, with the process to run.</summary>
    public static LaunchPlan Build(PlanRequest request, ExecTarget target) => new ExecPlanner(request, target).Build();

    private bool JoinsUser => (_target.Namespaces & Processes.CLONE_NEWUSER) != 0;
    private bool KeepsCallersGroups => Annotations.IsOn(_spec.Annotations, Annotations.KeepOriginalGroups);

    private LaunchPlan Build()
    {
        GroupPolicy groups = KeepsCallersGroups || _target.DeniesSetgroups || _request.Host.DeniesSetgroups ? GroupPolicy.Keep
            : GroupPolicy.Set;
        // Warnings about mounts were create's.
        LabelPlanner labels = new(_spec, _request.Host, _steps, [], _refusals);
        AddHostSteps(labels);
        AddJoin(groups);
        if (_process.Terminal)
            _steps.Add(new ConsoleStep(new("/process/terminal"), Planner.WindowSize(_process.ConsoleSize), TerminalRole.Stdio));
        _steps.Add(new CloseHostStep());
        ProcessPlanner process = new(_request, JoinsUser, _steps, _warnings);
        process.AddStepsAndFork(groups, KeepsCallersGroups, (_target.Namespaces & Processes.CLONE_NEWPID) == 0 ? null
            : () => process.AddFork(Origin.Runtime));
        AddEnd(process);
        return new LaunchPlan
        {
            CloneFlags = 0,
            PidNamespace = null,
            IdMaps = null,
            PrivatePidNamespace = false,
            Steps = _steps,
            Arguments = _process.Args,
            Environment = process.Environment,
            HomeFromImage = process.HomeFromImage,
            Warnings = _warnings,
            Refusals = _refusals,
        };
    }

    /// <summary>
    /// While /proc is the host's and the process has the caller's rights. The labels take effect at execve, and a clone inherits them.
    /// </summary>
    private void AddHostSteps(LabelPlanner labels)
    {
        if (labels.NeedsProc) _steps.Add(new KeepHostProcStep(Origin.Runtime));
        if (_process.OomScoreAdj is { } score) _steps.Add(new OomScoreAdjustStep(score));
        if (_request.AwaitsCgroup) _steps.Add(new AwaitCgroupStep(Origin.Runtime));
        foreach (CgroupView view in _request.Cgroups)
        {
            if (!view.Hierarchy.Unified) _steps.Add(new EnterCgroupStep(Origin.Runtime, view.Path));
        }
        AddAffinity(_process.ExecCPUAffinity);
        labels.AddExecLabels();
        if (_request.NewKeyring) labels.AddKeyringLabel();
    }

    /// <summary>
    /// The initial CPUs were set by the parent, before it made this process in the cgroup. Where neither is given, the caller's CPUs are
    /// not the container's.
    /// </summary>
    private void AddAffinity(ExecCPUAffinity? affinity)
    {
        if (!string.IsNullOrEmpty(affinity?.Final)) _steps.Add(new AffinityStep(new("/process/execCPUAffinity/final"), affinity.Final));
        else if (string.IsNullOrEmpty(affinity?.Initial)) _steps.Add(new ResetAffinityStep());
    }

    private void AddJoin(GroupPolicy groups)
    {
        // The parent is undumpable, and so is its child from birth; entering a user namespace can undo it.
        _steps.Add(new UndumpableStep());
        _steps.Add(new JoinContainerStep(_target.Namespaces) { ChangesRoot = (_target.Namespaces & Processes.CLONE_NEWNS) == 0 });
        if (JoinsUser)
        {
            _steps.Add(new BecomeRootStep(Origin.Runtime, _process.User.Uid, _process.User.Gid, groups));
            _steps.Add(new UndumpableStep());
        }
        if (_request.NewKeyring) _steps.Add(new SessionKeyringStep("_ses." + _request.Id));
    }

    private void AddEnd(ProcessPlanner process)
    {
        _steps.Add(new NewSessionStep());
        if (_process.Terminal) _steps.Add(new ControllingTerminalStep());
        process.AddListenPid();
        process.AddLateFilter(ready: true, hooks: false);
        _steps.Add(new ReadyStep());
        process.AddLateFilter(ready: false, hooks: false);
        _steps.Add(new ExecuteStep(_process.Args[0]));
    }
}
