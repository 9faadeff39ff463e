using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Rdt;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>The parent's side of an exec: opens the ways into the container, clones, and serves the child until its program runs. A failure leaves no process.</summary>
internal sealed unsafe class ExecLaunch(ExecSettings settings, RuntimeSpec spec, ContainerEntry entry, ContainerState state, Interruption interruption) : IDisposable
{
    private readonly List<Fd> _fds = [];
    private List<PidFdReceiver> _receivers = [];
    private CgroupEntry? _cgroup;
    private LaunchPlan _plan = null!;
    private InitPlan* _native;
    private ResctrlPlan? _rdt;
    private bool _awaitsCgroup;

    public ChildProcess? Child { get; private set; }

    /// <summary>Master of the process's terminal when the runtime stays in the foreground.</summary>
    public Fd? Terminal { get; private set; }

    /// <summary>Returns when the program runs.</summary>
    public void Run(Action<string> warn, Action<string> debug)
    {
        using ContainerInit init = ContainerInit.Open(state.Init);
        List<string> cgroups = ExecCgroups.Paths(state, settings.SubCgroups);
        _cgroup = CgroupEntry.Open(cgroups);
        _awaitsCgroup = state.SystemdUser && cgroups.Count > 0 && !ExecCgroups.InReach(cgroups[0]);
        _plan = BuildPlan(init, cgroups);
        _rdt = LaunchPreparation.PlanRdt(state.Id, spec, _plan.Refusals);
        if (_plan.Refusals.Count > 0) throw new OciException(string.Join("; ", _plan.Refusals));
        foreach (string warning in _plan.Warnings) warn(warning);
        Prepare(init);
        // Before the clone: its copy is undumpable from birth then. A container that shares the host's pid namespace sees both.
        OciException.Check(Processes.Prctl(Processes.PR_SET_DUMPABLE, 0), "prctl PR_SET_DUMPABLE");
        Child = Clone(init);
        try
        {
            CloseInherited();
            if (_rdt != null) Resctrl.Enter(_rdt, Child.Pid);
            Converse(debug);
        }
        catch
        {
            Undo();
            throw;
        }
    }

    private LaunchPlan BuildPlan(ContainerInit init, List<string> cgroups)
    {
        ExecTarget target = new() { Namespaces = init.Separate(entry, interruption, settings.Paused ? -1 : Conversation.PatienceMilliseconds), DeniesSetgroups = init.DeniesSetgroups() };
        PlanRequest request = new()
        {
            Spec = spec, Host = HostFacts.Probe(), Id = state.Id, Bundle = state.Bundle, Rootfs = state.Rootfs, IsExec = true, NewKeyring = state.Keyring,
            ListenFds = PreservedFds.Listen(), Cgroups = Views(cgroups), AwaitsCgroup = _awaitsCgroup,
        };
        return ExecPlanner.Build(request, target);
    }

    /// <summary>The child enters the v1 ones; which that are the opened entry knows by their number alone.</summary>
    private List<CgroupView> Views(List<string> cgroups)
    {
        int first = cgroups.Count - _cgroup!.TasksFds.Length;
        return cgroups.GetRange(first, cgroups.Count - first).ConvertAll(static path => new CgroupView(new CgroupHierarchy(path, [], null, Unified: false), path));
    }

    private void Prepare(ContainerInit init)
    {
        _receivers = PidFdReceiver.Connect(settings.PidfdSocket, "setns", annotation: null, interruption);
        PlanStep join = _plan.Steps.Find(static s => s.Op == InitOp.JoinContainer)!;
        _native = PlanCompiler.Compile(_plan, (int)Math.Max(join.B, join.C) + 1);
        settings.Preserved.Fill(_native);
        int slot = 0;
        foreach (int fd in _cgroup!.TasksFds) _native->Fds[slot++] = fd;
        _native->Fds[join.B] = init.PidFd.Number;
        if (join.C >= 0) _native->Fds[join.C] = Keep(init.OpenRoot()).Number;
        if (settings.ConsoleSocket != null) _native->ConsoleFd = Keep(Sockets.ConnectStream(settings.ConsoleSocket, $"--console-socket {settings.ConsoleSocket}", interruption.ForPeer)).Number;
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
            return ChildProcess.Clone(_plan, _native, _awaitsCgroup ? -1 : _cgroup!.UnifiedFd);
        }
        catch (OciException e) when (e.Errno is Errno.EBUSY or Errno.EOPNOTSUPP && settings.SubCgroups.Count == 0)
        {
            // The container has given its cgroup children with controllers, and so it takes no processes any more: where init is, there is room (runc).
            using CgroupEntry own = CgroupEntry.OpenOfProcess(_cgroup!.Paths, init.Pid, out _);
            return ChildProcess.Clone(_plan, _native, own.UnifiedFd);
        }
    }

    private void CloseInherited()
    {
        foreach (Fd fd in _fds) fd.Dispose();
        _cgroup!.Dispose();
    }

    private void Converse(Action<string> debug)
    {
        if (!Child!.Conversation.Serve(interruption, Patience, message => Serve(message, debug))) throw Died(Child.End());
    }

    /// <summary>Before, or by now.</summary>
    private bool IsPaused => settings.Paused || entry.Probe(state) == ContainerStatus.Paused;

    /// <summary>Whoever execs into a paused container waits for it.</summary>
    private int Patience() => IsPaused ? -1 : Conversation.PatienceMilliseconds;

    private void Serve(InitMessage message, Action<string> debug)
    {
        switch (message.Kind)
        {
            case SyncKind.Cgroup: ExecCgroups.Attach(state, settings.SubCgroups, Child!.Pid, interruption); break;
            case SyncKind.Limits: ContainerLaunch.SetLimits(Child!.Pid, spec.Process!.Rlimits); break;
            case SyncKind.Console when settings.ConsoleSocket == null: Terminal = TerminalRelay.Take(message); break;
            case SyncKind.Forked:
                Adopt(message);
                return;
            case SyncKind.Listener: SeccompAgent.Send(spec, state, Child!, ContainerStatus.Running, message, interruption); break;
            case SyncKind.Ready:
                debug($"the process allocated {message.Value} bytes");
                StandardStreamOwner.Give(_plan, Child!);
                foreach (PidFdReceiver receiver in _receivers) receiver.Send(Child!.PidFd.Number, interruption);
                break;
            case SyncKind.Executing: return;
            default: throw new OciException($"unexpected message {message.Kind} from the process");
        }
        Child!.Conversation.Answer();
    }

    private void Adopt(InitMessage message)
    {
        Child!.Succeed((int)message.Value, message.Step!, interruption);
        // It may have been cloned before the first process was moved.
        if (_rdt != null) Resctrl.Enter(_rdt, Child.Pid);
    }

    private static OciException Died(int? status) => new((status & 0x7f) == Processes.SIGKILL
        ? "the process was killed during set-up: the container ended, or has no memory left (memory limit too low?)"
        : $"the process ended during set-up: {ChildProcess.Describe(status)}: /linux/seccomp may deny a call that is made once the filter is loaded");

    private void Undo()
    {
        // ESRCH: it has ended. First, so that it ends as soon as it can: let out of a freezer alive, it would go on.
        Processes.PidFdSendSignal(Child!.PidFd.Number, Processes.SIGKILL);
        // A v1 freezer holds even the killed, so the process has to leave the container's.
        if (IsPaused && CgroupHost.Probe() is { } host && host.Find("freezer") is { } freezer)
        {
            string own = host.OwnPath(freezer);
            using CgroupEntry entry = CgroupEntry.Open([own == "/" ? freezer.MountPoint : freezer.MountPoint + own]);
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
