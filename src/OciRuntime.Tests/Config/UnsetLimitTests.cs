using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>What engines write for "not set": 0, null, nothing. By create and by update.</summary>
public sealed class UnsetLimitTests
{
    private static string PidsMax(TestContainer container) => Read(container, "pids", "pids.max");

    private static string Read(TestContainer container, string controller, string file) => container.ReadCgroup(controller, file);

    private static TestBundle WithLimit(string version, string? limit)
    {
        TestBundle bundle = new TestBundle().WithCgroup();
        bundle.Config["ociVersion"] = version;
        if (limit is not null) bundle.Resources["pids"] = JsonNode.Parse($$"""{ "limit": {{limit}} }""");
        return bundle;
    }

    /// <summary>Before 1.3 0 was no limit, and Podman's Docker-compatible socket writes it into every configuration.</summary>
    [TestCase("1.0.2", "0", "max")]
    [TestCase("1.2.1", "0", "max")]
    [TestCase("1.2.0-rc.1", "0", "max")]
    [TestCase("1.3.0", "0", "1")]
    [TestCase("1.3.0-dev", "0", "1")]
    [TestCase("1.10.0", "0", "1")]
    [TestCase("1.3.0", "-1", "max")]
    [TestCase("1.0.2", "null", "max")]
    [TestCase("1.3.0", "null", "max")]
    [TestCase("1.0.2", "7", "7")]
    public void Pids_limit_of_create(string version, string limit, string expected)
    {
        Requires.Controller("pids");
        using TestBundle bundle = WithLimit(version, limit);
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        container.Create().ShouldSucceed();
        PidsMax(container).Should().Be(expected);
    }

    [Test]
    public void Without_a_limit_there_is_room_for_more_than_one()
    {
        Requires.Controller("pids");
        using TestBundle bundle = WithLimit("1.0.2", "0");
        Observe.Run(bundle, "true & sh -c 'echo forked'; wait").Should().Equal("forked");
    }

    [TestCase("1.0.2", "max")]
    [TestCase("1.3.0", "1")]
    public void Pids_limit_of_update_means_what_it_means_to_create(string version, string expected)
    {
        Requires.Controller("pids");
        using TestBundle bundle = WithLimit(version, "50");
        using TestContainer container = Observe.Sleeping(bundle);
        container.Invoke("update", "--pids-limit", "0").ShouldSucceed();
        PidsMax(container).Should().Be(expected);
        container.Invoke("update", "--pids-limit", "40").ShouldSucceed();
        foreach (string unset in (string[])["""{}""", """{"pids":null}""", """{"pids":{}}""", """{"pids":{"limit":null}}"""])
            Update(container, unset);
        PidsMax(container).Should().Be("40");
        Update(container, """{"pids":{"limit":0}}""");
        PidsMax(container).Should().Be(expected);
        container.Invoke("update", "--pids-limit", "-1").ShouldSucceed();
        PidsMax(container).Should().Be("max");
    }

    [Test]
    public void The_oom_killer_can_be_given_back()
    {
        Requires.V1Controller("memory");
        using TestBundle bundle = WithLimit("1.0.2", null);
        bundle.Resources["memory"] = JsonNode.Parse("""{ "limit": 67108864, "disableOOMKiller": true }""");
        using TestContainer container = Observe.Sleeping(bundle);
        Update(container, """{"memory":{"reservation":33554432,"disableOOMKiller":null}}""");
        Read(container, "memory", "memory.oom_control").Should().Contain("oom_kill_disable 1");
        Update(container, """{"memory":{"disableOOMKiller":false}}""");
        Read(container, "memory", "memory.oom_control").Should().Contain("oom_kill_disable 0");
    }

    [Test]
    public void Options_beside_resources_are_ignored_with_a_word()
    {
        Requires.Controller("pids");
        using TestBundle bundle = WithLimit("1.0.2", "50");
        using TestContainer container = Observe.Sleeping(bundle);
        container.GlobalOptions.AddRange(["--log-level", "warn"]);
        Update(container, """{"pids":{"limit":9}}""").Stderr.Should().BeEmpty();
        Update(container, """{"pids":{"limit":9}}""", "--pids-limit", "11").Stderr.Should()
            .Contain("level=warning").And.Contain("--resources: all limits come from it");
        PidsMax(container).Should().Be("9");
    }

    private static readonly OciRuntime.Host.CgroupHost V2 =
        new(OciRuntime.Host.CgroupMode.V2, [new CgroupHierarchy("/sys/fs/cgroup", [], null, Unified: true)]);

    /// <summary>Values that would reach no file, or be refused by it, and yet mean something.</summary>
    [TestCase("""{"unified":{"cpuset.cpus":""}}""", "cpuset.cpus=\n")]
    [TestCase("""{"unified":{"memory.high":"\n1\n\n"}}""", "memory.high=1")]
    [TestCase("""{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":0}],"throttleWriteIOPSDevice":[{"major":8,"minor":0,"rate":5}]}}""", "io.max=8:0 rbps=max", "io.max=8:0 wiops=5")]
    [TestCase("""{"network":{},"memory":{"limit":0,"swap":0,"kernel":null},"cpu":{"shares":0,"quota":0,"period":0,"cpus":""},"blockIO":{"weight":0,"weightDevice":null},"rdma":{},"unified":null,"hugepageLimits":null}""")]
    [TestCase("""{"network":{"classID":0,"priorities":[]}}""")]
    public void Files_of_v2(string resources, params string[] expected)
    {
        SpecProblems problems = new();
        CgroupPlan plan =
            CgroupPlan.Build(V2, new("x", "/x", SpecReader.ParseResources(System.Text.Encoding.UTF8.GetBytes(resources), problems)));
        problems.HasErrors.Should().BeFalse();
        plan.Steps.OfType<ControlWrite>().Select(step => $"{step.Content.File}={step.Content.Value}").Should().Equal(expected);
        plan.Warnings.Should().BeEmpty();
    }

    private static CommandResult Update(TestContainer container, string json, params string[] more) =>
        container.Call(["update", "--resources", "-", .. more, container.Id], new CommandOptions { Stdin = json }).ShouldSucceed();
}
