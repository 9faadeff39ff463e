using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Rdt;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// The parent's side of an exec: opens the ways into the container, clones, and serves the child until its program runs. A failure leaves
/// no process.
/// </summary>
internal sealed class ExecLaunch(ExecSettings settings, RuntimeSpec spec, ContainerEntry entry, ContainerState state,
    Interruption interruption) : IDisposable
{
    private const string Pointer = "/process/";

    private readonly List<Fd> _fds = [];
    private List<PidFdReceiver> _receivers = [];
    private OpenCgroups? _cgroup;
    private LaunchPlan _plan = null!;
    private readonly InheritedDescriptors _descriptors = new();
    private CompiledPlan? _compiled;
    private ResctrlPlan? _rdt;
    private bool _awaitsCgroup;

    public ChildProcess? Child { get; private set; }

    /// <summary>Master of the process's terminal when the runtime stays in the foreground.</summary>
    public Fd? Terminal { get; set; }

    /// <summary>Returns when the program runs.</summary>
    public void Run(Action<string> warn, Action<string>? debug)
    {
        Timeline.Phase("open the container's process and cgroups");
        using ContainerInit init = ContainerInit.Open(state.Init);
        try
        {
            Run(init, warn, debug);
        }
        catch (OciException e) when (e.Errno is Errno.ENOENT or Errno.ENODEV && !state.Init.IsAlive())
        {
            // It has ended meanwhile, and its cgroups have been removed.
            throw new OciException($"cannot exec in a stopped container: {AtItsPlace(e.Message)}", e.Errno);
        }
        catch (OciException e) when (e.Message.StartsWith(Pointer, StringComparison.Ordinal))
        {
            throw new OciException(AtItsPlace(e.Message), e.Errno);
        }
    }

    /// <summary>A message about a property of the process, with the place where that is: config.json may know nothing of it.</summary>
    private string AtItsPlace(string message)
    {
        if (!message.StartsWith(Pointer, StringComparison.Ordinal)) return message;
        int end = message.IndexOf(": ", StringComparison.Ordinal);
        return end > 0 && settings.PlaceOf(message[Pointer.Length..end]) is { } place ? place + message[end..] : message;
    }

    private void Run(ContainerInit init, Action<string> warn, Action<string>? debug)
    {
        string[] cgroups = ExecCgroups.Paths(state, settings.SubCgroups);
        _cgroup = OpenCgroups.Open(cgroups);
        _awaitsCgroup = state.SystemdUser && cgroups.Length > 0 && !ExecCgroups.InReach(cgroups[0]);
        Timeline.Phase("look at its namespaces and at the host, and plan");
        _plan = BuildPlan(init, cgroups);
        _rdt = LaunchPreparation.PlanRdt(state.Id, spec, _plan.Refusals);
        if (_plan.Refusals.Count > 0) throw new OciException(string.Join("; ", _plan.Refusals.Select(AtItsPlace)));
        foreach (string warning in _plan.Warnings) warn(AtItsPlace(warning));
        Timeline.Phase("compile the plan, and make the process that walks it");
        Prepare(init);
        // Before there is anyone who has them.
        if (settings.HasOtherRights) entry.NoteOtherRights();
        // Before the clone: its copy is undumpable from birth then. A container that shares the host's pid namespace sees both.
        OciException.Check(Processes.Prctl(Processes.PR_SET_DUMPABLE, 0), "prctl PR_SET_DUMPABLE");
        Child = Clone(init);
        try
        {
            CloseInherited();
            if (_rdt is not null) Resctrl.Enter(_rdt, Child.Pid);
            Timeline.Phase("answer it until its program runs");
            Converse(debug);
        }
        catch
        {
            Undo();
            throw;
        }
    }

    private LaunchPlan BuildPlan(ContainerInit init, string[] cgroups)
    {
        ExecTarget target =
            new()
            {
                Namespaces = init.Separate(entry, interruption, settings.Paused ? -1 : Conversation.PatienceMilliseconds),
                DeniesSetgroups = init.DeniesSetgroups()
            };
        PlanRequest request = new()
        {
            Spec = spec,
            Host = HostFacts.Probe(),
            Id = state.Id,
            Bundle = state.Bundle,
            Rootfs = state.Rootfs,
            IsExec = true,
            NewKeyring = state.Keyring,
            ListenFds = PreservedFds.Listen(),
            Cgroups = Views(cgroups),
            AwaitsCgroup = _awaitsCgroup,
        };
        return ExecPlanner.Build(request, target);
    }

    /// <summary>The child enters the v1 ones; which that are the opened entry knows by their number alone.</summary>
    private CgroupView[] Views(string[] cgroups) =>
        Array.ConvertAll(cgroups[^_cgroup!.TasksFds.Length..],
            static path => new CgroupView(new CgroupHierarchy(path, [], null, Unified: false), path));

    private void Prepare(ContainerInit init)
    {
        _receivers = PidFdReceiver.Connect(settings.PidfdSocket, "setns", annotation: null, interruption);
        InheritedDescriptors descriptors = _descriptors;
        if (settings.Streams is not null) descriptors.GiveStreams(settings.Streams);
        descriptors.GiveTasks(_plan, _cgroup!.TasksFds);
        JoinContainerStep join = _plan.Find<JoinContainerStep>()!;
        descriptors.Give(join, init.PidFd.Number);
        if (join.ChangesRoot) descriptors.Give(join, Keep(init.OpenRoot()).Number);
        if (settings.ConsoleSocket is { } socket) descriptors.Named.Console = Keep(ConsoleSocket.Connect(socket, interruption)).Number;
        descriptors.Preserved = settings.Preserved.Numbers;
        _compiled = PlanCompiler.Compile(_plan, descriptors);
    }

    private Fd Keep(Fd fd)
    {
        _fds.Add(fd);
        return fd;
    }

    private ChildProcess Clone(ContainerInit init)
    {
        using AffinityScope affinity = new(spec.Process!.ExecCPUAffinity?.Initial);
        try
        {
            return ChildProcess.Clone(_compiled!, _awaitsCgroup ? -1 : _cgroup!.UnifiedFd);
        }
        catch (OciException e) when (e.Errno is Errno.EBUSY or Errno.EOPNOTSUPP && settings.SubCgroups.Count == 0)
        {
            // The container has given its cgroup children with controllers, and so it takes no processes any more: where init is, there is
            // room (runc).
            using OpenCgroups own = OpenCgroups.OpenOfProcess(_cgroup!.Paths, init.Pid, out _);
            return ChildProcess.Clone(_compiled!, own.UnifiedFd);
        }
    }

    private void CloseInherited()
    {
        foreach (Fd fd in _fds) fd.Dispose();
        _cgroup!.Dispose();
    }

    private void Converse(Action<string>? debug)
    {
        if (!Child!.Conversation.Serve(interruption, Patience, message => Answer(message, debug))) throw Died(Child.End());
    }

    /// <summary>Before, or by now.</summary>
    private bool IsPaused => settings.Paused || entry.Probe(state) == ContainerStatus.Paused;

    /// <summary>Whoever execs into a paused container waits for it.</summary>
    private int Patience() => IsPaused ? -1 : Conversation.PatienceMilliseconds;

    /// <summary>What is done about something that the process says; null for what no exec expects.</summary>
    internal Action? Answer(InitMessage message, Action<string>? debug) => message.Kind switch
    {
        SyncKind.Cgroup => () => ExecCgroups.Attach(state, settings.SubCgroups, Child!.Pid, interruption),
        SyncKind.Limits => () => ContainerLaunch.SetLimits(Child!.Pid, spec.Process!.Rlimits),
        SyncKind.Console when settings is { ConsoleSocket: null } => () =>
            Terminal = TerminalRelay.Take(message, relays: settings.Streams is null),
        SyncKind.Forked => () => Adopt(message),
        SyncKind.Listener => () => SeccompAgent.Send(spec, state, Child!, ContainerStatus.Running, message, interruption),
        SyncKind.Ready => () => Finish(message, debug),
        _ => null,
    };

    private void Finish(InitMessage message, Action<string>? debug)
    {
        debug?.Invoke($"the process allocated {Digits.Of(message.Value)} bytes");
        StandardStreamOwner.Give(_plan, Child!, _descriptors);
        foreach (PidFdReceiver receiver in _receivers) receiver.Send(Child!.PidFd.Number, interruption);
    }

    private void Adopt(InitMessage message)
    {
        Child!.Succeed((int)message.Value, (ForkIntoPidNamespaceStep)message.Step!, interruption, Patience);
        // It may have been cloned before the first process was moved.
        if (_rdt is not null) Resctrl.Enter(_rdt, Child.Pid);
    }

    /// <summary>Gives the plan's memory back, in a process that goes on.</summary>
    public void Free() => _compiled?.Free();

    private static OciException Died(WaitStatus? status) => new(status?.Signal == Processes.SIGKILL
        ? "the process was killed during set-up: the container ended, or has no memory left (memory limit too low?)"
        : $"the process ended during set-up: {ChildProcess.Describe(status)}: /linux/seccomp may deny a call that is made once the filter "
        + $"is loaded");

    private void Undo()
    {
        Timeline.Phase("end the process again");
        // ESRCH: it has ended. First, so that it ends as soon as it can: let out of a freezer alive, it would go on.
        Processes.PidFdSendSignal(Child!.PidFd.Number, Processes.SIGKILL);
        // A v1 freezer holds even the killed, so the process has to leave the container's.
        if (IsPaused && CgroupHost.Probe() is { } host && host.Find("freezer") is { } freezer)
        {
            using OpenCgroups entry = OpenCgroups.Open([host.OwnDirectory(freezer)]);
            try
            {
                entry.EnterByPid(Child.Pid);
            }
            catch (OciException e) when (e.Errno == Errno.ESRCH)
            {
                // It had not reached the freezer and has ended.
            }
        }
        Child.Kill();
    }

    public void Dispose()
    {
        foreach (Fd fd in _fds) fd.Dispose();
        foreach (PidFdReceiver receiver in _receivers) receiver.Dispose();
        _cgroup?.Dispose();
        Child?.Dispose();
        Terminal?.Dispose();
    }
}
