using OciRuntime.Cgroups;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Rdt;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// One launch, from the journal to a container that waits for `start` or runs. A transaction: whatever it creates is in the journal first, and
/// a failure undoes all of it.
/// </summary>
internal sealed unsafe class ContainerLaunch : IDisposable
{
    private readonly LaunchPreparation _preparation;
    private readonly PreservedFds _preserved;
    private readonly ContainerEntry _entry;
    private readonly Interruption _interruption;
    private readonly Action<string> _debug;
    private readonly List<Fd> _fds = [];
    private readonly MountIdMapper _idMaps = new();
    private readonly DeviceNodes _devices = new();
    private CgroupEntry? _cgroup;
    private NetworkDevices? _network;
    private List<PidFdReceiver> _receivers = [];
    private HookOutput? _hookOutput;
    private InitPlan* _native;
    private bool _hooksRan;

    public ContainerLaunch(LaunchPreparation preparation, PreservedFds preserved, ContainerEntry entry, Interruption interruption, Action<string> debug)
    {
        _preparation = preparation;
        _preserved = preserved;
        _entry = entry;
        _interruption = interruption;
        _debug = debug;
        State = NewState(preparation);
    }

    public ContainerState State { get; }
    public ChildProcess? Child { get; private set; }

    /// <summary>Listens for the program's readiness message when nobody will call `start`.</summary>
    public NotifyProxy? Notify { get; private set; }

    /// <summary>Master of the container's terminal when the runtime stays in the foreground.</summary>
    public Fd? Terminal { get; private set; }

    private LaunchSettings Settings => _preparation.Settings;
    private RuntimeSpec Spec => _preparation.Spec;
    private LaunchPlan Plan => _preparation.Plan;
    private ScopePlan? Scope => _preparation.Cgroups.Scope;

    /// <summary>How many mounts there can be that hide paths or make them read-only.</summary>
    private int ProtectedPaths => Count(InitOp.MaskPath) + Count(InitOp.ReadonlyPath);

    /// <summary>Launches; on any failure nothing is left, poststop hooks included.</summary>
    /// <param name="warn">Takes what goes wrong without ending the launch, and while undoing.</param>
    public void Run(Action<string> warn)
    {
        try
        {
            _entry.WriteState(State);
            _entry.WriteConfig(_preparation.Config);
            Prepare(warn);
            Child = ChildProcess.Clone(Plan, _native, _cgroup?.UnifiedFd ?? -1);
            State.Init = new ProcessIdentity(Child.Pid, StartTime(Child.Pid));
            if (_preparation.Rdt != null) Resctrl.Enter(_preparation.Rdt, Child.Pid);
            CloseInherited();
            Converse();
            // Beside a `run` in the foreground it would keep the container's network namespace alive.
            _network?.Dispose();
        }
        catch
        {
            Undo(warn);
            throw;
        }
    }

    /// <summary>The journal of a container that is about to be made, by create, run or restore.</summary>
    internal static ContainerState NewState(LaunchPreparation p) => new()
    {
        Id = p.Settings.Id,
        Phase = ContainerPhase.Creating,
        Creator = ProcessIdentity.Self(),
        Created = Timestamp.Now(),
        Bundle = p.Bundle,
        Rootfs = p.Rootfs,
        ConfigPath = p.Settings.Config == "config.json" ? null : p.Settings.Config,
        Annotations = CopyAnnotations(p.Spec),
        CgroupManager = p.Cgroups.Scope != null ? "systemd" : p.Settings.UseCgroups ? "cgroupfs" : "disabled",
        CgroupDirectories = p.Cgroups.Paths,
        CgroupsCreated = Missing(p.Cgroups.Paths),
        // Slices are systemd's to remove.
        CgroupParents = p.Cgroups.Scope != null ? [] : MissingParents(p.Cgroups.Paths),
        SystemdUnit = p.Cgroups.Scope is { } scope && Array.TrueForAll(p.Cgroups.Paths, IsMissing) ? scope.Unit.Name : null,
        SystemdUser = p.Cgroups.Scope is { Unit.IsUser: true },
        ResctrlGroups = p.Rdt?.ToMake() ?? [],
        PrivatePidNamespace = p.Plan.PrivatePidNamespace,
        Detached = p.Settings.Detached || p.Settings.WaitForStart,
        Keep = p.Settings.Keep,
        Keyring = !p.Settings.NoNewKeyring,
        OwnerUid = Processes.EffectiveUid(),
        NotifySocket = p.NotifySocket,
        Poststart = p.Spec.Hooks?.Poststart ?? [],
        Poststop = p.Spec.Hooks?.Poststop ?? [],
    };

    /// <summary>Cgroups that are there already are somebody else's: not even a launch that is killed half-way may lead to their removal.</summary>
    private static string[] Missing(string[] paths) => Array.FindAll(paths, IsMissing);

    private static string[] MissingParents(string[] paths)
    {
        List<string> missing = [];
        foreach (string path in paths)
        {
            int first = missing.Count;
            for (int slash = path.LastIndexOf('/'); slash > 0 && IsMissing(path[..slash]); slash = path.LastIndexOf('/', slash - 1)) missing.Insert(first, path[..slash]);
        }
        return [.. missing];
    }

    private static bool IsMissing(string path) => Files.StatAt(Files.AT_FDCWD, path, 0, out _) == -Errno.ENOENT;

    private static SortedDictionary<string, string> CopyAnnotations(RuntimeSpec spec)
    {
        SortedDictionary<string, string> annotations = new(StringComparer.Ordinal);
        foreach (KeyValuePair<string, string> item in spec.Annotations) annotations[item.Key] = item.Value;
        return annotations;
    }

    /// <summary>Cgroups, sockets and descriptors: what has to exist before the child does.</summary>
    private void Prepare(Action<string> warn)
    {
        _receivers = PidFdReceiver.Connect(Settings.PidfdSocket, "standard", Spec.Annotations[Annotations.PidFdReceiver], _interruption);
        _native = PlanCompiler.Compile(Plan, Count(InitOp.EnterCgroup) + Plan.Joins.Count);
        _preserved.Fill(_native);
        if (ProtectedPaths > 0) _native->ProtectiveMounts = SharedMemory.Allocate(ProtectedPaths);
        int slot = 0;
        if (Settings.UseCgroups && Scope == null)
        {
            _cgroup = Cgroup.Create(_preparation.Cgroups);
            foreach (int fd in _cgroup.TasksFds) _native->Fds[slot++] = fd;
        }
        if (_preparation.Rdt != null) Resctrl.Make(_preparation.Rdt);
        foreach (NamespacePath join in Plan.Joins) _native->Fds[slot++] = Open(join).Number;
        if (Plan.MountsOnHost) AttachRoot();
        if (Settings.WaitForStart) _native->StartFd = Keep(StartSocket.Listen(_entry)).Number;
        if (Settings.ConsoleSocket != null) _native->ConsoleFd = Keep(Sockets.ConnectStream(Settings.ConsoleSocket, $"--console-socket {Settings.ConsoleSocket}", _interruption.ForPeer)).Number;
        if (Spec.Hooks is { } hooks && hooks.CreateContainer.Length + hooks.StartContainer.Length > 0) PrepareChildHooks();
        if (_preparation.NotifySocket == null) return;
        NotifyProxy.MakeDirectory(_entry);
        if (!Settings.WaitForStart) Notify = NotifyProxy.Open(_entry, _preparation.NotifySocket, warn);
    }

    /// <summary>Which mount it is going to be is in the journal before it is one of the host's.</summary>
    private void AttachRoot()
    {
        Fd tree = Keep(HostRoot.Clone(_preparation.Rootfs, out HostMount identity));
        State.HostMount = identity;
        _entry.WriteState(State);
        HostRoot.Attach(tree, _preparation.Rootfs, identity);
        _native->RootFd = tree.Number;
    }

    private void PrepareChildHooks()
    {
        _native->StateFd = Keep(MemoryFile.Create([])).Number;
        _hookOutput = new HookOutput(State.Annotations);
        _native->HookStdout = _hookOutput.Stdout;
        _native->HookStderr = _hookOutput.Stderr;
    }

    private int Count(InitOp op)
    {
        int count = 0;
        foreach (PlanStep step in Plan.Steps) if (step.Op == op) count++;
        return count;
    }

    private Fd Open(NamespacePath join)
    {
        long fd = Files.OpenAt(Files.AT_FDCWD, join.Path, Files.O_RDONLY);
        Fd opened = Keep(new Fd((int)OciException.Check(fd, $"{join.Origin} {join.Path}")));
        // The others are joined by the first step, this one by one of the last, behind hooks.
        if (join.Flag == Processes.CLONE_NEWPID && Files.Ioctl(opened.Number, Files.NS_GET_NSTYPE, 0) != (long)join.Flag)
        {
            throw new OciException($"{join.Origin} {join.Path}: is not a pid namespace: invalid argument (EINVAL)", Errno.EINVAL);
        }
        return opened;
    }

    private Fd Keep(Fd fd)
    {
        _fds.Add(fd);
        return fd;
    }

    private static ulong StartTime(int pid) => ProcessIdentity.Of(pid)?.StartTime ?? 0;

    /// <summary>The parent's copies of what the child now has. Only the memfd is still written.</summary>
    private void CloseInherited()
    {
        foreach (Fd fd in _fds) if (fd.Number != _native->StateFd) fd.Dispose();
        _cgroup?.Dispose();
        _hookOutput?.Dispose();
    }

    /// <summary>Serves the child's requests until it closes the socket: waiting for `start`, or by execve.</summary>
    private void Converse()
    {
        if (!Child!.Conversation.Serve(_interruption, SilenceAllowed, Serve)) throw DiedInSetUp(Child.End());
    }

    // Network file systems, and much to copy (tmpcopyup), take their time.
    private int SilenceAllowed() =>
        Conversation.PatienceWith(5 * Conversation.PatienceMilliseconds, [.. Spec.Hooks?.CreateContainer ?? [], .. Settings.WaitForStart ? [] : Spec.Hooks?.StartContainer ?? []]);

    private void Serve(InitMessage message)
    {
        switch (message.Kind)
        {
            case SyncKind.Cgroup: Answer(MakeScope); break;
            case SyncKind.IdMaps: Answer(WriteIdMaps); break;
            case SyncKind.TimeOffsets: WriteTimeOffsets(message.Step!); break;
            case SyncKind.Limits: Answer(SetLimits); break;
            case SyncKind.NetworkDevices: Answer(MoveNetworkDevices); break;
            case SyncKind.Hooks: Answer(RunHooks); break;
            case SyncKind.Source: MountSource.Provide(Child!.Conversation, message.Step!); break;
            case SyncKind.Device: _devices.Provide(Child!, message.Step!, NativeStep(message)); break;
            case SyncKind.Filesystem: BlockFilesystem.Provide(Child!.Conversation, NativeStep(message)); break;
            case SyncKind.MapIds: Answer(() => _idMaps.Map(message.Step!, message.Descriptor.Number, Child!.Pid)); break;
            case SyncKind.Console when Settings.ConsoleSocket == null: Answer(() => Terminal = TerminalRelay.Take(message)); break;
            case SyncKind.Forked: Adopt((int)message.Value, message.Step!); break;
            case SyncKind.Listener: Answer(() => SeccompAgent.Send(Spec, State, Child!, ContainerStatus.Creating, message, _interruption)); break;
            case SyncKind.Ready:
                StandardStreamOwner.Give(Plan, Child!);
                foreach (PidFdReceiver receiver in _receivers) receiver.Send(Child!.PidFd.Number, _interruption);
                Record(message.Value);
                Child!.Conversation.Answer();
                break;
            case SyncKind.Executing: break;
            default: throw new OciException($"unexpected message {message.Kind} from init");
        }
    }

    private InitStep* NativeStep(InitMessage message) => _native->Steps + Plan.Steps.IndexOf(message.Step!);

    private void Answer(Action work)
    {
        work();
        Child!.Conversation.Answer();
    }

    /// <summary>Has systemd make the scope around the child, and sets up what systemd leaves to us.</summary>
    private void MakeScope()
    {
        _cgroup = Scopes.Make(_preparation, State, Child!.Pid, _interruption);
        _cgroup.Dispose();
    }

    private void WriteIdMaps() => IdMapper.Write(Child!.Pid, Plan.IdMaps!, _interruption);

    /// <summary>The kernel's errno becomes that of the child's step, which has the words for it.</summary>
    private void WriteTimeOffsets(PlanStep step)
    {
        long result = Files.WriteFileAt(Files.AT_FDCWD, $"/proc/{Child!.Pid}/timens_offsets", step.Text1!);
        Child.Conversation.Answer(result < 0 ? (int)-result : 0);
    }

    private void SetLimits() => SetLimits(Child!.Pid, Spec.Process!.Rlimits);

    /// <summary>Sets another process's limits.</summary>
    internal static void SetLimits(int pid, Rlimit[] limits)
    {
        for (int i = 0; i < limits.Length; i++)
        {
            long result = Processes.SetLimit(pid, ResourceNames.Number(limits[i].Type), new ResourceLimit { Soft = limits[i].Soft, Hard = limits[i].Hard });
            if (result < 0) throw FailureText.Limit(new Origin("/process/rlimits", i), limits[i].Type, limits[i].Soft, limits[i].Hard, (int)-result);
        }
    }

    private void MoveNetworkDevices()
    {
        _network = new NetworkDevices(Child!.Pid);
        foreach (KeyValuePair<string, NetDevice> device in Spec.Linux!.NetDevices) _network.Move(device.Key, device.Value);
    }

    /// <summary>prestart and createRuntime; createContainer hooks are run by the child next.</summary>
    private void RunHooks()
    {
        _hooksRan = true;
        // Hooks may ask for the container's state. Otherwise the pid need not be in the journal yet: until it is recorded as created, the
        // child dies with us.
        _entry.WriteState(State);
        Hooks hooks = Spec.Hooks!;
        HookRunner runner = new(State, _interruption);
        runner.Run("prestart", hooks.Prestart, ContainerStatus.Creating);
        runner.Run("createRuntime", hooks.CreateRuntime, ContainerStatus.Creating);
        WriteStateForChild(ContainerStatus.Creating);
    }

    /// <summary>For hooks in the container the pid is "as seen by the container" (runtime-spec runtime.md, "State").</summary>
    private void WriteStateForChild(ContainerStatus status)
    {
        if (_native->StateFd >= 0) MemoryFile.Write(_native->StateFd, StateDocument.ForHooks(State, status, Child!.InnerPid()));
    }

    private void Adopt(int pid, PlanStep fork)
    {
        Child!.Succeed(pid, fork, _interruption);
        State.Init = new ProcessIdentity(pid, StartTime(pid));
        // It may have been cloned before the first process was moved.
        if (_preparation.Rdt != null) Resctrl.Enter(_preparation.Rdt, pid);
    }

    /// <summary>All is set up: from the moment this is written the container belongs to `delete`, not to us.</summary>
    private void Record(long allocated)
    {
        _debug($"init allocated {allocated} bytes");
        // startContainer hooks come next: from here on there is something for poststop hooks to undo.
        _hooksRan = true;
        WriteStateForChild(ContainerStatus.Created);
        State.ProtectiveMounts = NotedMounts();
        State.Phase = ContainerPhase.Created;
        if (_preparation.Rdt != null) State.ResctrlGroups = _preparation.Rdt.ToRemove(State.ResctrlGroups);
        _entry.WriteState(State);
    }

    /// <summary>What the child noted; a path that is not there is not protected by any.</summary>
    private ulong[] NotedMounts()
    {
        if (_native->ProtectiveMounts == null) return [];
        ReadOnlySpan<ulong> noted = new(_native->ProtectiveMounts, ProtectedPaths);
        int end = noted.IndexOf(0UL);
        return noted[..(end < 0 ? noted.Length : end)].ToArray();
    }

    private OciException DiedInSetUp(int? status)
    {
        if ((status & 0x7f) == Processes.SIGKILL) return new OciException("container init was killed during set-up: out of memory (memory limit too low?) or killed from outside");
        string hint = Plan.Steps.Exists(static s => s.Op == InitOp.Seccomp) ? ": /linux/seccomp may deny a call that init makes once the filter is loaded" : "";
        if (hint.Length > 0 && !Spec.Process!.NoNewPrivileges) hint += "; with /process/noNewPrivileges true it is loaded last";
        return new OciException($"container init ended during set-up: {ChildProcess.Describe(status)}{hint}");
    }

    /// <summary>Takes everything back. The journal goes last, so that an interruption here leaves something to repeat it with.</summary>
    private void Undo(Action<string> warn)
    {
        try
        {
            _network?.MoveBack(warn);
            Child?.Kill();
            _cgroup?.Dispose();
            if (!_hooksRan) State.Poststop = [];
            ContainerTeardown.Run(_entry, State, state => HookRunner.RunPoststop(state, warn));
            // Parents of cgroupsPath that this launch made, too.
            _cgroup?.Rollback();
        }
        catch (Exception e)
        {
            // Whatever it is: the caller is to see why the launch failed, not what went wrong afterwards.
            warn($"clean-up after the failure is incomplete: {e.Message}; run \"ocirun delete --force {Settings.Id}\"");
        }
    }

    public void Dispose()
    {
        foreach (Fd fd in _fds) fd.Dispose();
        _cgroup?.Dispose();
        _idMaps.Dispose();
        _devices.Dispose();
        _hookOutput?.Dispose();
        _network?.Dispose();
        foreach (PidFdReceiver receiver in _receivers) receiver.Dispose();
        Child?.Dispose();
        Terminal?.Dispose();
        Notify?.Dispose();
    }
}
