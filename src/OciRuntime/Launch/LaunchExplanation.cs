using OciRuntime.Cgroups;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Rdt;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>What <see cref="ContainerLaunch"/> would do, in words and in its order. Whoever changes one changes the other.</summary>
internal static class LaunchExplanation
{
    private const string Recorded = "record the container as created";

    /// <param name="preparation">The launch.</param>
    /// <param name="directory">The container's directory below the state root.</param>
    public static Explanation Build(LaunchPreparation preparation, string directory) => new()
    {
        Id = preparation.Settings.Id,
        Bundle = preparation.Bundle,
        Config = SpecLoader.ConfigPath(preparation.Bundle, preparation.Settings.Config),
        Rootfs = preparation.Rootfs,
        Warnings = [.. preparation.Refusals, .. preparation.Warnings],
        Prepare = Prepare(preparation, directory),
        DeviceRules = preparation.Cgroups.Devices?.Describe() ?? [],
        DeviceProgram = DeviceProgramLines(preparation.Cgroups),
        BornIn = preparation.Cgroups.Scope != null ? null : Array.Find(preparation.Cgroups.Directories, static d => d.Hierarchy.Unified)?.Path,
        Plan = preparation.Plan,
        Answers = step => Answers(preparation, step),
        Start = HookActions(preparation.Spec.Hooks?.Poststart, "poststart", "/hooks/poststart"),
        Delete = Delete(preparation, directory),
    };

    private static string[] DeviceProgramLines(CgroupPlan cgroups) =>
        cgroups.Devices is { } filter && Array.Exists(cgroups.Steps, static s => s.Kind == CgroupStepKind.AttachDevices)
            ? DeviceProgramText.List(DeviceProgram.Assemble(filter))
            : [];

    private static List<RuntimeAction> Prepare(LaunchPreparation p, string directory)
    {
        List<RuntimeAction> actions =
        [
            new($"make the state directory {directory} and lock it"),
            new($"write to {directory}/{ContainerEntry.JournalName} what is about to be made"),
        ];
        AddCgroups(p, actions);
        AddRdt(p.Rdt, actions);
        foreach (NamespacePath join in p.Plan.Joins) actions.Add(new($"open the {join.Type} namespace {join.Path}", join.Origin.ToString()));
        if (p.Plan.MountsOnHost) actions.Add(new($"bind {p.Rootfs} over itself on the host, as one private mount for all of the container's", "/root/path"));
        if (p.Settings.WaitForStart) actions.Add(new($"listen on {directory}/{ContainerEntry.StartSocketName}, where the container will wait for \"ocirun start\""));
        if (p.Settings.ConsoleSocket != null) actions.Add(new($"connect to {p.Settings.ConsoleSocket}, which gets the terminal", "/process/terminal"));
        AddAnnotation(p, actions, Annotations.PidFdReceiver, static path => $"connect to {path}, which gets a pidfd of the container's first process");
        AddAnnotation(p, actions, Annotations.HooksStdout, static path => $"append what hooks write to stdout to {path}");
        AddAnnotation(p, actions, Annotations.HooksStderr, static path => $"append what hooks write to stderr to {path}");
        if (p.Spec.Hooks is { StartContainer.Length: > 0 }) actions.Add(new("make a memory file with the state document for startContainer hooks", "/hooks/startContainer"));
        if (p.NotifySocket != null) actions.Add(new($"make {directory}/notify, through which the program can report to NOTIFY_SOCKET {p.NotifySocket}"));
        if (p.KeptFds > 0) actions.Add(new($"keep those of the descriptors 3 to {p.KeptFds + 2} open for the program that are open"));
        return actions;
    }

    private static void AddAnnotation(LaunchPreparation p, List<RuntimeAction> actions, string key, Func<string, string> words)
    {
        if (p.Spec.Annotations[key] is { } value) actions.Add(new(words(value), Annotations.Pointer(key)));
    }

    private static void AddCgroups(LaunchPreparation p, List<RuntimeAction> actions)
    {
        if (p.Cgroups.Scope == null) AddCgroupSteps(p, actions);
    }

    /// <summary>What is asked of systemd, and what is done in the cgroup then.</summary>
    private static List<RuntimeAction> Scope(LaunchPreparation p)
    {
        ScopePlan scope = p.Cgroups.Scope!;
        List<RuntimeAction> actions =
        [
            new($"call StartTransientUnit on the {(scope.Unit.IsUser ? "user" : "system")} bus for the unit {scope.Unit.Name} and wait for its job", Place(p)),
            new("  PIDs = this process"),
        ];
        foreach (UnitProperty property in scope.Properties) actions.Add(new("  " + property.Describe(), property.Pointer));
        AddCgroupSteps(p, actions);
        return actions;
    }

    private static string Place(LaunchPreparation p) => string.IsNullOrEmpty(p.Spec.Linux?.CgroupsPath) ? "" : "/linux/cgroupsPath";

    private static void AddCgroupSteps(LaunchPreparation p, List<RuntimeAction> actions)
    {
        string pointer = Place(p);
        foreach (CgroupDirectory directory in p.Cgroups.Directories)
        {
            bool exists = Files.StatAt(Files.AT_FDCWD, directory.Path, 0, out _) >= 0;
            actions.Add(new($"{(p.Cgroups.Scope != null ? "take systemd's" : exists ? "take the existing" : "make the")} cgroup {directory.Path}{(p.Cgroups.Optional ? ", or go on without it" : "")}", pointer));
        }
        foreach (CgroupStep step in p.Cgroups.Steps) actions.Add(new(p.Cgroups.Describe(step), step.Pointer));
    }

    private static void AddRdt(ResctrlPlan? rdt, List<RuntimeAction> actions)
    {
        if (rdt == null) return;
        bool exists = !Array.Exists(rdt.ToMake(), path => path == rdt.Group);
        actions.Add(new($"{(exists ? "take the existing" : "make the")} class of service {rdt.Group}", "/linux/intelRdt"));
        foreach (SchemaLine line in rdt.Described) actions.Add(new(exists && rdt.IsNamed ? $"compare with its schemata: {line.Text}" : $"write to its schemata: {line.Text}", line.Pointer));
        foreach (SchemaLine line in rdt.Schemata) actions.Add(new($"write to its schemata: {line.Text}", line.Pointer));
        if (rdt.Monitor != null) actions.Add(new($"make the monitoring group {rdt.Monitor}", "/linux/intelRdt/enableMonitoring"));
    }

    private static List<RuntimeAction>? Answers(LaunchPreparation p, PlanStep step) => step.Op switch
    {
        InitOp.AwaitCgroup => Scope(p),
        InitOp.AwaitIdMaps => IdMaps(p.Plan.IdMaps!),
        InitOp.AwaitNetworkDevices => NetworkDevices(p.Spec.Linux!.NetDevices),
        InitOp.AwaitHooks => Hooks(p.Spec.Hooks!),
        InitOp.AwaitLimits => Limits(p.Spec.Process!.Rlimits),
        InitOp.MountBind when step.IdMap is { } map => [new(map.IsContainers ? "map the ids of the mount" : "make a user namespace with these maps and map the ids of the mount with it", step.Origin.ToString())],
        InitOp.MountFilesystem when (step.Flags & InitFlags.OnDevice) != 0 => [new("make it and pass it on, if the container's device cgroup denies it the device", step.Origin.ToString())],
        InitOp.DeviceMount => [new("make it in a tmpfs that is mounted nowhere, and pass a mount of it on", step.Origin.ToString())],
        InitOp.Ready when StandardStreamOwner.IsNeeded(p.Plan) => [new("give the pipes and sockets among the standard streams to the program's user"), new(Recorded)],
        InitOp.Ready => [new(Recorded)],
        _ => null,
    };

    private static List<RuntimeAction> IdMaps(IdMapPlan plan)
    {
        List<RuntimeAction> actions = [];
        if (plan.DenySetgroups) actions.Add(new("write deny to setgroups", plan.Gids.Pointer));
        foreach (IdMap map in (ReadOnlySpan<IdMap>)[plan.Uids, plan.Gids])
        {
            actions.Add(new(map.Helper == null ? $"write {map.File}: {map.Words}" : $"run {string.Join(' ', map.Arguments("PID"))}", map.Pointer));
        }
        return actions;
    }

    private static List<RuntimeAction> NetworkDevices(SpecMap<NetDevice> devices)
    {
        List<RuntimeAction> actions = [];
        foreach (KeyValuePair<string, NetDevice> device in devices)
        {
            string target = Launch.NetworkDevices.Target(device.Key, device.Value);
            actions.Add(new(
                $"move the network device {device.Key} into the container{(target == device.Key ? "" : $" as {target}")}, with its permanent global addresses, and bring it up",
                new Origin("/linux/netDevices", Member: device.Key).ToString()));
        }
        return actions;
    }

    private static List<RuntimeAction> Limits(Rlimit[] limits)
    {
        List<RuntimeAction> actions = [];
        for (int i = 0; i < limits.Length; i++) actions.Add(new($"set {limits[i].Type} to {Number(limits[i].Soft)} (soft), {Number(limits[i].Hard)} (hard)", $"/process/rlimits/{i}"));
        return actions;
    }

    private static string Number(ulong value) => value == ulong.MaxValue ? "unlimited" : value.ToString();

    private static List<RuntimeAction> Hooks(Hooks hooks) =>
    [
        .. HookActions(hooks.Prestart, "prestart", "/hooks/prestart"),
        .. HookActions(hooks.CreateRuntime, "createRuntime", "/hooks/createRuntime"),
    ];

    private static List<RuntimeAction> HookActions(Hook[]? hooks, string kind, string pointer)
    {
        List<RuntimeAction> actions = [];
        for (int i = 0; i < (hooks?.Length ?? 0); i++)
        {
            string timeout = hooks![i].Timeout is { } seconds ? $", for no more than {seconds} s" : "";
            actions.Add(new($"run the {kind} hook {hooks[i].Path}{timeout}", $"{pointer}/{i}"));
        }
        return actions;
    }

    private static List<RuntimeAction> Delete(LaunchPreparation p, string directory)
    {
        List<RuntimeAction> actions = [];
        if (p.Plan.MountsOnHost) actions.Add(new($"detach what was mounted over {p.Rootfs}", "/root/path"));
        if (p.Cgroups.Directories.Length > 0) actions.Add(new("remove the cgroups that were made"));
        if (p.Cgroups.Scope is { } scope) actions.Add(new($"stop the systemd unit {scope.Unit.Name}, and reset it if it failed"));
        foreach (string path in p.Rdt?.ToRemove(p.Rdt.ToMake()) ?? []) actions.Add(new($"remove {path}", "/linux/intelRdt"));
        actions.AddRange(HookActions(p.Spec.Hooks?.Poststop, "poststop", "/hooks/poststop"));
        actions.Add(new($"remove {directory}"));
        return actions;
    }
}
