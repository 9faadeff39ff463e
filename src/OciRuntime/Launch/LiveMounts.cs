using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>The parent's side of mounts in a container that is there: all of them are made, or none.</summary>
internal sealed class LiveMounts(RuntimeSpec spec, ContainerEntry entry, ContainerState state, Interruption interruption,
    Action<string> warn, Action<string>? debug)
{
    // In the container there is nothing to wait for but its own file systems, and the lock is held.
    private const int CommittedMilliseconds = 5000;

    private bool _committed;

    /// <summary>Makes the mounts of the configuration.</summary>
    public void Add() => Run(LiveMountPlanner.BuildAdd);

    /// <summary>Detaches what is mounted at their destinations.</summary>
    /// <exception cref="OciException">Among others: nobody knows which of the container's mounts have to stay.</exception>
    public void Remove()
    {
        if (state.ProtectiveMounts is null && spec.Linux is { } linux && linux.MaskedPaths.Length + linux.ReadonlyPaths.Length > 0)
        {
            throw new OciException(
                "which mounts of the container hide paths or make them read-only is known neither after a restore nor of one made by an "
                + "earlier version: none can be removed");
        }
        Run(LiveMountPlanner.BuildRemove);
    }

    private void Run(Func<PlanRequest, List<NamespacePath>, GroupPolicy, LaunchPlan> build)
    {
        using ContainerInit init = ContainerInit.Open(state.Init, LiveMountPlanner.Stopped);
        // Whoever resumes a paused one needs the lock.
        ulong namespaces = init.Separate(entry, interruption, Patience.PeerMilliseconds);
        if ((namespaces & Processes.CLONE_NEWNS) == 0)
            throw new OciException("the container has no mount namespace of its own: what is mounted there is mounted on the host");
        bool joinsUser = (namespaces & Processes.CLONE_NEWUSER) != 0;
        HostFacts host = HostFacts.Probe();
        List<NamespacePath> joins = joinsUser ? [new("user", Processes.CLONE_NEWUSER, $"/proc/{init.Pid}/ns/user", -1)] : [];
        GroupPolicy groups = init.DeniesSetgroups() || host.DeniesSetgroups ? GroupPolicy.Keep : GroupPolicy.Set;
        LaunchPlan plan =
            build(new PlanRequest
            {
                Spec = spec,
                Host = host,
                Id = state.Id,
                Bundle = state.Bundle,
                Rootfs = state.Rootfs,
                IsLive = true,
                ProtectiveMounts = state.ProtectiveMounts ?? []
            }, joins, groups);
        foreach (string warning in plan.Warnings) warn(warning);
        using Fd? user = joinsUser ? init.OpenNamespace("user") : null;
        // In there the child has no power over an init that waits for start: that has executed nothing in its namespaces yet, and counts as
        // the host's, so that a pidfd of it would lead nowhere.
        using Fd? mounts = joinsUser ? init.OpenNamespace("mnt") : null;
        InheritedDescriptors descriptors = new();
        if (user is not null) descriptors.Give(plan.Find<JoinNamespacesStep>()!, user.Number);
        descriptors.Give(plan.Find<JoinContainerStep>()!, (mounts ?? init.PidFd).Number);
        Run(plan, descriptors);
    }

    private void Run(LaunchPlan plan, InheritedDescriptors descriptors)
    {
        CompiledPlan compiled = PlanCompiler.Compile(plan, descriptors);
        // Before the clone: its copy is undumpable from birth then. A container that shares the host's pid namespace sees both.
        OciException.Check(Processes.Prctl(Processes.PR_SET_DUMPABLE, 0), "prctl PR_SET_DUMPABLE");
        using ChildProcess child = ChildProcess.Clone(compiled, -1);
        using MountIdMapper ids = new();
        WaitStatus? end = null;
        try
        {
            bool done = child.Conversation.Serve(interruption, () => _committed ? CommittedMilliseconds
                : Conversation.PatienceMilliseconds, message => Answer(message, child, ids));
            end = child.End();
            if (!done || end is not { Succeeded: true })
                throw new OciException($"the process that mounts ended early: {ChildProcess.Describe(end)}");
        }
        catch (Exception e) when (_committed && e is InterruptedException or OciException)
        {
            // What failed was to see its end, or it came too late: all is as it was asked for.
            if (End(plan, child, end) is not { } outcome) return;
            if (e is InterruptedException interrupted) throw new InterruptedException(interrupted.Signal, outcome);
            // Its own words say what has come of it.
            if (child.Conversation.HasFailed) throw;
            int errno = ((OciException)e).Errno;
            string what = errno != Errno.ETIMEDOUT ? e.Message : $"a destination is not found within {CommittedMilliseconds / 1000} s: "
                + "a file system of the container's does not answer";
            throw new OciException($"{what}; {outcome}", errno);
        }
        catch
        {
            child.Kill();
            throw;
        }
    }

    /// <summary>What is done about something that the process says; null for what no mounting expects.</summary>
    internal Action? Answer(InitMessage message, ChildProcess child, MountIdMapper ids) => message.Kind switch
    {
        SyncKind.Source => () => MountSource.Provide(child.Conversation, (MountBindStep)message.Step!),
        SyncKind.MapIds => () => ids.Map((MountBindStep)message.Step!, message.Descriptor.Number, child.Pid),
        SyncKind.Commit => () => Commit(child),
        SyncKind.Ready => () => debug?.Invoke($"the process allocated {message.Value} bytes"),
        _ => null,
    };

    /// <summary>In this order: without the answer nothing has been done.</summary>
    private void Commit(ChildProcess child)
    {
        child.Conversation.Answer();
        _committed = true;
    }

    /// <summary>
    /// Ends the child. What has been attached by then is taken back by the one that guards it; what is detached stays so.
    /// </summary>
    /// <param name="plan">What it did.</param>
    /// <param name="child">The child.</param>
    /// <param name="end">How it has ended, as far as that is known.</param>
    /// <returns>What has come of the mounts; null when all was done.</returns>
    private static string? End(LaunchPlan plan, ChildProcess child, WaitStatus? end)
    {
        bool isGuarded = plan.Find<GuardMountsStep>() is not null;
        // ESRCH: it has ended.
        Processes.PidFdSendSignal(child.PidFd.Number, isGuarded ? Processes.SIGTERM : Processes.SIGKILL);
        if (end is not { IsKilled: false, ExitStatus: LiveMountSteps.TakenBack }) end = child.End();
        return end switch
        {
            { Succeeded: true } => null,
            // It has said so.
            _ when !isGuarded && child.Conversation.IsAtEnd => null,
            { IsKilled: false, ExitStatus: LiveMountSteps.TakenBack } when isGuarded => "undone",
            _ => isGuarded ? "some of the mounts may have been made" : "some of the mounts may be gone",
        };
    }
}
