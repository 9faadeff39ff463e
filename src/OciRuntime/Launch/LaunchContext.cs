using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// What the actions of a launch share, and the transaction that they are: whatever is going to be made is in the journal first, and a
/// failure undoes all of it.
/// </summary>
/// <param name="preparation">What was decided.</param>
/// <param name="store">Where the container is going to be.</param>
/// <param name="interruption">The signals.</param>
/// <param name="warn">Takes what goes wrong without ending the launch, and while undoing.</param>
/// <param name="debug">Takes the words of what has been done; null when nobody reads them.</param>
internal sealed class LaunchContext(
    LaunchPreparation preparation, ContainerStore store, Interruption interruption, Action<string> warn, Action<string>? debug)
        : IDisposable
{
    private readonly Stack<LaunchAction> _begun = new();
    private readonly List<Fd> _inherited = [];
    private ContainerEntry? _entry;
    private HookOutput? _hookOutput;
    private readonly DeviceNodes _devices = new();
    private bool _hooksRan;

    public LaunchPreparation Preparation => preparation;
    public Interruption Interruption => interruption;
    public Action<string> Warn => warn;

    /// <summary>The container's directory, from the first action on.</summary>
    public ContainerEntry Entry => _entry!;

    /// <summary>The journal; that of a container of which there is nothing, until it is written.</summary>
    public ContainerState State { get; private set; } = new();

    public OpenCgroups? Cgroup { get; set; }

    /// <summary>The caller's descriptors that the container keeps.</summary>
    public PreservedFds Preserved { get; init; } = PreservedFds.None;

    /// <summary>Master of the container's terminal when the runtime stays in the foreground.</summary>
    public Fd? Terminal { get; set; }

    /// <summary>Listens for the program's readiness message when nobody will call `start`.</summary>
    public NotifyProxy? Notify { get; set; }

    /// <summary>What the child is going to inherit; not used in a restore, as is what follows.</summary>
    public InheritedDescriptors Descriptors { get; } = new();

    /// <summary>The plan as init walks it.</summary>
    public CompiledPlan? Compiled { get; set; }

    public ChildProcess? Child { get; set; }

    /// <summary>What init says, while it is answered.</summary>
    public InitMessage? Message { get; set; }

    /// <summary>What hooks in the container read the state from.</summary>
    public Fd? StateFile { get; set; }

    public NetworkDevices? Network { get; private set; }
    public List<PidFdReceiver> Receivers { get; set; } = [];

    /// <summary>pidfd of a restored first process, a child of this one.</summary>
    public Fd? Restored { get; set; }

    /// <summary>pidfd of the first process.</summary>
    public Fd PidFd => Restored ?? Child!.PidFd;

    public MountIdMapper MountIds { get; } = new();

    /// <summary>Does something, and remembers to undo it.</summary>
    public void Run(LaunchAction action)
    {
        // Before it is done: what is there already is words of some.
        List<RuntimeAction>? words = debug is null && !Timeline.IsOn ? null : action.Words();
        if (action.Undo is not null) _begun.Push(action);
        using TraceSpan span = Timeline.IsOn ? Timeline.Span(words!.ConvertAll(static line => (line.Text, line.Pointer))) : default;
        action.Do(this);
        if (debug is not null) words!.ForEach(line => debug($"done: {(line.Pointer.Length == 0 ? "" : line.Pointer + ": ")}{line.Text}"));
    }

    /// <summary>Tells whoever reads it what is no action.</summary>
    public void Debug(string message) => debug?.Invoke(message);

    /// <summary>The child inherits it; the parent's copy is closed after the clone.</summary>
    public int Inherit(Fd fd)
    {
        _inherited.Add(fd);
        return fd.Number;
    }

    /// <summary>The parent's copies of what the child now has.</summary>
    public void CloseInherited()
    {
        foreach (Fd fd in _inherited) fd.Dispose();
        Cgroup?.Dispose();
        _hookOutput?.Dispose();
    }

    /// <summary>
    /// Makes the container's name ours, and what the journal is going to say; what an earlier launch has left there is undone first.
    /// </summary>
    public void Claim()
    {
        LaunchSettings settings = preparation.Settings;
        _entry = store.Claim(settings.Id, settings.Verb, (entry, left) => ContainerTeardown.Undo(entry, left, RunPoststop));
        State = Journal.Of(preparation);
    }

    /// <summary>The directories and limits. The child enters the v1 ones itself, but not in a restore.</summary>
    public void MakeCgroups()
    {
        Cgroup = Cgroups.Cgroup.Create(preparation.Cgroups.Part(late: false));
        Descriptors.GiveTasks(preparation.Plan, Cgroup.TasksFds);
    }

    /// <summary>Which mount it is going to be is in the journal before it is one of the host's.</summary>
    public void AttachHostRoot()
    {
        Fd tree = HostRoot.Clone(preparation.Rootfs, out HostMount identity);
        Descriptors.Named.Root = Inherit(tree);
        State.HostMount = identity;
        Entry.WriteState(State);
        HostRoot.Attach(tree, preparation.Rootfs, identity);
    }

    public void ConnectConsole() =>
        Descriptors.Named.Console = Inherit(ConsoleSocket.Connect(preparation.Settings.ConsoleSocket!, interruption));

    /// <summary>For hooks in the container; those of the host's side have theirs opened when they run.</summary>
    public void OpenHookOutput()
    {
        if (!preparation.HasHooksInside) return;
        _hookOutput = new HookOutput(State.Annotations);
        Descriptors.Named.HookStdout = _hookOutput.Stdout;
        Descriptors.Named.HookStderr = _hookOutput.Stderr;
    }

    public void MakeNotifyDirectory()
    {
        NotifyProxy.MakeDirectory(Entry);
        if (!preparation.Settings.WaitForStart) Notify = NotifyProxy.Open(Entry, preparation.NotifySocket!, warn);
    }

    /// <summary>Has systemd make the scope around the child, and sets up what systemd leaves to us.</summary>
    public void MakeScope()
    {
        Cgroup = Scopes.Make(preparation, State, Child!.Pid, interruption);
        Cgroup.Dispose();
    }

    /// <summary>The kernel's errno becomes that of the child's step, which has the words for it.</summary>
    public void WriteTimeOffsets(string lines)
    {
        long result = WriteTimeOffsets(Child!.Pid, lines);
        Child.Conversation.Answer(result < 0 ? (int)-result : 0);
    }

    /// <summary>The same for any process that has made a time namespace and is not in it yet; a negated errno where that fails.</summary>
    public static long WriteTimeOffsets(int pid, string lines) => Files.WriteFileAt(Files.AT_FDCWD, $"/proc/{pid}/timens_offsets", lines);

    public void MakeDevice(DeviceMountStep device) => _devices.Provide(Child!, device, Compiled!);

    /// <summary>
    /// A file system on a block device that the container's device cgroup denies. Its rules are for what the container's processes open; a
    /// mount is opened by the kernel, in the name of whoever makes it, and the child that makes the others is in the cgroup already.
    /// </summary>
    public void MakeFilesystem(MountFilesystemStep step)
    {
        long mount = Compiled!.MakeFilesystem(step);
        using Fd fd = new((int)mount);
        Child!.Conversation.Answer(mount < 0 ? (int)-mount : 0, (int)mount);
    }

    /// <summary>prestart and createRuntime.</summary>
    public void RunHooks()
    {
        BeginHooks();
        HookRunner runner = new(State, interruption);
        runner.Run("prestart", preparation.Spec.Hooks!.Prestart, ContainerStatus.Creating);
        runner.Run("createRuntime", preparation.Spec.Hooks!.CreateRuntime, ContainerStatus.Creating);
    }

    /// <summary>createContainer hooks are run by the child next.</summary>
    public void PrepareChildsHooks()
    {
        BeginHooks();
        WriteStateFile(ContainerStatus.Creating);
    }

    /// <summary>From here on there is something for poststop hooks to undo.</summary>
    private void BeginHooks()
    {
        if (_hooksRan) return;
        _hooksRan = true;
        // Hooks may ask for the container's state. Otherwise the pid need not be in the journal yet: until it is recorded as created, the
        // child dies with us.
        Entry.WriteState(State);
    }

    /// <summary>For hooks in the container the pid is "as seen by the container" (runtime-spec runtime.md, "State").</summary>
    private void WriteStateFile(ContainerStatus status) =>
        MemoryFile.Write(StateFile!.Number, StateDocument.ForHooks(State, status, Child!.InnerPid()));

    public void MoveNetworkDevices()
    {
        Network = new NetworkDevices(Child!.Pid);
        foreach (KeyValuePair<string, NetDevice> device in preparation.Spec.Linux!.NetDevices) Network.Move(device.Key, device.Value);
    }

    public void SetLimits() => ContainerLaunch.SetLimits(Child!.Pid, preparation.Spec.Process!.Rlimits);

    /// <summary>A pidfd, for whoever asked for one, and by now it is sure whose.</summary>
    public void SendPidFd()
    {
        foreach (PidFdReceiver receiver in Receivers) receiver.Send(Child!.PidFd.Number, interruption);
    }

    /// <summary>All is set up: from the moment this is written the container belongs to `delete`, not to us.</summary>
    public void Record()
    {
        // startContainer hooks come next: from here on there is something for poststop hooks to undo.
        _hooksRan = true;
        if (StateFile is not null) WriteStateFile(ContainerStatus.Created);
        State.Phase = ContainerPhase.Created;
        if (preparation.Rdt is not null) State.ResctrlGroups = preparation.Rdt.ToRemove(State.ResctrlGroups);
        Entry.WriteState(State);
    }

    /// <summary>
    /// A failure of a part of the launch, or of what belongs to it, ends the container: nothing is left, poststop hooks included.
    /// </summary>
    public void OrUndo(Action work)
    {
        try
        {
            work();
        }
        catch
        {
            if (_entry is not null) Undo(_entry);
            throw;
        }
    }

    /// <summary>Takes everything back. The journal goes last, so that an interruption here leaves something to repeat it with.</summary>
    private void Undo(ContainerEntry entry)
    {
        try
        {
            while (_begun.TryPop(out LaunchAction? action)) action.Undo!(this);
            Cgroup?.Dispose();
            if (!_hooksRan) State.Poststop = [];
            // Whoever has removed it since it was unlocked has done the rest.
            if (entry.Lock is null && !entry.TryAcquire(preparation.Settings.Verb, ContainerLock.DefaultWaitMilliseconds)) return;
            // Recorded as created or not: parents of cgroupsPath go, too, and by now it is known which of them this launch made.
            State.Phase = ContainerPhase.Creating;
            if (Cgroup is not null) State.CgroupParents = [.. Cgroup.Created];
            ContainerTeardown.Run(entry, State, RunPoststop);
        }
        catch (Exception e)
        {
            // Whatever it is: the caller is to see why the launch failed, not what went wrong afterwards.
            warn($"clean-up after the failure is incomplete: {e.Message}; run \"ocirun delete --force {preparation.Settings.Id}\"");
        }
    }

    /// <summary>Removes the ended container, unless somebody else already did.</summary>
    public void Delete()
    {
        if (Entry.TryAcquire(preparation.Settings.Verb, ContainerLock.DefaultWaitMilliseconds))
            ContainerTeardown.Run(Entry, State, RunPoststop);
    }

    private void RunPoststop(ContainerState state) => HookRunner.RunPoststop(state, warn);

    public void Dispose()
    {
        CloseInherited();
        StateFile?.Dispose();
        MountIds.Dispose();
        _devices.Dispose();
        Network?.Dispose();
        foreach (PidFdReceiver receiver in Receivers) receiver.Dispose();
        Child?.Dispose();
        Restored?.Dispose();
        Terminal?.Dispose();
        Notify?.Dispose();
        _entry?.Dispose();
    }
}
