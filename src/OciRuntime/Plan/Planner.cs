using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>
/// Spec and host in, plan out: all the thinking that can be done before clone3(2). The order of the steps is the order of a container's birth
/// and each comment gives the reason where it is not free.
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
    /// <exception cref="OciException">Something cannot be done on this host or by this version; the message has the JSON pointer.</exception>
    public static LaunchPlan Build(PlanRequest request) => new Planner(request).Build();

    private bool HasMountNamespace => _namespaces.Has(Processes.CLONE_NEWNS);
    private bool HasUserNamespace => _namespaces.Has(Processes.CLONE_NEWUSER);

    private bool KeepsCallersGroups => Annotations.IsOn(_spec.Annotations, Annotations.KeepOriginalGroups);

    /// <summary>What becomes of the caller's supplementary groups, and what is known about setgroups(2) where the container's process will run.</summary>
    private InitFlags Groups()
    {
        Host.HostFacts host = _request.Host;
        if (KeepsCallersGroups || host.DeniesSetgroups || _idMaps is { DenySetgroups: true }) return InitFlags.KeepGroups;
        // A joined namespace may deny it or not. Whoever has the privilege to give his groups up keeps none of them by accident.
        bool joined = HasUserNamespace && !_namespaces.NewUser;
        return joined && !host.Has(Host.HostFacts.CAP_SETGID) ? InitFlags.GroupsMayBeDenied : InitFlags.None;
    }

    private LaunchPlan Build()
    {
        RefuseWithoutPrivilege();
        InitFlags groups = Groups();
        AddHostSteps();
        _namespaces.AddSteps(_steps, _linux, groups, _spec.Process!.User, _spec.Hooks?.CreateContainer.Length ?? 0);
        AddSessionSteps();
        if (HasMountNamespace || MountsOnHost()) AddRootSteps();
        else AddChangeRoot();
        AddKernelSettings();
        _labels.AddExecLabels();
        // Not before the last hook of the host's side: it would be born there, with the host's tree for a root.
        if (_namespaces.Pid is { } joined) _steps.Add(new(InitOp.JoinPidNamespace, joined.Origin) { Text1 = joined.Path, A = _spec.Hooks?.StartContainer.Length ?? 0 });
        Add(InitOp.CloseHost);
        ProcessPlanner process = new(_request, HasUserNamespace, _steps, _warnings);
        process.AddStepsAndFork(groups, KeepsCallersGroups, _namespaces.Pid is { } pid ? () => AddBirth(process, pid) : null);
        AddEnd(process);
        return new LaunchPlan
        {
            CloneFlags = _namespaces.CloneFlags,
            PidNamespace = _namespaces.Pid,
            IdMaps = _idMaps,
            PrivatePidNamespace = (_namespaces.New & Processes.CLONE_NEWPID) != 0,
            Joins = _namespaces.Joins,
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
        if (HasUserNamespace || _request.Host.Uid == 0 || _request.Host.Has(Host.HostFacts.CAP_SYS_ADMIN)) return;
        throw new OciException(
            "/linux/namespaces: rootless container requires user namespaces: add {\"type\": \"user\"}, /linux/uidMappings and /linux/gidMappings; \"ocirun spec --rootless\" writes such a configuration",
            Errno.EPERM);
    }

    /// <summary>What needs the host's view: the score is written while /proc/self is still ours, cgroups before a cgroup namespace takes its root from them.</summary>
    private void AddHostSteps()
    {
        if (_linux.Sysctl.Count > 0 || _labels.NeedsProc) Add(InitOp.KeepHostProc, _linux.Sysctl.Count > 0 ? new("/linux/sysctl") : Origin.Runtime);
        if (_spec.Process!.OomScoreAdj is { } score) _steps.Add(new(InitOp.OomScoreAdjust, new("/process/oomScoreAdj")) { A = score });
        AddCgroups();
        // Behind the cgroups, as a cpuset keeps to the mask that a process comes with. For everybody: one call of a few microseconds, and finding
        // out whether it is needed means reading which CPUs there are.
        Add(InitOp.ResetAffinity);
        // Before the first setns: from then on others may see this process. A new user namespace has no others, and its id maps are out
        // of an ordinary user's reach while their process is not dumpable.
        if (!_namespaces.NewUser) Add(InitOp.Undumpable);
    }

    private void AddCgroups()
    {
        Origin origin = string.IsNullOrEmpty(_linux.CgroupsPath) ? Origin.Runtime : new("/linux/cgroupsPath");
        if (_request.AwaitsCgroup)
        {
            Add(InitOp.AwaitCgroup, origin);
            return;
        }
        int slot = 0;
        foreach (CgroupView view in _request.Cgroups)
        {
            // The v2 cgroup is entered by clone3 itself (CLONE_INTO_CGROUP).
            if (!view.Hierarchy.Unified) _steps.Add(new(InitOp.EnterCgroup, origin) { A = slot++, Text1 = view.Path });
        }
    }

    private void AddSessionSteps()
    {
        if (_namespaces.NewUser) Add(InitOp.Undumpable);
        Add(InitOp.NewSession);
        if (_request.NewKeyring) _labels.AddKeyringLabel();
        // Key permissions (keyctl_setperm(3)): search for others when a user namespace changes who "user" is, else for the user.
        if (_request.NewKeyring) _steps.Add(new(InitOp.SessionKeyring, Origin.Runtime) { Text1 = "_ses." + _request.Id, A = HasUserNamespace ? 0x8 : 0x80000 });
        if ((_namespaces.New & Processes.CLONE_NEWNET) != 0) Add(InitOp.LoopbackUp, _namespaces.OriginOf(Processes.CLONE_NEWNET));
        AddNetworkDevices();
    }

    /// <summary>Before any hook: those that set the network up are to find the devices.</summary>
    private void AddNetworkDevices()
    {
        if (_linux.NetDevices.Count == 0) return;
        RefuseHost(Processes.CLONE_NEWNET, "net", "/linux/netDevices");
        Add(InitOp.AwaitNetworkDevices, new("/linux/netDevices"));
    }

    /// <summary>
    /// Without a mount namespace the container has the runtime's (runtime-spec config-linux.md, "Namespaces"), and what it needs is mounted there. A user
    /// namespace has no rights over it, so then there is nothing that could be, which the validation has seen to.
    /// </summary>
    private bool MountsOnHost()
    {
        bool needed = _spec.Mounts.Length > 0 || _spec.Root!.Readonly || _linux.MaskedPaths.Length + _linux.ReadonlyPaths.Length > 0 || _request.NotifyDirectory != null || _spec.Process!.Terminal;
        if (HasMountNamespace || HasUserNamespace || !needed) return false;
        if (_request.Rootfs == "/") throw new OciException("/root/path: \"/\": without a mount namespace in linux.namespaces a mount would cover the host's own root");
        return true;
    }

    private void AddHostRoot()
    {
        if (!HasMountNamespace)
        {
            Add(InitOp.HostRoot, new("/root/path"), _request.Rootfs);
            return;
        }
        // pivot_root(2) takes no root that is the current one (EBUSY), and what lies on it already, /proc and /dev, would be the container's.
        if (_request.Rootfs == "/") throw new OciException("/root/path: / is the root directory of the host, which a container with a mount namespace cannot have as its own: bind it elsewhere (mount --rbind / DIR) and name that", Errno.EBUSY);
        ulong propagation = Propagation();
        bool late = (propagation & Mounts.MS_UNBINDABLE) != 0;
        ulong first = propagation == 0 ? Mounts.MS_SLAVE | Mounts.MS_REC : late ? Mounts.MS_PRIVATE | Mounts.MS_REC : propagation;
        _steps.Add(new(InitOp.HostPropagation, propagation == 0 ? Origin.Runtime : new("/linux/rootfsPropagation")) { A = (long)first, Text1 = _request.Rootfs });
        Add(InitOp.BindRootfs, new("/root/path"), _request.Rootfs);
    }

    private void AddRootSteps()
    {
        AddHostRoot();
        MountPlanner mounts = new(_request, _namespaces, _labels, _steps, _warnings);
        mounts.AddMounts();
        if (_request.NotifyDirectory != null)
        {
            _steps.Add(new(InitOp.MountBind, Origin.Runtime) { Text1 = _request.NotifyDirectory, Text2 = "run/notify", Bind = new() { Set = Mounts.MOUNT_ATTR_RDONLY | Mounts.MOUNT_ATTR_NOSUID | Mounts.MOUNT_ATTR_NODEV | Mounts.MOUNT_ATTR_NOEXEC } });
        }
        DevicePlanner devices = new(_request, _namespaces, _labels, _steps);
        if (mounts.DevIsShared) devices.AddChecks();
        else if (!mounts.DevIsBound) devices.AddSteps();
        AddHooks();
        if (_spec.Process!.Terminal)
        {
            _steps.Add(new(InitOp.Console, new("/process/terminal")) { A = WindowSize(_spec.Process.ConsoleSize), Flags = _namespaces.Pid == null ? InitFlags.None : InitFlags.ControlLater });
        }
        Add(InitOp.MakeDirectory, new("/process/cwd"), ContainerPath.Clean(_spec.Process.Cwd));
        // Masks before the switch: their sources are the host's, and clones of detached mounts need Linux 6.15.
        AddPaths(InitOp.ReadonlyPath, "/linux/readonlyPaths", _linux.ReadonlyPaths);
        AddPaths(InitOp.MaskPath, "/linux/maskedPaths", _linux.MaskedPaths, _labels.MountOption is { } label ? [label] : []);
        mounts.AddLateRemounts();
        if (_spec.Root!.Readonly) _steps.Add(new(InitOp.SetMountAttributes, new("/root/readonly")) { Text1 = ".", A = (long)Mounts.MOUNT_ATTR_RDONLY });
        AddSwitch();
        ulong propagation = Propagation();
        if ((propagation & (Mounts.MS_SHARED | Mounts.MS_UNBINDABLE)) == 0) return;
        // The rootfs alone, unless the word begins with r: other mounts have the propagation that their own options gave them.
        if (!_linux.RootfsPropagation!.StartsWith('r')) propagation &= ~Mounts.MS_REC;
        _steps.Add(new(InitOp.RootPropagation, new("/linux/rootfsPropagation")) { A = (long)propagation });
    }

    /// <summary>Without a mount namespace, and with nothing to mount: hooks, the working directory, chroot(2).</summary>
    private void AddChangeRoot()
    {
        if (_spec.Process!.Terminal) throw new OciException("/process/terminal: true: needs a mount namespace in linux.namespaces, as a user namespace has no rights over the runtime's mounts");
        AddHooks();
        Add(InitOp.ChangeRoot, new("/root/path"), _request.Rootfs);
        Add(InitOp.MakeDirectory, new("/process/cwd"), ContainerPath.Clean(_spec.Process.Cwd));
    }

    private void AddSwitch()
    {
        if (!HasMountNamespace)
        {
            Add(InitOp.ChangeRoot, new("/root/path"), _request.Rootfs);
            return;
        }
        if (!_request.NoPivot)
        {
            Add(InitOp.PivotRoot, new("/root/path"));
            return;
        }
        // A full proc or sysfs below the moved root would let the container undo its masks (runc, msMoveRoot).
        foreach (string path in Host.FullMounts.ProcAndSysfs(_request.Rootfs)) Add(InitOp.DetachMount, new("/root/path"), path);
        Add(InitOp.MoveRoot, new("/root/path"));
    }

    private void AddKernelSettings()
    {
        RefuseHostSettings();
        if (!string.IsNullOrEmpty(_spec.Hostname)) Add(InitOp.Hostname, new("/hostname"), _spec.Hostname);
        if (!string.IsNullOrEmpty(_spec.Domainname)) Add(InitOp.Domainname, new("/domainname"), _spec.Domainname);
        foreach (KeyValuePair<string, string> sysctl in _linux.Sysctl)
        {
            _steps.Add(new(InitOp.Sysctl, new("/linux/sysctl", Member: sysctl.Key)) { Text1 = "sys/" + SpecText.SysctlPath(sysctl.Key), Text2 = sysctl.Value });
        }
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
        if (Files.StatAt(Files.AT_FDCWD, $"/proc/self/ns/{file}", 0, out Statx own) < 0 || joined.Inode != own.Inode) return;
        throw new OciException($"{pointer}: would change the host: {_namespaces.Joins[index].Origin} {_namespaces.Joins[index].Path} is the host's own {file} namespace");
    }

    /// <summary>Of the process that others in a joined pid namespace see: it has the program's rights, and nothing of the host's.</summary>
    private void AddBirth(ProcessPlanner process, NamespacePath pid)
    {
        process.AddFork(pid.Origin, pid.Path);
        Add(InitOp.NewSession);
        if (_spec.Process!.Terminal) Add(InitOp.ControllingTerminal, new("/process/terminal"));
    }

    private void AddEnd(ProcessPlanner process)
    {
        process.AddListenPid();
        Hook[] hooks = _spec.Hooks?.StartContainer ?? [];
        process.AddLateFilter(ready: true, hooks.Length > 0);
        Add(InitOp.Ready);
        if (_request.WaitForStart) Add(InitOp.AwaitStart);
        process.AddLateFilter(ready: false, hooks.Length > 0);
        for (int i = 0; i < hooks.Length; i++) _steps.Add(new(InitOp.StartHook, new("/hooks/startContainer", i)) { Hook = hooks[i], A = i });
        Add(InitOp.Execute, new("/process/args"), _spec.Process!.Args[0]);
    }

    private void Add(InitOp op, Origin? origin = null, string? text = null) => _steps.Add(new(op, origin ?? Origin.Runtime) { Text1 = text });

    private void AddPaths(InitOp op, string section, string[] paths, List<KeyValuePair<string, string?>>? options = null)
    {
        HashSet<string> seen = [];
        for (int i = 0; i < paths.Length; i++)
        {
            string path = ContainerPath.Clean(paths[i]);
            // The whole root as a masked path would cover the container; a repeated path would be covered twice.
            if (path == ".") _warnings.Add($"{section}/{i}: the root itself cannot be covered; /root/readonly makes it read-only");
            else if (seen.Add(path)) _steps.Add(new(op, new(section, i)) { Text1 = path, Options = options });
        }
    }

    /// <summary>
    /// Hooks before the switch, in the order of the specification: prestart and createRuntime by the parent, in the runtime's namespaces, then
    /// createContainer by the child, in the container's, where the host's tree is still in place and their paths mean the host's files.
    /// </summary>
    private void AddHooks()
    {
        if (_spec.Hooks is not { } hooks || hooks.Prestart.Length + hooks.CreateRuntime.Length + hooks.CreateContainer.Length == 0) return;
        Add(InitOp.AwaitHooks, new("/hooks"));
        for (int i = 0; i < hooks.CreateContainer.Length; i++)
        {
            _steps.Add(new(InitOp.ContainerHook, new("/hooks/createContainer", i)) { Hook = hooks.CreateContainer[i], A = i, Text1 = _request.Rootfs });
        }
    }

    internal static long WindowSize(ConsoleSize? size) => size == null ? 0 : (size.Height & 0xffff) | ((long)(size.Width & 0xffff) << 16);

    private ulong Propagation() => _linux.RootfsPropagation switch
    {
        "shared" or "rshared" => Mounts.MS_SHARED | Mounts.MS_REC,
        "slave" or "rslave" => Mounts.MS_SLAVE | Mounts.MS_REC,
        "private" or "rprivate" => Mounts.MS_PRIVATE | Mounts.MS_REC,
        "unbindable" or "runbindable" => Mounts.MS_UNBINDABLE | Mounts.MS_REC,
        _ => 0,
    };
}
