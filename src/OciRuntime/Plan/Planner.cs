using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>
/// Spec and host in, plan out: all the thinking that can be done before clone3(2). The order of the steps is the order of a container's
/// birth and each comment gives the reason where it is not free.
/// </summary>
internal sealed class Planner
{
    private readonly PlanRequest _request;
    private readonly RuntimeSpec _spec;
    private readonly LinuxConfig _linux;
    private readonly NamespacePlan _namespaces;
    private readonly IdMapPlan? _idMaps;
    private readonly List<PlanStep> _steps = new(96);
    private readonly List<string> _warnings = [], _refusals = [];
    private readonly LabelPlanner _labels;

    private Planner(PlanRequest request)
    {
        _request = request;
        _spec = request.Spec;
        _linux = _spec.Linux ?? new LinuxConfig();
        _namespaces = NamespacePlan.Build(_linux);
        _labels = new LabelPlanner(_spec, request.Host, _steps, _warnings, _refusals);
        if (_namespaces.NewUser) _idMaps = IdMapPlan.Build(_linux, request.Host);
    }

    /// <summary>Plans a launch. The spec must be valid and have a process.</summary>
    /// <exception cref="OciException">Something cannot be done on this host or by this version; the message has the JSON
    /// pointer.</exception>
    public static LaunchPlan Build(PlanRequest request) => new Planner(request).Build();

    private bool HasMountNamespace => _namespaces.Has(Processes.CLONE_NEWNS);
    private bool HasUserNamespace => _namespaces.Has(Processes.CLONE_NEWUSER);

    private bool KeepsCallersGroups => Annotations.IsOn(_spec.Annotations, Annotations.KeepOriginalGroups);

    /// <summary>
    /// What becomes of the caller's supplementary groups, and what is known about setgroups(2) where the container's process will run.
    /// </summary>
    private GroupPolicy Groups()
    {
        Host.HostFacts host = _request.Host;
        if (KeepsCallersGroups || host.DeniesSetgroups || _idMaps is { DenySetgroups: true }) return GroupPolicy.Keep;
        // A joined namespace may deny it or not. Whoever has the privilege to give his groups up keeps none of them by accident.
        bool joined = HasUserNamespace && !_namespaces.NewUser;
        return joined && !host.Has(Credentials.CAP_SETGID) ? GroupPolicy.MayBeDenied : GroupPolicy.Set;
    }

    private LaunchPlan Build()
    {
        RefuseWithoutPrivilege();
        GroupPolicy groups = Groups();
        AddHostSteps();
        _namespaces.AddSteps(_steps, _linux, groups, _spec.Process!.User, _spec.Hooks is { CreateContainer.Length: > 0 });
        AddSessionSteps();
        if (HasMountNamespace || MountsOnHost()) AddRootSteps();
        else AddChangeRoot();
        AddKernelSettings();
        _labels.AddExecLabels();
        // Not before the last hook of the host's side: it would be born there, with the host's tree for a root.
        if (_namespaces.Pid is { } joined)
            Add(new JoinPidNamespaceStep(joined.Origin, joined.Path, _spec.Hooks is { StartContainer.Length: > 0 }));
        Add(new CloseHostStep());
        ProcessPlanner process = new(_request, HasUserNamespace, _steps, _warnings);
        process.AddStepsAndFork(groups, KeepsCallersGroups, _namespaces.Pid is { } pid ? () => AddBirth(process, pid) : null);
        AddEnd(process);
        return new LaunchPlan
        {
            CloneFlags = _namespaces.CloneFlags & ~(LendsNetwork ? Processes.CLONE_NEWNET : 0),
            PidNamespace = _namespaces.Pid,
            IdMaps = _idMaps,
            PrivatePidNamespace = (_namespaces.New & Processes.CLONE_NEWPID) != 0,
            Steps = _steps,
            Arguments = _spec.Process!.Args,
            Environment = process.Environment,
            HomeFromImage = process.HomeFromImage,
            Warnings = _warnings,
            Refusals = _refusals,
        };
    }

    /// <summary>
    /// An ordinary user's container needs a user namespace. It is not made unasked: a namespace that is not listed is the runtime's own
    /// (runtime-spec config-linux.md, "Namespaces"), and the ids in the configuration would mean other ones.
    /// </summary>
    private void RefuseWithoutPrivilege()
    {
        if (HasUserNamespace || _request.Host.Uid == 0 || _request.Host.Has(Credentials.CAP_SYS_ADMIN)) return;
        throw new OciException(
            "/linux/namespaces: rootless container requires user namespaces: add {\"type\": \"user\"}, /linux/uidMappings and "
            + "/linux/gidMappings; \"ocirun spec --rootless\" writes such a configuration",
            Errno.EPERM);
    }

    /// <summary>
    /// What needs the host's view: the score is written while /proc/self is still ours, cgroups before a cgroup namespace takes its root
    /// from them.
    /// </summary>
    private void AddHostSteps()
    {
        if (_linux.Sysctl.Count > 0 || _labels.NeedsProc)
            Add(new KeepHostProcStep(_linux.Sysctl.Count > 0 ? new("/linux/sysctl") : Origin.Runtime));
        if (_spec.Process!.OomScoreAdj is { } score) Add(new OomScoreAdjustStep(score));
        AddCgroups();
        // Behind the cgroups, as a cpuset keeps to the mask that a process comes with. For everybody: one call of a few microseconds, and
        // finding out whether it is needed means reading which CPUs there are.
        Add(new ResetAffinityStep());
        // Before the first setns: from then on others may see this process. A new user namespace has no others, and its id maps are out
        // of an ordinary user's reach while their process is not dumpable.
        if (!_namespaces.NewUser) Add(new UndumpableStep());
    }

    private void AddCgroups()
    {
        Origin origin = string.IsNullOrEmpty(_linux.CgroupsPath) ? Origin.Runtime : new("/linux/cgroupsPath");
        if (_request.AwaitsCgroup)
        {
            Add(new AwaitCgroupStep(origin));
            return;
        }
        foreach (CgroupView view in _request.Cgroups)
        {
            // The v2 cgroup is entered by clone3 itself (CLONE_INTO_CGROUP).
            if (!view.Hierarchy.Unified) Add(new EnterCgroupStep(origin, view.Path));
        }
    }

    private void AddSessionSteps()
    {
        if (_namespaces.NewUser) Add(new UndumpableStep());
        Add(new NewSessionStep());
        if (_request.NewKeyring) _labels.AddKeyringLabel();
        // Key permissions (keyctl_setperm(3)): search for others when a user namespace changes who "user" is, else for the user.
        if (_request.NewKeyring) Add(new SessionKeyringStep("_ses." + _request.Id, HasUserNamespace ? 0x8u : 0x80000));
        if ((_namespaces.New & Processes.CLONE_NEWNET) != 0)
            Add(new LoopbackUpStep(_namespaces.OriginOf(Processes.CLONE_NEWNET), LendsNetwork));
        AddNetworkDevices();
    }

    /// <summary>
    /// A new network namespace is made by the parent, beside the child: where the parent can go back to its own, and nothing else is said
    /// to the child before.
    /// </summary>
    private bool LendsNetwork =>
        (_namespaces.CloneFlags & Processes.CLONE_NEWNET) != 0 && _request.Host.CanChangeNetwork && !_request.AwaitsCgroup
        && (_namespaces.New & Processes.CLONE_NEWTIME) == 0;

    /// <summary>The parent is busy with it for longer than all these steps take.</summary>
    private void PostponeNetwork()
    {
        int at = _steps.Count - 1;
        while (at >= 0 && _steps[at] is not LoopbackUpStep { IsLent: true }) at--;
        for (; at >= 0 && at + 1 < _steps.Count && _steps[at + 1].GoesWithoutNetwork; at++)
            (_steps[at], _steps[at + 1]) = (_steps[at + 1], _steps[at]);
    }

    /// <summary>Before any hook: those that set the network up are to find the devices.</summary>
    private void AddNetworkDevices()
    {
        if (_linux.NetDevices.Count == 0) return;
        RefuseHost(Processes.CLONE_NEWNET, "net", "/linux/netDevices");
        Add(new AwaitNetworkDevicesStep());
    }

    /// <summary>
    /// Without a mount namespace the container has the runtime's (runtime-spec config-linux.md, "Namespaces"), and what it needs is mounted
    /// there. A user namespace has no rights over it, so then there is nothing that could be, which the validation has seen to.
    /// </summary>
    private bool MountsOnHost()
    {
        bool needed = _spec.Mounts.Length > 0 || _spec.Root!.Readonly || _linux.MaskedPaths.Length + _linux.ReadonlyPaths.Length > 0
            || _request.NotifyDirectory is not null || _spec.Process!.Terminal;
        if (HasMountNamespace || HasUserNamespace || !needed) return false;
        if (_request.Rootfs == "/")
        {
            throw new OciException(
                "/root/path: \"/\": without a mount namespace in linux.namespaces a mount would cover the host's own root");
        }
        return true;
    }

    private void AddHostRoot()
    {
        if (!HasMountNamespace)
        {
            Add(new HostRootStep(_request.Rootfs));
            return;
        }
        // pivot_root(2) takes no root that is the current one (EBUSY), and what lies on it already, /proc and /dev, would be the
        // container's.
        if (_request.Rootfs == "/")
        {
            throw new OciException(
                "/root/path: / is the root directory of the host, which a container with a mount namespace cannot have as its own: bind "
                + "it elsewhere (mount --rbind / DIR) and name that", Errno.EBUSY);
        }
        ulong propagation = Propagation();
        bool late = (propagation & Mounts.MS_UNBINDABLE) != 0;
        ulong first = propagation == 0 ? Mounts.MS_SLAVE | Mounts.MS_REC : late ? Mounts.MS_PRIVATE | Mounts.MS_REC : propagation;
        Add(new HostPropagationStep(propagation == 0 ? Origin.Runtime : new("/linux/rootfsPropagation"), first, _request.Rootfs));
        Add(new BindRootfsStep(_request.Rootfs));
    }

    private void AddRootSteps()
    {
        AddHostRoot();
        MountPlanner mounts = new(_request, _namespaces, _labels, _steps, _warnings);
        mounts.AddMounts();
        PostponeNetwork();
        if (_request.NotifyDirectory is { } notify)
        {
            const ulong attributes = Mounts.MOUNT_ATTR_RDONLY | Mounts.MOUNT_ATTR_NOSUID | Mounts.MOUNT_ATTR_NODEV
                | Mounts.MOUNT_ATTR_NOEXEC;
            Add(new MountBindStep(Origin.Runtime) { Source = notify, Target = new("run/notify"), Attributes = new() { Set = attributes } });
        }
        DevicePlanner devices = new(_request, _namespaces, _labels, _steps);
        if (mounts.DevIsShared) devices.AddChecks();
        else if (!mounts.DevIsBound) devices.AddSteps();
        AddHooks();
        if (_spec.Process!.Terminal)
        {
            Add(new ConsoleStep(new("/process/terminal"), WindowSize(_spec.Process.ConsoleSize), _namespaces.Pid is null
                ? TerminalRole.Console : TerminalRole.ConsoleOfLaterSession));
        }
        Add(new MakeDirectoryStep(new("/process/cwd"), ContainerPath.Clean(_spec.Process.Cwd)));
        // Masks before the switch: their sources are the host's, and clones of detached mounts need Linux 6.15.
        AddPaths("/linux/readonlyPaths", _linux.ReadonlyPaths, static (origin, path) => new ReadonlyPathStep(origin, path));
        List<KeyValuePair<string, string?>> options = _labels.MountOption is { } label ? [label] : [];
        AddPaths("/linux/maskedPaths", _linux.MaskedPaths, (origin, path) => new MaskPathStep(origin, path, options));
        mounts.AddLateRemounts();
        if (_spec.Root!.Readonly) Add(new SetMountAttributesStep(new("/root/readonly"), ".") { Set = Mounts.MOUNT_ATTR_RDONLY });
        AddSwitch();
        ulong propagation = Propagation();
        if ((propagation & (Mounts.MS_SHARED | Mounts.MS_UNBINDABLE)) == 0) return;
        // The rootfs alone, unless the word begins with r: other mounts have the propagation that their own options gave them.
        if (!_linux.RootfsPropagation!.StartsWith('r')) propagation &= ~Mounts.MS_REC;
        Add(new RootPropagationStep(propagation));
    }

    /// <summary>Without a mount namespace, and with nothing to mount: hooks, the working directory, chroot(2).</summary>
    private void AddChangeRoot()
    {
        if (_spec.Process!.Terminal)
        {
            throw new OciException(
                "/process/terminal: true: needs a mount namespace in linux.namespaces, as a user namespace has no rights over the "
                + "runtime's mounts");
        }
        AddHooks();
        Add(new ChangeRootStep(_request.Rootfs));
        Add(new MakeDirectoryStep(new("/process/cwd"), ContainerPath.Clean(_spec.Process.Cwd)));
    }

    private void AddSwitch()
    {
        if (!HasMountNamespace)
        {
            Add(new ChangeRootStep(_request.Rootfs));
            return;
        }
        if (!_request.NoPivot)
        {
            Add(new PivotRootStep());
            return;
        }
        // A full proc or sysfs below the moved root would let the container undo its masks (runc, msMoveRoot).
        foreach (string path in Host.FullMounts.ProcAndSysfs(_request.Rootfs)) Add(new DetachMountStep(path));
        Add(new MoveRootStep());
    }

    private void AddKernelSettings()
    {
        RefuseHostSettings();
        if (!string.IsNullOrEmpty(_spec.Hostname)) Add(new HostnameStep(new("/hostname"), _spec.Hostname));
        if (!string.IsNullOrEmpty(_spec.Domainname)) Add(new DomainnameStep(new("/domainname"), _spec.Domainname));
        foreach (KeyValuePair<string, string> sysctl in _linux.Sysctl)
            Add(new SysctlStep(new("/linux/sysctl", Member: sysctl.Key), "sys/" + SpecText.SysctlPath(sysctl.Key), sysctl.Value));
    }

    /// <summary>A namespace given by path may be the host's own, where a setting would change the host.</summary>
    private void RefuseHostSettings()
    {
        if (!string.IsNullOrEmpty(_spec.Hostname)) RefuseHost(Processes.CLONE_NEWUTS, "uts", "/hostname");
        if (!string.IsNullOrEmpty(_spec.Domainname)) RefuseHost(Processes.CLONE_NEWUTS, "uts", "/domainname");
        foreach (KeyValuePair<string, string> sysctl in _linux.Sysctl)
        {
            string path = SpecText.SysctlPath(sysctl.Key);
            string at = new Origin("/linux/sysctl", Member: sysctl.Key).ToString();
            if (path.StartsWith("net/", StringComparison.Ordinal)) RefuseHost(Processes.CLONE_NEWNET, "net", at);
            else if (path == "kernel/domainname") RefuseHost(Processes.CLONE_NEWUTS, "uts", at);
            else if (path.StartsWith("user/", StringComparison.Ordinal)) RefuseHost(Processes.CLONE_NEWUSER, "user", at);
            else RefuseHost(Processes.CLONE_NEWIPC, "ipc", at);
        }
    }

    private void RefuseHost(ulong flag, string file, string pointer)
    {
        int index = _namespaces.Joins.FindIndex(j => j.Flag == flag);
        if (index < 0 || Files.StatAt(Files.AT_FDCWD, _namespaces.Joins[index].Path, 0, out Statx joined) < 0) return;
        long result = Files.StatAt(Files.AT_FDCWD, $"/proc/self/ns/{file}", 0, out Statx own);
        OciException.Check(result, $"look at the runtime's own {file} namespace");
        if (joined.Inode != own.Inode) return;
        throw new OciException(
            $"{pointer}: would change the host: {_namespaces.Joins[index].Origin} {_namespaces.Joins[index].Path} is the host's own "
            + $"{file} namespace");
    }

    /// <summary>Of the process that others in a joined pid namespace see: it has the program's rights, and nothing of the host's.</summary>
    private void AddBirth(ProcessPlanner process, NamespacePath pid)
    {
        process.AddFork(pid.Origin, pid.Path);
        Add(new NewSessionStep());
        if (_spec.Process!.Terminal) Add(new ControllingTerminalStep());
    }

    private void AddEnd(ProcessPlanner process)
    {
        process.AddListenPid();
        Hook[] hooks = _spec.Hooks?.StartContainer ?? [];
        process.AddLateFilter(ready: true, hooks.Length > 0);
        Add(new ReadyStep());
        if (_request.WaitForStart) Add(new AwaitStartStep());
        process.AddLateFilter(ready: false, hooks.Length > 0);
        for (int i = 0; i < hooks.Length; i++) Add(new StartHookStep(hooks[i], i));
        Add(new ExecuteStep(_spec.Process!.Args[0]));
    }

    private void Add(PlanStep step) => _steps.Add(step);

    private void AddPaths(string section, string[] paths, Func<Origin, string, PlanStep> step)
    {
        string[] clean = Array.ConvertAll(paths, ContainerPath.Clean);
        // The usual dozen is compared faster than it is hashed.
        HashSet<string>? seen = paths.Length > 32 ? [] : null;
        for (int i = 0; i < paths.Length; i++)
        {
            string path = clean[i];
            // The whole root as a masked path would cover the container; a repeated path would be covered twice.
            if (path == ".") _warnings.Add($"{section}/{i}: the root itself cannot be covered; /root/readonly makes it read-only");
            else if (seen?.Add(path) ?? Array.IndexOf(clean, path, 0, i) < 0) Add(step(new(section, i), path));
        }
    }

    /// <summary>
    /// Hooks before the switch, in the order of the specification: prestart and createRuntime by the parent, in the runtime's namespaces,
    /// then createContainer by the child, in the container's, where the host's tree is still in place and their paths mean the host's
    /// files.
    /// </summary>
    private void AddHooks()
    {
        if (_spec.Hooks is not { } hooks || hooks.Prestart.Length + hooks.CreateRuntime.Length + hooks.CreateContainer.Length == 0) return;
        Add(new AwaitHooksStep());
        for (int i = 0; i < hooks.CreateContainer.Length; i++) Add(new ContainerHookStep(hooks.CreateContainer[i], i, _request.Rootfs));
    }

    internal static WindowSize WindowSize(ConsoleSize? size) =>
        size is null ? default : new() { Rows = (ushort)size.Height, Columns = (ushort)size.Width };

    private ulong Propagation() => _linux.RootfsPropagation switch
    {
        "shared" or "rshared" => Mounts.MS_SHARED | Mounts.MS_REC,
        "slave" or "rslave" => Mounts.MS_SLAVE | Mounts.MS_REC,
        "private" or "rprivate" => Mounts.MS_PRIVATE | Mounts.MS_REC,
        "unbindable" or "runbindable" => Mounts.MS_UNBINDABLE | Mounts.MS_REC,
        null or "" => 0,
        // The validator has refused it.
        { } other => throw new ArgumentException(other),
    };
}
