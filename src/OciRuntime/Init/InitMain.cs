using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// The child after clone3(2): walks the plan. Rule of this folder: system calls, spans, stack and plan memory only. No managed allocation,
/// no locks, no exceptions for control flow, nothing of System.IO: the other threads of the runtime do not exist here, and a lock one of
/// them held would never be released.
/// </summary>
internal static unsafe class InitMain
{
    /// <summary>Runs the plan. Does not return: the last step is execve(2), and a failure is reported and ends the process.</summary>
    public static void Run(InitPlan* plan)
    {
        if (Trace.IsOn) Trace.NoteIn(plan->Trace);
        InitState s = new(plan);
        s.AllocatedAtStart = GC.GetAllocatedBytesForCurrentThread();
        long prepared = Prepare(ref s);
        if (prepared < 0)
        {
            s.Detail = InitDetail.Prologue;
            Sync.Fail(ref s, prepared);
        }
        for (int i = 0; i < plan->StepCount; i++)
        {
            s.StepIndex = i;
            s.Detail = InitDetail.None;
            s.TextLength = 0;
            int entry = Trace.Begin(i);
            long result = Execute(ref s, plan->Steps + i);
            Trace.End(entry, result);
            if (result >= 0) continue;
            LiveMountSteps.Undo(ref s);
            Sync.Fail(ref s, result);
        }
        Processes.Exit(0);
    }

    /// <summary>
    /// Dies with the parent while the set-up lasts; notices a parent that died before the death signal was asked for. The kernel forgets
    /// the death signal whenever ids change, so the steps that change them ask again.
    /// </summary>
    public static long TieToParent(ref InitState s)
    {
        long result = Processes.Prctl(Processes.PR_SET_PDEATHSIG, Processes.SIGKILL);
        PollFd poll = new() { Fd = s.Plan->Fds.Sync, Events = Processes.POLLIN };
        if (Processes.Poll(&poll, 1, 0) > 0 && (poll.Returned & Processes.POLLHUP) != 0) Processes.Exit(1);
        return result;
    }

    /// <summary>Default action for every signal, ignored ones included, and none blocked: both would survive execve (signal(7)).</summary>
    /// <param name="except">A signal that is left alone.</param>
    public static void DefaultSignals(int except = 0)
    {
        for (int signal = 1; signal <= Processes.SignalCount; signal++)
        {
            // Both calls fail only under a seccomp profile that denies them, where the program could not have changed its signals, either.
            if (signal is not (Processes.SIGKILL or Processes.SIGSTOP) && signal != except) Processes.ResetSignal(signal);
        }
        // As above.
        Processes.SetSignalMask(Processes.SIG_SETMASK, 0, out _);
    }

    /// <summary>
    /// For an init that waits for `start`: the signals that end runc's there end this one with 128 + signal; others that would end a
    /// process do nothing, which a pid namespace's first process cannot tell from the default action: it is spared that
    /// (pid_namespaces(7)). Those that stop or are ignored stay as they are.
    /// </summary>
    /// <param name="except">A signal that is left alone.</param>
    public static void CreatedSignals(int except = 0)
    {
        // HUP INT QUIT ILL TRAP ABRT BUS FPE SEGV TERM STKFLT SYS.
        const ulong Ending = 0x7f | 1UL << 7 | 1UL << 10 | 1UL << 14 | 1UL << 15 | 1UL << 30;
        // CHLD CONT TSTP TTIN TTOU URG WINCH.
        const ulong Default = 1UL << 16 | 0xfUL << 17 | 1UL << 20 | 1UL << 21 | 1UL << 22 | 1UL << 27;
        for (int signal = 1; signal <= Processes.SignalCount; signal++)
        {
            ulong bit = 1UL << (signal - 1);
            if (signal is Processes.SIGKILL or Processes.SIGSTOP || signal == except) continue;
            // Only SIGKILL and SIGSTOP are refused (sigaction(2)).
            if ((bit & Ending) != 0) Processes.EndAt(signal);
            else if ((bit & Default) != 0) Processes.ResetSignal(signal);
            else Processes.IgnoreSignal(signal);
        }
        // It cannot fail with these arguments.
        Processes.SetSignalMask(Processes.SIG_SETMASK, 0, out _);
    }

    /// <summary>What comes before the first step.</summary>
    public static long Prepare(ref InitState s)
    {
        long result = TakeStreams(ref s.Plan->Fds);
        // A copy of the parent's lock or of its end of the socket would outlive the parent.
        if (result >= 0) result = s.Plan->Fds.CloseOthers((uint)(3 + s.Plan->PreservedFds), s.Plan->StepFds);
        // Not closed, as the next thing to be opened would be there. Whoever has the container's rights must not find the host's
        // /dev/urandom.
        for (int i = 0; i < s.Plan->TakenFds.Count && result >= 0; i++) result = Files.Duplicate(0, s.Plan->TakenFds[i], Files.O_CLOEXEC);
        if (result >= 0 && s.Plan->BecomesDumpable) result = Processes.Prctl(Processes.PR_SET_DUMPABLE, 1);
        if (result >= 0) result = TieToParent(ref s);
        if (result >= 0) result = Processes.RestoreFileLimit();
        // The old mask; the call cannot fail.
        s.CallersUmask = Files.SetUmask(0);
        // Only ps(1) shows it.
        fixed (byte* name = "ocirun:[init]\0"u8) Processes.Prctl(Processes.PR_SET_NAME, (nint)name);
        if (!s.Plan->KeepsCallersWords) ForgetCaller(s.Plan);
        return result;
    }

    /// <summary>Stdio of its own, where the parent has given it one; those descriptors are closed with the others.</summary>
    private static long TakeStreams(ref InitDescriptors fds)
    {
        long result = fds.Stdin < 0 ? 0 : Files.Duplicate(fds.Stdin, 0);
        if (result >= 0 && fds.Stdout >= 0) result = Files.Duplicate(fds.Stdout, 1);
        if (result >= 0 && fds.Stderr >= 0) result = Files.Duplicate(fds.Stderr, 2);
        fds.Stdin = fds.Stdout = fds.Stderr = -1;
        return result;
    }

    /// <summary>
    /// What the caller said and has in his variables is no affair of a container's, where whoever may trace could read it for as long as it
    /// waits for `start`. From here on /proc/PID/environ is empty, and /proc/PID/cmdline has two words for ps.
    /// </summary>
    public static void ForgetCaller(InitPlan* plan)
    {
        ReadOnlySpan<byte> title = "ocirun\0init\0"u8;
        if (plan->CallersWordsLength < title.Length) return;
        Span<byte> words = new(plan->CallersWords, (int)plan->CallersWordsLength);
        words.Clear();
        for (int i = 0; i < title.Length; i++) words[i] = title[i];
    }

    private static long CloseHost(ref InitState s)
    {
        if (s.Plan->KeepsCallersWords) ForgetCaller(s.Plan);
        return s.CloseHost();
    }

    /// <summary>Does a step.</summary>
    public static long Execute(ref InitState s, InitStep* step) => step->Op switch
    {
        InitOp.OomScoreAdjust => ProcessSteps.OomScore(ref s, step->As<OomScoreAdjustArguments>()),
        InitOp.KeepHostProc => s.HostProc(),
        InitOp.EnterCgroup => ProcessSteps.EnterCgroup(step->As<EnterCgroupArguments>()),
        InitOp.AwaitCgroup => Sync.Ask(ref s, SyncKind.Cgroup, 0),
        InitOp.ResetAffinity => SchedulingSteps.ResetAffinity(),
        InitOp.JoinNamespaces => NamespaceSteps.Join(ref s, step->As<JoinNamespacesArguments>()),
        InitOp.JoinPidNamespace => NamespaceSteps.JoinPid(ref s, step->As<JoinPidNamespaceArguments>()),
        InitOp.JoinContainer => NamespaceSteps.JoinContainer(ref s, step->As<JoinContainerArguments>()),
        InitOp.Affinity => SchedulingSteps.Affinity(step->As<AffinityArguments>()),
        InitOp.Unshare => Processes.Unshare(step->As<UnshareArguments>()->Namespaces),
        InitOp.TimeOffsets => NamespaceSteps.Time(ref s, step->As<TimeOffsetsArguments>()),
        InitOp.AwaitIdMaps => Sync.Ask(ref s, SyncKind.IdMaps, 0),
        InitOp.BecomeRoot => NamespaceSteps.BecomeRoot(ref s, step->As<BecomeRootArguments>()),
        InitOp.ForkIntoPidNamespace => NamespaceSteps.Fork(ref s, step->As<ForkIntoPidNamespaceArguments>()),
        InitOp.Undumpable => Processes.Prctl(Processes.PR_SET_DUMPABLE, 0),
        InitOp.NewSession => Processes.SetSession(),
        InitOp.SessionKeyring => ProcessSteps.SessionKeyring(step->As<SessionKeyringArguments>()),
        InitOp.LoopbackUp => NamespaceSteps.LoopbackUp(),
        InitOp.EnterNetwork => NamespaceSteps.EnterNetwork(ref s),
        InitOp.AwaitNetworkDevices => Sync.Ask(ref s, SyncKind.NetworkDevices, 0),
        InitOp.HostPropagation => RootSteps.HostPropagation(ref s, step->As<HostPropagationArguments>()),
        InitOp.BindRootfs => RootSteps.BindRootfs(ref s, step->As<BindRootfsArguments>()),
        InitOp.HostRoot => RootSteps.HostRoot(ref s),
        InitOp.MountFilesystem => MountSteps.Filesystem(ref s, step->As<MountFilesystemArguments>()),
        InitOp.LabelQueues => LabelSteps.Queues(ref s, step->As<LabelQueuesArguments>()),
        InitOp.MountBind => MountSteps.Bind(ref s, step->As<MountBindArguments>()),
        InitOp.AttachMount => LiveMountSteps.Attach(ref s, step->As<AttachMountArguments>()),
        InitOp.RemoveMount => LiveMountSteps.Remove(ref s, step->As<RemoveMountArguments>()),
        InitOp.AwaitCommit => LiveMountSteps.Commit(ref s),
        InitOp.SetMountAttributes => MountSteps.SetAttributes(ref s, step->As<SetMountAttributesArguments>()),
        InitOp.ReconfigureFilesystem => MountSteps.Reconfigure(ref s, step->As<ReconfigureFilesystemArguments>()),
        InitOp.OpenDev => DeviceSteps.OpenDev(ref s),
        InitOp.DeviceNode => DeviceSteps.Node(ref s, step->As<DeviceNodeArguments>()),
        InitOp.DeviceBind => DeviceSteps.Bind(ref s, step->As<DeviceBindArguments>()),
        InitOp.DeviceMount => DeviceSteps.Mount(ref s, step->As<DeviceMountArguments>()),
        InitOp.Symlink => DeviceSteps.Link(ref s, step->As<SymlinkArguments>()),
        InitOp.AwaitHooks => Sync.Ask(ref s, SyncKind.Hooks, 0),
        InitOp.ContainerHook => HookSteps.Run(ref s, step->As<ContainerHookArguments>()),
        InitOp.Console => ConsoleSteps.Open(ref s, step->As<ConsoleArguments>()),
        InitOp.ControllingTerminal => ConsoleSteps.Control(),
        InitOp.ListenPid => ProcessSteps.ListenPid(step->As<ListenPidArguments>()),
        InitOp.MakeDirectory => RootSteps.MakeDirectory(ref s, step->As<MakeDirectoryArguments>()),
        InitOp.MaskPath => ProtectionSteps.Mask(ref s, step->As<MaskPathArguments>()),
        InitOp.ReadonlyPath => ProtectionSteps.Readonly(ref s, step->As<ReadonlyPathArguments>()),
        InitOp.PivotRoot => RootSteps.Pivot(ref s),
        InitOp.MoveRoot => RootSteps.Move(ref s),
        InitOp.ChangeRoot => RootSteps.ChangeRoot(ref s, step->As<ChangeRootArguments>()),
        InitOp.DetachMount => RootSteps.DetachMount(ref s, step->As<DetachMountArguments>()),
        InitOp.RootPropagation => RootSteps.Propagate(step->As<RootPropagationArguments>()),
        InitOp.Hostname => KernelSteps.Hostname(step->As<HostnameArguments>()),
        InitOp.Domainname => KernelSteps.Domainname(step->As<DomainnameArguments>()),
        InitOp.Sysctl => KernelSteps.Sysctl(ref s, step->As<SysctlArguments>()),
        InitOp.SecurityAttribute => LabelSteps.Attribute(ref s, step->As<SecurityAttributeArguments>()),
        InitOp.CloseHost => CloseHost(ref s),
        InitOp.NoNewPrivileges => Processes.Prctl(Processes.PR_SET_NO_NEW_PRIVS, 1),
        InitOp.ResourceLimit => ProcessSteps.Limit(step->As<ResourceLimitArguments>()),
        InitOp.AwaitLimits => Sync.Ask(ref s, SyncKind.Limits, 0),
        InitOp.Scheduler => Scheduling.Set(&step->As<SchedulerArguments>()->Schedule),
        InitOp.IoPriority => Scheduling.SetIoPriority(step->As<IoPriorityArguments>()->Priority),
        InitOp.Personality => Scheduling.SetPersonality(step->As<PersonalityArguments>()->Persona),
        InitOp.MemoryPolicy => SchedulingSteps.MemoryPolicy(step->As<MemoryPolicyArguments>()),
        InitOp.BoundingSet => ProcessSteps.BoundingSet(step->As<BoundingSetArguments>()),
        InitOp.SetUser => ProcessSteps.SetUser(ref s, step->As<SetUserArguments>()),
        InitOp.ChangeDirectory => ProcessSteps.ChangeDirectory(ref s, step->As<ChangeDirectoryArguments>()),
        InitOp.Capabilities => ProcessSteps.Capabilities(ref s, step->As<CapabilitiesArguments>()),
        InitOp.Umask => Files.SetUmask(step->As<UmaskArguments>()->Mask),
        InitOp.HomeDirectory => HomeDirectory.Find(ref s, step->As<HomeDirectoryArguments>()),
        InitOp.FindExecutable => ProcessSteps.FindExecutable(ref s, step->As<FindExecutableArguments>()),
        InitOp.Seccomp => SeccompSteps.Load(ref s, step->As<SeccompArguments>()),
        InitOp.Ready => StartSteps.Ready(ref s),
        InitOp.AwaitStart => StartSteps.AwaitStart(ref s),
        InitOp.StartHook => HookSteps.Run(ref s, step->As<StartHookArguments>()),
        InitOp.Execute => StartSteps.Execute(ref s),
        InitOp.GuardMounts => LiveMountSteps.Guard(ref s),
        _ => -Errno.ENOSYS,
    };
}
