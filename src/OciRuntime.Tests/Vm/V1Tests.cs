using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <summary>Cgroup v1 with every controller, of which hosts have some at most: what the kernel has after `create`.</summary>
[Category("Slow")]
public sealed class V1Tests
{
    private readonly VmChecks _vm = new();

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Prelude("""
            umount /sys/fs/cgroup
            mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
            for controllers in cpuset cpu,cpuacct memory devices freezer blkio pids net_cls,net_prio hugetlb rdma; do
              mkdir /sys/fs/cgroup/$controllers
              mount -t cgroup -o $controllers cgroup /sys/fs/cgroup/$controllers
            done
            insmod /lib/modules/loop.ko
            insmod /lib/modules/bfq.ko
            echo bfq >/sys/block/loop0/queue/scheduler
            """);
        Add(nameof(Memory), """
            { "memory": { "limit": 33554432, "reservation": 16777216, "swap": 67108864, "kernelTCP": 8388608, "swappiness": 17, "disableOOMKiller": true, "useHierarchy": true } }
            """, "memory/limit_in_bytes", "memory/soft_limit_in_bytes", "memory/memsw.limit_in_bytes", "memory/kmem.tcp.limit_in_bytes", "memory/swappiness", "memory/oom_control",
            "memory/use_hierarchy");
        Add(nameof(Cpu), """{ "cpu": { "shares": 512, "quota": 50000, "period": 200000, "burst": 20000, "cpus": "1", "mems": "0" } }""",
            "cpu,cpuacct/cpu.shares", "cpu,cpuacct/cpu.cfs_quota_us", "cpu,cpuacct/cpu.cfs_period_us", "cpu,cpuacct/cpu.cfs_burst_us",
            "cpuset/cpus", "cpuset/mems");
        Add(nameof(Idle), """{ "cpu": { "idle": 1 } }""", "cpu,cpuacct/cpu.idle");
        Add(nameof(Block_devices), """
            { "blockIO": { "weight": 200, "weightDevice": [ { "major": 7, "minor": 0, "weight": 300 } ],
              "throttleReadBpsDevice": [ { "major": 7, "minor": 0, "rate": 1048576 }, { "major": 7, "minor": 1, "rate": 5 } ],
              "throttleWriteBpsDevice": [ { "major": 7, "minor": 0, "rate": 2097152 } ],
              "throttleReadIOPSDevice": [ { "major": 7, "minor": 0, "rate": 66 } ],
              "throttleWriteIOPSDevice": [ { "major": 7, "minor": 0, "rate": 77 } ] } }
            """, "blkio/bfq.weight", "blkio/bfq.weight_device", "blkio/throttle.read_bps_device", "blkio/throttle.write_bps_device",
            "blkio/throttle.read_iops_device", "blkio/throttle.write_iops_device");
        Add(nameof(The_rest), """
            { "pids": { "limit": 42 }, "hugepageLimits": [ { "pageSize": "2MB", "limit": 4194304 } ], "network": { "classID": 65538, "priorities": [ { "name": "lo", "priority": 5 } ] } }
            """, "pids/max", "hugetlb/2MB.limit_in_bytes", "hugetlb/2MB.rsvd.limit_in_bytes", "net_cls,net_prio/net_cls.classid", "net_cls,net_prio/net_prio.ifpriomap");
        Add(nameof(Leaf_weights_are_refused), """{ "blockIO": { "leafWeight": 400 } }""");
        Add(nameof(Leaf_weights_are_refused) + "device",
            """{ "blockIO": { "weightDevice": [ { "major": 7, "minor": 0, "leafWeight": 400 } ] } }""");
        Add(nameof(An_rdma_device_that_is_not_there_is_refused), """{ "rdma": { "mlx5_0": { "hcaHandles": 3, "hcaObjects": 4 } } }""");
        _vm.Add(nameof(The_weight_is_updated),
            bundle => bundle.Linux["resources"] = JsonNode.Parse("""{ "blockIO": { "weight": 200 } }"""), """
            ocirun create $id && ocirun update --blkio-weight 333 $id && cat /sys/fs/cgroup/blkio/$id/blkio.bfq.weight
            ocirun update --cpu-rt-runtime 10000 $id
            ocirun delete --force $id
            """);
        foreach (string section in Sections) _vm.AddFixture(section);
        _vm.Run();
    }

    private static readonly string[] Sections = ["resources-hugepages", "resources-network"];

    [TestCaseSource(nameof(Sections))]
    public void Section_of_the_specification(string section) => _vm.Result(section).ShouldSucceed();

    // The first part of a file's name is its hierarchy, and its controller unless the rest says so; shown are its lines, joined by commas.
    private void Add(string name, string resources, params string[] files)
    {
        _vm.Add(name, bundle => bundle.Linux["resources"] = JsonNode.Parse(resources), $$"""
            ocirun create $id >/dev/null || exit
            for f in {{string.Join(' ', files)}}; do
              file=/sys/fs/cgroup/${f%/*}/$id/${f#*/}
              [ -e $file ] || file=/sys/fs/cgroup/${f%/*}/$id/${f%/*}.${f#*/}
              v=; while read -r l; do v="$v${v:+,}$l"; done <$file; echo "$f=$v"
            done
            ocirun delete --force $id
            """);
    }

    [Test]
    public void Memory() => _vm.Result().ShouldSucceed().Lines.Should().Equal(
        "memory/limit_in_bytes=33554432", "memory/soft_limit_in_bytes=16777216", "memory/memsw.limit_in_bytes=67108864",
        "memory/kmem.tcp.limit_in_bytes=8388608",
        "memory/swappiness=17", "memory/oom_control=oom_kill_disable 1,under_oom 0,oom_kill 0", "memory/use_hierarchy=1");

    [Test]
    public void Cpu() => _vm.Result().ShouldSucceed().Lines.Should().Equal(
        "cpu,cpuacct/cpu.shares=512", "cpu,cpuacct/cpu.cfs_quota_us=50000", "cpu,cpuacct/cpu.cfs_period_us=200000",
        "cpu,cpuacct/cpu.cfs_burst_us=20000", "cpuset/cpus=1", "cpuset/mems=0");

    [Test]
    public void Idle() => _vm.Result().ShouldSucceed().Lines.Should().Equal("cpu,cpuacct/cpu.idle=1");

    [Test]
    public void Block_devices() => _vm.Result().ShouldSucceed().Lines.Should().Equal(
        "blkio/bfq.weight=200", "blkio/bfq.weight_device=default 200,7:0 300", "blkio/throttle.read_bps_device=7:1 5,7:0 1048576",
        "blkio/throttle.write_bps_device=7:0 2097152",
        "blkio/throttle.read_iops_device=7:0 66", "blkio/throttle.write_iops_device=7:0 77");

    /// <summary>This kernel is not built with real-time group scheduling.</summary>
    [Test]
    public void The_weight_is_updated()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines.Should().Equal("333");
        result.Stderr.Should().Contain("cpu.rt_runtime_us");
    }

    [Test]
    public void The_rest() => _vm.Result().ShouldSucceed().Lines.Should().Equal(
        "pids/max=42", "hugetlb/2MB.limit_in_bytes=4194304", "hugetlb/2MB.rsvd.limit_in_bytes=4194304",
        "net_cls,net_prio/net_cls.classid=65538", "net_cls,net_prio/net_prio.ifpriomap=lo 5");

    /// <summary>They went with CFQ in Linux 5.0.</summary>
    [TestCase("", "/linux/resources/blockIO/leafWeight", "blkio.leaf_weight = 400")]
    [TestCase("device", "/linux/resources/blockIO/weightDevice/0", "blkio.leaf_weight_device = 7:0 400")]
    public void Leaf_weights_are_refused(string of, string pointer, string write) =>
        _vm.Result(nameof(Leaf_weights_are_refused) + of).ShouldFail(1, pointer, write + ": no such file or directory (ENOENT)");

    /// <summary>The kernel knows the value's form and misses the device: there is none in the machine.</summary>
    [Test]
    public void An_rdma_device_that_is_not_there_is_refused() =>
        _vm.Result().ShouldFail(1, "/linux/resources/rdma/mlx5_0", "rdma.max = mlx5_0 hca_handle=3 hca_object=4: no such device (ENODEV)");
}
