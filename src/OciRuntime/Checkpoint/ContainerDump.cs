using OciRuntime.Cgroups;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Checkpoint;

/// <summary>Has criu save a container. What it does to the processes, it takes back itself when it fails.</summary>
internal sealed class ContainerDump(DumpSettings settings, LaunchPreparation container, ContainerState state, Interruption interruption)
{
    private const string LogName = "dump.log";

    // Killed in the middle, criu would leave its own code in the container's processes: it may finish what it has begun.
    private const int PatienceMilliseconds = 10_000;
    private int _statusFd = settings.StatusFd;

    private CriuSettings Criu => settings.Criu;

    /// <summary>Saves a container; unless it is to go on, nothing of it runs any more then.</summary>
    /// <param name="settings">What is asked for.</param>
    /// <param name="entry">The container, locked.</param>
    /// <param name="interruption">The signals.</param>
    /// <returns>Its journal.</returns>
    public static ContainerState Run(DumpSettings settings, ContainerEntry entry, Interruption interruption)
    {
        ContainerState state = entry.ReadState();
        ContainerStatus status = entry.Probe(state);
        // runc's words.
        if (status is not (ContainerStatus.Running or ContainerStatus.Paused))
            throw new OciException($"container cannot be checkpointed in {status.Name()} state");
        LaunchPreparation container = Reload(entry, state);
        ExternalMount.RefuseHosts(container.Plan);
        new ContainerDump(settings, container, state, interruption).Save(status == ContainerStatus.Paused);
        return state;
    }

    /// <summary>The container's plan, for its mounts: from the configuration it was made from.</summary>
    private static LaunchPreparation Reload(ContainerEntry entry, ContainerState state) => LaunchPreparation.Build(
        new LaunchSettings
        {
            Verb = "checkpoint",
            Id = entry.Id,
            Bundle = state.Bundle,
            Config = $"{entry.Path}/config.json",
            OnlyExplain = true,
            UseCgroups = state.CgroupManager != "disabled",
            Systemd = state.CgroupManager == "systemd",
            RootlessCgroups = state.CgroupManager == "systemd" ? state.SystemdUser : null,
        },
        entry.Path);

    /// <param name="wasPaused">It was frozen before, and stays so.</param>
    private void Save(bool wasPaused)
    {
        CheckStatusFd();
        using ImageDirectories directories = ImageDirectories.Make(Criu);
        using UnifiedMountOptions kept = new();
        using CriuService criu = CriuService.Start("checkpoint", [], streams: null, [], interruption, PatienceMilliseconds);
        criu.RequireFeatures(settings.PreDump, Criu.LazyPages);
        CriuRequestType type = !settings.PreDump ? CriuRequestType.Dump : criu.HasSinglePreDump ? CriuRequestType.PreDump
            : CriuRequestType.OpenPreDump;
        bool done = false;
        try
        {
            criu.Work(type, Options(directories), Notified, new CriuLog(directories.LogPath, LogName));
            WaitStatus status = criu.End();
            if (!status.Succeeded && type != CriuRequestType.OpenPreDump)
                throw new OciException($"criu failed: {status} after the dump; log file: {directories.LogPath}/{LogName}");
            done = true;
        }
        finally
        {
            if (!done) Release(criu, wasPaused);
        }
    }

    /// <summary>A criu that was killed leaves the cgroup frozen.</summary>
    private void Release(CriuService criu, bool wasPaused)
    {
        criu.End();
        if (!wasPaused && state.CgroupDirectories.Length > 0) new CgroupControl(state.CgroupDirectories).Thaw();
    }

    private CriuOptions Options(ImageDirectories directories)
    {
        CriuOptions options = Criu.Begin(LogName, CriuConfiguration.Of(state.Annotations));
        directories.AddTo(options);
        options.Set(CriuOption.Root, state.Rootfs);
        options.Set(CriuOption.Pid, state.Init.Pid);
        options.Set(CriuOption.ManageCgroupsMode, (long)(Criu.CgroupsMode ?? CgroupsMode.Soft));
        options.SetIf(CriuOption.LeaveRunning, settings.LeaveRunning);
        options.SetIf(CriuOption.TcpSkipInFlight, settings.TcpSkipInFlight);
        options.SetIf(CriuOption.LinkRemap, settings.LinkRemap);
        if (settings.PageServer is { } server) options.Add(CriuOption.PageServer, server.Address, server.Port);
        if (Criu.ParentPath is not null) options.Set(CriuOption.ParentImage, Criu.ParentPath);
        options.SetIf(CriuOption.TrackMemory, Criu.ParentPath is not null);
        if (new CgroupControl(state.CgroupDirectories).FreezerPath() is { } freezer) options.Set(CriuOption.FreezeCgroup, freezer);
        ExternalNamespaces.Dump(container.Spec, state.Init.Pid, options);
        if (settings.PreDump) return options;
        ExternalMount.Dump(ExternalMount.Of(container.Plan, container.StateDirectory), state.Init.Pid, options);
        StandardStreams.Dump(state.Init.Pid, directories.Images, options);
        return options;
    }

    private void Notified(CriuResponse notification, Fd passed)
    {
        if (notification.Script != "status-ready" || _statusFd < 0) return;
        // Whoever waits there may have given up.
        Files.WriteAll(_statusFd, "\0"u8);
        Files.Close(_statusFd);
        _statusFd = -1;
    }

    private void CheckStatusFd()
    {
        if (_statusFd < 0) return;
        long flags = Files.Fcntl(_statusFd, Files.F_GETFL);
        OciException.Check(flags, $"invalid --status-fd argument {_statusFd}");
        if ((flags & 3) == Files.O_RDONLY) throw new OciException($"invalid --status-fd argument {_statusFd}: not writable");
    }
}
