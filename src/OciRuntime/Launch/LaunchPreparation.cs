using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>Everything that is known and decided before the first side effect. `explain` stops here.</summary>
internal sealed class LaunchPreparation
{
    public required LaunchSettings Settings { get; init; }
    public required RuntimeSpec Spec { get; init; }
    public required string Bundle { get; init; }
    public required string Rootfs { get; init; }
    public required CgroupPlan Cgroups { get; init; }
    public required LaunchPlan Plan { get; init; }

    /// <summary>Descriptors from 3 on that the container keeps: LISTEN_FDS and --preserve-fds.</summary>
    public required int KeptFds { get; init; }

    /// <summary>Where readiness is to be reported (NOTIFY_SOCKET), or null.</summary>
    public required string? NotifySocket { get; init; }

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
        RuntimeSpec spec = SpecLoader.Load(bundle, settings.Config, warnings);
        if (spec.Process == null) throw new OciException("/process: must not be empty: ocirun has no containers without a process");
        if (TerminalMistake(settings, spec.Process.Terminal) is { } mistake) refusals.Add(settings.OnlyExplain ? mistake : throw new OciException(mistake));
        string rootfs = SpecLoader.ResolveRootfs(spec, bundle);
        HostFacts host = HostFacts.Probe();
        CgroupPlan cgroups = settings.UseCgroups ? PlanCgroups(settings, spec, host) : CgroupPlan.Disabled;
        int listen = PreservedFds.Listen();
        string? notify = NotifyProxy.HostSocket;
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
            NotifyDirectory = notify == null ? null : $"{containerDirectory}/notify",
            Cgroups = Views(cgroups),
            CgroupsOptional = cgroups.Optional,
        });
        if (plan.Refusals.Count > 0 && !settings.OnlyExplain) throw new OciException(string.Join("; ", plan.Refusals));
        refusals.AddRange(plan.Refusals);
        warnings.AddRange(plan.Warnings);
        warnings.AddRange(cgroups.Warnings);
        return new LaunchPreparation
        {
            Settings = settings, Spec = spec, Bundle = bundle, Rootfs = rootfs, Cgroups = cgroups, Plan = plan, KeptFds = listen + settings.PreserveFds, NotifySocket = notify,
            Warnings = warnings, Refusals = refusals,
        };
    }

    private static CgroupPlan PlanCgroups(LaunchSettings settings, RuntimeSpec spec, HostFacts host) => CgroupPlan.Build(
        CgroupHost.Probe(),
        new CgroupRequest(settings.Id, spec.Linux?.CgroupsPath, spec.Linux?.Resources)
        {
            HasCgroupNamespace = Array.Exists(spec.Linux?.Namespaces ?? [], static n => n.Type == "cgroup"),
            RuntimeInUserNamespace = host.InUserNamespace,
            Rootless = settings.RootlessCgroups,
        });

    private static List<CgroupView> Views(CgroupPlan cgroups)
    {
        List<CgroupView> views = new(cgroups.Directories.Length);
        foreach (CgroupDirectory directory in cgroups.Directories) views.Add(new(directory.Hierarchy, directory.Path));
        return views;
    }

    private static string? TerminalMistake(LaunchSettings settings, bool terminal)
    {
        bool detached = settings.WaitForStart || settings.Detached;
        if (terminal && detached && settings.ConsoleSocket == null)
        {
            return "/process/terminal: true: cannot allocate tty if ocirun will detach without setting console socket: pass --console-socket PATH, or set it to false";
        }
        if (settings.ConsoleSocket != null && !(terminal && detached))
        {
            return $"--console-socket {settings.ConsoleSocket}: cannot use console socket if ocirun will not detach or allocate tty (/process/terminal: {(terminal ? "true" : "false")})";
        }
        return null;
    }
}
