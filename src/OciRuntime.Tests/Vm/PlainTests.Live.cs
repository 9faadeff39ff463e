using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;

namespace OciRuntime.Tests.Vm;

/// <content>What changes and watches running containers, on an older kernel and pure cgroup v2.</content>
public sealed partial class PlainTests
{
    private void AddLiveChecks()
    {
        AddMountsAndTop();
        _vm.Add(nameof(Top_tells_what_goes_to_block_devices), static bundle =>
        {
            Resources(bundle, """{ "devices": [ { "allow": true, "type": "b", "major": 7, "minor": 0, "access": "rw" } ] }""");
            bundle.Linux["devices"] = JsonNode.Parse("""[ { "path": "/dev/loop0", "type": "b", "major": 7, "minor": 0 } ]""");
            bundle.Script("while :; do dd if=/dev/zero of=/dev/loop0 bs=64k count=16 oflag=direct 2>/dev/null; done");
        }, $"""
            {VmChecks.LoopDevices}
            dd if=/dev/zero of=/tmp/disk bs=1M count=2 2>/dev/null && losetup /dev/loop0 /tmp/disk || exit
            ocirun run --detach $id >/dev/null || exit
            ocirun top --json --once --interval 2s
            ocirun delete --force $id
            losetup -d /dev/loop0
            rm /tmp/disk
            """);
    }

    private void AddMountsAndTop() => _vm.Add(nameof(Mounts_and_top), static bundle =>
    {
        Resources(bundle, """{ "memory": { "limit": 33554432 }, "cpu": { "quota": 20000, "period": 100000 }, "pids": { "limit": 42 } }""");
        bundle.Writable().Script("while :; do :; done");
    }, """
        mkdir -p /tmp/source && echo content >/tmp/source/file
        ocirun run --detach $id >/dev/null || exit
        json='[{"destination":"/live/a","source":"/tmp/source","options":["bind","ro"]},{"destination":"/live/b","type":"tmpfs","options":["size=4k"]}]'
        echo "$json" | ocirun mounts add $id - || exit
        ocirun exec $id cat /live/a/file
        ocirun exec $id grep -c /live/ /proc/self/mountinfo
        echo "$json" | ocirun mounts remove $id - || exit
        ocirun exec $id grep -c /live/ /proc/self/mountinfo
        ocirun top --json --once --interval 2s
        ocirun delete --force $id
        rm -r /tmp/source /rootfs/live
        """);

    [Test]
    public void Mounts_and_top()
    {
        string[] lines = _vm.Result(nameof(Mounts_and_top)).ShouldSucceed().Lines;
        lines[..3].Should().Equal("content", "2", "0");
        JsonNode row = JsonNode.Parse(lines[3])!.AsArray().Single()!;
        row["cpuPercent"]!.GetValue<double>().Should().BeInRange(8, 32);
        row["memoryBytes"]!.GetValue<long>().Should().BeInRange(4096, 33554432);
        row["memoryLimitBytes"]!.GetValue<long>().Should().Be(33554432);
        row["pids"]!.GetValue<int>().Should().Be(1);
        row["pidsLimit"]!.GetValue<int>().Should().Be(42);
        row["writeBytesPerSecond"]!.GetValue<double>().Should().Be(0);
    }

    /// <summary>Which host's file systems lie on a device that counts is anybody's guess.</summary>
    [Test]
    public void Top_tells_what_goes_to_block_devices()
    {
        JsonNode row = JsonNode.Parse(_vm.Result().ShouldSucceed().Stdout)!.AsArray().Single()!;
        row["writeBytesPerSecond"]!.GetValue<double>().Should().BeGreaterThan(100_000);
        row["readBytesPerSecond"]!.GetValue<double>().Should().Be(0);
    }
}
