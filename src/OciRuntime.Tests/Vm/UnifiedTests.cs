using FluentAssertions;
using NUnit.Framework;

namespace OciRuntime.Tests.Vm;

/// <summary>Pure cgroup v2: each case of `linux.resources` as the kernel has it then, or the reason it gives. docs/cgroups.md has the same table for v1.</summary>
public sealed partial class UnifiedTests
{
    private readonly VmChecks _vm = new();

    // JSON of linux.resources | files | what they say then.
    private static readonly string[] Values =
    [
        """{"memory":{"limit":33554432,"swap":33554432}}|memory.max memory.swap.max|33554432 0""",
        """{"memory":{"limit":33554432,"swap":33558528}}|memory.max memory.swap.max|33554432 4096""",
        """{"memory":{"limit":33554432,"swap":-1}}|memory.max memory.swap.max|33554432 max""",
        """{"memory":{"limit":33554432,"swap":0}}|memory.max memory.swap.max|33554432 max""",
        """{"memory":{"limit":-1}}|memory.max memory.swap.max|max max""",
        """{"memory":{"limit":-1,"swap":1048576}}|memory.max memory.swap.max|max 1048576""",
        """{"memory":{"swap":-1,"reservation":-1}}|memory.swap.max memory.low|max max""",
        """{"memory":{"limit":33554432,"reservation":16777216,"checkBeforeUpdate":true,"swappiness":7,"disableOOMKiller":true,"kernel":5,"kernelTCP":5,"useHierarchy":true}}|memory.max memory.low|33554432 16777216""",
        """{"cpu":{"shares":2}}|cpu.weight|1""",
        """{"cpu":{"shares":262144}}|cpu.weight|10000""",
        """{"cpu":{"shares":1024,"quota":20000}}|cpu.weight cpu.max|100 20000 100000""",
        """{"cpu":{"quota":-1,"period":50000}}|cpu.max|max 50000""",
        """{"cpu":{"period":50000}}|cpu.max|max 50000""",
        """{"cpu":{"quota":2000,"period":1000,"burst":2000}}|cpu.max cpu.max.burst|2000 1000 2000""",
        """{"cpu":{"idle":1,"shares":500}}|cpu.idle|1""",
        """{"cpu":{"realtimeRuntime":5000,"realtimePeriod":50000}}|cpu.max|max 100000""",
        """{"cpu":{"cpus":"0","mems":"0"}}|cpuset.cpus cpuset.mems|0 0""",
        """{"pids":{"limit":0}}|pids.max|1""",
        """{"pids":{"limit":-1}}|pids.max|max""",
        """{"network":{"classID":5,"priorities":[{"name":"lo","priority":2}]}}|pids.max|max""",
        """{"blockIO":{"weight":10,"leafWeight":20}}|io.weight|default 1""",
        """{"blockIO":{"weight":1000}}|io.weight|default 10000""",
        """{"hugepageLimits":[{"pageSize":"2MB","limit":0}]}|hugetlb.2MB.max hugetlb.2MB.rsvd.max|0 0""",
        """{"memory":{"limit":33554432},"unified":{"memory.max":"8192000","io.max":"7:0 rbps=5\n7:0 wbps=6"}}|memory.max io.max|8192000 7:0 rbps=5 wbps=6 riops=max wiops=max""",
    ];

    // JSON of linux.resources | the end of the message.
    private static readonly string[] Reasons =
    [
        """{"blockIO":{"throttleReadBpsDevice":[{"major":4000,"minor":1,"rate":1}]}}|/linux/resources/blockIO/throttleReadBpsDevice/0: write /sys/fs/cgroup/x/io.max = 4000:1 rbps=1: no such device (ENODEV): there is no such block device""",
        """{"cpu":{"mems":"5"}}|/linux/resources/cpu/mems: write /sys/fs/cgroup/x/cpuset.mems = 5: invalid argument (EINVAL): it must be a part of what the parent cgroup has and what is online (0)""",
        """{"unified":{"nosuch.max":"1"}}|/linux/resources/unified/nosuch.max: no controller nosuch in /sys/fs/cgroup/x: /sys/fs/cgroup/cgroup.controllers offers only [cpuset cpu io memory hugetlb pids rdma misc]; it may be mounted as cgroup v1, disabled on the kernel's command line, or not delegated to this user""",
        """{"unified":{"memory.nosuch":"1"}}|/linux/resources/unified/memory.nosuch: write /sys/fs/cgroup/x/memory.nosuch = 1: no such file or directory (ENOENT): this kernel has no such file""",
        """{"unified":{"cpu.max":"500 1000"}}|/linux/resources/unified/cpu.max: write /sys/fs/cgroup/x/cpu.max = 500 1000: invalid argument (EINVAL): the period is 1000 to 1000000 us, the quota at least 1000 us and not less than the burst""",
        """{"memory":{"limit":4096}}|container init was killed during set-up: out of memory (memory limit too low?) or killed from outside""",
    ];

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Prelude("insmod /lib/modules/loop.ko");
        AddCases(nameof(A_value_is_in_the_kernel), Values, """
            v=
            for f in $files; do while read -r l; do v="$v${v:+ }$l"; done </sys/fs/cgroup/x/$f; done
            echo "$v"
            """);
        AddCases(nameof(A_reason_is_given_in_words), Reasons, "echo none");
        _vm.Add(nameof(Limits_that_depend_on_each_other_change_in_the_order_the_kernel_takes), static bundle =>
        {
            PlainTests.Resources(bundle, """{ "cpu": { "quota": 50000, "period": 100000, "burst": 50000, "shares": 300 }, "memory": { "limit": 33554432, "swap": 67108864 } }""");
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
            PlainTests.Resources(bundle, """{ "devices": [ { "allow": false, "access": "rwm" }, { "allow": true, "type": "b", "major": 7, "minor": 0, "access": "w" } ] }""");
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
        AddTreeChecks();
        _vm.Run();
    }

    // A container for each case, in the cgroup /x; the cases and their files come from standard input.
    private void AddCases(string name, string[] cases, string look)
    {
        string input = string.Join('\n', cases);
        _vm.Add(name, static bundle =>
        {
            bundle.Linux["cgroupsPath"] = "/x";
            bundle.Linux["resources"] = "@";
        }, $$"""
            read -r template <config.json
            while IFS='|' read -r json files rest; do
              printf '%s' "${template%%\"@\"*}$json${template#*\"@\"}" >config.json
              if ocirun create $id </dev/null >/dev/null 2>/tmp/error; then
                {{look.ReplaceLineEndings("\n    ")}}
                ocirun delete --force $id </dev/null
              else
                sed 's/.*failed: //; s/"$//; s/\\"/"/g' /tmp/error
                [ ! -e /sys/fs/cgroup/x ] || echo left
              fi
            done <<'EOF'
            {{input}}
            EOF
            rm -f /tmp/error
            """);
    }

    [Test]
    public void A_value_is_in_the_kernel() => _vm.Result().ShouldSucceed().Lines.Should().Equal(Values.Select(one => one.Split('|')[2]));

    [Test]
    public void A_reason_is_given_in_words() => _vm.Result().ShouldSucceed().Lines.Should().Equal(Reasons.Select(one => one.Split('|')[1]));

    [Test]
    public void Limits_that_depend_on_each_other_change_in_the_order_the_kernel_takes() => _vm.Result().ShouldSucceed().Lines.Should().Equal(
        "10000 100000", "5000", "60000 100000", "60000",
        "/linux/resources/cpu/burst: write /sys/fs/cgroup/Limits_that_depend_on_each_other_change_in_the_order_the_kernel_takes/cpu.max.burst = 90000: invalid argument (EINVAL): the burst must not be more than the quota",
        "/linux/resources/cpu/shares: write /sys/fs/cgroup/Limits_that_depend_on_each_other_change_in_the_order_the_kernel_takes/cpu.weight = 58: invalid argument (EINVAL): a cgroup with cpu.idle = 1 has no weight",
        "0", "100", "0", "16777216", "16777216", "16777216", "max");

    /// <summary>As with runc: the kernel makes room, and where it cannot, by killing.</summary>
    [Test]
    public void Less_memory_than_is_in_use_kills_unless_it_is_to_be_checked() => _vm.Result().ShouldSucceed().Lines.Should().Equal(
        "/linux/resources/memory/checkBeforeUpdate: rejecting memory limit 4194304 < usage ", "max", "50", "4194304", "oom_kill 1");

    [Test]
    public void Device_rules_of_a_running_container_are_exchanged() => _vm.Result().ShouldSucceed().Lines.Should().Equal("w", "ok", "r", "ok", "r", "w", "ok", "r", "w", "ok");
}
