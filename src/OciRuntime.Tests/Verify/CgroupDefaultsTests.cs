using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Verify;

namespace OciRuntime.Tests.Verify;

/// <summary>What a new cgroup says is told from what somebody has written.</summary>
public sealed class CgroupDefaultsTests
{
    [TestCase("cpu.shares", "1024", true)]
    [TestCase("cpu.shares", "1023", false)]
    [TestCase("cpu.weight", "100", true)]
    [TestCase("io.weight", "default 100", true)]
    [TestCase("io.weight", "default 200", false)]
    [TestCase("io.bfq.weight", "8:0 default", true)]
    [TestCase("io.bfq.weight", "8:0 200", false)]
    [TestCase("blkio.weight", "500", true)]
    [TestCase("blkio.throttle.read_bps_device", "7:0 0", true)]
    [TestCase("blkio.throttle.read_bps_device", "7:0 5", false)]
    [TestCase("cpu.cfs_period_us", "100000", true)]
    [TestCase("cpu.idle", "0", true)]
    [TestCase("cpu.idle", "1", false)]
    [TestCase("memory.low", "0", true)]
    [TestCase("memory.max", "0", false)]
    [TestCase("net_prio.ifpriomap", "lo 0", true)]
    [TestCase("net_prio.ifpriomap", "lo 5", false)]
    [TestCase("pids.max", "100", false)]
    public void A_new_cgroup_is_known(string file, string text, bool isNew) =>
        CgroupDefaults.Are(directory: -1, file, FileValue.Read(file, text)).Should().Be(isNew);
}
