using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// Each case of `linux.resources` on this machine's cgroup v1: what the kernel has then, or the reason it gives. docs/cgroups.md has the
/// same table for v2.
/// </summary>
public sealed class ResourceTests
{
    private const string NoLimit = "9223372036854771712";

    private static TestBundle With(string resources, string? parent = null)
    {
        TestBundle bundle = new TestBundle().WithCgroup();
        if (parent is not null) bundle.Linux["cgroupsPath"] = $"{parent}/{TestRun.NextNumber()}";
        bundle.Linux["resources"] = JsonNode.Parse(resources);
        return bundle;
    }

    [TestCase("""{"memory":{"limit":33554432,"swap":33554432}}""", "memory.limit_in_bytes=33554432",
        "memory.memsw.limit_in_bytes=33554432")]
    [TestCase("""{"memory":{"limit":33554432,"swap":-1}}""", "memory.limit_in_bytes=33554432", "memory.memsw.limit_in_bytes=" + NoLimit)]
    [TestCase("""{"memory":{"limit":33554432,"swap":0}}""", "memory.limit_in_bytes=33554432", "memory.memsw.limit_in_bytes=" + NoLimit)]
    [TestCase("""{"memory":{"limit":33554432}}""", "memory.limit_in_bytes=33554432", "memory.memsw.limit_in_bytes=" + NoLimit)]
    [TestCase("""{"memory":{"limit":-1}}""", "memory.limit_in_bytes=" + NoLimit, "memory.memsw.limit_in_bytes=" + NoLimit)]
    [TestCase("""{"memory":{"limit":-1,"swap":-1}}""", "memory.limit_in_bytes=" + NoLimit, "memory.memsw.limit_in_bytes=" + NoLimit)]
    [TestCase("""{"memory":{"swap":-1,"reservation":-1}}""", "memory.memsw.limit_in_bytes=" + NoLimit,
        "memory.soft_limit_in_bytes=" + NoLimit)]
    [TestCase("""{"memory":{"reservation":16777216,"swappiness":0,"useHierarchy":false}}""", "memory.soft_limit_in_bytes=16777216",
        "memory.swappiness=0", "memory.use_hierarchy=1")]
    [TestCase("""{"memory":{"limit":33554432,"disableOOMKiller":true,"checkBeforeUpdate":true}}""", "memory.limit_in_bytes=33554432",
        "memory.oom_control=oom_kill_disable 1")]
    [TestCase("""{"memory":{"kernel":5000000,"kernelTCP":8388608,"disableOOMKiller":false}}""", "memory.kmem.tcp.limit_in_bytes=8388608",
        "memory.oom_control=oom_kill_disable 0")]
    [TestCase("""{"cpu":{"shares":2}}""", "cpu.shares=2")]
    [TestCase("""{"cpu":{"shares":262144}}""", "cpu.shares=262144")]
    [TestCase("""{"cpu":{"quota":-1,"period":50000}}""", "cpu.cfs_quota_us=-1", "cpu.cfs_period_us=50000")]
    [TestCase("""{"cpu":{"period":1000}}""", "cpu.cfs_quota_us=-1", "cpu.cfs_period_us=1000")]
    [TestCase("""{"cpu":{"quota":2000,"period":1000,"burst":2000}}""", "cpu.cfs_quota_us=2000", "cpu.cfs_period_us=1000",
        "cpu.cfs_burst_us=2000")]
    [TestCase("""{"cpu":{"idle":1,"shares":500}}""", "cpu.idle=1")]
    [TestCase("""{"cpu":{"cpus":"0-1","mems":"0"}}""", "cpuset.cpus=0-1", "cpuset.mems=0")]
    [TestCase("""{"pids":{"limit":0}}""", "pids.max=max")]
    [TestCase("""{"pids":{"limit":-1}}""", "pids.max=max")]
    [TestCase("""{"pids":{"limit":-7}}""", "pids.max=max")]
    public void A_value_is_in_the_kernel(string resources, params string[] expected)
    {
        Requires.V1Controller(expected[0][..expected[0].IndexOf('.')]);
        using TestBundle bundle = With(resources);
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        container.Create().ShouldSucceed();
        foreach (string one in expected)
        {
            string[] pair = one.Split('=');
            container.ReadCgroup(pair[0][..pair[0].IndexOf('.')], pair[0]).Split('\n')[0].Should().Be(pair[1], one);
        }
    }

    [TestCase("""{"blockIO":{"throttleReadBpsDevice":[{"major":4000,"minor":1,"rate":1}]}}""",
        "/linux/resources/blockIO/throttleReadBpsDevice/0: ", "= 4000:1 1: no such device (ENODEV): there is no such block device")]
    [TestCase("""{"memory":{"limit":-1,"swap":33554432}}""", "/linux/resources/memory/swap: ",
        "memory.memsw.limit_in_bytes = 33554432: invalid argument (EINVAL): the memory limit must not exceed")]
    [TestCase("""{"cpu":{"mems":"99"}}""", "/linux/resources/cpu/mems: ", "cpuset.mems = 99: ",
        "it must be a part of what the parent cgroup has and what is online (0)")]
    [TestCase("""{"memory":{"limit":4096}}""", "out of memory (memory limit too low?)")]
    [TestCase("""{"unified":{"memory.max":"1"}}""", "/linux/resources/unified: ", "cannot use unified on cgroup v1")]
    public void A_reason_is_given_in_words(string resources, params string[] words)
    {
        Requires.V1Controller("memory");
        using TestBundle bundle = With(resources);
        string error = Observe.Refused(bundle);
        foreach (string word in words) error.Should().Contain(word);
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
    }

    [Test]
    public void What_explain_says_is_what_is_written()
    {
        Requires.V1Controller("memory");
        using TestBundle bundle = With("""
            {"memory":{"limit":33554432,"swap":67108864,"reservation":16777216,"swappiness":7},"pids":{"limit":9},
             "cpu":{"shares":300,"quota":20000,"period":50000,"burst":1000,"cpus":"0","mems":"0"},
             "devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"b","major":7,"minor":0,"access":"r"}]}
            """);
        using TestContainer container = new(bundle.Save());
        JsonNode plan = container.Call("explain", "--format", "json", "--bundle", bundle.Directory, container.Id).ShouldSucceed().Json;
        container.Create().ShouldSucceed();
        string[][] writes = [.. plan["prepare"]!.AsArray().Select(action => action!["text"]!.GetValue<string>())
            .Where(text => text.StartsWith("write /sys/fs/cgroup/", StringComparison.Ordinal)).Select(text => text[6..].Split(" = "))];
        string[] allowed = [.. writes.Where(write => write[0].EndsWith("/devices.allow", StringComparison.Ordinal))
            .Select(write => write[1])];
        container.ReadCgroup("devices", "devices.list").Split('\n').Should().BeEquivalentTo(allowed).And.Contain("b 7:0 r");
        string[][] limits = [.. writes.Where(write => !write[0].Contains("/devices."))];
        limits.Should().HaveCount(11).And.OnlyContain(write => File.ReadAllText(write[0]).Trim() == write[1]);
    }

    /// <summary>What a parent has not, its children cannot have.</summary>
    [Test]
    public void The_limits_of_the_parent_are_named()
    {
        Requires.V1Controller("cpu");
        Requires.V1Controller("cpuset");
        string parent = $"/{TestRun.Token}-{TestRun.NextNumber()}", cpu = CgroupHost.V1MountPoint("cpu") + parent,
            cpuset = CgroupHost.V1MountPoint("cpuset") + parent;
        foreach (string directory in (string[])[cpu, cpuset]) Directory.CreateDirectory(directory);
        try
        {
            File.WriteAllText($"{cpu}/cpu.cfs_quota_us", "50000");
            File.WriteAllText($"{cpuset}/cpuset.cpus", "0");
            File.WriteAllText($"{cpuset}/cpuset.mems", "0");
            using (TestBundle bundle = With("""{"cpu":{"quota":60000,"period":100000}}""", parent))
            {
                Observe.Refused(bundle).Should()
                    .Contain("/linux/resources/cpu/quota: ").And.Contain("cpu.cfs_quota_us = 60000: invalid argument (EINVAL)").And.Contain(
                    "parent 50000 of 100000 us");
            }
            using (TestBundle bundle = With("""{"cpu":{"cpus":"1"}}""", parent))
            {
                Observe.Refused(bundle).Should()
                    .Contain("/linux/resources/cpu/cpus: ").And.Contain("cpuset.cpus = 1: permission denied (EACCES)").And.Contain("(0)");
            }
            CgroupHost.Find($"{parent}/").Should().BeEmpty();
        }
        finally
        {
            foreach (string directory in CgroupHost.Find(parent)) Directory.Delete(directory);
        }
    }
}
