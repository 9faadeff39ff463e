using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.Protobuf;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Shim;

/// <summary>
/// containerd.task.v2.Task and v3, whose messages are the same. All of it runs on the loop's thread; what may wait is given to
/// <see cref="Workers"/>, and goes on here.
/// </summary>
internal sealed partial class TaskService
{
    private const string V2 = "containerd.task.v2.Task", V3 = "containerd.task.v3.Task";

    private readonly EventLoop _loop;
    private readonly Workers _workers, _brief;
    private readonly EventPublisher _events;
    private readonly ContainerWork _work;
    private readonly string _space;
    private readonly Action<bool> _idle;
    private readonly Action _emptied;
    private readonly Dictionary<string, Container> _containers = new(StringComparer.Ordinal);
    private readonly Dictionary<int, TaskProcess> _byPid = [];
    private readonly Dictionary<string, Action<Call>> _methods;
    private bool _isEndWished;

    /// <param name="loop">Whose thread this is.</param>
    /// <param name="workers">For what may wait, and perhaps for ever: for hooks, disks, file systems that others serve.</param>
    /// <param name="brief">For what waits for the kernel or a lock, and not for ever.</param>
    /// <param name="events">Where to they go.</param>
    /// <param name="space">containerd's namespace.</param>
    /// <param name="request">Readable when the shim is to end.</param>
    /// <param name="idle">Called when there is no container and a client wishes the shim's end, with true, or has wished it before.</param>
    /// <param name="emptied">Called when the last container has gone.</param>
    public TaskService(EventLoop loop, Workers workers, Workers brief, EventPublisher events, string space, Fd request, Action<bool> idle,
        Action emptied)
    {
        (_loop, _workers, _brief, _events, _space, _idle, _emptied) = (loop, workers, brief, events, space, idle, emptied);
        _work = new ContainerWork(space, request, act => loop.Post(() => workers.RunAnyway(act, LogFailure)));
        _methods = new(StringComparer.Ordinal)
        {
            ["Create"] = call => Create(call, Read(new CreateRequest(), call)),
            ["Start"] = call => Start(call, Read(new TaskRequest(), call)),
            ["Delete"] = call => Delete(call, Read(new TaskRequest(), call)),
            ["Wait"] = call => Wait(call, Read(new TaskRequest(), call)),
            ["State"] = call => State(call, Read(new TaskRequest(), call)),
            ["Kill"] = call => Kill(call, Read(new KillRequest(), call)),
            ["Exec"] = call => Exec(call, Read(new ExecRequest(), call)),
            ["Pids"] = call => Pids(call, Read(new TaskRequest(), call)),
            ["CloseIO"] = call => CloseIO(call, Read(new CloseIORequest(), call)),
            ["ResizePty"] = call => Resize(call, Read(new ResizeRequest(), call)),
            ["Pause"] = call => Pause(call, Read(new TaskRequest(), call)),
            ["Resume"] = call => Resume(call, Read(new TaskRequest(), call)),
            ["Checkpoint"] = call => Checkpoint(call, Read(new CheckpointRequest(), call)),
            ["Update"] = call => Update(call, Read(new UpdateRequest(), call)),
            ["Stats"] = call => Stats(call, Read(new TaskRequest(), call)),
            ["Connect"] = call => Connect(call, Read(new TaskRequest(), call)),
            ["Shutdown"] = Shutdown,
        };
    }

    /// <summary>There is no container, and none is being made.</summary>
    public bool IsEmpty => _containers.Count == 0;

    /// <summary>The shim is about to end: there are no new containers.</summary>
    public bool IsEnding { get; private set; }

    /// <summary>From now on there are no new containers, and those that are being made are taken back.</summary>
    public void End()
    {
        IsEnding = true;
        foreach (Container container in _containers.Values) container.Abandon();
    }

    /// <summary>Serves a request, now or later.</summary>
    public void Serve(Call call)
    {
        try
        {
            if (call.Service is not (V2 or V3) || !_methods.TryGetValue(call.Method, out Action<Call>? method))
                throw new TaskError(RpcCode.Unimplemented, $"unknown method {call.Service}/{call.Method}");
            method(call);
        }
        catch (Exception e)
        {
            call.Fail(Explain("", e));
        }
    }

    /// <summary>Takes notice of children that nobody has made here: what a container's processes have left behind.</summary>
    public void ReapOrphans()
    {
        // Those of this thread, to which orphans come: children of launches that are under way are other threads' (wait(2), __WNOTHREAD).
        while (Processes.Reap(-1, out WaitStatus status, Processes.WNOHANG | Processes.WNOTHREAD) is > 0 and long pid)
        {
            // Those of a thread that has gone are this one's. What it has launched last is known once what it posted before is done.
            WaitStatus ended = status;
            if (!TryEnd((int)pid, ended)) _loop.Post(() => TryEnd((int)pid, ended));
        }
    }

    /// <summary>False when no client knows it.</summary>
    private bool TryEnd(int pid, WaitStatus status)
    {
        bool isKnown = _byPid.TryGetValue(pid, out TaskProcess? process);
        if (isKnown) End(process!, status);
        return isKnown;
    }

    private static T Read<T>(T request, Call call)
        where T : TaskRequest => TaskRequest.Read(request, call.Payload);

    private static TaskError Explain(string prefix, Exception e)
    {
        if (e is TaskError told) return prefix.Length == 0 ? told : new(told.Code, prefix + told.Message);
        if (e is FormatException) return new(RpcCode.InvalidArgument, $"the request is no message of the method's: {e.Message}");
        if (e is OciException or IOException or Launch.InterruptedException) return new(RpcCode.Unknown, prefix + e.Message);
        if (e is OutOfMemoryException) return new(RpcCode.ResourceExhausted, prefix + MemoryLimit.Exceeded);
        ShimLog.Bug(e);
        return new(RpcCode.Unknown, $"{prefix}bug in ocirun's shim: {e.GetType().Name}: {e.Message}");
    }

    private static void LogFailure(Exception? e)
    {
        if (e is not null) ShimLog.Warn(e.Message);
    }

    /// <summary>Does what may wait, then the rest; a failure of either is the call's answer.</summary>
    private void Run(Call call, Action work, Action then, string prefix = "", Action? failed = null) =>
        Run(_workers, call, work, then, prefix, failed);

    /// <summary>The same for what does not wait for long.</summary>
    private void RunBriefly(Call call, Action work, Action then, Action? failed = null) => Run(_brief, call, work, then, "", failed);

    private static void Run(
        Workers workers, Call call, Action work, Action then, string prefix, Action? failed) => workers.Run(work, thrown =>
    {
        try
        {
            if (thrown is null)
            {
                then();
                return;
            }
        }
        catch (Exception e)
        {
            thrown = e;
        }
        failed?.Invoke();
        call.Fail(Explain(prefix, thrown));
    });

    private Container Find(TaskRequest request) =>
        _containers.TryGetValue(request.Id, out Container? container) && container.IsCreated ? container
        : throw new TaskError(RpcCode.NotFound, "container not created");

    private TaskProcess FindProcess(TaskRequest request)
    {
        Container container = Find(request);
        if (request.ExecId.Length == 0) return container.Init;
        return container.Execs.TryGetValue(request.ExecId, out TaskProcess? exec) ? exec
            : throw new TaskError(RpcCode.NotFound, $"process does not exist {request.ExecId}");
    }

    private void State(Call call, TaskRequest request)
    {
        TaskProcess process = FindProcess(request);
        ProtobufWriter answer = new ProtobufWriter().Text(1, process.IsInit ? request.Id : process.ExecId)
            .Text(2, process.Container.Bundle).Number(3, process.Pid).Number(4, (long)process.Status).Text(5, process.Names.Stdin)
            .Text(6, process.Names.Stdout).Text(7, process.Names.Stderr).Number(8, process.Names.Terminal ? 1 : 0);
        call.Answer(answer.Number(9, process.ExitStatus).Message(10, process.ExitedAt.Write()));
    }

    private void Wait(Call call, TaskRequest request)
    {
        TaskProcess process = FindProcess(request);
        if (process.HasEnded)
        {
            call.Answer(Ended(process));
            return;
        }
        process.Waiters.Add(call);
        call.Abandoned = () => process.Waiters.Remove(call);
        // A client that asks for a while, and then again, would leave one more behind each time.
        call.Deadline = AtDeadline(call, () =>
        {
            process.Waiters.Remove(call);
            call.Fail(new TaskError(RpcCode.DeadlineExceeded, "context deadline exceeded"));
        });
    }

    /// <summary>Null for a client that waits for ever.</summary>
    private EventLoop.Timer? AtDeadline(Call call, Action act) =>
        call.Milliseconds > 0 ? _loop.After((int)Math.Min(call.Milliseconds, int.MaxValue), act) : null;

    private static ProtobufWriter Ended(TaskProcess process) =>
        new ProtobufWriter().Number(1, process.ExitStatus).Message(2, process.ExitedAt.Write());

    private void Kill(Call call, KillRequest request)
    {
        TaskProcess process = FindProcess(request);
        if (process.HasEnded || (process.IsInit && process.Container.IsInitDead))
            throw new TaskError(RpcCode.NotFound, "process already finished");
        if (process.PidFd is not { } pidfd) throw new TaskError(RpcCode.FailedPrecondition, "process not created");
        if (request.Signal is < 0 or > Processes.SignalCount) throw new TaskError(RpcCode.InvalidArgument, $"signal {request.Signal}");
        if (process.IsInit && (request.All || request.Signal == Processes.SIGKILL))
        {
            Container container = process.Container;
            RunBriefly(call, () => ContainerWork.Kill(container, request.Signal, request.All), call.Answer);
            return;
        }
        long sent = Processes.PidFdSendSignal(pidfd.Number, request.Signal);
        if (sent == -Errno.ESRCH) throw new TaskError(RpcCode.NotFound, "process already finished");
        OciException.Check(sent, $"signal process {process.Pid}");
        call.Answer();
    }

    private void CloseIO(Call call, CloseIORequest request)
    {
        TaskProcess process = FindProcess(request);
        if (request.Stdin)
        {
            process.IsStdinClosed = true;
            process.Streams?.CloseStdin();
        }
        call.Answer();
    }

    private void Resize(Call call, ResizeRequest request)
    {
        TaskProcess process = FindProcess(request);
        if (process.HasEnded && !process.IsInit) throw new TaskError(RpcCode.Unknown, "cannot resize a stopped process");
        process.Size = request.Size;
        process.Streams?.Resize(request.Size);
        call.Answer();
    }

    private void Pids(Call call, TaskRequest request)
    {
        Container container = Find(request);
        int[] pids = [];
        RunBriefly(call, () => pids = container.State is { } state ? ContainerWork.Pids(state) : [], () =>
        {
            // Without any containerd would take what has ended while it was away for gone, and its exit code with it.
            if (pids.Length == 0) pids = [container.Init.Pid];
            ProtobufWriter answer = new();
            foreach (int pid in pids) answer.Message(1, Describe(pid));
            call.Answer(answer);
        });

        ProtobufWriter Describe(int pid)
        {
            ProtobufWriter info = new ProtobufWriter().Number(1, pid);
            return _byPid.TryGetValue(pid, out TaskProcess? known) && !known.IsInit && known.Container == container
                ? info.Message(2, AnyMessage.Write("containerd.runc.v1.ProcessDetails", new ProtobufWriter().Text(1, known.ExecId).Written))
                : info;
        }
    }

    private void Pause(Call call, TaskRequest request)
    {
        Container container = Find(request);
        if (container.Init.Status != ProcessStatus.Running) throw Wrong("pause", container);
        container.IsPausing = true;
        RunBriefly(call, () => ContainerWork.SetFrozen(container, frozen: true), () =>
        {
            container.IsPausing = false;
            container.IsPaused = true;
            Publish("/tasks/paused", "TaskPaused", new ProtobufWriter().Text(1, container.Id));
            call.Answer();
        }, failed: () => container.IsPausing = false);
    }

    private void Resume(Call call, TaskRequest request)
    {
        Container container = Find(request);
        if (container.Init.Status != ProcessStatus.Paused) throw Wrong("resume", container);
        RunBriefly(call, () => ContainerWork.SetFrozen(container, frozen: false), () =>
        {
            container.IsPaused = false;
            Publish("/tasks/resumed", "TaskResumed", new ProtobufWriter().Text(1, container.Id));
            call.Answer();
        });
    }

    private void Checkpoint(Call call, CheckpointRequest request)
    {
        Container container = Find(request);
        if (container.Init.Status is not (ProcessStatus.Running or ProcessStatus.Paused)) throw Wrong("checkpoint", container);
        if (!request.Path.StartsWith('/')) throw new TaskError(RpcCode.InvalidArgument, "a checkpoint's path begins at the root");
        Run(call, () => _work.Checkpoint(container, request), call.Answer);
    }

    private void Update(Call call, UpdateRequest request)
    {
        Container container = Find(request);
        if (container.Init.HasEnded) throw new TaskError(RpcCode.Unknown, "cannot update a stopped container");
        SpecProblems problems = new("the resources");
        LinuxResources resources = SpecReader.ParseResources(request.Resources.Value ?? [], problems);
        if (problems.HasErrors) throw new TaskError(RpcCode.InvalidArgument, problems.ToString());
        RunBriefly(call, () => ContainerWork.Update(container, resources), call.Answer);
    }

    private void Stats(Call call, TaskRequest request)
    {
        ContainerState state = Find(request).State ?? throw new TaskError(RpcCode.NotFound, "the container has no cgroup yet");
        ProtobufWriter? answer = null;
        RunBriefly(call, () => answer = Metrics.Read(state.CgroupDirectories), () => call.Answer(answer!));
    }

    private void Connect(Call call, TaskRequest request)
    {
        int pid = _containers.TryGetValue(request.Id, out Container? container) ? container.Init.Pid : 0;
        call.Answer(new ProtobufWriter().Number(1, Processes.Pid()).Number(2, pid).Text(3, BuildInfo.Version));
    }

    private void Shutdown(Call call)
    {
        call.Answer();
        _isEndWished = true;
        if (IsEmpty) _idle(true);
    }

    private static TaskError Wrong(string verb, Container container) =>
        new(RpcCode.Unknown, $"cannot {verb} a container that is {container.Init.Status.ToString().ToLowerInvariant()}");

    private void Publish(string topic, string type, ProtobufWriter message) => _events.Publish(topic, "containerd.events." + type, message);
}
