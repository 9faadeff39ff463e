using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>`linux.cgroupsPath`, `linux.resources` and mounts of type cgroup on this machine's v1 (or hybrid) hierarchies.</summary>
public sealed class CgroupTests
{
    [SetUp]
    public void Begin()
    {
        if (CgroupHost.Mode == CgroupMode.V2) Assert.Ignore("missing: cgroup v1");
    }

    private static string Own(int hierarchy) =>
        new ProcessView(Environment.ProcessId).Cgroups.First(entry => entry.Hierarchy == hierarchy).Path;

    [TestCase("absolute")]
    [TestCase("relative")]
    [TestCase("default")]
    public void Every_hierarchy_has_the_cgroup_with_every_process_and_delete_removes_it(string kind)
    {
        using TestBundle bundle = new();
        string name = $"{TestRun.Token}/{TestRun.NextNumber()}";
        if (kind != "default") bundle.Linux["cgroupsPath"] = kind == "absolute" ? "/" + name : name;
        using TestContainer container = new(bundle.Script("sleep 1000 & sleep 1000 & (sleep 1000; true) & wait"));
        container.Create().ShouldSucceed();
        container.Start().ShouldSucceed();
        Eventually.True(() => ProcessTree.DescendantsOf(container.InitPid).Count == 4, "four processes");
        int[] pids = [container.InitPid, .. ProcessTree.DescendantsOf(container.InitPid)];
        foreach (int pid in pids)
        {
            foreach (CgroupEntry entry in new ProcessView(pid).Cgroups)
            {
                string expected = kind switch
                {
                    "absolute" => "/" + name,
                    "relative" => Path.Combine(Own(entry.Hierarchy), name),
                    _ => Path.Combine(Own(entry.Hierarchy), container.Id),
                };
                entry.Path.Should().Be(expected, "{0} in hierarchy {1}", pid, entry);
            }
        }
        string tail = kind == "default" ? container.Id : name;
        CgroupHost.Find(tail).Should().HaveCount(CgroupHost.Mounts.Count, "one directory per hierarchy");
        container.Delete("--force").ShouldSucceed();
        CgroupHost.Find(tail).Should().BeEmpty();
    }

    /// <summary>Whether it was recorded as created by then or not.</summary>
    [TestCase("createRuntime")]
    [TestCase("startContainer")]
    public void A_launch_that_fails_leaves_no_parents_of_its_cgroup(string hook)
    {
        using TestBundle bundle = new();
        string parent = $"{TestRun.Token}-{TestRun.NextNumber()}";
        bundle.AddHook(hook, "/nowhere").Linux["cgroupsPath"] = $"/{parent}/inner/c";
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1);
        CgroupHost.Find(parent).Should().BeEmpty();
    }

    [Test]
    public void Limits_are_in_the_kernel_for_the_running_container()
    {
        Requires.V1Controller("memory");
        using TestBundle bundle = new();
        bundle.WithCgroup();
        bundle.Resources["memory"] = JsonNode.Parse("""{ "limit": 67108864, "reservation": 33554432, "swap": 134217728 }""");
        bundle.Resources["cpu"] = JsonNode.Parse("""{ "shares": 300, "quota": 25000, "period": 50000, "cpus": "0", "mems": "0" }""");
        bundle.Resources["pids"] = JsonNode.Parse("""{ "limit": 42 }""");
        using TestContainer container = Observe.Sleeping(bundle);
        container.ReadCgroup("memory", "memory.limit_in_bytes").Should().Be("67108864");
        container.ReadCgroup("memory", "memory.soft_limit_in_bytes").Should().Be("33554432");
        container.ReadCgroup("memory", "memory.memsw.limit_in_bytes").Should().Be("134217728");
        container.ReadCgroup("cpu", "cpu.shares").Should().Be("300");
        container.ReadCgroup("cpu", "cpu.cfs_quota_us").Should().Be("25000");
        container.ReadCgroup("cpu", "cpu.cfs_period_us").Should().Be("50000");
        container.ReadCgroup("cpuset", "cpuset.cpus").Should().Be("0");
        container.ReadCgroup("pids", "pids.max").Should().Be("42");
        container.Init.Status("Cpus_allowed_list").Should().Be("0");
    }

    [Test]
    public void Real_time_is_shared_out()
    {
        Requires.PathExists($"{CgroupHost.V1MountPoint("cpu")}/cpu.rt_runtime_us",
            "real-time group scheduling (cgroup v1, CONFIG_RT_GROUP_SCHED)");
        using TestBundle bundle = new();
        // Directly below the root, which has something to give away.
        bundle.Linux["cgroupsPath"] = $"/{TestRun.Token}-{TestRun.NextNumber()}";
        bundle.Resources["cpu"] = JsonNode.Parse("""{ "realtimeRuntime": 1500, "realtimePeriod": 500000 }""");
        using TestContainer container = Observe.Sleeping(bundle);
        container.ReadCgroup("cpu", "cpu.rt_runtime_us").Should().Be("1500");
        container.ReadCgroup("cpu", "cpu.rt_period_us").Should().Be("500000");
    }

    [Test]
    public void Limits_hold()
    {
        Requires.V1Controller("pids");
        using TestBundle bundle = new();
        bundle.WithCgroup();
        bundle.Resources["pids"] = JsonNode.Parse("""{ "limit": 3 }""");
        bundle.Resources["memory"] = JsonNode.Parse("""{ "limit": 33554432, "swap": 33554432 }""");
        bundle.Script(
            "sleep 1000 & sleep 1000 & (sleep 1000 & echo started) 2>/dev/null || echo refused; kill %1 %2; head -c 100000000 /dev/zero | "
            + "tail -c 100000000 >/dev/null; echo tail $?");
        using TestContainer container = new(bundle);
        CommandResult result = container.Run();
        result.Stdout.Should().NotContain("started", "three processes are there already");
        bundle.Resources.Remove("pids");
        using TestContainer memory = new(bundle.Script("tail -c 100000000 /dev/zero >/dev/null; echo tail $?"));
        memory.Run().ShouldSucceed().Text.Should().EndWith("tail 137");
    }

    [Test]
    public void Cgroup_mount_shows_the_containers_own_cgroup([Values] bool cgroupNamespace, [Values] bool readOnly)
    {
        using TestBundle bundle = new();
        bundle.WithCgroup();
        if (cgroupNamespace) bundle.AddNamespace("cgroup");
        if (!readOnly) bundle.RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev");
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.MountAt("/sys/fs/cgroup").Should().BeEquivalentTo(new { Type = "tmpfs" });
        container.Init.MountAt("/sys/fs/cgroup").Options.Should().Contain([readOnly ? "ro" : "rw", "nosuid", "noexec", "nodev"]);
        foreach (MountInfo host in CgroupHost.Mounts.Where(mount => mount.Type == "cgroup"))
        {
            string name = Path.GetFileName(host.MountPoint);
            MountInfo mount = container.Init.MountAt($"/sys/fs/cgroup/{name}");
            mount.Type.Should().Be("cgroup");
            mount.Root.Should().Be(bundle.CgroupsPath, name);
            mount.Options.Should().Contain([readOnly ? "ro" : "rw", "nosuid", "noexec", "nodev"]);
            File.ReadAllText(container.Init.InRoot($"/sys/fs/cgroup/{name}/cgroup.procs")).Should().Contain(container.InitPid.ToString());
        }
    }

    [Test]
    public void Bad_paths_and_values_name_their_pointer_and_leave_nothing()
    {
        using TestBundle bundle = new();
        bundle.Linux["cgroupsPath"] = "/a/../../b";
        Observe.Refused(bundle).Should().Contain("/linux/cgroupsPath").And.Contain("..");
        bundle.Linux["cgroupsPath"] = "system.slice:prefix:name";
        Observe.Refused(bundle).Should().Contain("/linux/cgroupsPath").And.Contain("systemd");
        bundle.WithCgroup().Resources["cpu"] = JsonNode.Parse("""{ "cpus": "4000" }""");
        Observe.Refused(bundle).Should().Contain("/linux/resources/cpu/cpus").And.Contain("4000");
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
    }

    [Test]
    public void A_cgroup_that_was_there_before_stays()
    {
        using TestBundle bundle = new();
        bundle.WithCgroup();
        string[] made = [.. CgroupHost.Mounts.Select(mount => Directory.CreateDirectory(mount.MountPoint + bundle.CgroupsPath).FullName)];
        try
        {
            using TestContainer container = new(bundle);
            container.Run().ShouldSucceed();
            made.Should().OnlyContain(directory => Directory.Exists(directory));
            // Otherwise the harness would take them for what the container left.
            bundle.Linux.Remove("cgroupsPath");
        }
        finally
        {
            foreach (string directory in made.Where(Directory.Exists)) Directory.Delete(directory);
        }
    }
}
