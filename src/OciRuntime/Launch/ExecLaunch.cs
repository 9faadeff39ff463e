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
internal sealed unsafe class ExecLaunch(ExecSettings settings, RuntimeSpec spec, ContainerState state, Interruption interruption) : IDisposable
{
    private readonly List<Fd> _fds = [];
    private List<PidFdReceiver> _receivers = [];
    private CgroupEntry? _cgroup;
    private LaunchPlan _plan = null!;
    private InitPlan* _native;
    private ResctrlPlan? _rdt;
    private bool _forked, _listened, _awaitsCgroup;

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
        ExecTarget target = new() { Namespaces = init.Separate(), DeniesSetgroups = init.DeniesSetgroups(), CallersEnvironment = OwnMemory.Environment() };
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
        _receivers = PidFdReceiver.Connect(settings.PidfdSocket, "setns", annotation: null);
        PlanStep join = _plan.Steps.Find(static s => s.Op == InitOp.JoinContainer)!;
        _native = PlanCompiler.Compile(_plan, (int)Math.Max(join.B, join.C) + 1);
        _native->PreservedFds = PreservedFds.Listen() + settings.PreserveFds;
        int slot = 0;
        foreach (int fd in _cgroup!.TasksFds) _native->Fds[slot++] = fd;
        _native->Fds[join.B] = init.PidFd.Number;
        if (join.C >= 0) _native->Fds[join.C] = Keep(init.OpenRoot()).Number;
        if (settings.ConsoleSocket != null) _native->ConsoleFd = Keep(Sockets.ConnectStream(settings.ConsoleSocket, $"--console-socket {settings.ConsoleSocket}")).Number;
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
            return ChildProcess.Clone(_plan, _native, _awaitsCgroup ? -1 : _cgroup!.UnifiedFd, -1);
        }
        catch (OciException e) when (e.Errno is Errno.EBUSY or Errno.EOPNOTSUPP && settings.SubCgroups.Count == 0)
        {
            // The container has given its cgroup children with controllers, and so it takes no processes any more: where init is, there is room (runc).
            using CgroupEntry own = CgroupEntry.OpenOfProcess(CgroupHost.Probe(), init.Pid);
            return ChildProcess.Clone(_plan, _native, own.UnifiedFd, -1);
        }
    }

    private void CloseInherited()
    {
        foreach (Fd fd in _fds) fd.Dispose();
        _cgroup!.Dispose();
    }

    private void Converse(Action<string> debug)
    {
        bool done = false;
        while (true)
        {
            if (!done) interruption.WaitFor(Child!.SyncFd);
            SyncMessage? received = Child!.Receive(out int passed);
            if (received is not { } message)
            {
                if (done) return;
                throw Died(Child.Wait());
            }
            done |= message.Kind == SyncKind.Executing;
            // The last steps run where the container may, with the right to trace, speak in the child's place.
            if (message.Step < 0 || message.Step >= _plan.Steps.Count) throw new OciException($"unexpected step {message.Step} from the process");
            Serve(message, passed, debug);
        }
    }

    private void Serve(in SyncMessage message, int passed, Action<string> debug)
    {
        switch (message.Kind)
        {
            case SyncKind.Error: throw FailureText.Explain(_plan, message);
            case SyncKind.Cgroup when _awaitsCgroup:
                _awaitsCgroup = false;
                ExecCgroups.Attach(state, settings.SubCgroups, Child!.Pid, interruption);
                Child.Answer();
                break;
            case SyncKind.Limits:
                ContainerLaunch.SetLimits(Child!.Pid, spec.Process!.Rlimits);
                Child.Answer();
                break;
            case SyncKind.Console when passed >= 0 && Terminal == null:
                Terminal = new Fd(passed);
                TerminalRelay.Prepare(passed);
                Child!.Answer();
                break;
            case SyncKind.Forked when !_forked: Adopt(message); break;
            case SyncKind.Listener when !_listened: PassListener(message, passed); break;
            case SyncKind.Ready:
                debug($"the process allocated {message.Value} bytes");
                foreach (PidFdReceiver receiver in _receivers) receiver.Send(Child!.PidFd.Number);
                Child!.Answer();
                break;
            case SyncKind.Executing: break;
            default: throw new OciException($"unexpected message {(int)message.Kind} from the process");
        }
    }

    private void Adopt(in SyncMessage message)
    {
        _forked = true;
        Child!.Succeed((int)message.Value);
        // It may have been cloned before the first process was moved.
        if (_rdt != null) Resctrl.Enter(_rdt, Child.Pid);
        // Not inherited; the clone waits for us at the latest when it is ready.
        PlanStep step = _plan.Steps[message.Step];
        SchedAttr schedule = step.Schedule;
        if (schedule.Size == 0) return;
        long result = Scheduling.Set(&schedule, Child.Pid);
        if (result < 0) throw OciException.FromResult(result, $"{step.Origin}: {SchedulingPlanner.Describe(schedule)}");
    }

    private void PassListener(in SyncMessage message, int passed)
    {
        using Fd? listener = Child!.Take(message, passed);
        if (listener == null) return;
        _listened = true;
        SeccompAgent.Send(spec, state, Child.Pid, ContainerStatus.Running, listener.Number);
        Child.Answer();
    }

    private static OciException Died(int status)
    {
        int signal = status & 0x7f;
        return new OciException(signal == Processes.SIGKILL ? "the process was killed during set-up: the container ended, or has no memory left (memory limit too low?)"
            : $"the process ended during set-up: {(signal != 0 ? $"signal {signal}" : $"exit status {status >> 8 & 0xff}")}: /linux/seccomp may deny a call that is made once the filter is loaded");
    }

    private void Undo()
    {
        // ESRCH: it has ended. First, so that it ends as soon as it can: let out of a freezer alive, it would go on.
        Processes.PidFdSendSignal(Child!.PidFd.Number, Processes.SIGKILL);
        // A v1 freezer holds even the killed, so the process has to leave the container's.
        if (settings.Paused && CgroupHost.Probe() is { } host && host.Find("freezer") is { } freezer)
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
