using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>`linux.namespaces` that are made for the container, id maps and clock offsets.</summary>
public sealed class NamespaceTests
{
    /// <summary>The specification's word and the name in /proc/PID/ns.</summary>
    internal static readonly (string Type, string File)[] All =
        [("pid", "pid"), ("network", "net"), ("ipc", "ipc"), ("uts", "uts"), ("mount", "mnt"), ("user", "user"), ("cgroup", "cgroup"),
        ("time", "time")];

    [Test]
    public void All_eight_are_new_at_once()
    {
        using TestBundle bundle = new();
        bundle.WithUserNamespace().AddNamespace("cgroup").AddNamespace("time");
        using TestContainer container = Observe.Sleeping(bundle);
        foreach ((string type, string file) in All)
        {
            container.NamespaceInode(file).Should()
                .NotBe(ProcessView.HostNamespaceInode(file), type);
        }
        container.Init.Status("NSpid").Should().EndWith("\t1");
        ProcessTree.ChildrenOf(Environment.ProcessId).Should()
            .Contain(container.InitPid, "no process stays between the caller and the container");
    }

    [Test]
    public void Only_those_listed_are_new()
    {
        using TestBundle bundle = new();
        bundle.Linux["namespaces"] = new JsonArray(new JsonObject { ["type"] = "mount" });
        bundle.Config.Remove("hostname");
        using TestContainer container = Observe.Sleeping(bundle);
        foreach ((string type, string file) in All)
        {
            (container.NamespaceInode(file) != ProcessView.HostNamespaceInode(file)).Should()
                .Be(type == "mount", type);
        }
    }

    [Test]
    public void New_network_namespace_has_a_loopback_that_is_up()
    {
        using TestBundle bundle = new();
        Observe.Run(bundle, "cat /sys/class/net/lo/operstate; ls /sys/class/net; ip -o addr show lo | grep -c 127.0.0.1").Should()
            .Equal("unknown", "lo", "1");
    }

    [Test]
    public void New_cgroup_namespace_has_the_containers_cgroup_as_its_root()
    {
        using TestBundle bundle = new();
        bundle.AddNamespace("cgroup").WithCgroup();
        Observe.Run(bundle, "cut -d: -f3 /proc/self/cgroup | sort -u").Should().Equal("/");
    }

    [Test]
    public void Id_maps_are_written_and_the_process_is_their_root()
    {
        using TestBundle bundle = new();
        bundle.AddNamespace("user");
        bundle.Linux["uidMappings"] =
            JsonNode.Parse(
            """[ { "containerID": 0, "hostID": 200000, "size": 10 }, { "containerID": 1000, "hostID": 300000, "size": 1 } ]""");
        bundle.Linux["gidMappings"] = JsonNode.Parse("""[ { "containerID": 0, "hostID": 400000, "size": 4000 } ]""");
        using TestContainer container = Observe.Sleeping(bundle.User(1000, 3000, 7, 8));
        string[] Lines(string file) =>
            [.. container.Proc(file).Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => string.Join(' ', line.Split(' ', StringSplitOptions.RemoveEmptyEntries)))];
        Lines("uid_map").Should().Equal("0 200000 10", "1000 300000 1");
        Lines("gid_map").Should().Equal("0 400000 4000");
        container.Proc("setgroups").Trim().Should().Be("allow");
        container.Init.Status("Uid").Should().Be("300000\t300000\t300000\t300000");
        container.Init.Status("Gid").Should().Be("403000\t403000\t403000\t403000");
        container.Init.Status("Groups").Should().Be("400007 400008");
    }

    [Test]
    public void Default_mounts_and_cgroups_work_in_a_user_namespace([Values] bool cgroupNamespace)
    {
        using TestBundle bundle = new();
        bundle.WithUserNamespace().WithCgroup();
        if (cgroupNamespace) bundle.AddNamespace("cgroup");
        string[] lines =
            Observe.Run(bundle,
            "id -u; hostname; ls /sys/fs/cgroup/ | grep -c pids; cat /sys/fs/cgroup/pids/cgroup.procs | head -1; stat -c %u:%g /dev/shm "
            + "/dev/pts /proc/1; touch /dev/shm/x && echo ok");
        lines[..3].Should().Equal("0", "ocirun", "1");
        lines[4..].Should().Equal("0:0", "0:0", "0:0", "ok");
    }

    [Test]
    public void Sysfs_of_the_host_is_bound_when_a_user_namespace_shares_the_hosts_network()
    {
        using TestBundle bundle = new();
        bundle.WithUserNamespace().RemoveNamespace("network");
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.MountAt("/sys").Should().BeEquivalentTo(new { Type = "sysfs" });
        container.Init.MountAt("/sys").Options.Should().Contain(["ro", "nosuid", "nodev", "noexec"]);
        container.NamespaceInode("net").Should().Be(ProcessView.HostNamespaceInode("net"));
    }

    [Test]
    public void Time_offsets_hold_in_a_new_user_namespace_and_without_one([Values] bool user)
    {
        Requires.Namespace("time");
        using TestBundle bundle = new();
        if (user) bundle.WithUserNamespace();
        bundle.AddNamespace("time");
        bundle.Linux["timeOffsets"] =
            JsonNode.Parse("""{ "monotonic": { "secs": 100, "nanosecs": 5 }, "boottime": { "secs": 10000000, "nanosecs": 250000000 } }""");
        using TestContainer container = Observe.Sleeping(bundle);
        Words(container.Proc("timens_offsets")).Should().Be("monotonic 100 5 boottime 10000000 250000000");
        container.NamespaceInode("time").Should()
            .Be(container.NamespaceInode("time_for_children")).And.NotBe(ProcessView.HostNamespaceInode("time"));
    }

    [Test]
    public void A_clock_that_would_go_negative_is_refused_by_name()
    {
        Requires.Namespace("time");
        using TestBundle bundle = new();
        bundle.AddNamespace("time");
        bundle.Linux["timeOffsets"] = JsonNode.Parse("""{ "boottime": { "secs": -1000000000 } }""");
        Observe.Refused(bundle).Should().Contain("/linux/timeOffsets").And.Contain("boottime -1000000000").And.Contain("ERANGE");
    }

    internal static string Words(string text) => string.Join(' ', text.Split([' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries));
}
