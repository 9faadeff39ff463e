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
/// The steps of one more process in a container. It is made outside of the container's pid namespace, does everything there, and only the last
/// clone, with no more than the program's own rights and descriptors, is born where the container can see it: what others could trace or
/// hold on to is what they could of the program (CVE-2016-9962, CVE-2019-5736).
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
        InitFlags groups = KeepsCallersGroups || _target.DeniesSetgroups || _request.Host.DeniesSetgroups ? InitFlags.KeepGroups : InitFlags.None;
        // Warnings about mounts were create's.
        LabelPlanner labels = new(_spec, _request.Host, _steps, [], _refusals);
        AddHostSteps(labels);
        AddJoin(groups);
        if (_process.Terminal) _steps.Add(new(InitOp.Console, new("/process/terminal")) { A = Planner.WindowSize(_process.ConsoleSize), Flags = InitFlags.StdioOnly });
        Add(InitOp.CloseHost);
        ProcessPlanner process = new(_request, JoinsUser, _steps, _warnings);
        process.AddStepsAndFork(groups, KeepsCallersGroups, (_target.Namespaces & Processes.CLONE_NEWPID) == 0 ? null : () => process.AddFork(Origin.Runtime));
        AddEnd(process);
        return new LaunchPlan
        {
            CloneFlags = 0, PidNamespace = null, IdMaps = null, PrivatePidNamespace = false, Joins = [],
            Steps = _steps, Arguments = _process.Args, Environment = process.Environment, HomeFromImage = process.HomeFromImage, Warnings = _warnings, Refusals = _refusals,
        };
    }

    /// <summary>While /proc is the host's and the process has the caller's rights. The labels take effect at execve, and a clone inherits them.</summary>
    private void AddHostSteps(LabelPlanner labels)
    {
        if (labels.NeedsProc) Add(InitOp.KeepHostProc);
        if (_process.OomScoreAdj is { } score) _steps.Add(new(InitOp.OomScoreAdjust, new("/process/oomScoreAdj")) { A = score });
        if (_request.AwaitsCgroup) Add(InitOp.AwaitCgroup);
        int slot = 0;
        foreach (CgroupView view in _request.Cgroups) if (!view.Hierarchy.Unified) _steps.Add(new(InitOp.EnterCgroup, Origin.Runtime) { A = slot++, Text1 = view.Path });
        AddAffinity(_process.ExecCPUAffinity);
        labels.AddExecLabels();
        if (_request.NewKeyring) labels.AddKeyringLabel();
    }

    /// <summary>The initial CPUs were set by the parent, before it made this process in the cgroup. Where neither is given, the caller's CPUs are not the container's.</summary>
    private void AddAffinity(ExecCPUAffinity? affinity)
    {
        if (!string.IsNullOrEmpty(affinity?.Final))
        {
            CpuList.TryParse(affinity.Final, CpuList.MaxCpus, out ulong[] cpus);
            _steps.Add(new(InitOp.Affinity, new("/process/execCPUAffinity/final")) { Nodes = cpus, Text1 = affinity.Final });
        }
        else if (string.IsNullOrEmpty(affinity?.Initial)) Add(InitOp.ResetAffinity);
    }

    private void AddJoin(InitFlags groups)
    {
        bool chroot = (_target.Namespaces & Processes.CLONE_NEWNS) == 0;
        int slot = _steps.FindAll(static s => s.Op == InitOp.EnterCgroup).Count;
        // The parent is undumpable, and so is its child from birth; entering a user namespace can undo it.
        Add(InitOp.Undumpable);
        _steps.Add(new(InitOp.JoinContainer, Origin.Runtime) { A = (long)_target.Namespaces, B = slot, C = chroot ? slot + 1 : -1 });
        if (JoinsUser)
        {
            _steps.Add(new(InitOp.BecomeRoot, Origin.Runtime) { Flags = groups, A = _process.User.Uid, B = _process.User.Gid });
            Add(InitOp.Undumpable);
        }
        if (_request.NewKeyring) _steps.Add(new(InitOp.SessionKeyring, Origin.Runtime) { Text1 = "_ses." + _request.Id });
    }

    private void AddEnd(ProcessPlanner process)
    {
        Add(InitOp.NewSession);
        if (_process.Terminal) Add(InitOp.ControllingTerminal, new("/process/terminal"));
        process.AddListenPid();
        process.AddLateFilter(ready: true, hooks: false);
        Add(InitOp.Ready);
        process.AddLateFilter(ready: false, hooks: false);
        _steps.Add(new(InitOp.Execute, new("/process/args")) { Text1 = _process.Args[0] });
    }

    private void Add(InitOp op, Origin? origin = null) => _steps.Add(new(op, origin ?? Origin.Runtime));
}
