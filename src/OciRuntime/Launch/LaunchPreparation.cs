using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Rdt;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>Everything that is known and decided before the first side effect. `explain` stops here.</summary>
internal sealed class LaunchPreparation
{
    public required LaunchSettings Settings { get; init; }
    public required RuntimeSpec Spec { get; init; }
    public required string Bundle { get; init; }
    public required string Rootfs { get; init; }

    /// <summary>The container's directory below the state root; it need not exist yet.</summary>
    public required string StateDirectory { get; init; }
    public required CgroupPlan Cgroups { get; init; }
    public required LaunchPlan Plan { get; init; }

    /// <summary>Intel RDT groups, or null.</summary>
    public required ResctrlPlan? Rdt { get; init; }

    /// <summary>Descriptors from 3 on that the container keeps, those of them that are open: LISTEN_FDS and --preserve-fds.</summary>
    public required long KeptFds { get; init; }

    /// <summary>Where readiness is to be reported (NOTIFY_SOCKET), or null.</summary>
    public required string? NotifySocket { get; init; }

    /// <summary>There are hooks that the runtime runs before init goes on.</summary>
    public bool HasHooksOutside => Spec.Hooks is { } hooks && hooks.Prestart.Length + hooks.CreateRuntime.Length > 0;

    /// <summary>There are hooks that init runs, which read the state from a file that it has.</summary>
    public bool HasHooksInside => Spec.Hooks is { } hooks && hooks.CreateContainer.Length + hooks.StartContainer.Length > 0;

    /// <summary>The configuration as it was read.</summary>
    public byte[] Config { get; private set; } = [];

    /// <summary>What is accepted and still worth a line in the log.</summary>
    public required List<string> Warnings { get; init; }

    /// <summary>Why a launch with this command line, on this host, would be refused; only where nothing is launched.</summary>
    public required List<string> Refusals { get; init; }

    /// <summary>Reads the bundle and plans the launch.</summary>
    /// <param name="settings">The command line.</param>
    /// <param name="containerDirectory">The container's directory below the state root; it need not exist yet.</param>
    public static LaunchPreparation Build(LaunchSettings settings, string containerDirectory)
    {
        List<string> warnings = [], refusals = [];
        string bundle = SpecLoader.ResolveBundle(settings.Bundle);
        RuntimeSpec spec = SpecLoader.Load(bundle, settings.Config, warnings, out byte[] config);
        if (spec.Process is null) throw new OciException("/process: must not be empty: ocirun has no containers without a process");
        if (TerminalMistake(settings, spec.Process.Terminal) is { } mistake) refusals.Add(mistake);
        string rootfs = SpecLoader.ResolveRootfs(spec, bundle);
        Timeline.Phase("look at the host and its cgroups");
        HostFacts host = HostFacts.Probe();
        CgroupHost? cgroups = settings.UseCgroups ? CgroupHost.Probe() : null;
        SystemdUnit? unit = settings.Systemd ? Scopes.Find(settings, spec, host, cgroups!) : null;
        CgroupHost? shown = cgroups is null && Array.Exists(spec.Mounts, static m => m.Type is "cgroup" or "cgroup2")
            ? CgroupHost.Probe() : null;
        LaunchPreparation preparation =
            Decide(settings, containerDirectory, spec, bundle, rootfs, host, cgroups, warnings, refusals, unit, shown);
        preparation.Config = config;
        return preparation;
    }

    /// <summary>
    /// What a container that exists was made by: its own configuration and what its journal has of the command line. What depends on the
    /// host is as now. Of capabilities nothing is left out for the lack of a right, as whoever asks may have others than the maker.
    /// </summary>
    /// <param name="entry">The container.</param>
    /// <param name="state">Its journal.</param>
    /// <param name="userNamespaces">How many user namespaces below the caller's its first process is.</param>
    public static LaunchPreparation Recall(ContainerEntry entry, ContainerState state, int userNamespaces)
    {
        RuntimeSpec spec = SpecLoader.Reload(entry);
        HostFacts now = HostFacts.Probe();
        HostFacts host = new()
        {
            LastCapability = now.LastCapability,
            Permitted = state.OwnerUid == 0 ? ulong.MaxValue >> (63 - now.LastCapability) : 0,
            Uid = state.OwnerUid,
            Gid = now.Gid,
            // One may be its own; any other is one that the maker was in.
            InUserNamespace = now.InUserNamespace
                || userNamespaces > (Array.Exists(spec.Linux?.Namespaces ?? [], static n => n.Type == "user") ? 1 : 0),
            // Whoever made it had them.
            Programs = new() { ["newuidmap"] = "newuidmap", ["newgidmap"] = "newgidmap" },
        };
        LaunchSettings settings = new()
        {
            Verb = "verify",
            Id = state.Id,
            WaitForStart = true,
            NoNewKeyring = !state.Keyring,
            OnlyExplain = true,
            UseCgroups = state.CgroupDirectories.Length > 0,
            Systemd = state.CgroupManager == "systemd",
            Recorded = state,
        };
        CgroupHost cgroups = CgroupHost.Probe();
        return Decide(settings, entry.Path, spec, state.Bundle, state.Rootfs, host, settings.UseCgroups ? cgroups : null, [], [],
            shown: settings.UseCgroups ? null : cgroups);
    }

    /// <summary>The part that depends on nothing but its arguments.</summary>
    /// <param name="settings">The command line.</param>
    /// <param name="containerDirectory">The container's directory below the state root.</param>
    /// <param name="spec">A valid configuration with a process.</param>
    /// <param name="bundle">Absolute path of the bundle.</param>
    /// <param name="rootfs">Absolute path of the root file system.</param>
    /// <param name="host">The machine.</param>
    /// <param name="cgroupHost">Its cgroups, or null for a container that stays in the caller's.</param>
    /// <param name="warnings">What is known to be worth a line so far.</param>
    /// <param name="refusals">See <see cref="Refusals"/>.</param>
    /// <param name="unit">The scope, where systemd makes the cgroups.</param>
    /// <param name="shown">What mounts show of a container that stays in the caller's cgroups; null where there are none.</param>
    internal static LaunchPreparation Decide(
        LaunchSettings settings, string containerDirectory, RuntimeSpec spec, string bundle, string rootfs, HostFacts host,
        CgroupHost? cgroupHost,
        List<string> warnings, List<string> refusals, SystemdUnit? unit = null, CgroupHost? shown = null)
    {
        Timeline.Phase("plan the cgroups");
        CgroupPlan cgroups = cgroupHost is not null ? PlanCgroups(settings, spec, host, cgroupHost, unit) : CgroupPlan.Disabled;
        int listen = settings.Recorded is null ? PreservedFds.Listen() : 0;
        string? notify = settings.Recorded is { } recorded ? recorded.NotifySocket : NotifyProxy.HostSocket;
        Timeline.Phase("plan the steps");
        LaunchPlan plan = Planner.Build(new PlanRequest
        {
            Spec = spec,
            Host = host,
            Id = settings.Id,
            Bundle = bundle,
            Rootfs = rootfs,
            WaitForStart = settings.WaitForStart,
            NoPivot = settings.NoPivot,
            NewKeyring = !settings.NoNewKeyring,
            ListenFds = listen,
            NotifyDirectory = notify is null ? null : NotifyProxy.DirectoryOf(containerDirectory),
            Cgroups = Views(cgroups, cgroupHost),
            AwaitsCgroup = cgroups.Scope is not null,
            CgroupsOptional = cgroups.Optional,
            CallersCgroups = shown is null ? [] : Array.ConvertAll(shown.Hierarchies, h => new CgroupView(h, shown.OwnDirectory(h))),
        });
        foreach (string refusal in plan.Refusals) refusals.Add(refusal);
        ResctrlPlan? rdt = PlanRdt(settings.Id, spec, refusals);
        if (refusals.Count > 0 && !settings.OnlyExplain) throw new OciException(string.Join("; ", refusals));
        foreach (string warning in plan.Warnings) warnings.Add(warning);
        foreach (string warning in cgroups.Warnings) warnings.Add(warning);
        return new LaunchPreparation
        {
            Settings = settings,
            Spec = spec,
            Bundle = bundle,
            Rootfs = rootfs,
            StateDirectory = containerDirectory,
            Cgroups = cgroups,
            Plan = plan,
            Rdt = rdt,
            KeptFds = (long)listen + settings.PreserveFds,
            NotifySocket = notify,
            Warnings = warnings,
            Refusals = refusals,
        };
    }

    private static CgroupPlan PlanCgroups(LaunchSettings settings, RuntimeSpec spec, HostFacts host, CgroupHost cgroupHost,
        SystemdUnit? unit)
    {
        spec.Linux?.Resources?.Pids?.Settle(spec.OciVersion);
        return CgroupPlan.Build(
            cgroupHost,
            new CgroupRequest(settings.Id, spec.Linux?.CgroupsPath, spec.Linux?.Resources)
            {
                HasCgroupNamespace = Array.Exists(spec.Linux?.Namespaces ?? [], static n => n.Type == "cgroup"),
                RuntimeInUserNamespace = host.InUserNamespace,
                Rootless = settings.RootlessCgroups ?? (host.Uid != 0 || host.InUserNamespace),
                DelegateTo = CgroupOwner(spec),
                Unit = unit,
                Recorded = settings.Recorded?.CgroupDirectories,
                Systemd = settings.Systemd,
                UnitAnnotations = unit is null ? [] : SystemdProperty.Read(spec.Annotations, new SpecProblems()),
            });
    }

    /// <summary>
    /// The kernel mounts nothing by itself: where it is, and whether the processor has it at all, only the mount table says.
    /// </summary>
    internal static ResctrlPlan? PlanRdt(string id, RuntimeSpec spec, List<string> refusals)
    {
        if (spec.Linux?.IntelRdt is not { } config) return null;
        if (FullMounts.Resctrl() is { } root) return ResctrlPlan.Build(root, id, config);
        refusals.Add(
            "/linux/intelRdt: no resctrl file system is mounted; where processor and kernel have RDT, mount it: mount -t resctrl resctrl "
            + "/sys/fs/resctrl");
        return null;
    }

    /// <summary>
    /// Whom a writable cgroup mount in a cgroup namespace of its own is for: the process's user as the host sees it. Null where nothing is
    /// to be given away, for root, and in a joined user namespace, whose ids are not known here.
    /// </summary>
    private static uint? CgroupOwner(RuntimeSpec spec)
    {
        LinuxNamespace[] namespaces = spec.Linux?.Namespaces ?? [];
        if (!Array.Exists(namespaces, static n => n.Type == "cgroup" && string.IsNullOrEmpty(n.Path))
            || !Array.Exists(spec.Mounts, IsWritableCgroup))
        {
            return null;
        }
        uint uid = spec.Process!.User.Uid;
        if (Array.Find(namespaces, static n => n.Type == "user") is not { } user) return uid == 0 ? null : uid;
        if (!string.IsNullOrEmpty(user.Path)) return null;
        IdMapping? mapping = Array.Find(spec.Linux!.UidMappings, m => uid - m.ContainerID < m.Size);
        return mapping is null ? null : mapping.HostID + (uid - mapping.ContainerID);
    }

    private static bool IsWritableCgroup(Mount mount)
    {
        if (mount.Type is not ("cgroup" or "cgroup2")) return false;
        MountOptions options = MountOptions.Parse(mount.Options);
        return ((options.Set | options.TreeSet) & Mounts.MOUNT_ATTR_RDONLY) == 0;
    }

    private static CgroupView[] Views(CgroupPlan cgroups, CgroupHost? host) => Array.ConvertAll(
        cgroups.Directories,
        directory => new CgroupView(directory.Hierarchy, directory.Path)
        {
            CallersPath = cgroups.Optional ? host!.OwnDirectory(directory.Hierarchy) : null,
        });

    private static string? TerminalMistake(LaunchSettings settings, bool terminal)
    {
        string? mistake = ConsoleSocket.Mistake(terminal,
            (settings.WaitForStart || settings.Detached) && !settings.KeepsTerminal, settings.ConsoleSocket);
        return mistake is null ? null
            : settings.ConsoleSocket is null ? $"/process/terminal: true: {mistake}, or set it to false"
            : $"{mistake} (/process/terminal: {(terminal ? "true" : "false")})";
    }
}
