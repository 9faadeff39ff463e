using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Plan;
using OciRuntime.Tests.Spec;

namespace OciRuntime.Tests.Plan;

/// <summary>Plans of many kinds against <see cref="StepOrder"/>, and the table against them.</summary>
public sealed class StepOrderTests
{
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
    public void Plan_keeps_the_order(object plan) => StepOrder.Violation((LaunchPlan)plan).Should().BeNull();

    [Test]
    public void Table_speaks_of_steps_that_occur_together()
    {
        HashSet<(InitOp, InitOp)> together = [];
        foreach (TestCaseData data in All())
        {
            List<InitOp> ops = StepOrder.Ops((LaunchPlan)data.Arguments[0]!);
            foreach (var rule in StepOrder.Table) if (ops.Contains(rule.First) && ops.Contains(rule.Then)) together.Add((rule.First, rule.Then));
        }
        StepOrder.Table.Select(rule => (rule.First, rule.Then)).Should().OnlyHaveUniqueItems().And.BeSubsetOf(together);
    }

    [Test]
    public void Execute_is_last() => Plans.Default(Everything).Steps[^1].Op.Should().Be(InitOp.Execute);

    /// <summary>The places of the descriptors are counted in the same way by the plan and by whoever opens them.</summary>
    [Test]
    public void Cgroup_slots_are_numbered_in_order_and_skip_v2() =>
        Plans.Default(cgroups: Plans.Hybrid).Steps(InitOp.EnterCgroup).Select(step => (step.A, step.Text1)).Should().Equal((0L, Plans.Hybrid[0].Path), (1L, Plans.Hybrid[1].Path));

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
