using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;

namespace OciRuntime.Tests.Vm;

/// <content>What changes and watches running containers, on an older kernel and pure cgroup v2.</content>
public sealed partial class PlainTests
{
    private void AddLiveChecks() => _vm.Add(nameof(Mounts_and_top), static bundle =>
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
}
