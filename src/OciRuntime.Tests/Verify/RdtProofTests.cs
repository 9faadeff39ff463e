using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Rdt;
using OciRuntime.Tests.Support;
using OciRuntime.Verify;

namespace OciRuntime.Tests.Verify;

/// <summary>`linux.intelRdt` against a tree that looks like resctrl, and what the kernel says of a process in it.</summary>
public sealed class RdtProofTests
{
    [TestCase("res:web\nmon:web\n", Outcome.Held)]
    [TestCase("res:web\nmon:\n", Outcome.Drifted)]
    [TestCase("res:gold\nmon:\n", Outcome.Drifted)]
    [TestCase("res:/\nmon:\n", Outcome.Broken)]
    public void A_process_is_in_its_groups_or_not(string groups, object outcome) =>
        RdtProof.Groups(Plan("/sys/fs/resctrl"), groups).Outcome.Should().Be((Outcome)outcome);

    [Test]
    public void The_default_class_can_be_asked_for() => RdtProof.Groups(
        ResctrlPlan.Build("/sys/fs/resctrl", "web", new() { ClosID = "/" }), "res:/\nmon:\n").Outcome.Should().Be(Outcome.Held);

    [TestCase("    L3:0=00f;1=0ff\n    MB:0=50;1=100\n", Outcome.Held)]
    [TestCase("    L3:0=00f;1=0ff\n    MB:0=70;1=100\n", Outcome.Drifted)]
    [TestCase(null, Outcome.Broken)]
    public void What_a_class_has_is_compared_line_by_line(string? schemata, object outcome)
    {
        string root = TestRun.NewDirectory("resctrl");
        if (schemata is not null)
        {
            Directory.CreateDirectory($"{root}/web");
            File.WriteAllText($"{root}/web/schemata", schemata);
        }
        Report report = new("web", "running");
        RdtProof.Add(report, Plan(root));
        report.Outcome.Should().Be((Outcome)outcome);
        if (report.Outcome == Outcome.Drifted) report.Text(all: false).Should().Contain("drifted   /linux/intelRdt/memBwSchema: ");
        Directory.Delete(root, recursive: true);
    }

    private static ResctrlPlan Plan(string root) =>
        ResctrlPlan.Build(root, "web", new() { L3CacheSchema = "L3:0=f;1=ff", MemBwSchema = "MB:0=50", EnableMonitoring = true });
}
