using OciRuntime.Cgroups;
using OciRuntime.Checkpoint;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Shim;

/// <summary>A process that was made: what the shim keeps of it.</summary>
internal sealed class MadeProcess
{
    public required int Pid { get; init; }

    public required Fd PidFd { get; init; }

    /// <summary>The master of its terminal, or null.</summary>
    public required Fd? Master { get; init; }

    public required ProcessStreams Streams { get; init; }

    /// <summary>Of a container: its journal.</summary>
    public ContainerState? State { get; init; }

    /// <summary>Of a container: tells when memory has ended, where that can be told.</summary>
    public OomWatch? Oom { get; set; }
}

/// <summary>
/// What is done to containers, by the code that the commands run. All of it may wait, and none of it touches the shim's state.
/// </summary>
/// <param name="space">containerd's namespace.</param>
/// <param name="request">Readable when the shim is to end: what has begun is undone.</param>
/// <param name="patiently">Runs what may wait without anybody who waits for it; may be called from any thread.</param>
internal sealed class ContainerWork(string space, Fd request, Action<Action> patiently)
{
    /// <summary>
    /// Mounts the root file system and makes the container, which then waits for its start; of one that is to be restored there is only the
    /// root file system then, and this gives null.
    /// </summary>
    public MadeProcess? Create(Container container, CreateRequest create)
    {
        RootFilesystem.Mount(container.Bundle, create.Rootfs);
        try
        {
            BundleFiles.WriteRoot(container.Bundle, container.Settings.Root);
            return container.Checkpoint.Length > 0 ? null : Make(container, container.Creation!, Launch);
        }
        catch
        {
            RootFilesystem.TryUnmountAll(container.Bundle);
            throw;
        }
    }

    /// <summary>Has criu make the container, whose program goes on then.</summary>
    public MadeProcess Restore(Container container) => Make(container, request, Restore);

    /// <summary>Saves the container.</summary>
    public void Checkpoint(Container container, CheckpointRequest checkpoint)
    {
        string? ownWork = CriuDirectory(container) is { } directory ? $"{directory}/criu-work" : null;
        DumpSettings settings = CheckpointSettings.Read(checkpoint, ownWork);
        using ContainerEntry entry = container.Store.Open(container.Id);
        entry.Acquire("checkpoint");
        using Interruption interruption = new(request);
        ContainerDump.Run(settings, entry, interruption);
        // Of a failure it has the reasons.
        if (ownWork is not null && settings.Criu.WorkPath == ownWork) DirectoryTree.Remove(Files.AT_FDCWD, ownWork, ownWork);
    }

    /// <summary>Has the container run its program.</summary>
    public void Start(Container container)
    {
        using ContainerEntry entry = container.Store.Open(container.Id);
        entry.Acquire("start");
        ContainerState state = entry.ReadState();
        ContainerStart.Check(entry.Probe(state));
        ContainerStart.Run(entry, state, () => new Interruption(request), RunPoststop);
    }

    /// <summary>Makes one more process, whose program runs then.</summary>
    public MadeProcess Exec(TaskProcess exec)
    {
        Container container = exec.Container;
        using ContainerEntry entry = container.Store.Open(container.Id);
        ContainerState state = entry.ReadState();
        RuntimeSpec spec = SpecLoader.Reload(entry);
        Process own = spec.Process!;
        spec.Process = ExecProcess.Complete(exec.Spec!, own, out string[] absent);
        ProcessStreams streams = OpenStreams(container, exec);
        using Interruption interruption = new(request);
        ExecSettings settings = new()
        {
            Streams = streams.Child,
            HasOtherRights = ExecProcess.Differs(spec.Process, own),
            // The request's; its validator names them so, too.
            PlaceOf = pointer => ExecProcess.IsOf(pointer, absent) ? null : $"/{pointer}",
        };
        ExecLaunch launch = new(settings, spec, entry, state, interruption);
        try
        {
            launch.Run(ShimLog.Warn, debug: null);
            Fd? master = launch.Terminal;
            launch.Terminal = null;
            streams.CloseChildEnds();
            return new MadeProcess
            {
                Pid = launch.Child!.Pid,
                PidFd = new Fd(launch.Child.PidFd.Release()),
                Master = master,
                Streams = streams,
            };
        }
        catch
        {
            streams.Dispose();
            throw;
        }
        finally
        {
            launch.Dispose();
            launch.Free();
        }
    }

    /// <summary>Ends a process that was made, and cannot be had.</summary>
    public static void TakeBack(MadeProcess made)
    {
        const int EndMilliseconds = 2000;
        using Fd process = made.PidFd;
        made.Oom?.Dispose();
        // ESRCH: it has ended by itself.
        Processes.PidFdSendSignal(process.Number, Processes.SIGKILL);
        // -ECHILD: the loop has reaped it, as the thread that has made it is gone.
        if (ContainerTeardown.WaitForEnd(process.Number, EndMilliseconds)) Processes.ReapByPidFd(process.Number, Processes.WNOHANG);
    }

    /// <summary>Sends a signal to the first process, or, as the runtime has it, to all of them.</summary>
    public static void Kill(Container container, int signal, bool all)
    {
        using ContainerEntry entry = container.Store.TryOpen(container.Id) ?? throw new TaskError(RpcCode.NotFound, "no such container");
        try
        {
            ContainerKill.Run(entry, signal, all);
        }
        catch (OciException e) when (e.Errno == Errno.ESRCH)
        {
            throw new TaskError(RpcCode.NotFound, "process already finished");
        }
    }

    /// <summary>Removes the container, of which there may be nothing left, and unmounts its root file system.</summary>
    public static void Delete(Container container)
    {
        DeleteState(container);
        RootFilesystem.UnmountAll(container.Bundle);
    }

    private static void DeleteState(Container container) =>
        DeleteState(container.Store, container.Id, ContainerLock.DefaultWaitMilliseconds, RunPoststop);

    /// <summary>What the state directory has of a container, if anything, and what the journal names.</summary>
    public static void DeleteState(ContainerStore store, string id, int waitMilliseconds, PoststopRunner runPoststop)
    {
        using ContainerEntry? entry = store.TryOpen(id);
        if (entry is null || !entry.TryAcquire("delete", waitMilliseconds, mayMake: true)) return;
        if (entry.TryReadState() is { } state) ContainerTeardown.Run(entry, state, runPoststop);
        else entry.Remove();
    }

    /// <summary>Freezes or thaws.</summary>
    public static void SetFrozen(Container container, bool frozen)
    {
        using ContainerEntry entry = container.Store.Open(container.Id);
        entry.Acquire(frozen ? "pause" : "resume");
        CgroupControl cgroup = Cgroup(entry.ReadState());
        if (frozen) cgroup.Freeze();
        else cgroup.Thaw();
    }

    public static void Update(Container container, LinuxResources resources)
    {
        using ContainerEntry entry = container.Store.Open(container.Id);
        entry.Acquire("update");
        ContainerState state = entry.ReadState();
        if (resources.Pids is { Limit: 0 } pids) pids.Settle(SpecLoader.Reload(entry).OciVersion);
        CgroupPlan plan = LimitUpdate.Plan(entry, state, Cgroup(state).Paths, resources, out List<string> warnings);
        warnings.ForEach(ShimLog.Warn);
        LimitUpdate.Apply(plan, entry, state, static () => { });
    }

    /// <summary>All processes, ascending; without a cgroup, those in the pid namespace.</summary>
    public static int[] Pids(ContainerState state) =>
        state.CgroupDirectories.Length > 0 ? new CgroupControl(state.CgroupDirectories).Pids() : NamespaceProcesses.Of(state.Init);

    /// <summary>Runs poststop hooks; what fails is only told.</summary>
    public static void RunPoststop(ContainerState state) => HookRunner.RunPoststop(state, ShimLog.Warn);

    private static CgroupControl Cgroup(ContainerState state) => state.CgroupDirectories.Length > 0
        ? new CgroupControl(state.CgroupDirectories) : throw new OciException("the container has no cgroup of its own", Errno.ENOENT);

    private ProcessStreams OpenStreams(Container container, TaskProcess process) => ProcessStreams.Open(
        process.Names, process.IsInit, (container.Settings.IoUid, container.Settings.IoGid),
        uri => LoggerProgram.Start(uri, process.IsInit ? container.Id : process.ExecId, space, patiently));

    /// <summary>containerd's directory for what is written beside a container; null where there is none.</summary>
    private static string? CriuDirectory(Container container) =>
        Files.StatAt(Files.AT_FDCWD, $"{container.Bundle}/work", 0, out _) >= 0 ? $"{container.Bundle}/work" : null;

    /// <summary>Makes the first process.</summary>
    /// <param name="container">Its container.</param>
    /// <param name="request">Readable when it is to be taken back.</param>
    /// <param name="launch">Makes it.</param>
    private MadeProcess Make(Container container, Fd request, Action<Container, LaunchContext, ProcessStreams> launch)
    {
        ProcessStreams streams = OpenStreams(container, container.Init);
        try
        {
            using Interruption interruption = new(request);
            MadeProcess made = Make(container, interruption, streams, launch);
            try
            {
                PidFile.Write($"{container.Bundle}/{BundleFiles.InitPid}", made.Pid);
                made.Oom = WatchMemory(made.State!);
                return made;
            }
            catch
            {
                made.PidFd.Dispose();
                made.Master?.Dispose();
                DeleteState(container);
                throw;
            }
        }
        catch
        {
            streams.Dispose();
            throw;
        }
    }

    private static MadeProcess Make(Container container, Interruption interruption, ProcessStreams streams,
        Action<Container, LaunchContext, ProcessStreams> launch)
    {
        LaunchPreparation preparation = LaunchPreparation.Build(Settings(container), $"{container.Store.Root.Path}/{container.Id}");
        preparation.Warnings.ForEach(ShimLog.Warn);
        LaunchContext context = new(preparation, container.Store, interruption, ShimLog.Warn, debug: null);
        try
        {
            launch(container, context, streams);
            Fd? master = context.Terminal;
            context.Terminal = null;
            streams.CloseChildEnds();
            return new MadeProcess
            {
                Pid = context.State.Init.Pid,
                PidFd = new Fd(context.PidFd.Release()),
                Master = master,
                Streams = streams,
                State = context.State,
            };
        }
        finally
        {
            context.Dispose();
            context.Compiled?.Free();
        }
    }

    private static LaunchSettings Settings(Container container)
    {
        bool restores = container.Checkpoint.Length > 0;
        RuntimeSettings settings = container.Settings;
        return new()
        {
            Verb = restores ? "restore" : "create",
            Id = container.Id,
            Bundle = container.Bundle,
            NoPivot = settings.NoPivotRoot,
            NoNewKeyring = settings.NoNewKeyring,
            WaitForStart = !restores,
            Detached = true,
            Keep = true,
            KeepsTerminal = container.Init.Names.Terminal,
            Systemd = settings.SystemdCgroup,
        };
    }

    private static void Launch(Container container, LaunchContext context, ProcessStreams streams)
    {
        context.Descriptors.GiveStreams(streams.Child);
        new ContainerLaunch(context).Run();
    }

    private static void Restore(Container container, LaunchContext context, ProcessStreams streams)
    {
        string given = container.Settings.CriuWorkPath;
        using ContainerRestore restore = new(
            new RestoreSettings
            {
                Criu = new CriuSettings
                {
                    ImagePath = container.Checkpoint,
                    WorkPath = given.Length > 0 ? given : CriuDirectory(container),
                },
                Streams = streams.Child,
            }, context);
        restore.Run();
    }

    /// <summary>A container whose memory cannot be watched is one all the same.</summary>
    private static OomWatch? WatchMemory(ContainerState state)
    {
        try
        {
            using StatsSource source = new(state.CgroupDirectories);
            return OomWatch.Open(source);
        }
        catch (OciException e)
        {
            ShimLog.Warn($"the end of memory in container {state.Id} will not be told: {e.Message}");
            return null;
        }
    }
}
