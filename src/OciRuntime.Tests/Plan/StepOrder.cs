using OciRuntime.Init;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Plan;

/// <summary>Which step must come before which, and why. It holds for every plan there can be.</summary>
internal static class StepOrder
{
    private static readonly (InitOp First, InitOp Then, string Reason)[] Common =
    [
        (InitOp.KeepHostProc, InitOp.HostPropagation, "from there on /proc may be another's"),
        (InitOp.OomScoreAdjust, InitOp.Unshare, "/proc/self is still the host's, and so is the privilege"),
        (InitOp.OomScoreAdjust, InitOp.PivotRoot, "the host's /proc is gone afterwards"),
        (InitOp.EnterCgroup, InitOp.Unshare, "a cgroup namespace takes the cgroup of the caller as its root (cgroup_namespaces(7))"),
        (InitOp.EnterCgroup, InitOp.SetUser, "the container's user may not write to tasks"),
        (InitOp.EnterCgroup, InitOp.ResetAffinity, "a cpuset would be left with the mask of whoever enters it"),
        (InitOp.AwaitCgroup, InitOp.Unshare, "a cgroup namespace takes the cgroup of the caller as its root (cgroup_namespaces(7))"),
        (InitOp.AwaitCgroup, InitOp.ResetAffinity, "a cpuset would be left with the mask of whoever enters it"),
        (InitOp.ResetAffinity, InitOp.Scheduler, "SCHED_DEADLINE takes every CPU (sched_setattr(2), EPERM)"),
        (InitOp.Scheduler, InitOp.SetUser, "it takes CAP_SYS_NICE"),
        (InitOp.IoPriority, InitOp.SetUser, "the real-time class takes CAP_SYS_NICE"),
        (InitOp.AwaitLimits, InitOp.Scheduler, "RLIMIT_NICE and RLIMIT_RTPRIO may be what allows it"),
        (InitOp.MemoryPolicy, InitOp.Seccomp, "Docker's filter denies it without CAP_SYS_NICE"),
        (InitOp.Personality, InitOp.Seccomp, "Docker's filter denies all but a few"),
        (InitOp.AwaitIdMaps, InitOp.BecomeRoot, "id 0 does not exist before it is mapped"),
        (InitOp.Undumpable, InitOp.HostPropagation, "before anything of the container can look at this process (CVE-2016-9962)"),
        (InitOp.Undumpable, InitOp.EnterNetwork, "before anything of the container can look at this process (CVE-2016-9962)"),
        (InitOp.EnterNetwork, InitOp.AwaitHooks, "hooks set the network up"),
        (InitOp.HostPropagation, InitOp.BindRootfs, "the bind would show up on the host"),
        (InitOp.BindRootfs, InitOp.MountFilesystem, "destinations are looked up from the container's root"),
        (InitOp.BindRootfs, InitOp.MountBind, "destinations are looked up from the container's root"),
        (InitOp.MountFilesystem, InitOp.OpenDev, "it is kept open, and a later mount would cover it"),
        (InitOp.MountBind, InitOp.OpenDev, "it is kept open, and a later mount would cover it"),
        (InitOp.OpenDev, InitOp.DeviceNode, "whether /dev is the host's is known then"),
        (InitOp.DeviceNode, InitOp.CloseHost, "/dev is closed then"),
        (InitOp.MountFilesystem, InitOp.DeviceMount, "devices belong on the mounted /dev, not below it"),
        (InitOp.MountFilesystem, InitOp.DeviceNode, "devices belong on the mounted /dev, not below it"),
        (InitOp.MountFilesystem, InitOp.MaskPath, "the mount would uncover the path"),
        (InitOp.MountBind, InitOp.MaskPath, "the mount would uncover the path"),
        (InitOp.MountFilesystem, InitOp.Console, "the terminal is one of the container's devpts"),
        (InitOp.DeviceNode, InitOp.SetMountAttributes, "a read-only /dev takes no nodes"),
        (InitOp.MakeDirectory, InitOp.SetMountAttributes, "a read-only root takes no directory"),
        (InitOp.ReadonlyPath, InitOp.MaskPath, "a recursive bind made later would copy what lies below a mask, not the mask"),
        (InitOp.MaskPath, InitOp.PivotRoot, "what masks is the host's /dev/null"),
        (InitOp.AwaitHooks, InitOp.PivotRoot,
            "createRuntime and createContainer hooks come before it (runtime-spec config.md, \"POSIX-platform Hooks\")"),
        (InitOp.SetMountAttributes, InitOp.PivotRoot, "the root is found by its descriptor only before it"),
        (InitOp.PivotRoot, InitOp.CloseHost, "it needs the descriptor of the root"),
        (InitOp.Sysctl, InitOp.CloseHost, "sysctls are written through the host's /proc"),
        (InitOp.SecurityAttribute, InitOp.CloseHost, "labels are written through the host's /proc"),
        (InitOp.SecurityAttribute, InitOp.NoNewPrivileges, "a confined runtime may then change to fewer profiles only"),
        (InitOp.SecurityAttribute, InitOp.Seccomp, "the filter may deny the write"),
        (InitOp.CloseHost, InitOp.ChangeDirectory, "a path given as /proc/self/fd/N would lead to the host (CVE-2024-21626)"),
        (InitOp.CloseHost, InitOp.FindExecutable, "a path given as /proc/self/fd/N would lead to the host (CVE-2024-21626)"),
        (InitOp.PivotRoot, InitOp.ChangeDirectory, "the directory is the container's"),
        (InitOp.Hostname, InitOp.Capabilities, "it takes CAP_SYS_ADMIN"),
        (InitOp.Sysctl, InitOp.SetUser, "the container's user may not write them"),
        (InitOp.ResourceLimit, InitOp.SetUser, "raising a hard limit takes CAP_SYS_RESOURCE"),
        (InitOp.AwaitLimits, InitOp.SetUser,
            "a process limit lower than the user's processes would fail the switch (setuid(2), EAGAIN) as it should"),
        (InitOp.BoundingSet, InitOp.SetUser, "shrinking it takes CAP_SETPCAP"),
        (InitOp.SetUser, InitOp.Capabilities, "setuid takes CAP_SETUID, which the container may not have"),
        (InitOp.SetUser, InitOp.FindExecutable, "the program is looked up with the rights it will run with"),
        (InitOp.Capabilities, InitOp.FindExecutable, "the program is looked up with the rights it will run with"),
        (InitOp.FindExecutable, InitOp.Ready, "create fails on a bad command"),
        (InitOp.HomeDirectory, InitOp.Ready, "create fails on a bad command"),
        (InitOp.Ready, InitOp.AwaitStart, "the runtime records the container before anybody can start it"),
        (InitOp.AwaitStart, InitOp.StartHook, "startContainer hooks are part of start"),
        (InitOp.StartHook, InitOp.Execute, "they come before the user's program"),
    ];

    /// <summary>What else holds when a container is made.</summary>
    private static readonly (InitOp First, InitOp Then, string Reason)[] Create =
    [
        (InitOp.NewSession, InitOp.Console, "only the leader of a session without a terminal can take one (tty_ioctl(4))"),
    ];

    /// <summary>What else holds when one is made for a pid namespace that is joined.</summary>
    private static readonly (InitOp First, InitOp Then, string Reason)[] CreateAmongOthers =
    [
        (InitOp.JoinNamespaces, InitOp.JoinPidNamespace, "it is opened there, and belongs to the user namespace that is joined"),
        (InitOp.MountFilesystem, InitOp.JoinPidNamespace, "who opens a procfs context inside has to be born of one that is outside"),
        (InitOp.ContainerHook, InitOp.JoinPidNamespace, "a hook with the host's tree would be born there"),
        (InitOp.PivotRoot, InitOp.JoinPidNamespace, "no clone there may have the host's tree"),
        (InitOp.JoinPidNamespace, InitOp.Capabilities, "it takes CAP_SYS_ADMIN"),
        (InitOp.Console, InitOp.ControllingTerminal, "there has to be one"),
        (InitOp.NewSession, InitOp.ControllingTerminal, "only the leader of a session without a terminal can take one (tty_ioctl(4))"),
    ];

    /// <summary>What others see that are in the pid namespace already, of whoever is cloned into it.</summary>
    private static readonly (InitOp First, InitOp Then, string Reason)[] Born =
    [
        (InitOp.CloseHost, InitOp.ForkIntoPidNamespace,
            "the container could reach what is open in a process that it sees (CVE-2024-21626)"),
        (InitOp.NoNewPrivileges, InitOp.ForkIntoPidNamespace, "the container sees a process with the program's rights only"),
        (InitOp.SetUser, InitOp.ForkIntoPidNamespace, "the container sees a process with the program's rights only"),
        (InitOp.Capabilities, InitOp.ForkIntoPidNamespace, "the container sees a process with the program's rights only"),
        (InitOp.ForkIntoPidNamespace, InitOp.Ready, "whoever is told the pid gets the program's"),
    ];

    /// <summary>What else holds when one is entered.</summary>
    private static readonly (InitOp First, InitOp Then, string Reason)[] Exec =
    [
        (InitOp.OomScoreAdjust, InitOp.JoinContainer, "/proc is the container's afterwards, and the privilege its user namespace's"),
        (InitOp.EnterCgroup, InitOp.JoinContainer, "the container's root may not write to the host's cgroups"),
        (InitOp.SecurityAttribute, InitOp.JoinContainer, "labels are written through the host's /proc"),
        (InitOp.Undumpable, InitOp.CloseHost,
            "a user namespace lets its root trace whoever is in it, and joining one undoes it (CVE-2016-9962)"),
        (InitOp.JoinContainer, InitOp.BecomeRoot, "the ids are those of the container's user namespace"),
        (InitOp.JoinContainer, InitOp.SessionKeyring, "keyrings belong to a user namespace (keyrings(7))"),
        (InitOp.JoinContainer, InitOp.Console, "the terminal is one of the container's devpts"),
        (InitOp.JoinContainer, InitOp.CloseHost, "it is done by a descriptor of the host's"),
        (InitOp.ForkIntoPidNamespace, InitOp.NewSession, "the program is to lead its session, and a clone leads none"),
    ];

    /// <summary>The rules for plans with these steps.</summary>
    public static IEnumerable<(InitOp First, InitOp Then, string Reason)> Rules(List<InitOp> ops) =>
        ops.Contains(InitOp.JoinContainer) ? Common.Concat(Exec).Concat(Born) : ops.Contains(InitOp.JoinPidNamespace)
        ? Common.Concat(CreateAmongOthers).Concat(Born) : Common.Concat(Create);

    /// <summary>The first rule that a plan breaks, or null.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="mounts">Its mounts: one with the option remount changes what is there at its place in the list, as its author wants
    /// it.</param>
    public static string? Violation(LaunchPlan plan, Mount[]? mounts = null)
    {
        List<InitOp> ops = Ops(plan, mounts);
        // An agent that is told of a listener early has to be told the program's own pid.
        bool bornEarly = !ops.Contains(InitOp.NoNewPrivileges)
            && plan.Steps.Exists(static step => step is SeccompStep { Filter.NeedsListener: true });
        foreach ((InitOp first, InitOp then, string reason) in Rules(ops))
        {
            if (bornEarly && (first, then) is (InitOp.SetUser or InitOp.Capabilities, InitOp.ForkIntoPidNamespace)) continue;
            if (ops.Contains(then) && ops.LastIndexOf(first) > ops.IndexOf(then)) return $"{first} must precede {then}: {reason}";
        }
        int network = plan.Steps.FindIndex(static step => step is LoopbackUpStep);
        return plan.Steps.FindIndex(static step => step is MountFilesystemStep { Type: not ("proc" or "tmpfs" or "devpts" or "mqueue") })
            is >= 0 and int mount && mount < network ? $"{InitOp.EnterNetwork} must precede {plan.Steps[mount].Describe()}: it may show, "
            + "or use, the network namespace of whoever mounts it" : null;
    }

    /// <summary>
    /// The steps in order, without a kind that has no place in it: read-only v1 cgroups are several mounts in one place and are finished
    /// there.
    /// </summary>
    public static List<InitOp> Ops(LaunchPlan plan, Mount[]? mounts = null) =>
        [.. plan.Steps.Where(step => step is not SetMountAttributesStep { Path: "sys/fs/cgroup" } && !IsInPlace(step, mounts))
        .Select(static step => step.Op)];

    private static bool IsInPlace(PlanStep step, Mount[]? mounts) =>
        mounts is not null && step is SetMountAttributesStep { Origin: { Section: "/mounts", Index: var index } }
        && (mounts[index].Options.Contains("remount") || mounts[index].Type is "cgroup" or "cgroup2");
}
