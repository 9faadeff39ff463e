using FluentAssertions;
using NUnit.Framework;

namespace OciRuntime.Tests.Vm;

/// <summary>
/// Pure cgroup v2: each case of `linux.resources` as the kernel has it then, or the reason it gives. docs/cgroups.md has the same table for
/// v1.
/// </summary>
/// <param name="suite">Debian's whose kernel it is.</param>
[TestFixture("trixie")]
[TestFixture("bookworm", Category = "ByHand")]
[TestFixture("testing", Category = "ByHand")]
[TestFixture("resolute", Category = "ByHand")]
[Category("Slow")]
public sealed partial class UnifiedTests(string suite)
{
    private readonly VmChecks _vm = new();

    // JSON of linux.resources | | the end of the message.
    private static readonly string[] Reasons =
    [
        """{"blockIO":{"throttleReadBpsDevice":[{"major":4000,"minor":1,"rate":1}]}}||/linux/resources/blockIO/throttleReadBpsDevice/0: write /sys/fs/cgroup/x/io.max = 4000:1 rbps=1: no such device (ENODEV): there is no such block device""",
        """{"cpu":{"mems":"5"}}||/linux/resources/cpu/mems: write /sys/fs/cgroup/x/cpuset.mems = 5: invalid argument (EINVAL): it must be a part of what the parent cgroup has and what is online (0)""",
        """{"unified":{"nosuch.max":"1"}}||/linux/resources/unified/nosuch.max: no controller nosuch in /sys/fs/cgroup/x: /sys/fs/cgroup/cgroup.controllers offers only [cpuset cpu io memory hugetlb pids rdma misc]; it may be mounted as cgroup v1, disabled on the kernel's command line, or not delegated to this user""",
        """{"unified":{"memory.nosuch":"1"}}||/linux/resources/unified/memory.nosuch: write /sys/fs/cgroup/x/memory.nosuch = 1: no such file or directory (ENOENT): this kernel has no such file""",
        """{"unified":{"cpu.max":"500 1000"}}||/linux/resources/unified/cpu.max: write /sys/fs/cgroup/x/cpu.max = 500 1000: invalid argument (EINVAL): the period is 1000 to 1000000 us, the quota at least 1000 us and not less than the burst""",
        """{"memory":{"limit":4096}}||container init was killed during set-up: out of memory (memory limit too low?) or killed from outside""",
    ];

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Of(suite).Prelude(VmChecks.LoopDevices);
        ResourceCases.Add(_vm, nameof(A_value_is_in_the_kernel), "ocirun", "/x", "/sys/fs/cgroup/x", ResourceCases.Values);
        ResourceCases.Add(_vm, nameof(A_reason_is_given_in_words), "ocirun", "/x", "/sys/fs/cgroup/x", Reasons);
        _vm.Add(nameof(Limits_that_depend_on_each_other_change_in_the_order_the_kernel_takes), static bundle =>
        {
            PlainTests.Resources(bundle,
                """{ "cpu": { "quota": 50000, "period": 100000, "burst": 50000, "shares": 300 }, "memory": { "limit": 33554432, "swap": 67108864 } }""");
            bundle.Args("sleep", "1000");
        }, """
            cgroup=/sys/fs/cgroup/$id
            show() { for f in "$@"; do read -r l <$cgroup/$f; echo "$l"; done; }
            update() { ocirun update "$@" $id 2>&1 | sed 's/.*msg="//; s/"$//'; }
            ocirun create $id >/dev/null && ocirun start $id || exit
            update --cpu-quota 10000 --cpu-burst 5000; show cpu.max cpu.max.burst
            update --cpu-quota 60000 --cpu-burst 60000; show cpu.max cpu.max.burst
            update --cpu-burst 90000
            update --cpu-idle 1
            update --cpu-share 500
            update --cpu-idle 0 --cpu-share 1024; show cpu.idle cpu.weight
            update --memory-swap 33554432; show memory.swap.max
            update --memory 16777216 --memory-swap 33554432; show memory.max memory.swap.max
            update --memory-swap -1; show memory.max memory.swap.max
            # Only to be written: there is no old value to ask for.
            echo '{"unified":{"memory.reclaim":"0"}}' | update --resources -
            ocirun delete --force $id
            """);
        _vm.Add(nameof(Less_memory_than_is_in_use_kills_unless_it_is_to_be_checked), static bundle =>
        {
            PlainTests.Resources(bundle, """{ "pids": { "limit": 50 } }""");
            bundle.Script("dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null; touch /dev/shm/ready; exec sleep 1000");
        }, """
            cgroup=/sys/fs/cgroup/$id
            ocirun create --pid-file /tmp/pid $id >/dev/null && ocirun start $id || exit
            until [ -e /proc/$(cat /tmp/pid)/root/dev/shm/ready ]; do :; done
            echo '{"pids":{"limit":40},"memory":{"limit":4194304,"checkBeforeUpdate":true}}' | ocirun update -r - $id 2>&1 | sed 's/.*msg="//; s/[0-9]*"$//'
            cat $cgroup/memory.max $cgroup/pids.max
            ocirun update --memory 4m $id || echo failed
            cat $cgroup/memory.max
            grep 'oom_kill ' $cgroup/memory.events
            until ocirun state $id | grep -q stopped; do :; done
            ocirun delete $id
            rm /tmp/pid
            """);
        _vm.Add(nameof(Device_rules_of_a_running_container_are_exchanged), static bundle =>
        {
            PlainTests.Resources(bundle,
                """{ "devices": [ { "allow": false, "access": "rwm" }, { "allow": true, "type": "b", "major": 7, "minor": 0, "access": "w" } ] }""");
            bundle.Capabilities("CAP_MKNOD").Script("mknod /dev/loop b 7 0; touch /dev/shm/ready; exec sleep 1000");
        }, """
            ocirun create --pid-file /tmp/pid $id >/dev/null && ocirun start $id || exit
            until [ -e /proc/$(cat /tmp/pid)/root/dev/shm/ready ]; do :; done
            look() { ocirun exec $id sh -c '(: </dev/loop) 2>/dev/null && echo r; (: >>/dev/loop) 2>/dev/null && echo w; : >/dev/null && echo ok'; }
            look
            echo '{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"b","major":7,"minor":0,"access":"r"}]}' | ocirun update -r - $id
            look
            echo '{"devices":[{"allow":true,"access":"rwm"}]}' | ocirun update -r - $id
            look
            ocirun update --pids-limit 40 $id
            look
            ocirun delete --force $id
            rm /tmp/pid
            """);
        AddPressureChecks();
        AddTreeChecks();
        _vm.Run();
    }

    [Test]
    public void A_value_is_in_the_kernel() => _vm.Result().ShouldSucceed().Lines.Should().Equal(ResourceCases.Expected);

    [Test]
    public void A_reason_is_given_in_words() => _vm.Result().ShouldSucceed().Lines
        // Since Linux 6.14 there is a controller more.
        .Select(static line => line.Replace(" misc dmem]", " misc]", StringComparison.Ordinal))
        .Should().Equal(Reasons.Select(one => one.Split('|')[2]));

    [Test]
    public void Limits_that_depend_on_each_other_change_in_the_order_the_kernel_takes() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal(
        "10000 100000", "5000", "60000 100000", "60000",
        "/linux/resources/cpu/burst: write "
        + "/sys/fs/cgroup/Limits_that_depend_on_each_other_change_in_the_order_the_kernel_takes/cpu.max.burst = 90000: invalid argument "
        + "(EINVAL): the burst must not be more than the quota",
        "/linux/resources/cpu/shares: write "
        + "/sys/fs/cgroup/Limits_that_depend_on_each_other_change_in_the_order_the_kernel_takes/cpu.weight = 58: invalid argument "
        + "(EINVAL): a cgroup with cpu.idle = 1 has no weight",
        "0", "100", "0", "16777216", "16777216", "16777216", "max");

    /// <summary>As with runc: the kernel makes room, and where it cannot, by killing.</summary>
    [Test]
    public void Less_memory_than_is_in_use_kills_unless_it_is_to_be_checked() => _vm.Result().ShouldSucceed().Lines.Should().Equal(
        "/linux/resources/memory/checkBeforeUpdate: rejecting memory limit 4194304 < usage ", "max", "50", "4194304", "oom_kill 1");

    [Test]
    public void Device_rules_of_a_running_container_are_exchanged() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("w", "ok", "r", "ok", "r", "w", "ok", "r", "w", "ok");
}
