using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>The parent's side of mounts in a container that is there: all of them are made, or none.</summary>
internal sealed unsafe class LiveMounts(RuntimeSpec spec, ContainerState state, Interruption interruption, Action<string> warn, Action<string> debug)
{
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
        ulong namespaces = init.Separate();
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
        using ChildProcess child = ChildProcess.Clone(plan, native, -1, -1);
        using MountIdMapper ids = new();
        try
        {
            Converse(plan, child, ids);
        }
        catch
        {
            // One that has begun to attach or to detach never asks for anything again: it takes back what it did and ends by itself.
            if (!_committed) child.Kill();
            else child.Wait();
            throw;
        }
        int status = child.Wait();
        if (status != 0) throw Died(status);
    }

    private void Converse(LaunchPlan plan, ChildProcess child, MountIdMapper ids)
    {
        while (true)
        {
            if (!_committed) interruption.WaitFor(child.SyncFd);
            if (child.Receive(out int passed) is not { } message) return;
            PlanStep step = plan.Steps[message.Step];
            switch (message.Kind)
            {
                case SyncKind.Error: throw FailureText.Explain(plan, message);
                case SyncKind.Source: MountSource.Provide(child, step); break;
                case SyncKind.MapIds:
                    using (Fd mount = new(passed)) ids.Map(step, mount.Number, child.Pid);
                    child.Answer();
                    break;
                case SyncKind.Commit:
                    _committed = true;
                    child.Answer();
                    break;
                case SyncKind.Ready:
                    debug($"the process allocated {message.Value} bytes");
                    child.Answer();
                    break;
                default: throw new OciException($"unexpected message {(int)message.Kind} from the process");
            }
        }
    }

    private OciException Died(int status)
    {
        string how = (status & 0x7f) != 0 ? $"signal {status & 0x7f}" : $"exit status {status >> 8 & 0xff}";
        return new OciException($"the process that mounts ended early: {how}{(_committed ? ": some of the mounts may have been made" : "")}");
    }
}
