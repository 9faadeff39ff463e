using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>The parent's side of mounts in a container that is there: all of them are made, or none.</summary>
internal sealed unsafe class LiveMounts(RuntimeSpec spec, ContainerEntry entry, ContainerState state, Interruption interruption, Action<string> warn, Action<string> debug)
{
    // In the container there is nothing to wait for but its own file systems, and the lock is held.
    private const int CommittedMilliseconds = 5000;

    // Wait status of a guard that has taken everything back: it ends with 1 (LiveMountSteps.Guard).
    private const int TakenBack = 1 << 8;

    private bool _committed;

    /// <summary>Makes the mounts of the configuration.</summary>
    public void Add() => Run(LiveMountPlanner.BuildAdd);

    /// <summary>Detaches what is mounted at their destinations.</summary>
    /// <exception cref="OciException">Among others: nobody knows which of the container's mounts have to stay.</exception>
    public void Remove()
    {
        if (state.ProtectiveMounts == null && spec.Linux is { } linux && linux.MaskedPaths.Length + linux.ReadonlyPaths.Length > 0)
        {
            throw new OciException("which mounts of the container hide paths or make them read-only is known neither after a restore nor of one made by an earlier version: none can be removed");
        }
        Run(LiveMountPlanner.BuildRemove);
    }

    private void Run(Func<PlanRequest, List<NamespacePath>, InitFlags, LaunchPlan> build)
    {
        using ContainerInit init = ContainerInit.Open(state.Init, LiveMountPlanner.Stopped);
        // Whoever resumes a paused one needs the lock.
        ulong namespaces = init.Separate(entry, interruption, Patience.PeerMilliseconds);
        if ((namespaces & Processes.CLONE_NEWNS) == 0) throw new OciException("the container has no mount namespace of its own: what is mounted there is mounted on the host");
        bool joinsUser = (namespaces & Processes.CLONE_NEWUSER) != 0;
        HostFacts host = HostFacts.Probe();
        List<NamespacePath> joins = joinsUser ? [new("user", Processes.CLONE_NEWUSER, $"/proc/{init.Pid}/ns/user", -1)] : [];
        InitFlags groups = init.DeniesSetgroups() || host.DeniesSetgroups ? InitFlags.KeepGroups : InitFlags.None;
        LaunchPlan plan = build(new PlanRequest { Spec = spec, Host = host, Id = state.Id, Bundle = state.Bundle, Rootfs = state.Rootfs, IsLive = true, ProtectiveMounts = state.ProtectiveMounts ?? [] }, joins, groups);
        foreach (string warning in plan.Warnings) warn(warning);
        using Fd? user = joinsUser ? init.OpenUserNamespace() : null;
        Run(plan, init, user);
    }

    private void Run(LaunchPlan plan, ContainerInit init, Fd? user)
    {
        InitPlan* native = PlanCompiler.Compile(plan, LiveMountPlanner.FirstMountSlot + spec.Mounts.Length);
        new Span<int>(native->Fds, native->FdCount).Fill(-1);
        if (user != null) native->Fds[0] = user.Number;
        native->Fds[LiveMountPlanner.PidFdSlot] = init.PidFd.Number;
        // Before the clone: its copy is undumpable from birth then. A container that shares the host's pid namespace sees both.
        OciException.Check(Processes.Prctl(Processes.PR_SET_DUMPABLE, 0), "prctl PR_SET_DUMPABLE");
        using ChildProcess child = ChildProcess.Clone(plan, native, -1);
        using MountIdMapper ids = new();
        try
        {
            bool done = child.Conversation.Serve(interruption, () => _committed ? CommittedMilliseconds : Conversation.PatienceMilliseconds, message => Serve(message, child, ids));
            int? status = child.End();
            if (!done || status != 0) throw new OciException($"the process that mounts ended early: {ChildProcess.Describe(status)}");
        }
        catch (InterruptedException e)
        {
            throw new InterruptedException(e.Signal, End(plan, child));
        }
        catch (OciException e) when (_committed && e.Errno == Errno.ETIMEDOUT)
        {
            throw new OciException($"a destination is not found within {CommittedMilliseconds / 1000} s: a file system of the container's does not answer; {End(plan, child)}", e.Errno);
        }
        catch
        {
            End(plan, child);
            throw;
        }
    }

    private void Serve(InitMessage message, ChildProcess child, MountIdMapper ids)
    {
        switch (message.Kind)
        {
            case SyncKind.Source:
                MountSource.Provide(child.Conversation, message.Step!);
                return;
            case SyncKind.MapIds: ids.Map(message.Step!, message.Descriptor.Number, child.Pid); break;
            case SyncKind.Commit: _committed = true; break;
            case SyncKind.Ready: debug($"the process allocated {message.Value} bytes"); break;
            default: throw new OciException($"unexpected message {message.Kind} from the process");
        }
        child.Conversation.Answer();
    }

    /// <summary>Ends the child. What has been attached by then is taken back by the one that guards it; what is detached stays so.</summary>
    /// <returns>What has come of the mounts.</returns>
    private string End(LaunchPlan plan, ChildProcess child)
    {
        if (!_committed)
        {
            child.Kill();
            return "undone";
        }
        if (!plan.Steps.Exists(static step => step.Op == InitOp.GuardMounts))
        {
            child.Kill();
            return "some of the mounts may be gone";
        }
        // ESRCH: it has ended.
        Processes.PidFdSendSignal(child.PidFd.Number, Processes.SIGTERM);
        return child.End() == TakenBack ? "undone" : "some of the mounts may have been made";
    }
}
