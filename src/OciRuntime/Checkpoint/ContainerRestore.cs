using OciRuntime.Cgroups;
using OciRuntime.Init;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Rdt;
using OciRuntime.State;

namespace OciRuntime.Checkpoint;

/// <summary>
/// One restore, from the journal to a container that runs. A transaction like <see cref="ContainerLaunch"/>: whatever it creates is in the journal
/// first, and a failure undoes all of it.
/// </summary>
internal sealed unsafe class ContainerRestore : IDisposable
{
    private const string LogName = "restore.log";
    private const int EndMilliseconds = 5000;
    private readonly RestoreSettings _settings;
    private readonly LaunchPreparation _preparation;
    private readonly ContainerEntry _entry;
    private readonly Interruption _interruption;
    private readonly ImageDirectories _directories;
    private readonly string[] _streams;
    private readonly List<ExternalMount> _mounts;
    private CgroupEntry? _cgroup;
    private bool _hooksRan;

    /// <summary>Nothing has been touched when this fails.</summary>
    public ContainerRestore(RestoreSettings settings, LaunchPreparation preparation, ContainerEntry entry, Interruption interruption)
    {
        _settings = settings;
        _preparation = preparation;
        _entry = entry;
        _interruption = interruption;
        _mounts = ExternalMount.Of(preparation.Plan, entry.Path);
        State = ContainerLaunch.NewState(preparation);
        _directories = ImageDirectories.Open(Criu);
        _streams = StandardStreams.Read(_directories, Criu.ImagePath);
    }

    public ContainerState State { get; }

    /// <summary>pidfd of the restored first process, a child of this one.</summary>
    public Fd? FirstProcess { get; private set; }

    /// <summary>Master of the container's terminal when the runtime stays in the foreground.</summary>
    public Fd? Terminal { get; private set; }

    private CriuSettings Criu => _settings.Criu;

    /// <summary>Restores; on any failure nothing is left, poststop hooks included.</summary>
    /// <param name="warn">Takes what goes wrong while undoing.</param>
    public void Run(Action<string> warn)
    {
        try
        {
            _entry.WriteState(State);
            _entry.WriteConfig(_preparation.Config);
            Prepare();
            Restore();
        }
        catch
        {
            Undo(warn);
            throw;
        }
    }

    private void Prepare()
    {
        NotifyProxy.MakeDirectory(_entry);
        MountPoints.Make(_preparation.Plan, _preparation.Rootfs);
        if (_preparation.Settings.UseCgroups && _preparation.Cgroups.Scope == null) _cgroup = Cgroup.Create(_preparation.Cgroups);
        if (_preparation.Rdt != null) Resctrl.Make(_preparation.Rdt);
    }

    private void Restore()
    {
        List<(string Name, Fd Fd)> replaced = StandardStreams.Replacements(_streams), inherited = [.. ExternalNamespaces.Open(_preparation.Spec), .. replaced];
        try
        {
            using UnifiedMountOptions kept = new();
            using Fd rootfs = CloneRootfs(), nullDevice = CloneNullDevice();
            // Not where it is a device of the container's, too: criu would have to make that one writable again, and may not, in a user namespace.
            // There the device is not the container's root's either.
            bool isBound = _preparation.Plan.Steps.Any(static step => step is { Op: InitOp.DeviceBind, Text1: ExternalMount.NullDevice });
            // criu wants a root that is a mount point, on a mount that is not covered itself. In a mount namespace of criu's own this needs no
            // clearing away, whatever ends it.
            using CriuService criu = CriuService.Start("restore", [.. inherited.ConvertAll(static one => one.Fd.Number)], isBound ? [(rootfs.Number, _entry.Path)] : [(rootfs.Number, _entry.Path), (nullDevice.Number, ExternalMount.NullDevice)], _interruption, 0);
            _directories.MoveTo(criu.Pid);
            CriuOptions options = Options(inherited, replaced);
            EnterCgroups(criu.Pid, options);
            criu.Work(CriuRequestType.Restore, options, Notified, new CriuLog(_directories.LogPath, LogName));
            int status = criu.End();
            if (status != 0) throw new OciException($"criu failed: wait status {status} after the restore; log file: {_directories.LogPath}/{LogName}");
            if (FirstProcess == null) throw new OciException("criu restored the container without a word about its first process");
        }
        finally
        {
            foreach ((_, Fd fd) in inherited) fd.Dispose();
        }
    }

    private Fd CloneRootfs()
    {
        long tree;
        fixed (byte* path = CString.Encode(_preparation.Rootfs, stackalloc byte[Kernel.PathMax])) tree = Mounts.OpenTree(Files.AT_FDCWD, path, Mounts.OPEN_TREE_CLONE | Files.AT_RECURSIVE);
        Fd rootfs = new((int)OciException.Check(tree, $"bind {_preparation.Rootfs} for criu"));
        // criu before 4.2 gives the root none of the flags it had, and so it has those of what it is made from.
        if (_preparation.Spec.Root!.Readonly) OciException.Check(Mounts.SetAttributes(rootfs.Number, new MountAttr { Set = Mounts.MOUNT_ATTR_RDONLY }, recursive: false), "make the root read-only");
        return rootfs;
    }

    // What hides files is bound by criu from its own /dev/null, and only the first of those gets the flags it had: the others are taken to have
    // the first one's already. On a writable mount the container's root could change mode and owner of the host's device.
    private static Fd CloneNullDevice()
    {
        long tree;
        fixed (byte* path = CString.Encode(ExternalMount.NullDevice, stackalloc byte[16])) tree = Mounts.OpenTree(Files.AT_FDCWD, path, Mounts.OPEN_TREE_CLONE);
        Fd device = new((int)OciException.Check(tree, $"bind {ExternalMount.NullDevice} for criu"));
        OciException.Check(Mounts.SetAttributes(device.Number, new MountAttr { Set = Mounts.MOUNT_ATTR_RDONLY }, recursive: false), $"make criu's {ExternalMount.NullDevice} read-only");
        return device;
    }

    private CriuOptions Options(List<(string Name, Fd Fd)> inherited, List<(string Name, Fd Fd)> replaced)
    {
        CriuOptions options = Criu.Begin(LogName, CriuConfiguration.Of(State.Annotations));
        _directories.AddTo(options);
        options.Set(CriuOption.Root, _entry.Path);
        // The first process becomes a child of ours, not criu's.
        options.Set(CriuOption.RestoreSibling, 1);
        options.Set(CriuOption.EvasiveDevices, 1);
        options.SetIf(CriuOption.TcpClose, _settings.TcpClose);
        // Without cgroups of its own the container's are the ones it had, and those are not ours to make.
        CgroupsMode mode = Criu.CgroupsMode ?? (_preparation.Settings.UseCgroups ? CgroupsMode.Soft : CgroupsMode.Ignore);
        options.Set(CriuOption.ManageCgroupsMode, (long)mode);
        if (_settings.LsmProfile != null) options.Set(CriuOption.LsmProfile, _settings.LsmProfile);
        if (_settings.LsmMountContext != null) options.Set(CriuOption.LsmMountContext, _settings.LsmMountContext);
        // 0 to 2 are criu's stdio, 3 is the connection.
        for (int i = 0; i < inherited.Count; i++) options.Add(CriuOption.InheritFd, inherited[i].Name, 4 + i);
        ExternalNamespaces.Join(_preparation.Spec, options);
        ExternalMount.Restore(_mounts, options);
        StandardStreams.Restore(_streams, options, replaced);
        return options;
    }

    /// <summary>criu enters, and what it makes is born there. It is told so, or it would look for the cgroups of the time of the dump.</summary>
    private void EnterCgroups(int pid, CriuOptions options)
    {
        if (_preparation.Rdt != null) Resctrl.Enter(_preparation.Rdt, pid);
        if (!_preparation.Settings.UseCgroups) return;
        if (_preparation.Cgroups.Scope != null) _cgroup = Scopes.Make(_preparation, State, pid, _interruption);
        else _cgroup!.EnterByPid(pid);
        byte[] membership = Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{pid}/cgroup", 1 << 20, out long error) ?? throw OciException.FromResult(error, $"read /proc/{pid}/cgroup");
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

    /// <summary>prestart and createRuntime, which set up the network namespace; of the others the program has the effects in its memory.</summary>
    private void RunHooks(int pid)
    {
        SetInit(pid);
        if (_preparation.Plan.Steps.Exists(static s => s.Op == InitOp.LoopbackUp))
        {
            // The network namespace is a new one, with nothing of what was in the old.
            using NetworkDevices network = new(pid);
            network.RaiseLoopback();
        }
        if (_preparation.Spec.Hooks is not { } hooks || hooks.Prestart.Length + hooks.CreateRuntime.Length == 0) return;
        _hooksRan = true;
        HookRunner runner = new(State, _interruption);
        runner.Run("prestart", hooks.Prestart, ContainerStatus.Creating);
        runner.Run("createRuntime", hooks.CreateRuntime, ContainerStatus.Creating);
    }

    /// <summary>All is there and nothing runs yet: from the moment this is written the container belongs to `delete`, not to us.</summary>
    private void Record(int pid)
    {
        SetInit(pid);
        ExternalMount.CheckRestored(_mounts, pid, _preparation.Spec.Root!.Readonly);
        _hooksRan = true;
        State.Phase = ContainerPhase.Created;
        if (_preparation.Rdt != null) State.ResctrlGroups = _preparation.Rdt.ToRemove(State.ResctrlGroups);
        _entry.WriteState(State);
    }

    private void SetInit(int pid)
    {
        if (FirstProcess != null) return;
        // The number came from criu; nobody else's process is to be taken for the container's.
        if (!Processes.IsChild(pid)) throw new OciException($"pid {pid}, which criu says it has restored, is not a child of this process");
        FirstProcess = new Fd((int)OciException.Check(Processes.PidFdOpen(pid), "open the restored process"));
        State.Init = ProcessIdentity.Of(pid) ?? throw new OciException("the restored process is gone");
        _entry.WriteState(State);
    }

    private void TakeTerminal(Fd master)
    {
        if (master.Number < 0) throw new OciException("criu sent no terminal");
        if (_preparation.Settings.ConsoleSocket is { } path)
        {
            using Fd socket = Sockets.ConnectStream(path, $"--console-socket {path}", _interruption.ForPeer);
            OciException.Check(Sockets.SendAll(socket.Number, "/dev/ptmx"u8, master.Number, _interruption.ForPeer), $"--console-socket {path}: send the terminal");
        }
        else
        {
            if (_preparation.Settings.Detached) throw new OciException("the container has a terminal: pass --console-socket PATH, or do not detach");
            Terminal = new Fd(master.Release());
            TerminalRelay.Prepare(Terminal.Number);
        }
    }

    /// <summary>Takes everything back. The journal goes last, so that an interruption here leaves something to repeat it with.</summary>
    private void Undo(Action<string> warn)
    {
        try
        {
            // criu has ended what it made, unless it was killed. Nobody else is in the cgroups: they were empty or new.
            if (_cgroup != null) new CgroupControl(State.CgroupDirectories).KillAll(Processes.SIGKILL);
            if (FirstProcess != null) End();
            _cgroup?.Dispose();
            if (!_hooksRan) State.Poststop = [];
            ContainerTeardown.Run(_entry, State, state => HookRunner.RunPoststop(state, warn));
            _cgroup?.Rollback();
        }
        catch (Exception e)
        {
            // Whatever it is: the caller is to see why the restore failed, not what went wrong afterwards.
            warn($"clean-up after the failure is incomplete: {e.Message}; run \"ocirun delete --force {State.Id}\"");
        }
    }

    /// <summary>Kills the first process and takes its status.</summary>
    public void End()
    {
        // ESRCH, or ECHILD below: it has ended and been waited for.
        Processes.PidFdSendSignal(FirstProcess!.Number, Processes.SIGKILL);
        // What cannot be killed, or has a tracer that takes its status first, is not waited for.
        if (ContainerTeardown.WaitForEnd(FirstProcess.Number, EndMilliseconds)) Processes.Wait(State.Init.Pid, out _, Processes.WNOHANG);
    }

    public void Dispose()
    {
        _directories.Dispose();
        _cgroup?.Dispose();
        FirstProcess?.Dispose();
        Terminal?.Dispose();
    }
}
