using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>What create, run and restore share: from the command line to a launched container, and in the foreground to its end.</summary>
internal sealed class LaunchSession : IDisposable
{
    private readonly GlobalOptions _globals;
    private readonly LaunchSettings _settings;
    private readonly ContainerStore _store;
    private readonly PreservedFds _preserved;
    private LaunchContext? _context;

    public LaunchSession(GlobalOptions globals, LaunchSettings settings)
    {
        Timeline.Phase("claim descriptors and signals");
        _preserved = PreservedFds.Claim(settings.PreserveFds);
        _globals = globals;
        _settings = settings;
        _store = new ContainerStore(StateRoot.Resolve(globals.Root));
        Interruption = new Interruption();
    }

    private Interruption Interruption { get; }

    private LaunchContext Context => _context!;

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
            OnlyExplain = create is null,
            UseCgroups = g.CgroupManager != CgroupManager.Disabled,
            Systemd = IsSystemd(g),
            RootlessCgroups = RootlessCgroups(g),
        };
    }

    internal static bool? RootlessCgroups(GlobalOptions g) =>
        g.Rootless switch { RootlessMode.True => true, RootlessMode.False => false, _ => null };

    internal static bool IsSystemd(GlobalOptions g) =>
        g.CgroupManager == CgroupManager.Systemd || (g.SystemdCgroup && g.CgroupManager is null);

    /// <summary>Checks everything that can be checked.</summary>
    public LaunchPreparation Prepare()
    {
        ContainerId.Validate(_settings.Id);
        return LaunchPreparation.Build(_settings, $"{_store.Root.Path}/{_settings.Id}");
    }

    /// <summary>From here on failures are undone.</summary>
    public LaunchContext Begin(LaunchPreparation preparation)
    {
        foreach (string warning in preparation.Warnings) Warn(warning);
        bool isDebug = _globals.LogLevel >= LogLevel.Debug || _globals.Debug;
        if (isDebug) Debug($"prepared, with {Digits.Of(GC.GetAllocatedBytesForCurrentThread())} bytes of the heap taken so far");
        return _context = new LaunchContext(preparation, _store, Interruption, Warn, isDebug ? Debug : null) { Preserved = _preserved };
    }

    /// <summary>Makes the container; with `create` it waits for `start`, else its program runs.</summary>
    public void Launch()
    {
        new ContainerLaunch(Begin(Prepare())).Run();
        Complete(_settings.WaitForStart ? [] : Context.State.Poststart);
    }

    /// <summary>What comes after the launch. The pid file is last: one that is left by a failure makes conmon report success.</summary>
    public void Complete(Hook[] poststart) => Context.OrUndo(() =>
    {
        new HookRunner(Context.State, Interruption).Run("poststart", poststart, ContainerStatus.Running);
        Timeline.Phase("finish");
        if (_settings.PidFile is not null) PidFile.Write(_settings.PidFile, Context.State.Init.Pid);
    });

    /// <summary>
    /// For `run --detach`: waits until the program says that it is ready, if somebody wants to know. Others may use the container
    /// meanwhile.
    /// </summary>
    public void AwaitReadiness()
    {
        if (Context.Notify is not { } notify) return;
        Context.Entry.Unlock();
        try
        {
            Context.OrUndo(() => notify.Relay(Context.PidFd.Number, Context.State.Init.Pid, Interruption));
        }
        catch when (_settings.PidFile is not null)
        {
            // The failure that led here is the one to tell.
            Files.UnlinkAt(Files.AT_FDCWD, _settings.PidFile);
            throw;
        }
    }

    /// <summary>
    /// In the foreground: waits for the program's end, removes the container unless it is to be kept, and gives the exit code.
    /// </summary>
    public int Wait()
    {
        Timeline.Phase("wait for the program's end");
        Context.Entry.Unlock();
        WaitStatus status;
        using (TerminalRelay? terminal = Context.Terminal is null ? null : new TerminalRelay(Context.Terminal.Number))
        {
            status = new ForegroundSession(Context.State.Init.Pid, Context.PidFd, Interruption, terminal, Context.Notify).Wait();
        }
        if (!_settings.Keep) Delete();
        return ExitCodes.ForStatus(status);
    }

    /// <summary>How the program ended is what the caller has waited for; what could not be removed is left to `delete`.</summary>
    private void Delete()
    {
        try
        {
            Context.Delete();
        }
        catch (OciException e)
        {
            using Logger log = Logger.Open(_globals);
            log.Error($"the container has ended, but could not be removed: {e.Message}; run \"ocirun delete --force {_settings.Id}\"");
        }
    }

    private void Warn(string message) => Logger.Warn(_globals, message);

    private void Debug(string message)
    {
        using Logger log = Logger.Open(_globals);
        log.Debug(message);
    }

    public void Dispose()
    {
        _context?.Dispose();
        Interruption.Dispose();
    }
}
