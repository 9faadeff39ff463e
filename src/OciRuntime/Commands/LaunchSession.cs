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
    private readonly PreservedFds _preserved;
    private ContainerEntry? _entry;
    private ContainerLaunch? _launch;

    public LaunchSession(GlobalOptions globals, LaunchSettings settings)
    {
        _preserved = PreservedFds.Claim(settings.PreserveFds);
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
        return new LaunchSettings
        {
            Verb = verb,
            Id = o.Id,
            Bundle = o.Bundle,
            Config = o.Config,
            ConsoleSocket = o.ConsoleSocket,
            PidfdSocket = create?.PidfdSocket,
            PidFile = create?.PidFile,
            NoPivot = o.NoPivot,
            NoNewKeyring = create?.NoNewKeyring ?? false,
            PreserveFds = o.PreserveFds,
            WaitForStart = waitForStart,
            Detached = detached,
            Keep = keep,
            OnlyExplain = create == null,
            UseCgroups = g.CgroupManager != CgroupManager.Disabled,
            Systemd = IsSystemd(g),
            RootlessCgroups = RootlessCgroups(g),
        };
    }

    internal static bool? RootlessCgroups(GlobalOptions g) => g.Rootless switch { RootlessMode.True => true, RootlessMode.False => false, _ => null };

    internal static bool IsSystemd(GlobalOptions g) => g.CgroupManager == CgroupManager.Systemd || (g.SystemdCgroup && g.CgroupManager == null);

    /// <summary>Checks everything that can be checked, claims the ID, launches.</summary>
    public ContainerLaunch Launch()
    {
        ContainerId.Validate(_settings.Id);
        LaunchPreparation preparation = LaunchPreparation.Build(_settings, $"{_store.Root.Path}/{_settings.Id}");
        foreach (string warning in preparation.Warnings) Warn(warning);
        _entry = _store.Claim(_settings.Id, _settings.Verb, (entry, state) => ContainerTeardown.Undo(entry, state, RunPoststop));
        try
        {
            _launch = new ContainerLaunch(preparation, _preserved, _entry, Interruption, Debug);
        }
        catch
        {
            _entry.Remove();
            throw;
        }
        _launch.Run(Warn);
        OrEnd(Complete);
        return _launch;
    }

    /// <summary>For `run --detach`: waits until the program says that it is ready, if somebody wants to know. Others may use the container meanwhile.</summary>
    public void AwaitReadiness()
    {
        if (_launch!.Notify is not { } notify) return;
        Unlock();
        try
        {
            OrEnd(() => notify.Relay(_launch.Child!.PidFd.Number, _launch.Child.Pid, Interruption));
        }
        catch when (_settings.PidFile != null)
        {
            // The failure that led here is the one to tell.
            Files.UnlinkAt(Files.AT_FDCWD, _settings.PidFile);
            throw;
        }
    }

    /// <summary>What comes after the launch. The pid file is last: one that is left by a failure makes conmon report success.</summary>
    private void Complete()
    {
        if (!_settings.WaitForStart) new HookRunner(_launch!.State, Interruption).Run("poststart", _launch.State.Poststart, ContainerStatus.Running);
        if (_settings.PidFile != null) PidFile.Write(_settings.PidFile, _launch!.Child!.Pid);
    }

    /// <summary>A failure ends the container (runtime-spec runtime.md, "Lifecycle", for poststart hooks).</summary>
    private void OrEnd(Action work)
    {
        try
        {
            work();
        }
        catch
        {
            _launch!.Child!.Kill();
            if (_entry!.Lock != null || _entry.TryAcquire(_settings.Verb, ContainerLock.DefaultWaitMilliseconds)) ContainerTeardown.Run(_entry, _launch.State, RunPoststop);
            throw;
        }
    }

    public void Unlock() => _entry!.Lock?.Dispose();

    /// <summary>Removes the ended container, unless somebody else already did.</summary>
    public void Delete()
    {
        if (_entry!.TryAcquire("run", ContainerLock.DefaultWaitMilliseconds)) ContainerTeardown.Run(_entry, _launch!.State, RunPoststop);
    }

    private void RunPoststop(ContainerState state) => HookRunner.RunPoststop(state, Warn);

    private void Warn(string message) => Logger.Warn(_globals, message);

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
