using FluentAssertions;
using FluentAssertions.Execution;
using NUnit.Framework;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>All of kitchen-sink.json at once, read back from the kernel: no property takes away another's effect.</summary>
public sealed class KitchenSinkTests
{
    private FixtureBundle _fixture = null!;

    [OneTimeSetUp]
    public void Create()
    {
        Requires.OcirunItself();
        _fixture = new FixtureBundle("kitchen-sink");
        Init = _fixture.Created().Init;
    }

    [OneTimeTearDown]
    public void End() => _fixture?.Dispose();

    private ProcessView Init { get; set; }

    [Test]
    public void Process()
    {
        using AssertionScope all = new();
        Words(Init.Status("Uid")).Should().Equal("100000", "100000", "100000", "100000");
        Words(Init.Status("Groups")).Should().Equal("100004", "100005");
        Init.Status("Umask").Should().Be("0022");
        foreach (string set in (string[])["CapBnd", "CapInh"]) Init.Status(set).Should().Be("0000000000000020", set);
        Init.Status("NoNewPrivs").Should().Be("1");
        Init.Limit("Max open files").Should().Be(("1024", "4096"));
        Init.Limit("Max core file size").Should().Be(("1", "unlimited"));
        Init.Proc("oom_score_adj").Trim().Should().Be("100");
        Init.Proc("personality").Trim().Should().Be("00000008");
        Init.Proc("numa_maps").Should().Contain("interleave=static:0");
        Outside("chrt", "--pid", $"{Init.Pid}").Should().Contain("SCHED_BATCH|SCHED_RESET_ON_FORK");
        Outside("ionice", "-p", $"{Init.Pid}").Should().Contain("best-effort: prio 4");
    }

    [Test]
    public void Namespaces()
    {
        using AssertionScope all = new();
        foreach (string kind in (string[])["pid", "net", "mnt", "ipc", "uts", "user", "cgroup", "time"])
            Init.NamespaceInode(kind).Should().NotBe(ProcessView.HostNamespaceInode(kind), kind);
        foreach (string map in (string[])["uid_map", "gid_map"])
            Words(Init.Proc(map)).Should().Equal("0", "1000", "1", "1", "100000", "65536");
        Words(Init.Proc("timens_offsets")).Should().Equal("monotonic", "-1", "1", "boottime", "604800", "0");
        Inside("hostname").Should().Be("slartibartfast");
        Inside("cat", "/proc/sys/kernel/domainname").Should().Be("example.org");
        Inside("cat", "/proc/sys/net/ipv4/conf/eth0.100/rp_filter").Should()
            .Be("2", "the device was there, under its new name, when the sysctl was written");
        Inside("cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/msgmax").Should().Be("1\n65536");
    }

    [Test]
    public void Files()
    {
        using AssertionScope all = new();
        Init.MountAt("/").Options.Should().Contain("ro");
        Init.MountAt("/data/attributes").Options.Should()
            .Contain(["ro", "nosuid", "nodev", "noexec", "nodiratime", "nosymfollow", "noatime"]);
        Init.MountAt("/data/tree").Options.Should().Contain(["ro", "nosuid", "nodev", "noexec", "nosymfollow", "relatime"]);
        Init.MountAt("/data/inert").Options.Should().Contain("ro", "it was remounted");
        Init.MountAt("/data/shared").PropagationType.Should().Contain("shared");
        Init.MountAt("/data/unbindable").PropagationType.Should().Contain("unbindable");
        foreach (string mount in (string[])["/data/idmap", "/data/idmap-tree", "/data/idmap-inline"])
            Init.MountAt(mount).Options.Should().Contain("idmapped", mount);
        foreach (string path in (string[])["/proc/timer_list", "/proc/sys", "/dev/mqueue", "/tmp", "/sys/fs/cgroup"])
            Init.MountAt(path).Should().NotBeNull(path);
        new FileInfo(Init.InRoot("/data/link-copied")).LinkTarget.Should().Be(new FileInfo("/etc/mtab").LinkTarget);
        Outside("stat", "-c", "%F %t:%T", Init.InRoot("/dev/fuse")).Should().Be("character special file a:e5");
        Outside("stat", "-c", "%F", Init.InRoot("/dev/fifo")).Should().Be("fifo");
        File.Exists((string?)_fixture.Bundle.Annotations["run.oci.hooks.stdout"]).Should().BeTrue();
    }

    [Test]
    public void Cgroups()
    {
        Requires.V1Controller("memory");
        using AssertionScope all = new();
        Limit("memory", "memory.limit_in_bytes").Should().Be("536870912");
        Limit("memory", "memory.soft_limit_in_bytes").Should().Be("268435456");
        Limit("memory", "memory.memsw.limit_in_bytes").Should().Be("1073741824");
        Limit("memory", "memory.swappiness").Should().Be("0");
        Limit("cpu", "cpu.shares").Should().Be("1024");
        Limit("cpu", "cpu.cfs_quota_us").Should().Be("100000");
        Limit("cpu", "cpu.cfs_period_us").Should().Be("50000");
        Limit("cpu", "cpu.cfs_burst_us").Should().Be("50000");
        Limit("cpuset", "cpuset.cpus").Should().Be("0-1");
        Limit("pids", "pids.max").Should().Be("32771");
        Limit("blkio", "blkio.throttle.read_bps_device").Should().EndWith(" 600");
        Limit("devices", "devices.list").Should().Contain("c 10:229 rw");
    }

    private string Limit(string controller, string file) => File.ReadAllText(Path.Combine(Init.CgroupDirectory(controller), file)).Trim();

    private static string Outside(string tool, params string[] args) =>
        Command.Run(Requires.Tool(tool), args).ShouldSucceed().Stdout.Trim();

    /// <summary>The host's program in the network, IPC and UTS namespaces of the container.</summary>
    private string Inside(params string[] command) =>
        Outside("nsenter", ["--target", $"{Init.Pid}", "--net", "--ipc", "--uts", .. command]);

    private static string[] Words(string text) => text.Split((char[])[' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries);
}
