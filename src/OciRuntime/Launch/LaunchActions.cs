using OciRuntime.Cgroups;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Rdt;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// The work of the runtime itself, in its order: before the container's process exists, and while that waits for an answer.
/// </summary>
internal static class LaunchActions
{
    /// <summary>What a restore begins with, too.</summary>
    public static List<LaunchAction> Begin(LaunchPreparation p) =>
    [
        new(() => [new($"make the state directory {p.StateDirectory} and lock it")], static c => c.Claim()),
        new(() => [new($"write to {p.StateDirectory}/{ContainerEntry.JournalName} what is about to be made")],
            static c => c.Entry.WriteState(c.State)),
        .. If(MakesCgroups(p), () => CgroupWords(p, p.Cgroups.Part(late: false)), static c => c.MakeCgroups()),
        .. If(p.Rdt is not null, () => ResctrlWords(p.Rdt!), static c => Resctrl.Make(c.Preparation.Rdt!)),
    ];

    /// <summary>Before the container's process exists.</summary>
    public static List<LaunchAction> Prepare(LaunchPreparation p) =>
    [
        .. Begin(p),
        .. Joins(p.Plan),
        .. If(
            p.Plan.MountsOnHost,
            () => [new($"bind {p.Rootfs} over itself on the host, as one private mount for all of the container's", "/root/path")],
            static c => c.AttachHostRoot()),
        .. If(
            p.Settings.WaitForStart,
            () => [new($"listen on {p.StateDirectory}/{ContainerEntry.StartSocketName}, where the container will wait for \"ocirun "
            + $"start\"")],
            static c => c.Descriptors.Named.Start = c.Inherit(StartSocket.Listen(c.Entry))),
        .. If(
            p.Settings.ConsoleSocket is not null,
            () => [new($"connect to {p.Settings.ConsoleSocket}, which gets the terminal", "/process/terminal")],
            static c => c.ConnectConsole()),
        .. If(
            WantsPidFd(p),
            () => PidFdWords(p, static path => $"connect to {path}, which gets a pidfd of the container's first process"),
            static c => c.Receivers =
            PidFdReceiver.Connect(c.Preparation.Settings.PidfdSocket, "standard", PidFdAnnotation(c.Preparation), c.Interruption)),
        .. If(
            (p.Spec.Annotations[Annotations.HooksStdout] ?? p.Spec.Annotations[Annotations.HooksStderr]) is not null,
            () => HookOutput.Words(p.Spec.Annotations),
            static c => c.OpenHookOutput()),
        .. If(p.HasHooksInside, () => [StateFileWords(p.Spec.Hooks!)],
            static c => c.Descriptors.Named.State = (c.StateFile = MemoryFile.Create([])).Number),
        .. If(
            p.NotifySocket is not null,
            () => [new($"make {NotifyProxy.DirectoryOf(p.StateDirectory)}, through which the program can report to NOTIFY_SOCKET "
            + $"{p.NotifySocket}")],
            static c => c.MakeNotifyDirectory()),
        .. If(
            p.KeptFds > 0,
            () => [new($"keep those of the descriptors 3 to {p.KeptFds + 2} open for the program that are open")],
            static c => c.Descriptors.Preserved = c.Preserved.Numbers),
    ];

    /// <summary>As soon as a process exists that is to be the container's first: what it forks from then on is born there.</summary>
    public static LaunchAction[] Adopt(LaunchPreparation p) => If(
        p.Rdt is not null,
        () => [new($"write its pid to the tasks of {p.Rdt!.Group}{(p.Rdt.Monitor is null ? "" : $" and {p.Rdt.Monitor}")}",
        "/linux/intelRdt")],
        static c => Resctrl.Enter(c.Preparation.Rdt!, c.Child!.Pid));

    /// <summary>
    /// Done while the child begins on another processor, and before it gets an answer to its first question, without which neither a hook
    /// nor the program is reached.
    /// </summary>
    public static List<LaunchAction> Beside(LaunchPreparation p) =>
    [
        .. If(
            p.Plan.Find<LoopbackUpStep>() is { IsLent: true },
            () => [new("make a network namespace, with the loopback interface up, and pass it on", LentNetworkOrigin(p).ToString())],
            static c => LentNetwork.Provide(c.Child!.Conversation, LentNetworkOrigin(c.Preparation))),
        .. Late(p),
    ];

    /// <summary>What is of no concern to the set-up itself.</summary>
    public static List<LaunchAction> Late(LaunchPreparation p) =>
    [
        .. If(
            MakesCgroups(p) && Array.Exists(p.Cgroups.Steps, static step => step.MayBeLate),
            () => StepWords(p.Cgroups.Part(late: true)),
            static c => Cgroup.Apply(c.Preparation.Cgroups.Part(late: true), c.Cgroup!)),
        new(() => [new($"copy {ConfigPath(p)} to {p.StateDirectory}/{ContainerEntry.ConfigName}")],
            static c => c.Entry.WriteConfig(c.Preparation.Config)),
    ];

    /// <summary>What is done about something that a step says, while that waits; null where this launch does not expect it.</summary>
    public static LaunchAction[]? Answer(LaunchPreparation p, PlanStep step, SyncKind said) => (said, step) switch
    {
        (SyncKind.Cgroup, _) => [new(() => ScopeWords(p), static c => c.MakeScope())],
        (SyncKind.IdMaps, _) =>
        [
            new(() => IdMapper.Words(p.Plan.IdMaps!),
                static c => IdMapper.Write(c.Child!.Pid, c.Preparation.Plan.IdMaps!, c.Interruption)),
        ],
        (SyncKind.TimeOffsets, TimeOffsetsStep offsets) =>
        [
            new(() => [new($"write timens_offsets: {offsets.Lines.TrimEnd().Replace("\n", ", ")}", step.Origin.ToString())],
                c => c.WriteTimeOffsets(offsets.Lines)),
        ],
        (SyncKind.NetworkDevices, _) =>
        [
            new(() => NetworkDevices.Words(p.Spec.Linux!.NetDevices), static c => c.MoveNetworkDevices(),
                static c => c.Network?.MoveBack(c.Warn)),
        ],
        (SyncKind.Hooks, _) =>
        [
            .. If(p.HasHooksOutside, () => HookWords(p.Spec.Hooks!), static c => c.RunHooks()),
            .. If(
                p.Spec.Hooks!.CreateContainer.Length > 0,
                static () => [new("write the state document for createContainer hooks", "/hooks/createContainer")],
                static c => c.PrepareChildsHooks()),
        ],
        (SyncKind.Limits, _) => [new(() => ContainerLaunch.LimitWords(p.Spec.Process!.Rlimits), static c => c.SetLimits())],
        (SyncKind.Source, MountBindStep bind) =>
        [
            new(
                () => p.Plan.Find<BecomeRootStep>() is not null
                ? [new("clone the source and pass it on, if the user namespace hides it", step.Origin.ToString())] : [],
                c => MountSource.Provide(c.Child!.Conversation, bind)),
        ],
        (SyncKind.MapIds, MountBindStep bind) =>
        [
            new(
                () => [new(bind.IdMap!.IsContainers ? "map the ids of the mount"
                : "make a user namespace with these maps and map the ids of the mount with it", step.Origin.ToString())],
                c => c.MountIds.Map(bind, c.Message!.Descriptor.Number, c.Child!.Pid)),
        ],
        (SyncKind.Filesystem, MountFilesystemStep mount) =>
        [
            new(() => [new("make it and pass it on, if the container's device cgroup denies it the device", step.Origin.ToString())],
                c => c.MakeFilesystem(mount)),
        ],
        (SyncKind.Device, DeviceMountStep device) =>
        [
            new(() => [new("make it in a tmpfs that is mounted nowhere, and pass a mount of it on", step.Origin.ToString())],
                c => c.MakeDevice(device)),
        ],
        (SyncKind.Console, _) when p.Settings.TakesTerminal =>
        [
            new(() => [new("take the terminal's master", step.Origin.ToString())],
                static c => c.Terminal = TerminalRelay.Take(c.Message!, relays: !c.Preparation.Settings.Detached)),
        ],
        (SyncKind.Forked, _) => Adopt(p),
        (SyncKind.Listener, _) =>
        [
            new(() => [SeccompAgent.Words(p.Spec)],
                static c => SeccompAgent.Send(c.Preparation.Spec, c.State, c.Child!, ContainerStatus.Creating, c.Message!, c.Interruption)),
        ],
        (SyncKind.Ready, _) =>
        [
            .. If(
                StandardStreamOwner.IsNeeded(p.Plan),
                static () => [new("give the pipes and sockets among the standard streams to the program's user")],
                static c => StandardStreamOwner.Give(c.Preparation.Plan, c.Child!, c.Descriptors)),
            .. If(WantsPidFd(p), () => PidFdWords(p, static path => $"send the pidfd to {path}"), static c => c.SendPidFd()),
            new(static () => [new("record the container as created")], static c => c.Record()),
        ],
        _ => null,
    };

    /// <summary>All of it in words, for `explain`.</summary>
    public static Explanation Explain(LaunchPreparation p) => new()
    {
        Id = p.Settings.Id,
        Bundle = p.Bundle,
        Config = ConfigPath(p),
        Rootfs = p.Rootfs,
        Warnings = [.. p.Refusals, .. p.Warnings],
        Prepare = Words(Prepare(p)),
        DeviceRules = p.Cgroups.Devices?.Describe() ?? [],
        DeviceProgram = p.Cgroups.Devices is { } filter && Array.Exists(p.Cgroups.Steps, static s => s is AttachDevices)
            ? DeviceProgram.Describe(DeviceProgram.Assemble(filter)) : [],
        BornIn = p.Cgroups.Scope is not null ? null : Array.Find(p.Cgroups.Directories, static d => d.Hierarchy.Unified)?.Path,
        Adopt = Words([.. Adopt(p), .. Beside(p)]),
        Plan = p.Plan,
        Answers = step => Words(step.Says.SelectMany(said => Answer(p, step, said) ?? [])),
        Start = HookRunner.Words("poststart", p.Spec.Hooks?.Poststart ?? []),
        Delete = ContainerTeardown.Describe(Journal.Finished(p), p.StateDirectory)
            .ConvertAll(static line => new RuntimeAction(line.Text, line.Pointer)),
    };

    private static List<RuntimeAction> Words(IEnumerable<LaunchAction> actions)
    {
        List<RuntimeAction> words = [];
        foreach (LaunchAction action in actions) words.AddRange(action.Words());
        return words;
    }

    private static LaunchAction[] If(bool isAsked, Func<List<RuntimeAction>> words, Action<LaunchContext> act) =>
        isAsked ? [new(words, act)] : [];

    private static List<LaunchAction> Joins(LaunchPlan plan) => plan.Joins.ConvertAll(join => new LaunchAction(
        () => [new($"open the {join.Type} namespace {join.Path}", join.Origin.ToString())],
        c => c.Descriptors.Give(plan.Find<JoinNamespacesStep>()!, c.Inherit(Open(join)))));

    private static List<RuntimeAction> HookWords(Hooks hooks) =>
        [.. HookRunner.Words("prestart", hooks.Prestart), .. HookRunner.Words("createRuntime", hooks.CreateRuntime)];

    private static string ConfigPath(LaunchPreparation p) => SpecLoader.ConfigPath(p.Bundle, p.Settings.Config);

    private static string? PidFdAnnotation(LaunchPreparation p) => p.Spec.Annotations[Annotations.PidFdReceiver];

    private static bool WantsPidFd(LaunchPreparation p) => (p.Settings.PidfdSocket ?? PidFdAnnotation(p)) is not null;

    private static List<RuntimeAction> PidFdWords(LaunchPreparation p, Func<string, string> words)
    {
        List<RuntimeAction> lines = [];
        if (p.Settings.PidfdSocket is { } option) lines.Add(new(words(option)));
        if (PidFdAnnotation(p) is { } path) lines.Add(new(words(path), Annotations.Pointer(Annotations.PidFdReceiver)));
        return lines;
    }

    private static RuntimeAction StateFileWords(Hooks hooks)
    {
        (string kinds, string pointer) = (hooks.CreateContainer.Length, hooks.StartContainer.Length) switch
        {
            (0, _) => ("startContainer", "/hooks/startContainer"),
            (_, 0) => ("createContainer", "/hooks/createContainer"),
            _ => ("createContainer and startContainer", "/hooks"),
        };
        return new($"make a memory file with the state document for {kinds} hooks", pointer);
    }

    private static Fd Open(NamespacePath join)
    {
        Fd opened = Fd.Open(join.Path, Files.O_RDONLY, $"{join.Origin} {join.Path}");
        // The others are joined by the first step, this one by one of the last, behind hooks.
        if (join.Flag != Processes.CLONE_NEWPID || Files.Ioctl(opened.Number, Files.NS_GET_NSTYPE, 0) == (long)join.Flag) return opened;
        opened.Dispose();
        throw new OciException($"{join.Origin} {join.Path}: is not a pid namespace: invalid argument (EINVAL)", Errno.EINVAL);
    }

    private static Origin LentNetworkOrigin(LaunchPreparation p) => p.Plan.Find<LoopbackUpStep>()!.Origin;

    private static bool MakesCgroups(LaunchPreparation p) => p.Settings.UseCgroups && p.Cgroups.Scope is null;

    private static List<RuntimeAction> StepWords(CgroupPlan plan) =>
        [.. Array.ConvertAll(plan.Steps, step => new RuntimeAction(plan.Describe(step), step.Pointer))];

    private static List<RuntimeAction> CgroupWords(LaunchPreparation p, CgroupPlan done)
    {
        List<RuntimeAction> words = [];
        string pointer = CgroupPointer(p);
        foreach (CgroupDirectory directory in p.Cgroups.Directories)
        {
            bool exists = Files.StatAt(Files.AT_FDCWD, directory.Path, 0, out _) >= 0;
            string make = p.Cgroups.Scope is not null ? "take systemd's" : exists ? "take the existing" : "make the";
            words.Add(new($"{make} cgroup {directory.Path}{(p.Cgroups.Optional ? ", or go on without it" : "")}", pointer));
        }
        words.AddRange(StepWords(done));
        return words;
    }

    /// <summary>What is asked of systemd, and what is done in the cgroup then.</summary>
    private static List<RuntimeAction> ScopeWords(LaunchPreparation p)
    {
        ScopePlan scope = p.Cgroups.Scope!;
        string bus = scope.Unit.IsUser ? "user" : "system";
        return
        [
            new($"call StartTransientUnit on the {bus} bus for the unit {scope.Unit.Name} and wait for its job", CgroupPointer(p)),
            new("  PIDs = this process"),
            .. scope.Properties.ConvertAll(static property => new RuntimeAction("  " + property.Describe(), property.Pointer)),
            .. CgroupWords(p, p.Cgroups),
        ];
    }

    private static string CgroupPointer(LaunchPreparation p) => string.IsNullOrEmpty(p.Spec.Linux?.CgroupsPath) ? "" : "/linux/cgroupsPath";

    private static List<RuntimeAction> ResctrlWords(ResctrlPlan rdt)
    {
        List<RuntimeAction> words = [];
        bool exists = !Array.Exists(rdt.ToMake(), path => path == rdt.Group);
        words.Add(new($"{(exists ? "take the existing" : "make the")} class of service {rdt.Group}", "/linux/intelRdt"));
        foreach (SchemaLine line in rdt.Described)
            words.Add(new($"{(exists && rdt.IsNamed ? "compare with" : "write to")} its schemata: {line.Text}", line.Pointer));
        foreach (SchemaLine line in rdt.Schemata) words.Add(new($"write to its schemata: {line.Text}", line.Pointer));
        if (rdt.Monitor is not null) words.Add(new($"make the monitoring group {rdt.Monitor}", "/linux/intelRdt/enableMonitoring"));
        return words;
    }
}
