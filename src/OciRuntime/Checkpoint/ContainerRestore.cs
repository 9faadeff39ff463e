using OciRuntime.Cgroups;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Rdt;
using OciRuntime.State;

namespace OciRuntime.Checkpoint;

/// <summary>What only restore can be told.</summary>
internal sealed class RestoreSettings
{
    public required CriuSettings Criu { get; init; }

    /// <summary>Connections are restored as closed.</summary>
    public bool TcpClose { get; init; }

    /// <summary>TYPE:NAME instead of the profile or label in the images, or null.</summary>
    public string? LsmProfile { get; init; }

    /// <summary>SELinux context of file systems instead of those in the images, or null.</summary>
    public string? LsmMountContext { get; init; }

    /// <summary>What the first process gets in the place of the standard streams of then; null for the caller's own.</summary>
    public int[]? Streams { get; init; }
}

/// <summary>One restore, from the journal to a container that runs: a launch in which criu makes the processes.</summary>
internal sealed class ContainerRestore(RestoreSettings settings, LaunchContext context) : IDisposable
{
    private const string LogName = "restore.log";
    private const int EndMilliseconds = 5000;
    private readonly LaunchPreparation _preparation = context.Preparation;
    private ImageDirectories? _directories;
    private string[] _streams = [];
    private List<ExternalMount> _mounts = [];

    private CriuSettings Criu => settings.Criu;
    private ImageDirectories Directories => _directories!;

    /// <summary>Restores; on any failure nothing is left, poststop hooks included.</summary>
    public void Run()
    {
        ExternalMount.RefuseHosts(_preparation.Plan);
        context.OrUndo(() => Actions().ForEach(context.Run));
    }

    private List<LaunchAction> Actions()
    {
        List<LaunchAction> actions =
        [
            .. LaunchActions.Begin(_preparation),
            .. LaunchActions.Late(_preparation),
            new(() => [new($"make {NotifyProxy.DirectoryOf(_preparation.StateDirectory)}")],
                static c => NotifyProxy.MakeDirectory(c.Entry)),
            new(static () => [new("make the mount points that are missing")],
                static c => MountPoints.Make(c.Preparation.Plan, c.Preparation.Rootfs)),
            new(static () => [new("have criu restore the processes")], _ => Restore(), undo: End),
        ];
        // Once the name is ours, and before there is anything else to go wrong: what is no checkpoint is to be refused as that.
        actions.Insert(1, new(() => [new($"open the images in {Criu.ImagePath}")], OpenImages));
        return actions;
    }

    private void OpenImages(LaunchContext c)
    {
        _mounts = ExternalMount.Of(_preparation.Plan, _preparation.StateDirectory);
        _directories = ImageDirectories.Open(Criu);
        _streams = StandardStreams.Read(_directories, Criu.ImagePath);
    }

    private void Restore()
    {
        List<(string Name, Fd Fd)> replaced = StandardStreams.Replacements(_streams, settings.Streams ?? [0, 1, 2]),
            inherited = [.. ExternalNamespaces.Open(_preparation.Spec), .. replaced];
        try
        {
            using UnifiedMountOptions kept = new();
            using Fd rootfs = CloneRootfs(), nullDevice = CloneNullDevice();
            // Not where it is a device of the container's, too: criu would have to make that one writable again, and may not, in a user
            // namespace. There the device is not the container's root's either.
            bool isBound = _preparation.Plan.Steps.Any(static step => step is DeviceBindStep { Source: ExternalMount.NullDevice });
            // criu wants a root that is a mount point, on a mount that is not covered itself. In a mount namespace of criu's own this needs
            // no clearing away, whatever ends it.
            using CriuService criu = CriuService.Start("restore", [.. inherited.ConvertAll(static one => one.Fd.Number)], settings.Streams,
                isBound ? [(rootfs.Number, context.Entry.Path)]
                : [(rootfs.Number, context.Entry.Path), (nullDevice.Number, ExternalMount.NullDevice)], context.Interruption, 0);
            Directories.MoveTo(criu.Pid);
            CriuOptions options = Options(inherited, replaced);
            EnterCgroups(criu.Pid, options);
            criu.Work(CriuRequestType.Restore, options, Notified, new CriuLog(Directories.LogPath, LogName));
            WaitStatus status = criu.End();
            if (!status.Succeeded)
                throw new OciException($"criu failed: {status} after the restore; log file: {Directories.LogPath}/{LogName}");
            if (context.Restored is null) throw new OciException("criu restored the container without a word about its first process");
        }
        finally
        {
            foreach ((_, Fd fd) in inherited) fd.Dispose();
        }
    }

    private Fd CloneRootfs()
    {
        long tree = Mounts.OpenTree(Files.AT_FDCWD, _preparation.Rootfs, Mounts.OPEN_TREE_CLONE | Files.AT_RECURSIVE);
        Fd rootfs = Fd.Of(tree, $"bind {_preparation.Rootfs} for criu");
        // criu before 4.2 gives the root none of the flags it had, and so it has those of what it is made from.
        if (_preparation.Spec.Root!.Readonly)
        {
            OciException.Check(Mounts.SetAttributes(rootfs.Number, new MountAttr { Set = Mounts.MOUNT_ATTR_RDONLY }, recursive: false),
                "make the root read-only");
        }
        return rootfs;
    }

    // What hides files is bound by criu from its own /dev/null, and only the first of those gets the flags it had: the others are taken to
    // have the first one's already. On a writable mount the container's root could change mode and owner of the host's device.
    private static Fd CloneNullDevice()
    {
        Fd device = Fd.Of(Mounts.OpenTree(Files.AT_FDCWD, ExternalMount.NullDevice, Mounts.OPEN_TREE_CLONE),
            $"bind {ExternalMount.NullDevice} for criu");
        OciException.Check(Mounts.SetAttributes(device.Number, new MountAttr { Set = Mounts.MOUNT_ATTR_RDONLY }, recursive: false),
            $"make criu's {ExternalMount.NullDevice} read-only");
        return device;
    }

    private CriuOptions Options(List<(string Name, Fd Fd)> inherited, List<(string Name, Fd Fd)> replaced)
    {
        CriuOptions options = Criu.Begin(LogName, CriuConfiguration.Of(context.State.Annotations));
        Directories.AddTo(options);
        options.Set(CriuOption.Root, context.Entry.Path);
        // The first process becomes a child of ours, not criu's.
        options.Set(CriuOption.RestoreSibling, 1);
        options.Set(CriuOption.EvasiveDevices, 1);
        options.SetIf(CriuOption.TcpClose, settings.TcpClose);
        // Without cgroups of its own the container's are the ones it had, and those are not ours to make.
        CgroupsMode mode = Criu.CgroupsMode ?? (_preparation.Settings.UseCgroups ? CgroupsMode.Soft : CgroupsMode.Ignore);
        options.Set(CriuOption.ManageCgroupsMode, (long)mode);
        if (settings.LsmProfile is not null) options.Set(CriuOption.LsmProfile, settings.LsmProfile);
        if (settings.LsmMountContext is not null) options.Set(CriuOption.LsmMountContext, settings.LsmMountContext);
        // 0 to 2 are criu's stdio, 3 is the connection.
        for (int i = 0; i < inherited.Count; i++) options.Add(CriuOption.InheritFd, inherited[i].Name, 4 + i);
        ExternalNamespaces.Join(_preparation.Spec, options);
        ExternalMount.Restore(_mounts, options);
        StandardStreams.Restore(_streams, options, replaced);
        return options;
    }

    /// <summary>
    /// criu enters, and what it makes is born there. It is told so, or it would look for the cgroups of the time of the dump.
    /// </summary>
    private void EnterCgroups(int pid, CriuOptions options)
    {
        if (_preparation.Rdt is not null) Resctrl.Enter(_preparation.Rdt, pid);
        if (!_preparation.Settings.UseCgroups) return;
        if (_preparation.Cgroups.Scope is not null) context.Cgroup = Scopes.Make(_preparation, context.State, pid, context.Interruption);
        else context.Cgroup!.EnterByPid(pid);
        byte[] membership = Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{pid}/cgroup", 1 << 20, out long error)
            ?? throw OciException.FromResult(error, $"read /proc/{pid}/cgroup");
        foreach (string line in System.Text.Encoding.UTF8.GetString(membership).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            // Number, controllers, path (cgroups(7)). The path may have colons.
            string[] fields = line.Split(':', 3);
            foreach (string controller in fields[1].Split(',')) options.Add(CriuOption.CgroupRoot, controller, fields[2]);
        }
    }

    private void Notified(CriuResponse notification, Fd passed)
    {
        switch (notification.Script)
        {
            case "setup-namespaces": RunHooks(notification.Pid); break;
            case "orphan-pts-master": TakeTerminal(passed); break;
            case "post-restore": Record(notification.Pid); break;
        }
    }

    /// <summary>
    /// prestart and createRuntime, which set up the network namespace; of the others the program has the effects in its memory.
    /// </summary>
    private void RunHooks(int pid)
    {
        SetInit(pid);
        if (_preparation.Plan.Find<LoopbackUpStep>() is not null)
        {
            // The network namespace is a new one, with nothing of what was in the old.
            using NetworkDevices network = new(pid);
            network.RaiseLoopback();
        }
        if (_preparation.HasHooksOutside) context.RunHooks();
    }

    /// <summary>All is there and nothing runs yet.</summary>
    private void Record(int pid)
    {
        SetInit(pid);
        ExternalMount.CheckRestored(_mounts, pid, _preparation.Spec.Root!.Readonly);
        context.Record();
    }

    private void SetInit(int pid)
    {
        if (context.Restored is not null) return;
        // The number came from criu; nobody else's process is to be taken for the container's.
        if (!Processes.IsChild(pid)) throw new OciException($"pid {pid}, which criu says it has restored, is not a child of this process");
        context.Restored = Fd.Of(Processes.PidFdOpen(pid), "open the restored process");
        context.State.Init = ProcessIdentity.Of(pid) ?? throw new OciException("the restored process is gone");
        context.Entry.WriteState(context.State);
    }

    private void TakeTerminal(Fd master)
    {
        if (master.Number < 0) throw new OciException("criu sent no terminal");
        if (_preparation.Settings.ConsoleSocket is { } path)
        {
            using Fd socket = Sockets.ConnectStream(path, $"--console-socket {path}", context.Interruption.ForPeer);
            OciException.Check(Sockets.SendAll(socket.Number, "/dev/ptmx"u8, master.Number, context.Interruption.ForPeer),
                $"--console-socket {path}: send the terminal");
        }
        else
        {
            if (_preparation.Settings is { Detached: true, KeepsTerminal: false })
                throw new OciException("the container has a terminal: pass --console-socket PATH, or do not detach");
            context.Terminal = new Fd(master.Release());
            TerminalRelay.Prepare(context.Terminal.Number);
        }
    }

    /// <summary>Kills what there is, and takes the first process's status.</summary>
    private static void End(LaunchContext c)
    {
        // criu has ended what it made, unless it was killed. Nobody else is in the cgroups: they were empty or new.
        if (c.Cgroup is not null) new CgroupControl(c.State.CgroupDirectories).KillAll(Processes.SIGKILL);
        if (c.Restored is null) return;
        // ESRCH, or ECHILD below: it has ended and been waited for.
        Processes.PidFdSendSignal(c.Restored.Number, Processes.SIGKILL);
        // What cannot be killed, or has a tracer that takes its status first, is not waited for.
        if (ContainerTeardown.WaitForEnd(c.Restored.Number, EndMilliseconds)) Processes.Reap(c.State.Init.Pid, out _, Processes.WNOHANG);
    }

    public void Dispose() => _directories?.Dispose();
}
