using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <content>What happens when there is not enough.</content>
public sealed partial class UnifiedTests
{
    // The shell outlives its child, unless the kernel takes both.
    private const string Greedy = "dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null; echo dd ended with $?";

    private void AddPressureChecks()
    {
        foreach (string group in (string[])["0", "1"])
        {
            _vm.Add(nameof(The_kernel_kills_one_process_or_the_whole_container) + group, bundle =>
            {
                PlainTests.Resources(bundle, $$"""
                    { "memory": { "limit": 16777216, "swap": 16777216 }, "unified": { "memory.oom.group": "{{group}}" } }
                    """);
                bundle.Script(Greedy);
            }, "ocirun run $id");
        }
        _vm.Add(nameof(Waiting_for_a_processor_is_told), static bundle =>
        {
            PlainTests.Resources(bundle, """{ "cpu": { "quota": 10000, "period": 100000 } }""");
            bundle.Script("while :; do :; done");
        }, """
            ocirun create $id >/dev/null && ocirun start $id || exit
            cgroup=/sys/fs/cgroup/$id
            until read -r kind averages <$cgroup/cpu.pressure && [ ${averages##*total=} -gt 500000 ]; do sleep 0.2; done
            echo ${averages##*total=}
            ocirun events --stats $id
            read -r kind averages <$cgroup/cpu.pressure; echo ${averages##*total=}
            ocirun delete --force $id
            """);
    }

    [Test]
    public void The_kernel_kills_one_process_or_the_whole_container([Values] bool whole)
    {
        CommandResult result = _vm.Result(nameof(The_kernel_kills_one_process_or_the_whole_container) + (whole ? "1" : "0"));
        if (whole) result.ShouldFail(128 + 9).Stdout.Should().BeEmpty();
        else result.ShouldSucceed().Text.Should().Be("dd ended with 137");
    }

    [Test]
    public void Waiting_for_a_processor_is_told()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        JsonNode.Parse(lines[1])!["data"]!["cpu"]!["psi"]!["some"]!["total"]!.GetValue<ulong>().Should()
            .BeInRange(ulong.Parse(lines[0]), ulong.Parse(lines[2]), "the kernel says so before and after");
    }
}
