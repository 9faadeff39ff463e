using OciRuntime.Cgroups;
using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.Protobuf;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Shim;

/// <summary>The beginning and the end of processes, and the order in which that is told.</summary>
internal sealed partial class TaskService
{
    private const string CreateFailed = "OCI runtime create failed: ";
    private const int TracedMilliseconds = 50, UnkillableMilliseconds = 10_000, DrainMilliseconds = 10_000;

    private void Create(Call call, CreateRequest request)
    {
        if (IsEnding) throw new TaskError(RpcCode.Unavailable, "the shim is about to end");
        ContainerId.Validate(request.Id);
        if (_containers.ContainsKey(request.Id)) throw new TaskError(RpcCode.AlreadyExists, $"container {request.Id}");
        Container container = new(request, RuntimeSettings.Read(request.Options), _space);
        _containers.Add(request.Id, container);
        // A client that has stopped waiting knows nothing of it, and would never delete it.
        EventLoop.Timer? patience = AtDeadline(call, container.Abandon);
        MadeProcess? made = null;
        Run(call, () => made = _work.Create(container, request), () =>
        {
            patience?.Cancel();
            if (made is not null)
            {
                try
                {
                    AdoptInit(container, made);
                }
                catch (Exception e)
                {
                    TakeBack(call, container, Explain(CreateFailed, e));
                    return;
                }
            }
            container.Creation!.Dispose();
            container.Creation = null;
            container.IsCreated = true;
            Publish("/tasks/create", "TaskCreate", Created(request, container.Init.Pid));
            call.Answer(new ProtobufWriter().Number(1, container.Init.Pid));
        }, CreateFailed, () => Forget(container));
    }

    /// <summary>A container that was made, and cannot be had: the client is told when it is gone.</summary>
    private void TakeBack(Call call, Container container, TaskError why) =>
        _workers.RunAnyway(() => ContainerWork.Delete(container), thrown =>
        {
            LogFailure(thrown);
            Forget(container);
            call.Fail(why);
        });

    private static ProtobufWriter Created(CreateRequest request, int pid)
    {
        ProtobufWriter created = new ProtobufWriter().Text(1, request.Id).Text(2, request.Bundle);
        foreach (RootfsMount mount in request.Rootfs) created.Message(3, mount.Write());
        StreamNames streams = request.Streams;
        return created.Message(4, new ProtobufWriter().Text(1, streams.Stdin).Text(2, streams.Stdout).Text(3, streams.Stderr)
            .Number(4, streams.Terminal ? 1 : 0)).Text(5, request.Checkpoint).Number(6, pid);
    }

    private void AdoptInit(Container container, MadeProcess made)
    {
        container.State = made.State;
        Adopt(container.Init, made);
        WatchMemory(container, made.Oom);
    }

    /// <summary>From now on its streams are carried and its end is waited for.</summary>
    private void Adopt(TaskProcess process, MadeProcess made)
    {
        try
        {
            made.Streams.Begin(_loop, made.Master);
            process.Watch = _loop.Add(made.PidFd.Number, Epoll.EPOLLIN, _ => TakeEnd(process));
        }
        catch
        {
            made.Streams.Dispose();
            // Nobody would learn of its end.
            _brief.RunAnyway(() => ContainerWork.TakeBack(made), LogFailure);
            throw;
        }
        (process.Pid, process.PidFd, process.Streams) = (made.Pid, made.PidFd, made.Streams);
        _byPid[made.Pid] = process;
        if (process.IsStdinClosed) made.Streams.CloseStdin();
        if (process.Size is { } size) made.Streams.Resize(size);
    }

    private void WatchMemory(Container container, OomWatch? oom)
    {
        container.Oom = oom;
        if (oom is null) return;
        uint events = oom.PollEvents == Processes.POLLPRI ? Epoll.EPOLLPRI : Epoll.EPOLLIN;
        container.OomWatch = _loop.Add(oom.Descriptor, events, _ => TellOom(container));
    }

    private void TellOom(Container container)
    {
        if (container.Oom is { } oom && oom.Take()) Publish("/tasks/oom", "TaskOOM", new ProtobufWriter().Text(1, container.Id));
    }

    private void Start(Call call, TaskRequest request)
    {
        TaskProcess process = FindProcess(request);
        Container container = process.Container;
        if (container.Init.Deleters is not null) throw new TaskError(RpcCode.Unknown, "cannot start a process that is being deleted");
        if (!process.IsInit && container.IsInitDead)
            throw new TaskError(RpcCode.FailedPrecondition, $"container {container.Id} init process is not running");
        if (process.HasEnded) throw new TaskError(RpcCode.Unknown, "cannot start a stopped process");
        if (process.HasStarted || process.IsStarting) throw new TaskError(RpcCode.Unknown, "cannot start a running process");
        process.IsStarting = true;
        if (process.IsInit) StartInit(call, container);
        else StartExec(call, process);
    }

    private void StartInit(Call call, Container container)
    {
        TaskProcess init = container.Init;
        MadeProcess? restored = null;
        Run(call, Work, () =>
        {
            if (restored is not null) AdoptInit(container, restored);
            (init.IsStarting, init.HasStarted) = (false, true);
            Publish("/tasks/start", "TaskStart", new ProtobufWriter().Text(1, container.Id).Number(2, init.Pid));
            call.Answer(new ProtobufWriter().Number(1, init.Pid));
            if (init.HasHeldEnd) TakeEnd(init);
        }, "OCI runtime start failed: ", () =>
        {
            init.IsStarting = false;
            if (init.HasHeldEnd) TakeEnd(init);
        });

        void Work()
        {
            if (container.Checkpoint.Length > 0) restored = _work.Restore(container);
            else _work.Start(container);
        }
    }

    private void StartExec(Call call, TaskProcess exec)
    {
        Container container = exec.Container;
        MadeProcess? made = null;
        container.Running++;
        Run(call, () => made = _work.Exec(exec), () =>
        {
            Adopt(exec, made!);
            (exec.IsStarting, exec.HasStarted) = (false, true);
            Publish("/tasks/exec-started", "TaskExecStarted",
                new ProtobufWriter().Text(1, container.Id).Text(2, exec.ExecId).Number(3, made!.Pid));
            call.Answer(new ProtobufWriter().Number(1, made.Pid));
        }, "OCI runtime exec failed: ", () =>
        {
            exec.IsStarting = false;
            // One that never ran has no event; whoever waits for it must not wait for ever.
            Settle(exec, ExitCodes.ExecFailure);
            CountEnd(container);
        });
    }

    private void Exec(Call call, ExecRequest request)
    {
        Container container = Find(request);
        if (request.ExecId.Length == 0) throw new TaskError(RpcCode.InvalidArgument, "an exec has a name");
        if (container.Execs.ContainsKey(request.ExecId)) throw new TaskError(RpcCode.AlreadyExists, $"id {request.ExecId}");
        if (container.IsInitDead || container.Init.HasEnded) throw new TaskError(RpcCode.Unknown, "cannot exec in a stopped state");
        if (container.Init.Deleters is not null) throw new TaskError(RpcCode.Unknown, "cannot exec in a container that is being deleted");
        if (container.IsPaused || container.IsPausing) throw new TaskError(RpcCode.Unknown, "cannot exec in a paused state");
        SpecProblems problems = new("the process object");
        Process spec = SpecReader.ParseProcess(request.Spec.Value ?? [], problems);
        spec.Terminal = request.Streams.Terminal;
        if (!problems.HasErrors) SpecValidator.ValidateProcess(spec, problems);
        if (problems.HasErrors) throw new TaskError(RpcCode.InvalidArgument, problems.ToString());
        container.Execs.Add(request.ExecId, new TaskProcess(container, request.ExecId, request.Streams) { Spec = spec });
        Publish("/tasks/exec-added", "TaskExecAdded", new ProtobufWriter().Text(1, container.Id).Text(2, request.ExecId));
        call.Answer();
    }

    /// <summary>A process has ended: takes its status.</summary>
    private void TakeEnd(TaskProcess process)
    {
        process.Watch?.Dispose();
        if (process.PidFd is null) return;
        if (process.IsStarting)
        {
            process.HasHeldEnd = true;
            return;
        }
        if (process.Reaped is { } known)
        {
            End(process, known);
            return;
        }
        long reaped = Processes.Reap(process.Pid, out WaitStatus status, Processes.WNOHANG);
        // A process of the container that traces it has the status first (ptrace(2), "Death under ptrace").
        if (reaped == 0) _loop.After(TracedMilliseconds, () => TakeEnd(process));
        else if (reaped > 0) End(process, status);
        else End(process, WaitStatus.Killed(Processes.SIGKILL));
    }

    private void End(TaskProcess process, WaitStatus status)
    {
        if (process.PidFd is null) return;
        process.Watch?.Dispose();
        ForgetPid(process);
        if (process.IsStarting)
        {
            (process.HasHeldEnd, process.Reaped) = (true, status);
            return;
        }
        process.PidFd.Dispose();
        process.PidFd = null;
        (process.ExitStatus, process.ExitedAt) = (ExitCodes.ForStatus(status), Instant.Now());
        process.Streams?.EndAtHangup();
        if (process.IsInit)
        {
            EndInit(process.Container);
        }
        else
        {
            TellEnd(process);
            CountEnd(process.Container);
        }
    }

    /// <summary>Its number is free, and may be another's by now.</summary>
    private void ForgetPid(TaskProcess process)
    {
        if (_byPid.GetValueOrDefault(process.Pid) == process) _byPid.Remove(process.Pid);
    }

    /// <summary>
    /// Its end is told last, when those of all execs have been; but one that cannot be killed keeps nobody waiting for ever.
    /// </summary>
    private void EndInit(Container container)
    {
        container.IsInitDead = true;
        string[] paths = container.State!.CgroupDirectories;
        // Before the end is told, as afterwards the cgroup may be that of a new container of the same name. Whoever deletes it just now
        // kills what is in it himself.
        if (!container.State.PrivatePidNamespace && paths.Length > 0 && container.Init.Deleters is null)
        {
            container.Running++;
            _brief.RunAnyway(() => new CgroupControl(paths).KillAll(Processes.SIGKILL), thrown =>
            {
                LogFailure(thrown);
                CountEnd(container);
            });
        }
        if (container.Running == 0) TellEnd(container.Init);
        else _loop.After(UnkillableMilliseconds, () => TellEnd(container.Init));
    }

    private void CountEnd(Container container)
    {
        if (--container.Running == 0 && container.IsInitDead) TellEnd(container.Init);
    }

    private void TellEnd(TaskProcess process)
    {
        if (process.HasEnded) return;
        Container container = process.Container;
        if (process.IsInit)
        {
            TellOom(container);
            container.OomWatch?.Dispose();
            container.Oom?.Dispose();
            container.Oom = null;
        }
        Publish("/tasks/exit", "TaskExit", new ProtobufWriter().Text(1, container.Id)
            .Text(2, process.IsInit ? container.Id : process.ExecId).Number(3, process.Pid).Number(4, process.ExitStatus)
            .Message(5, process.ExitedAt.Write()));
        Settle(process, process.ExitStatus);
        if (process.IsTakenApart) Drain(process);
    }

    /// <summary>It has ended, and those who wait for it go on.</summary>
    private static void Settle(TaskProcess process, int status)
    {
        process.HasEnded = true;
        process.ExitStatus = status;
        if (process.ExitedAt == Instant.Never) process.ExitedAt = Instant.Now();
        // One whose connection an answer breaks leaves the set.
        foreach (Call waiter in process.Waiters.ToArray()) waiter.Answer(Ended(process));
        process.Waiters.Clear();
    }

    private void Delete(Call call, TaskRequest request)
    {
        // containerd deletes what it has waited for in vain.
        if (request.ExecId.Length == 0 && _containers.TryGetValue(request.Id, out Container? container)) container.Abandon();
        TaskProcess process = FindProcess(request);
        if (process.Deleters is not null)
        {
            process.Deleters.Add(call);
            return;
        }
        if (!process.HasEnded && (process.HasStarted || process.IsStarting))
            throw new TaskError(RpcCode.Unknown, $"cannot delete a {(process.Container.IsPaused ? "paused" : "running")} process");
        process.Deleters = [call];
        if (!process.IsInit) Drain(process);
        else _workers.Run(() => ContainerWork.Delete(process.Container), thrown => AfterDelete(process, thrown));
    }

    private void AfterDelete(TaskProcess init, Exception? thrown)
    {
        if (thrown is not null)
        {
            List<Call> deleters = init.Deleters!;
            init.Deleters = null;
            foreach (Call call in deleters) call.Fail(Explain("", thrown));
            return;
        }
        if (!init.HasEnded && init.Pid > 0)
        {
            // One that waited for its start has been killed just now. How it ended, and that its execs have, may be known only later.
            init.IsTakenApart = true;
            TakeEnd(init);
            return;
        }
        // One that was never restored has no event.
        if (!init.HasEnded) Settle(init, 0);
        Drain(init);
    }

    /// <summary>
    /// What was written last is still passed on; a process that was left behind and holds the pipe is not waited for to its end.
    /// </summary>
    private void Drain(TaskProcess process)
    {
        if (process.Streams is not { IsDrained: false } streams)
        {
            Remove(process);
            return;
        }
        bool done = false;
        streams.Drained = Finish;
        _loop.After(DrainMilliseconds, Finish);

        void Finish()
        {
            if (done) return;
            done = true;
            Remove(process);
        }
    }

    private void Remove(TaskProcess process)
    {
        Container container = process.Container;
        if (process.IsInit)
        {
            ProtobufWriter deleted = new ProtobufWriter().Text(1, container.Id).Number(2, process.Pid).Number(3, process.ExitStatus);
            Publish("/tasks/delete", "TaskDelete", deleted.Message(4, process.ExitedAt.Write()));
            Forget(container);
        }
        else
        {
            process.Dispose();
            container.Execs.Remove(process.ExecId);
            // Of one that was never started.
            TurnAway(process, $"process does not exist {process.ExecId}");
        }
        ProtobufWriter answer = new ProtobufWriter().Number(1, process.Pid).Number(2, process.ExitStatus)
            .Message(3, process.ExitedAt.Write());
        foreach (Call call in process.Deleters!) call.Answer(answer);
    }

    private void Forget(Container container)
    {
        _containers.Remove(container.Id);
        ForgetPid(container.Init);
        foreach (TaskProcess exec in container.Execs.Values)
        {
            ForgetPid(exec);
            TurnAway(exec, "container not created");
        }
        container.Dispose();
        if (!IsEmpty) return;
        _emptied();
        if (_isEndWished) _idle(false);
    }

    /// <summary>Those who wait for an end that will not come.</summary>
    private static void TurnAway(TaskProcess process, string why)
    {
        foreach (Call waiter in process.Waiters.ToArray()) waiter.Fail(new TaskError(RpcCode.NotFound, why));
        process.Waiters.Clear();
    }
}
