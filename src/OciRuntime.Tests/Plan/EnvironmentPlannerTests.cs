using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Plan;

namespace OciRuntime.Tests.Plan;

public sealed class EnvironmentPlannerTests
{
    [Test]
    public void Last_of_several_wins_in_the_place_of_the_first() => Build("A=1", "B=2", "A=3", "AB=4").Should().Equal("A=3", "B=2", "AB=4");

    [Test]
    public void Long_lists_have_the_same_rule()
    {
        string[] many = [.. Enumerable.Range(0, 100).Select(i => $"V{i}=old"), .. Enumerable.Range(0, 100).Select(i => $"V{i}=new")];
        Build(many).Should().Equal(Enumerable.Range(0, 100).Select(i => $"V{i}=new"));
    }

    [Test]
    public void Values_may_contain_anything() => Build("A==", "B=x=y", "C=").Should().Equal("A==", "B=x=y", "C=");

    [TestCase(new[] { "HOME=/x" }, true, new[] { "HOME=/x" })]
    [TestCase(new[] { "A=1" }, false, new[] { "A=1" })]
    [TestCase(new[] { "HOME=", "A=1" }, false, new[] { "A=1" }, Description = "an empty HOME is looked up, as other runtimes do")]
    [TestCase(new[] { "HOME=/x", "HOME=" }, false, new string[0])]
    [TestCase(new[] { "HOME=", "HOME=/x" }, true, new[] { "HOME=/x" })]
    [TestCase(new[] { "HOMER=1" }, false, new[] { "HOMER=1" })]
    public void Home(string[] entries, bool hasHome, string[] expected)
    {
        EnvironmentPlanner.Build(entries, out bool found).Should().Equal(expected);
        found.Should().Be(hasHome);
    }

    [Test]
    public void Find_goes_by_the_whole_name()
    {
        List<string> environment = ["PATHS=a", "PATH=b"];
        EnvironmentPlanner.Find(environment, "PATH").Should().Be("b");
        EnvironmentPlanner.Find(environment, "PAT").Should().BeNull();
    }

    /// <summary>
    /// getenv(3) finds the first of two: a variable of the runtime's own behind one of the configuration would not be seen.
    /// </summary>
    [Test]
    public void What_the_runtime_sets_replaces_what_the_configuration_has()
    {
        List<string> environment = ["NOTIFY_SOCKET=/host", "A=1"];
        EnvironmentPlanner.Set(environment, "NOTIFY_SOCKET", "/run/notify/notify.sock");
        EnvironmentPlanner.Set(environment, "LISTEN_FDS", "2");
        environment.Should().Equal("NOTIFY_SOCKET=/run/notify/notify.sock", "A=1", "LISTEN_FDS=2");
    }

    [Test]
    public void Home_of_the_image_is_looked_up_once_when_it_is_missing()
    {
        Plans.Default().Steps<HomeDirectoryStep>().Should().ContainSingle();
        LaunchPlan plan = Plans.Default(c => c["process"]!["env"] = new System.Text.Json.Nodes.JsonArray("HOME=/h"));
        plan.HomeFromImage.Should().BeFalse();
        plan.Steps<HomeDirectoryStep>().Should().BeEmpty();
    }

    [Test]
    public void Program_is_looked_up_in_the_containers_path()
    {
        LaunchPlan plan = Plans.Default(c => c["process"]!["env"] = new System.Text.Json.Nodes.JsonArray("PATH=/a::b"));
        plan.Steps<FindExecutableStep>().Single().Candidates.Should().Equal("/a/true", "./true", "b/true");
        plan = Plans.Default(c => c["process"]!["args"] = new System.Text.Json.Nodes.JsonArray("./x"));
        plan.Steps<FindExecutableStep>().Single().Candidates.Should().Equal("./x");
    }

    private static List<string> Build(params string[] entries) => EnvironmentPlanner.Build(entries, out _);
}
