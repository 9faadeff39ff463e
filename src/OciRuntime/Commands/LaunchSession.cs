using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>What create and run share: from the command line to a launched container.</summary>
internal sealed class LaunchSession : IDisposable
{
    private readonly GlobalOptions _globals;
    private readonly LaunchSettings _settings;
    private readonly ContainerStore _store;
    private ContainerEntry? _entry;
    private ContainerLaunch? _launch;

    public LaunchSession(GlobalOptions globals, LaunchSettings settings)
    {
        // First of all: whatever the caller left open must not reach the container (CVE-2024-21626).
        OciException.Check(Files.CloseRange(3, uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC), "close_range");
        _globals = globals;
        _settings = settings;
        _store = new ContainerStore(StateRoot.Resolve(globals.Root));
        Interruption = new Interruption();
    }

    public Interruption Interruption { get; }

    /// <summary>The command line of create, run or explain.</summary>
    public static LaunchSettings Settings(GlobalOptions g, BundleOptions o, string verb, bool waitForStart, bool detached, bool keep)
    {
        CreateOptions? create = o as CreateOptions;
        if (g.SystemdCgroup || g.CgroupManager == CgroupManager.Systemd)
        {
            throw new OciException("--systemd-cgroup: the systemd cgroup driver is not supported by this version of ocirun; use --cgroup-manager cgroupfs");
        }
        if (create?.PidfdSocket != null) throw new OciException($"--pidfd-socket {create.PidfdSocket}: not supported by this version of ocirun");
        return new LaunchSettings
        {
            Verb = verb,
            Id = o.Id,
            Bundle = o.Bundle,
            Config = o.Config,
            ConsoleSocket = o.ConsoleSocket,
            PidFile = create?.PidFile,
            NoPivot = o.NoPivot,
            NoNewKeyring = create?.NoNewKeyring ?? false,
            PreserveFds = o.PreserveFds,
            WaitForStart = waitForStart,
            Detached = detached,
            Keep = keep,
            OnlyExplain = create == null,
            UseCgroups = g.CgroupManager != CgroupManager.Disabled,
            RootlessCgroups = g.Rootless == RootlessMode.True || (g.Rootless != RootlessMode.False && Processes.EffectiveUid() != 0),
        };
    }

    /// <summary>Checks everything that can be checked, claims the ID, launches.</summary>
    public ContainerLaunch Launch()
    {
        ContainerId.Validate(_settings.Id);
        LaunchPreparation preparation = LaunchPreparation.Build(_settings, $"{_store.Root.Path}/{_settings.Id}");
        foreach (string warning in preparation.Warnings) Warn(warning);
        _entry = _store.Claim(_settings.Id, _settings.Verb, (entry, state) => ContainerTeardown.Undo(entry, state, RunPoststop));
        try
        {
            _launch = new ContainerLaunch(preparation, _entry, Interruption, Debug);
        }
        catch
        {
            _entry.Remove();
            throw;
        }
        _launch.Run(Warn);
        return _launch;
    }

    /// <summary>poststart: a failure ends the container.</summary>
    public void RunPoststartHooks()
    {
        if (_launch!.State.Poststart.Length == 0) return;
        try
        {
            new HookRunner(_launch.State, Interruption).Run("poststart", _launch.State.Poststart, ContainerStatus.Running);
        }
        catch
        {
            _launch.Child!.Kill();
            ContainerTeardown.Run(_entry!, _launch.State, RunPoststop);
            throw;
        }
    }

    public void Unlock() => _entry!.Lock?.Dispose();

    /// <summary>Removes the ended container, unless somebody else already did.</summary>
    public void Delete()
    {
        if (_entry!.TryAcquire("run", ContainerLock.DefaultWaitMilliseconds)) ContainerTeardown.Run(_entry, _launch!.State, RunPoststop);
    }

    private void RunPoststop(ContainerState state) => new HookRunner(state, Interruption).RunPoststop(Warn);

    private void Warn(string message)
    {
        if (_globals.LogLevel < LogLevel.Warning && !_globals.Debug) return;
        using Logger log = Logger.Open(_globals);
        log.Warning(message);
    }

    private void Debug(string message)
    {
        if (_globals.LogLevel < LogLevel.Debug && !_globals.Debug) return;
        using Logger log = Logger.Open(_globals);
        log.Debug(message);
    }

    public void Dispose()
    {
        _launch?.Dispose();
        _entry?.Dispose();
        Interruption.Dispose();
    }
}
