using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Plan;
using OciRuntime.Tests.Spec;

namespace OciRuntime.Tests.Plan;

/// <summary>Which step must come before which, and why. Every plan of this file is held against the whole table.</summary>
public sealed class StepOrderTests
{
    private static readonly (InitOp First, InitOp Then, string Reason)[] Table =
    [
        (InitOp.KeepHostProc, InitOp.HostPropagation, "from there on /proc may be another's"),
        (InitOp.OomScoreAdjust, InitOp.Unshare, "/proc/self is still the host's, and so is the privilege"),
        (InitOp.OomScoreAdjust, InitOp.PivotRoot, "the host's /proc is gone afterwards"),
        (InitOp.EnterCgroup, InitOp.Unshare, "a cgroup namespace takes the cgroup of the caller as its root (cgroup_namespaces(7))"),
        (InitOp.EnterCgroup, InitOp.SetUser, "the container's user may not write to tasks"),
        (InitOp.AwaitIdMaps, InitOp.BecomeRoot, "id 0 does not exist before it is mapped"),
        (InitOp.Undumpable, InitOp.HostPropagation, "before anything of the container can look at this process (CVE-2016-9962)"),
        (InitOp.NewSession, InitOp.Console, "only the leader of a session without a terminal can take one (tty_ioctl(4))"),
        (InitOp.HostPropagation, InitOp.BindRootfs, "the bind would show up on the host"),
        (InitOp.BindRootfs, InitOp.MountFilesystem, "destinations are looked up from the container's root"),
        (InitOp.BindRootfs, InitOp.MountBind, "destinations are looked up from the container's root"),
        (InitOp.MountFilesystem, InitOp.DeviceNode, "devices belong on the mounted /dev, not below it"),
        (InitOp.MountFilesystem, InitOp.MaskPath, "the mount would uncover the path"),
        (InitOp.MountBind, InitOp.MaskPath, "the mount would uncover the path"),
        (InitOp.MountFilesystem, InitOp.Console, "the terminal is one of the container's devpts"),
        (InitOp.DeviceNode, InitOp.SetMountAttributes, "a read-only /dev takes no nodes"),
        (InitOp.MakeDirectory, InitOp.SetMountAttributes, "a read-only root takes no directory"),
        (InitOp.ReadonlyPath, InitOp.MaskPath, "a recursive bind made later would copy what lies below a mask, not the mask"),
        (InitOp.MaskPath, InitOp.PivotRoot, "what masks is the host's /dev/null"),
        (InitOp.AwaitHooks, InitOp.PivotRoot, "createRuntime and createContainer hooks come before it (runtime-spec config.md, \"POSIX-platform Hooks\")"),
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
        (InitOp.AwaitLimits, InitOp.SetUser, "a process limit lower than the user's processes would fail the switch (setuid(2), EAGAIN) as it should"),
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

    public static IEnumerable<TestCaseData> All()
    {
        yield return new TestCaseData(Plans.Default()).SetArgDisplayNames("default");
        yield return new TestCaseData(Plans.Default(cgroups: Plans.Hybrid)).SetArgDisplayNames("hybrid cgroups");
        yield return new TestCaseData(Plans.Default(Everything, cgroups: Plans.Hybrid)).SetArgDisplayNames("everything");
        yield return new TestCaseData(Plans.Default(Everything, cgroups: Plans.Hybrid, noPivot: true)).SetArgDisplayNames("everything, without pivot_root");
        yield return new TestCaseData(Plans.Of(Full(), cgroups: Plans.Hybrid)).SetArgDisplayNames("full.json");
        yield return new TestCaseData(Plans.Of(JsonNode.Parse(SpecFixtures.Read("rootless"))!, cgroups: Plans.Unified)).SetArgDisplayNames("rootless.json");
    }

    [TestCaseSource(nameof(All))]
    public void Plan_keeps_the_order(object plan)
    {
        List<InitOp> ops = Ops((LaunchPlan)plan);
        foreach ((InitOp first, InitOp then, string reason) in Table)
        {
            if (ops.Contains(first) && ops.Contains(then)) ops.LastIndexOf(first).Should().BeLessThan(ops.IndexOf(then), "{0} must precede {1}: {2}", first, then, reason);
        }
    }

    [Test]
    public void Table_speaks_of_steps_that_occur_together()
    {
        HashSet<(InitOp, InitOp)> together = [];
        foreach (TestCaseData data in All())
        {
            List<InitOp> ops = Ops((LaunchPlan)data.Arguments[0]!);
            foreach (var rule in Table) if (ops.Contains(rule.First) && ops.Contains(rule.Then)) together.Add((rule.First, rule.Then));
        }
        Table.Select(rule => (rule.First, rule.Then)).Should().OnlyHaveUniqueItems().And.BeSubsetOf(together);
    }

    [Test]
    public void Execute_is_last() => Plans.Default(Everything).Steps[^1].Op.Should().Be(InitOp.Execute);

    /// <summary>The places of the descriptors are counted in the same way by the plan and by whoever opens them.</summary>
    [Test]
    public void Cgroup_slots_are_numbered_in_order_and_skip_v2() =>
        Plans.Default(cgroups: Plans.Hybrid).Steps(InitOp.EnterCgroup).Select(step => (step.A, step.Text1)).Should().Equal((0L, Plans.Hybrid[0].Path), (1L, Plans.Hybrid[1].Path));

    // Read-only v1 cgroups are several mounts in one place and are finished there.
    private static List<InitOp> Ops(LaunchPlan plan) => [.. plan.Steps.Where(step => step is not { Op: InitOp.SetMountAttributes, Text1: "sys/fs/cgroup" }).Select(step => step.Op)];

    private static void Everything(JsonObject c)
    {
        c["process"]!["terminal"] = true;
        c["process"]!["oomScoreAdj"] = 5;
        c["domainname"] = "d";
        c["hooks"] = Plans.Json("""{"createRuntime":[{"path":"/h"}],"startContainer":[{"path":"/s"}]}""");
        c["linux"]!["sysctl"] = Plans.Json("""{"kernel.msgmax":"1"}""");
        c["linux"]!["namespaces"]!.AsArray().Add(Plans.Json("""{"type":"cgroup"}"""));
        c["mounts"]!.AsArray().Add(Plans.Json("""{"destination":"/data","source":"data","options":["bind"]}"""));
        c["mounts"]!.AsArray().Single(m => (string?)m!["destination"] == "/dev")!["options"]!.AsArray().Add("ro");
    }

    private static JsonNode Full()
    {
        JsonNode full = JsonNode.Parse(SpecFixtures.Read("full"))!;
        full["mounts"]!.AsArray().RemoveAt(1);
        return full;
    }
}
