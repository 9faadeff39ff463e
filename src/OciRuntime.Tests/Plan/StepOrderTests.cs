using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.Tests.Spec;

namespace OciRuntime.Tests.Plan;

/// <summary>Plans of many kinds against <see cref="StepOrder"/>, and the table against them.</summary>
public sealed class StepOrderTests
{
    public static IEnumerable<TestCaseData> All()
    {
        yield return Case("default", Plans.Default());
        yield return Case("hybrid cgroups", Plans.Default(cgroups: Plans.Hybrid));
        yield return Case("everything", Plans.Default(Everything, cgroups: Plans.Hybrid));
        yield return Case("everything, without pivot_root", Plans.Default(Everything, cgroups: Plans.Hybrid, noPivot: true));
        yield return Case("everything, with systemd", Plans.Default(Everything, cgroups: Plans.Hybrid, systemd: true));
        yield return Case("kitchen-sink.json", Plans.Of(JsonNode.Parse(SpecFixtures.Read("kitchen-sink"))!, cgroups: Plans.Hybrid),
            SpecFixtures.Parse("kitchen-sink").Mounts);
        yield return Case("rootless.json", Plans.Of(JsonNode.Parse(SpecFixtures.Read("rootless"))!, cgroups: Plans.Unified));
        yield return Case("everything, in a pid namespace of others", Plans.Default(
            static c =>
            {
                Everything(c);
                c["hooks"]!["createContainer"] = new JsonArray(Plans.Json("""{"path":"/c"}"""));
                c["linux"]!["namespaces"]!.AsArray().Single(static n => (string?)n!["type"] == "pid")!["path"] = "/ns/pid";
            },
            cgroups: Plans.Hybrid));
        yield return Case("exec", Plans.Exec(static c => c["process"]!["noNewPrivileges"] = false));
        yield return Case("exec of everything", Plans.Exec(static c =>
        {
            Everything(c);
            c["process"]!["apparmorProfile"] = "p";
            c["process"]!["scheduler"] = Plans.Json("""{"policy":"SCHED_BATCH"}""");
            c["linux"]!["personality"] = Plans.Json("""{"domain":"LINUX"}""");
        }));
        static TestCaseData Case(string name, LaunchPlan plan, Mount[]? mounts = null) =>
            new TestCaseData(plan, mounts).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(All))]
    public void Plan_keeps_the_order(object plan, object? mounts) =>
    StepOrder.Violation((LaunchPlan)plan, (Mount[]?)mounts).Should().BeNull();

    /// <summary>The parent takes longer to make the network namespace than the child for all that needs none of it.</summary>
    [Test]
    public void What_needs_no_network_does_not_wait_for_it()
    {
        Before(Plans.Default()).Should().Be("mount mqueue on /dev/mqueue (nosuid,nodev,noexec)", "sysfs comes next");
        Before(Plans.Default(static c => c["mounts"] = new JsonArray())).Should().StartWith("bind the root file system");
        Before(Plans.Default(static c => c["mounts"]![2]!["type"] = "nfs")).Should().StartWith("mount tmpfs on /dev ");
        // A second question would take the network for its answer.
        Before(Plans.Default(static c => c["linux"]!["netDevices"] = Plans.Json("""{"eth0":{}}"""))).Should()
            .StartWith("join a new session keyring");

        static string Before(LaunchPlan plan) =>
            plan.Steps[plan.Steps.FindIndex(static step => step.Op == InitOp.EnterNetwork) - 1].Describe();
    }

    [Test]
    public void Table_speaks_of_steps_that_occur_together()
    {
        HashSet<(InitOp, InitOp)> together = [], rules = [];
        foreach (TestCaseData data in All())
        {
            List<InitOp> ops = StepOrder.Ops((LaunchPlan)data.Arguments[0]!, (Mount[]?)data.Arguments[1]);
            foreach ((InitOp First, InitOp Then, string Reason) rule in StepOrder.Rules(ops))
            {
                rules.Add((rule.First, rule.Then));
                if (ops.Contains(rule.First) && ops.Contains(rule.Then)) together.Add((rule.First, rule.Then));
            }
        }
        rules.Should().BeSubsetOf(together);
    }

    [Test]
    public void With_systemd_the_child_enters_no_cgroup_itself() =>
        Plans.Default(Everything, cgroups: Plans.Hybrid, systemd: true).Steps.Select(step => step.Op).Should()
        .Contain(InitOp.AwaitCgroup).And.NotContain(InitOp.EnterCgroup);

    [Test]
    public void Execute_is_last() => Plans.Default(Everything).Steps[^1].Op.Should().Be(InitOp.Execute);

    [Test]
    public void Cgroups_are_entered_in_order_without_v2() =>
        Plans.Default(cgroups: Plans.Hybrid).Steps<EnterCgroupStep>().Select(step => step.Path).Should()
        .Equal(Plans.Hybrid[0].Path, Plans.Hybrid[1].Path);

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
}
