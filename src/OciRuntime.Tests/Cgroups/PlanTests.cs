using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Cgroups;

/// <summary>What is planned, from made-up hosts.</summary>
public sealed class PlanTests
{
    private static readonly CgroupHost V2 = new(CgroupMode.V2, [new("/sys/fs/cgroup", [], null, true)]);

    private static readonly CgroupHost V1 = new(CgroupMode.V1,
    [
        new("/sys/fs/cgroup/cpu,cpuacct", ["cpu", "cpuacct"], null, false), new("/sys/fs/cgroup/cpuset", ["cpuset"], null, false),
        new("/sys/fs/cgroup/memory", ["memory"], null, false), new("/sys/fs/cgroup/devices", ["devices"], null, false),
        new("/sys/fs/cgroup/pids", ["pids"], null, false), new("/sys/fs/cgroup/blkio", ["blkio"], null, false),
        new("/sys/fs/cgroup/hugetlb", ["hugetlb"], null, false),
        new("/sys/fs/cgroup/net_cls,net_prio", ["net_cls", "net_prio"], null, false),
        new("/sys/fs/cgroup/rdma", ["rdma"], null, false), new("/sys/fs/cgroup/systemd", [], "systemd", false),
    ]);

    [TestCase(0ul, 0ul)]
    [TestCase(1ul, 1ul)]
    [TestCase(2ul, 1ul)]
    [TestCase(1024ul, 100ul)]
    [TestCase(512ul, 59ul)]
    [TestCase(2048ul, 174ul)]
    [TestCase(262144ul, 10000ul)]
    [TestCase(999999ul, 10000ul)]
    public void Shares_become_weight(ulong shares, ulong weight) => CgroupConversions.WeightFromShares(shares).Should().Be(weight);

    [Test]
    public void Weight_never_falls_as_shares_rise()
    {
        ulong last = 0;
        for (ulong s = 2; s <= 262144; s += 17)
        {
            ulong w = CgroupConversions.WeightFromShares(s);
            w.Should().BeInRange(Math.Max(1, last), 10000);
            last = w;
        }
    }

    [TestCase((ushort)10, 1ul)]
    [TestCase((ushort)500, 4950ul)]
    [TestCase((ushort)1000, 10000ul)]
    public void Block_weight_becomes_io_weight(ushort weight, ulong expected) => CgroupConversions.IoWeight(weight).Should().Be(expected);

    [TestCase(0L, -1L, "max")]
    [TestCase(-1L, 100L, "max")]
    [TestCase(0L, 100L, null)]
    [TestCase(0L, 0L, null)]
    [TestCase(100L, 100L, "0")]
    [TestCase(150L, 100L, "50")]
    [TestCase(150L, -1L, "150")]
    public void Swap_is_what_exceeds_memory(long swap, long memory, string? expected) =>
    CgroupConversions.SwapMax(swap, memory)?.ToString().Should().Be(expected);

    [TestCase("/a/b", "a/b")]
    [TestCase("//a/./b/", "a/b")]
    public void Absolute_paths_lie_below_each_mount(string path, string relative)
    {
        CgroupPlan plan = Build(V1, null, path);
        plan.Directories.Should().HaveCount(10).And.OnlyContain(d => d.Relative == relative);
        plan.Paths[0].Should().Be("/sys/fs/cgroup/cpu,cpuacct/" + relative);
    }

    [TestCase("/a/../b", "*\"..\"*")]
    [TestCase("..", "*\"..\"*")]
    [TestCase("/", "*root cgroup*")]
    [TestCase("/./", "*root cgroup*")]
    [TestCase("system.slice:docker:x", "*--systemd-cgroup*")]
    [TestCase("a\nb", "*line break*")]
    public void Paths_that_leave_their_place_are_refused(string path, string text) =>
        FluentActions.Invoking(() => Build(V2, null, path)).Should().Throw<OciException>().WithMessage(text);

    [Test]
    public void Dots_inside_a_name_are_fine() => Build(V2, null, "/a..b/...").Paths.Should().Equal("/sys/fs/cgroup/a..b/...");

    [TestCase("/docker/x", "/docker/x", "/")]
    [TestCase("/docker/x/y", "/docker/x", "/y")]
    [TestCase("/docker/xy", "/docker/x", "/")]
    [TestCase("/a", "/", "/a")]
    [TestCase("/../..", "/", "/")]
    public void Membership_is_relative_to_the_mount(string own, string root, string expected) =>
    CgroupHost.Relative(own, root).Should().Be(expected);

    [Test]
    public void Membership_finds_each_kind_of_hierarchy()
    {
        const string Text = "12:cpu,cpuacct:/a:b\n3:name=systemd:/s\n2:cpuset:/c\n0::/u\n";
        CgroupHost.Membership(Text, V1.Hierarchies[0]).Should().Be("/a:b");
        CgroupHost.Membership(Text, V1.Hierarchies[1]).Should().Be("/c");
        CgroupHost.Membership(Text, V1.Hierarchies[9]).Should().Be("/s");
        CgroupHost.Membership(Text, V2.Hierarchies[0]).Should().Be("/u");
        CgroupHost.Membership(Text, V1.Hierarchies[2]).Should().Be("/");
    }

    [Test]
    public void Mountinfo_of_a_systemd_hybrid_host()
    {
        CgroupHost host = CgroupHost.FromMountInfo("""
            24 30 0:22 / /sys rw - sysfs sysfs rw
            25 24 0:23 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755
            26 25 0:24 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate
            27 25 0:25 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd
            99 25 0:26 / /var/lib/x/rootfs/sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            28 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            29 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
            98 25 0:27 /docker/q\040r /mnt/with\040blank rw - cgroup cgroup rw,cpu,cpuacct
            """u8);
        host.Mode.Should().Be(CgroupMode.Hybrid);
        host.Hierarchies.Select(h => h.Label + " " + h.MountPoint).Should()
            .Equal("unified /sys/fs/cgroup/unified", "name=systemd /sys/fs/cgroup/systemd",
            "memory /sys/fs/cgroup/memory", "cpu,cpuacct /sys/fs/cgroup/cpu,cpuacct");
        host.Find("cpuacct")!.MountPoint.Should().Be("/sys/fs/cgroup/cpu,cpuacct");
        host.Find("pids").Should().BeNull();
        host.Unified!.MountPoint.Should().Be("/sys/fs/cgroup/unified");
    }

    [Test]
    public void Mountinfo_escapes_are_undone() =>
        CgroupHost.FromMountInfo("98 25 0:27 /q\\040r /mnt/with\\040blank rw - cgroup cgroup rw,cpu\n"u8).Hierarchies[0]
            .Should().BeEquivalentTo(new CgroupHierarchy("/mnt/with blank", ["cpu"], null, false, "/q r"));

    [Test]
    public void Everything_on_v2()
    {
        CgroupPlan plan = Build(V2, Everything());
        Writes(plan).Should().Equal(
            "pids.max=100", "memory.swap.max=1048576", "memory.max=2097152", "memory.low=4096", "io.bfq.weight=500, else io.weight=4950",
            "io.bfq.weight=8:0 100, else io.weight=8:0 910", "io.max=8:0 rbps=1", "io.max=8:0 wbps=2", "io.max=8:0 riops=3",
            "io.max=8:0 wiops=4",
            "cpu.idle=0", "cpu.weight=100", "cpu.max=50000 100000", "cpu.max.burst=1000", "cpuset.cpus=0", "cpuset.mems=0",
            "hugetlb.2MB.max=4194304", "hugetlb.2MB.rsvd.max=4194304", "rdma.max=mlx5 hca_handle=3 hca_object=4");
        plan.Steps[0].Should().BeOfType<EnableControllers>().Which.Needed.Select(c => c.Name).Should()
            .Equal("pids", "memory", "io", "cpu", "cpuset", "hugetlb", "rdma");
        plan.Steps[^1].Should().BeOfType<AttachDevices>();
        plan.Warnings.Select(w => w[..w.IndexOf(':')]["/linux/resources/".Length..]).Should().BeEquivalentTo(
            "memory/kernel", "memory/kernelTCP", "memory/swappiness", "memory/disableOOMKiller", "blockIO/leafWeight",
            "cpu/realtimeRuntime",
            "cpu/realtimePeriod", "network");
        plan.Steps.OfType<ControlWrite>().Should()
            .Contain(s => s.Content.File == "memory.max" && s.Pointer == "/linux/resources/memory/limit");
    }

    [Test]
    public void Everything_on_v1()
    {
        CgroupPlan plan = Build(V1, Everything());
        Writes(plan).Where(w => !w.StartsWith("devices", StringComparison.Ordinal)).Should().Equal(
            "cpu.idle=0", "cpu.shares=1024", "cpu.cfs_period_us=100000", "cpu.cfs_quota_us=50000", "cpu.cfs_burst_us=1000",
            "cpu.rt_period_us=1000000",
            "cpu.rt_runtime_us=10000", "cpuset.cpus=0", "cpuset.mems=0", "memory.limit_in_bytes=2097152",
            "memory.memsw.limit_in_bytes=3145728",
            "memory.soft_limit_in_bytes=4096", "memory.kmem.tcp.limit_in_bytes=6", "memory.oom_control=1", "memory.swappiness=10",
            "pids.max=100",
            "blkio.weight=500, else blkio.bfq.weight=500",
            "blkio.leaf_weight=400", "blkio.weight_device=8:0 100, else blkio.bfq.weight_device=8:0 100",
            "blkio.throttle.read_bps_device=8:0 1",
            "blkio.throttle.write_bps_device=8:0 2", "blkio.throttle.read_iops_device=8:0 3", "blkio.throttle.write_iops_device=8:0 4",
            "hugetlb.2MB.limit_in_bytes=4194304", "hugetlb.2MB.rsvd.limit_in_bytes=4194304", "net_cls.classid=7", "net_prio.ifpriomap=lo 3",
            "rdma.max=mlx5 hca_handle=3 hca_object=4");
        plan.Steps[0].Should().BeOfType<SeedCpuset>();
        plan.Steps.Skip(1).Cast<ControlWrite>().Should()
            .OnlyContain(s => plan.Directories[s.Directory].Hierarchy.Has(s.Content.File.Substring(0, s.Content.File.IndexOf('.'))));
        plan.Describe(plan.Steps[2]).Should().Be("write /sys/fs/cgroup/cpu,cpuacct/t/cpu.shares = 1024");
    }

    [Test]
    public void Nothing_asked_is_still_default_deny_for_devices()
    {
        foreach (LinuxResources? none in new[] { null, new LinuxResources() })
        {
            Writes(Build(V1, none)).Should()
                .Equal("devices.deny=a", "devices.allow=c *:* m", "devices.allow=b *:* m", "devices.allow=c 1:3 rwm",
                "devices.allow=c 1:8 rwm", "devices.allow=c 1:7 rwm", "devices.allow=c 5:0 rwm", "devices.allow=c 1:5 rwm",
                "devices.allow=c 1:9 rwm",
                "devices.allow=c 136:* rwm", "devices.allow=c 5:2 rwm", "devices.allow=c 10:200 rwm");
            Build(V2, none).Steps.Select(s => s.GetType()).Should().Equal(typeof(EnableControllers), typeof(AttachDevices));
        }
    }

    [Test]
    public void Zero_is_unset()
    {
        LinuxResources zero = new()
        {
            Memory = new() { Limit = 0, Swap = 0, Reservation = 0 },
            Cpu = new() { Shares = 0, Quota = 0, Period = 0, Cpus = "", Mems = "" },
            BlockIO = new() { Weight = 0 },
        };
        Writes(Build(V2, zero)).Should().BeEmpty();
        Writes(Build(V1, zero)).Should().OnlyContain(w => w.StartsWith("devices", StringComparison.Ordinal));
    }

    [TestCase(-1L, "max")]
    [TestCase(0L, "1")]
    [TestCase(9L, "9")]
    public void Pids(long limit, string expected) =>
    Writes(Build(V2, new() { Pids = new() { Limit = limit } })).Should().Equal("pids.max=" + expected);

    [Test]
    public void Unlimited()
    {
        LinuxResources r = new() { Memory = new() { Limit = -1 }, Cpu = new() { Quota = -1 } };
        Writes(Build(V2, r)).Should().Equal("memory.swap.max=max", "memory.max=max", "cpu.max=max 100000");
        Writes(Build(V1, r)).Should().Contain(["memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1", "cpu.cfs_quota_us=-1"]);
    }

    [Test]
    public void Unified_comes_last_line_by_line()
    {
        LinuxResources r = new() { Memory = new() { Limit = 5 } };
        r.Unified.Should().NotBeNull();
        SpecMap<string> unified = new();
        unified.Set("io.max", "8:0 rbps=1\n8:16 wbps=2\n");
        unified.Set("memory.max", "9");
        r.Unified = unified;
        CgroupPlan plan = Build(V2, r);
        Writes(plan).Should().Equal("memory.max=5", "io.max=8:0 rbps=1", "io.max=8:16 wbps=2", "memory.max=9");
        ((EnableControllers)plan.Steps[0]).Needed.Should()
            .Equal(new NeededController("memory", "/linux/resources/memory/limit"),
            new NeededController("io", "/linux/resources/unified/io.max"));
        FluentActions.Invoking(() => Build(V1, r)).Should().Throw<OciException>().WithMessage("*cannot use unified on cgroup v1*");
    }

    [Test]
    public void A_missing_controller_is_named()
    {
        CgroupHost host = new(CgroupMode.V1, [V1.Hierarchies[3]]);
        FluentActions.Invoking(() => Build(host, new() { Memory = new() { Limit = 5 } })).Should().Throw<OciException>()
            .WithMessage("/linux/resources/memory/limit: cannot set memory limit: container could not join or create cgroup*");
        FluentActions.Invoking(() => Build(new CgroupHost(CgroupMode.V1, [V1.Hierarchies[2]]), null)).Should().Throw<OciException>()
            .WithMessage("*devices*");
        FluentActions.Invoking(() => Build(new CgroupHost(CgroupMode.None, []), null)).Should().Throw<OciException>()
            .WithMessage("no cgroup file system*");
    }

    [TestCase(1ul, "*minimum allowed cpu-shares is 2*")]
    [TestCase(262145ul, "*maximum allowed cpu-shares is 262144*")]
    public void Shares_out_of_range_on_v1(ulong shares, string text) =>
        FluentActions.Invoking(() => Build(V1, new() { Cpu = new() { Shares = shares } })).Should().Throw<OciException>().WithMessage(text);

    [TestCase(1ul, 1ul)]
    [TestCase(262145ul, 10000ul)]
    public void Shares_out_of_range_on_v2(ulong shares, ulong weight)
    {
        CgroupPlan plan = Build(V2, new() { Cpu = new() { Shares = shares } });
        Writes(plan).Should().Equal($"cpu.weight={weight}");
        plan.Warnings.Should().Equal($"/linux/resources/cpu/shares: {shares} is outside 2 to 262144 and will be brought into that range");
    }

    [Test]
    public void Rootless_without_limits_is_optional()
    {
        CgroupPlan.Build(V2, new("t", null, null) { Rootless = true }).Optional.Should().BeTrue();
        CgroupPlan.Build(V2, new("t", "/x", null) { Rootless = true }).Optional.Should().BeFalse();
        CgroupPlan.Build(V2, new("t", null, new() { Pids = new() { Limit = 1 } }) { Rootless = true }).Optional.Should().BeFalse();
        CgroupPlan.Build(new CgroupHost(CgroupMode.None, []), new("t", null, null) { Rootless = true }).Directories.Should().BeEmpty();
    }

    private static CgroupPlan Build(CgroupHost host, LinuxResources? resources, string path = "/t") =>
        CgroupPlan.Build(host, new("t", path, resources));

    private static List<string> Writes(CgroupPlan plan) =>
        [.. plan.Steps.OfType<ControlWrite>().Select(s => Text(s.Content) + (s.Otherwise is { } other ? $", else {Text(other)}" : ""))];

    private static string Text(FileContent content) => $"{content.File}={content.Value}";

    private static LinuxResources Everything()
    {
        SpecMap<RdmaLimit> rdma = new();
        rdma.Set("mlx5", new() { HcaHandles = 3, HcaObjects = 4 });
        return new()
        {
            Memory = new()
            {
                Limit = 2097152,
                Swap = 3145728,
                Reservation = 4096,
                Kernel = 5,
                KernelTCP = 6,
                Swappiness = 10,
                DisableOOMKiller = true,
                UseHierarchy = true
            },
            Cpu = new()
            {
                Shares = 1024,
                Quota = 50000,
                Period = 100000,
                Burst = 1000,
                Idle = 0,
                RealtimePeriod = 1000000,
                RealtimeRuntime = 10000,
                Cpus = "0",
                Mems = "0"
            },
            Pids = new() { Limit = 100 },
            BlockIO = new()
            {
                Weight = 500,
                LeafWeight = 400,
                WeightDevice = [new() { Major = 8, Minor = 0, Weight = 100 }],
                ThrottleReadBpsDevice = [new() { Major = 8, Rate = 1 }],
                ThrottleWriteBpsDevice = [new() { Major = 8, Rate = 2 }],
                ThrottleReadIOPSDevice = [new() { Major = 8, Rate = 3 }],
                ThrottleWriteIOPSDevice = [new() { Major = 8, Rate = 4 }],
            },
            HugepageLimits = [new() { PageSize = "2MB", Limit = 4194304 }],
            Network = new() { ClassID = 7, Priorities = [new() { Name = "lo", Priority = 3 }] },
            Rdma = rdma,
        };
    }
}
