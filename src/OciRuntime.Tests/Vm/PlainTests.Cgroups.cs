using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <content>Pure cgroup v2 with real controllers.</content>
public sealed partial class PlainTests
{
    // As sh -c in the container: NAME=content of each file of its cgroup, lines joined by commas.
    private static string Show(params string[] files) =>
        $"cd /sys/fs/cgroup; for f in {string.Join(' ', files)}; do v=; while read -r l; do v=\"$v${{v:+,}}$l\"; done <$f; echo "
        + $"\"$f=$v\"; done";

    // Names of checks begin with a capital letter, files of the kernel do not.
    private const string Membership =
        "cat /proc/self/cgroup; grep ' /sys/fs/cgroup ' /proc/self/mountinfo; ls /sys/fs/cgroup | grep -c '^[A-Z]' || true";

    internal static void Resources(TestBundle bundle, string json)
    {
        bundle.AddNamespace("cgroup");
        bundle.Linux["resources"] = JsonNode.Parse(json);
    }

    private void AddCgroupChecks()
    {
        _vm.Add(nameof(Limits_of_every_controller_are_in_the_kernel), bundle =>
        {
            Resources(bundle, """
                { "memory": { "limit": 33554432, "reservation": 16777216, "swap": 67108864 },
                  "cpu": { "shares": 512, "quota": 50000, "period": 100000, "burst": 20000, "cpus": "1", "mems": "0" },
                  "pids": { "limit": 42 },
                  "blockIO": { "weight": 200, "throttleReadBpsDevice": [ { "major": 7, "minor": 0, "rate": 1048576 } ],
                               "throttleWriteBpsDevice": [ { "major": 7, "minor": 0, "rate": 2097152 } ],
                               "throttleReadIOPSDevice": [ { "major": 7, "minor": 0, "rate": 66 } ],
                               "throttleWriteIOPSDevice": [ { "major": 7, "minor": 0, "rate": 77 } ] },
                  "hugepageLimits": [ { "pageSize": "2MB", "limit": 4194304 } ],
                  "devices": [ { "allow": false, "access": "rwm" } ],
                  "unified": { "memory.high": "30000000", "cgroup.max.descendants": "7" } }
                """);
            bundle.Script(Show("memory.max", "memory.low", "memory.swap.max", "memory.high", "cpu.weight", "cpu.max", "cpu.max.burst",
                "cpuset.cpus",
                "cpuset.mems", "pids.max", "io.weight", "io.max", "hugetlb.2MB.max", "hugetlb.2MB.rsvd.max", "cgroup.max.descendants")
                + "; while read -r l; do case $l in Cpus_allowed_list*) echo $l;; esac; done </proc/self/status");
        }, $"""
            {VmChecks.LoopDevices}
            ocirun run $id
            """);
        _vm.Add(nameof(Idle_and_a_weight_for_bfq), bundle =>
        {
            Resources(bundle, """
                { "cpu": { "idle": 1 }, "blockIO": { "weight": 200, "weightDevice": [ { "major": 7, "minor": 0, "weight": 300 } ] } }
                """);
            bundle.Script(Show("cpu.idle", "io.bfq.weight"));
        }, $"""
            {VmChecks.LoopDevices}
            insmod /lib/modules/bfq.ko
            echo bfq >/sys/block/loop0/queue/scheduler
            ocirun run $id
            echo none >/sys/block/loop0/queue/scheduler
            rmmod bfq
            """);
        _vm.Add(nameof(Less_memory_than_is_in_use_is_refused_when_asked),
            bundle => Resources(bundle, """{ "memory": { "limit": 1048576, "checkBeforeUpdate": true } }"""), """
            mkdir /sys/fs/cgroup/$id
            # What a process has written to a tmpfs is charged to its cgroup even when it has ended.
            sh -c "echo \$\$ >/sys/fs/cgroup/$id/cgroup.procs; exec dd if=/dev/zero of=/tmp/$id bs=1M count=4" 2>/dev/null
            ocirun run $id
            status=$?
            rm /tmp/$id
            rmdir /sys/fs/cgroup/$id
            exit $status
            """);
        _vm.Add(nameof(An_rdma_device_that_is_not_there_is_refused),
            bundle => Resources(bundle, """{ "rdma": { "mlx5_0": { "hcaHandles": 3, "hcaObjects": 4 } } }"""), "ocirun run $id");
        _vm.Add(nameof(Limits_bite), bundle =>
        {
            Resources(bundle, """{ "pids": { "limit": 3 }, "memory": { "limit": 16777216, "swap": 16777216 } }""");
            bundle.Script(
                "dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null; echo $?; exec 2>&1; sleep 0 & sleep 0 & sleep 0 & sleep 0 & "
                + "wait");
        }, "ocirun run $id");
        _vm.Add(nameof(A_whole_life), bundle => bundle.AddNamespace("cgroup").Script("sleep 1000 & wait"), """
            cgroup=/sys/fs/cgroup/$id
            ocirun create $id && cat $cgroup/cgroup.procs | wc -l && cat $cgroup/cgroup.controllers
            ocirun start $id
            until [ "$(wc -l <$cgroup/cgroup.procs)" = 2 ]; do :; done
            ocirun state $id | grep status
            ocirun kill --all $id KILL
            until [ "$(wc -l <$cgroup/cgroup.procs)" = 0 ]; do :; done
            ocirun state $id | grep status
            ocirun delete $id
            """);
        _vm.Add(nameof(A_frozen_container_is_deleted_by_force), bundle => bundle.Args("sleep", "1000"), """
            ocirun create $id && ocirun start $id && echo 1 >/sys/fs/cgroup/$id/cgroup.freeze
            until grep -q 'frozen 1' /sys/fs/cgroup/$id/cgroup.events; do :; done
            ocirun delete --force $id
            """);
        _vm.Add(nameof(Limits_are_updated_and_events_tell_what_they_do), bundle =>
        {
            Resources(bundle, """{ "memory": { "limit": 33554432 } }""");
            bundle.Script("trap 'dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null' USR1; while :; do sleep 1; done");
        }, """
            cgroup=/sys/fs/cgroup/$id
            ocirun create $id && ocirun start $id
            ocirun update --memory 16m --memory-swap 16m --cpu-quota 20000 --pids-limit 20 $id
            ocirun update --cpu-period 50000 $id
            ocirun update --cpu-share 300 --memory 8m --cpuset-cpus 7 $id 2>/dev/null || echo refused
            (cd $cgroup && cat memory.max memory.swap.max cpu.max pids.max cpu.weight)
            ocirun pause $id && cat $cgroup/cgroup.freeze && ocirun resume $id && cat $cgroup/cgroup.freeze
            ocirun events --stats $id
            ocirun events --interval 1h $id >/tmp/events & events=$!
            until ls -l /proc/$events/fd | grep -q memory.events; do :; done
            ocirun kill $id USR1
            until [ -s /tmp/events ]; do :; done
            ocirun kill $id KILL
            wait $events && cat /tmp/events && rm /tmp/events
            ocirun delete $id
            """);
        _vm.Add(nameof(The_namespace_hides_what_is_above), bundle => bundle.AddNamespace("cgroup").Script(Membership), "ocirun run $id");
        foreach (bool user in (bool[])[false, true])
        {
            _vm.Add(nameof(Without_a_namespace_the_whole_tree_is_seen) + user, bundle =>
            {
                bundle.Script(Membership);
                if (user) bundle.WithUserNamespace();
            }, "ocirun run $id; grep ' /sys/fs/cgroup ' /proc/self/mountinfo");
        }
        _vm.Add(nameof(A_user_namespace_gets_its_cgroup_delegated), bundle =>
        {
            bundle.AddNamespace("cgroup").WithUserNamespace();
            bundle.RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "rw");
            bundle.Script("""
                cd /sys/fs/cgroup && mkdir inner && echo $$ >inner/cgroup.procs && echo +pids >cgroup.subtree_control && echo 9 >inner/pids.max && cat inner/pids.max
                { echo 5 >pids.max; } 2>/dev/null || echo its own limit stays
                """);
        }, "ocirun run $id");
        _vm.Add(nameof(Device_rules_are_enforced), bundle =>
        {
            Resources(bundle, """
                { "devices": [ { "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 1, "minor": 11, "access": "w" } ] }
                """);
            bundle.Capabilities("CAP_MKNOD").Script("""
                cd /dev; mknod kmsg c 1 11; mknod port c 1 4
                for f in kmsg full port; do (: <$f) 2>/dev/null && echo r $f; (: >>$f) 2>/dev/null && echo w $f; done; true
                """);
        }, "ocirun run $id");
        _vm.Add(nameof(A_cpu_that_is_not_there_is_refused), bundle => Resources(bundle, """{ "cpu": { "cpus": "7" } }"""),
            "ocirun run $id");
        _vm.Add(nameof(A_huge_page_size_that_is_not_there_is_refused),
            bundle => Resources(bundle, """{ "hugepageLimits": [ { "pageSize": "4MB", "limit": 4194304 } ] }"""), "ocirun run $id");
        _vm.Add(nameof(A_parent_with_processes_cannot_hand_down_controllers), bundle =>
        {
            Resources(bundle, """{ "pids": { "limit": 5 } }""");
            bundle.Linux["cgroupsPath"] = "/busy/inner";
        }, """
            mkdir /sys/fs/cgroup/busy
            sleep 1000 & echo $! >/sys/fs/cgroup/busy/cgroup.procs
            ocirun run $id
            status=$?
            cat /sys/fs/cgroup/busy/cgroup.type
            kill $!; wait $! 2>/dev/null
            rmdir /sys/fs/cgroup/busy
            exit $status
            """);
        _vm.Add(nameof(Below_a_parent_with_processes_a_container_without_limits_runs), bundle =>
        {
            bundle.AddNamespace("cgroup").Script("ls /sys/fs/cgroup/*.max; cat /sys/fs/cgroup/cgroup.type");
            bundle.Linux["cgroupsPath"] = "/busy/inner";
        }, """
            mkdir /sys/fs/cgroup/busy
            sleep 1000 & echo $! >/sys/fs/cgroup/busy/cgroup.procs
            ocirun run $id
            cat /sys/fs/cgroup/busy/cgroup.type
            kill $!; wait $! 2>/dev/null
            rmdir /sys/fs/cgroup/busy
            """);
        // What a login shell looks like: the runtime's own cgroup is not the root, and has processes.
        foreach (string path in (string[])["", "relative"])
        {
            _vm.Add(nameof(A_path_that_is_not_absolute_lies_beside_the_runtime) + path, bundle =>
            {
                Resources(bundle, """{ "pids": { "limit": 5 } }""");
                bundle.RemoveNamespace("cgroup").Script("cat /proc/self/cgroup");
                bundle.Linux["cgroupsPath"] = path;
            }, """
                mkdir -p /sys/fs/cgroup/user/session
                (read -r self rest </proc/self/stat; echo $self >/sys/fs/cgroup/user/session/cgroup.procs; exec ocirun run $id)
                rmdir /sys/fs/cgroup/user/session /sys/fs/cgroup/user
                """);
        }
    }

    [Test]
    public void Limits_of_every_controller_are_in_the_kernel()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Stderr.Should().BeEmpty();
        result.Lines.Should().Equal(
            "memory.max=33554432", "memory.low=16777216", "memory.swap.max=33554432", "memory.high=29999104", "cpu.weight=59",
            "cpu.max=50000 100000",
            "cpu.max.burst=20000", "cpuset.cpus=1", "cpuset.mems=0", "pids.max=42", "io.weight=default 1920",
            "io.max=7:0 rbps=1048576 wbps=2097152 riops=66 wiops=77", "hugetlb.2MB.max=4194304", "hugetlb.2MB.rsvd.max=4194304",
            "cgroup.max.descendants=7", "Cpus_allowed_list: 1");
    }

    [Test]
    public void Idle_and_a_weight_for_bfq() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("cpu.idle=1", "io.bfq.weight=default 200,7:0 300");

    [Test]
    public void Less_memory_than_is_in_use_is_refused_when_asked() =>
    _vm.Result().ShouldFail(1, "/linux/resources/memory/checkBeforeUpdate");

    /// <summary>The kernel knows the value's form and misses the device: there is none in the machine.</summary>
    [Test]
    public void An_rdma_device_that_is_not_there_is_refused() =>
        _vm.Result().ShouldFail(1, "/linux/resources/rdma/mlx5_0", "rdma.max = mlx5_0 hca_handle=3 hca_object=4: no such device (ENODEV)");

    [Test]
    public void Limits_bite()
    {
        string[] lines = _vm.Result().Lines;
        lines[0].Should().Be("137", "the kernel kills what exceeds the memory limit");
        lines[1].Should().Contain("can't fork");
    }

    [Test]
    public void A_whole_life()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines[0].Should().Be("1");
        lines[1].Should().StartWith("cpuset cpu io memory hugetlb pids rdma misc", "all controllers are handed down, for their statistics");
        lines[2].Should().Contain("running");
        lines[3].Should().Contain("stopped");
    }

    [Test]
    public void A_frozen_container_is_deleted_by_force() => _vm.Result().ShouldSucceed();

    [Test]
    public void Limits_are_updated_and_events_tell_what_they_do()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines.Take(8).Should().Equal("refused", "16777216", "0", "20000 50000", "20", "100", "1", "0");
        JsonNode data = JsonNode.Parse(lines[8])!["data"]!;
        data["memory"]!["usage"]!["limit"]!.GetValue<ulong>().Should().Be(16777216);
        data["memory"]!["swap"]!["limit"]!.GetValue<ulong>().Should().Be(16777216, "the sum with swap");
        data["memory"]!["usage"]!["usage"]!.GetValue<ulong>().Should().BeInRange(1, 16777216);
        data["pids"]!["limit"]!.GetValue<ulong>().Should().Be(20);
        data["cpu"]!["usage"]!["total"]!.GetValue<ulong>().Should().BePositive();
        data["hugetlb"]!["2MB"].Should().NotBeNull();
        lines[9..].Should()
            .NotBeEmpty().And.OnlyContain(line => line == """{"type":"oom","id":"Limits_are_updated_and_events_tell_what_they_do"}""");
    }

    [Test]
    public void The_namespace_hides_what_is_above()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines[0].Should().Be("0::/");
        lines[1].Should().MatchRegex("^[0-9]+ [0-9]+ [0-9:]+ / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime .*- cgroup2 ");
        lines[2].Should().Be("0");
    }

    [Test]
    public void Without_a_namespace_the_whole_tree_is_seen([Values] bool userNamespace)
    {
        string name = nameof(Without_a_namespace_the_whole_tree_is_seen) + userNamespace;
        string[] lines = _vm.Result(name).ShouldSucceed().Lines;
        lines[0].Should().Be("0::/" + name);
        lines[1].Should().MatchRegex("/ /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime .*- cgroup2 ");
        lines[2].Should().Be("1");
        lines[3].Should().EndWith("rw,nsdelegate,memory_recursiveprot", "the host's hierarchy keeps its options");
    }

    [Test]
    public void A_user_namespace_gets_its_cgroup_delegated() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("9", "its own limit stays");

    [Test]
    public void Device_rules_are_enforced() => _vm.Result().ShouldSucceed().Lines.Should().Equal("w kmsg", "r full", "w full");

    [Test]
    public void A_cpu_that_is_not_there_is_refused() =>
    _vm.Result().ShouldFail(1, "/linux/resources/cpu/cpus", "cpuset.cpus = 7", "what is online (0-1)");

    [Test]
    public void A_huge_page_size_that_is_not_there_is_refused() =>
    _vm.Result().ShouldFail(1, "/linux/resources/hugepageLimits/0", "hugetlb.4MB.max", "no such file");

    [Test]
    public void A_parent_with_processes_cannot_hand_down_controllers() =>
        _vm.Result().ShouldFail(1, "/linux/resources/pids/limit: no controller pids", "/sys/fs/cgroup/busy has processes of its own")
            .Text.Should().Be("domain", "somebody else's cgroup is not made a threaded one");

    [Test]
    public void Below_a_parent_with_processes_a_container_without_limits_runs() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("domain", "domain");

    [Test]
    public void A_path_that_is_not_absolute_lies_beside_the_runtime([Values("", "relative")] string path)
    {
        string name = nameof(A_path_that_is_not_absolute_lies_beside_the_runtime) + path;
        _vm.Result(name).ShouldSucceed().Text.Should().Be("0::/user/" + (path.Length == 0 ? name : path));
    }
}
