using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <content>Verbs, failures, and what is left after them.</content>
public sealed partial class SystemdTests
{
    private void AddLifeChecks()
    {
        // The streams of a check are files that grow, which criu does not want.
        Add(nameof(A_checkpoint_comes_back_in_a_scope), ":pre:saved", bundle =>
        {
            Resources(bundle, """{ "pids": { "limit": 42 } }""");
            bundle.AddMount("/data", "bind", "/tmp/data", "bind", "rw")
                .Script("i=0; while :; do i=$((i+1)); echo $i >/data/new; mv /data/new /data/count; sleep 0.1; done");
        }, """
            await() { tries=0; until [ "$(cat /tmp/data/count 2>/dev/null || echo 0)" -ge "$1" ]; do tries=$((tries + 1)); [ $tries -lt 300 ] || exit 9; sleep 0.1; done; }
            while read -r module; do insmod "/lib/modules/$module.ko"; done </lib/modules/criu
            mkdir /tmp/data
            scoped run --detach $id >/dev/null 2>&1 && await 3 || exit
            ocirun checkpoint --network-lock nftables --image-path /tmp/image $id || exit
            saved=$(cat /tmp/data/count); units 'pre-*'
            scoped restore --detach --image-path /tmp/image $id >/dev/null 2>&1 && await $((saved + 2)) && echo counts on
            scope=/sys/fs/cgroup/system.slice/pre-saved.scope
            wc -l <$scope/cgroup.procs; cat $scope/pids.max; systemctl show pre-saved.scope -p TasksMax
            ocirun delete --force $id; units 'pre-*'
            rm -r /tmp/data /tmp/image
            """);
        Add(nameof(A_whole_life), "", bundle => bundle.Script("trap 'exit 3' TERM; echo ready; while :; do sleep 1; done"), """
            scoped create $id >/dev/null && ocirun start $id || exit
            ocirun exec $id cat /proc/self/cgroup
            systemctl show ocirun-$id.scope -p ActiveState,ControlGroup
            ocirun pause $id && ocirun state $id | grep -o paused && ocirun resume $id
            ocirun ps --format json $id | grep -c '[0-9]'
            ocirun events --stats $id | grep -o '"type":"stats"'
            ocirun kill --all $id KILL
            while ocirun state $id | grep -q running; do :; done
            ocirun delete $id || exit
            units 'ocirun-*'
            """);
        Add(nameof(Verify_sees_what_others_change), ":pre:verified", bundle => Resources(bundle, """
            { "memory": { "limit": 33554432 }, "pids": { "limit": 42 }, "cpu": { "quota": 50000, "period": 200000 } }
            """), """
            changed() { ocirun verify $id | grep -A 1 -e broken -e drifted | grep -v -e '^--' -e running; }
            scoped create $id >/dev/null && ocirun start $id || exit
            ocirun verify $id | tail -n 1
            systemctl daemon-reload; changed
            systemctl set-property --runtime pre-verified.scope TasksMax=77; changed
            echo max >/sys/fs/cgroup/system.slice/pre-verified.scope/memory.max; changed
            ocirun delete --force $id
            """);
        Add(nameof(A_scope_that_is_gone_is_no_obstacle), ":pre:gone", Impatient, """
            scoped create $id && ocirun start $id && systemctl stop pre-gone.scope || exit
            while ocirun state $id | grep -q running; do :; done
            ocirun delete $id && units 'pre-*'
            """);
        Add(nameof(A_create_that_fails_leaves_no_unit), ":pre:failing", bundle => bundle.Args("/nonexistent"), """
            scoped create $id
            status=$?
            units 'pre-*'
            exit $status
            """);
        // Between the moments lies everything from the journal to the program.
        Add(nameof(A_create_that_is_killed_leaves_no_unit), ":pre:killed", static _ => { }, """
            for moment in 0.2 0.4 0.6 0.8 1.0 1.3 1.6; do
              ocirun --systemd-cgroup create $id 2>/dev/null >&2 &
              sleep $moment
              kill -KILL $! 2>/dev/null
              wait $! 2>/dev/null
              ocirun delete --force $id || exit
              [ ! -d /sys/fs/cgroup/system.slice/pre-killed.scope ] || echo cgroup
              units 'pre-*'
            done
            """);
        Add(nameof(A_create_that_is_killed_in_a_hook_leaves_no_unit), ":pre:hooked",
            bundle => bundle.AddHook("createRuntime", "/bin/sh", "-c", "touch /hooked; sleep 100"), """
            ocirun --systemd-cgroup create $id >/dev/null 2>&1 &
            while [ ! -e /hooked ]; do sleep 0.1; done
            units 'pre-*' | grep -o 'pre-hooked.scope loaded active'
            kill -KILL $!; wait $! 2>/dev/null
            ocirun delete --force $id; units 'pre-*'
            pkill -f 'sleep 100'; rm /hooked
            """);
        Add(nameof(A_second_container_of_the_name_leaves_the_first_alone), ":pre:twice", static _ => { }, """
            scoped create $id && ocirun start $id || exit
            scoped create other
            ocirun --systemd-cgroup create other2 2>/dev/null >&2 & sleep 0.5; kill -KILL $! 2>/dev/null; wait $! 2>/dev/null
            ocirun delete --force other2
            ocirun state $id | grep -o running; units 'pre-*' | grep -o 'loaded active running'
            ocirun delete --force $id; ocirun list -q
            """);
        Add(nameof(A_failed_unit_of_the_name_is_reset), ":pre:failed", static _ => { }, """
            systemd-run --quiet --scope --unit=pre-failed.scope -p RuntimeMaxSec=1 sleep 100 2>/dev/null
            units 'pre-*' | grep -o 'loaded failed failed'
            scoped create $id && units 'pre-*' | grep -o 'loaded active running'
            ocirun delete --force $id; units 'pre-*'
            """);
        Add(nameof(A_unit_that_fails_is_forgotten), ":pre:fails", bundle =>
        {
            Impatient(bundle);
            bundle.Annotations["org.systemd.property.RuntimeMaxSec"] = "1";
        }, """
            scoped create $id && ocirun start $id || exit
            while [ -d /sys/fs/cgroup/system.slice/pre-fails.scope ]; do sleep 0.2; done
            units 'pre-*' | grep -o 'loaded failed failed'
            ocirun delete --force $id && units 'pre-*'
            """);
        Add(nameof(A_container_may_nest_cgroups), ":pre:nested", bundle =>
        {
            bundle.RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "rw");
            bundle.Script(
                "cd /sys/fs/cgroup && mkdir inner && echo $$ >inner/cgroup.procs && echo +pids >cgroup.subtree_control && echo 9 "
                + ">inner/pids.max && echo ok >/dev/console; exec sleep 1000");
        }, """
            scoped create $id >/dev/null && ocirun start $id || exit
            while [ ! -e /sys/fs/cgroup/system.slice/pre-nested.scope/inner/pids.max ] || ! grep -q 9 /sys/fs/cgroup/system.slice/pre-nested.scope/inner/pids.max; do sleep 0.1; done
            systemctl daemon-reload
            cat /sys/fs/cgroup/system.slice/pre-nested.scope/inner/pids.max
            ocirun exec $id cat /proc/self/cgroup
            ocirun delete --force $id; units 'pre-*'
            """);
    }

    // The first process of a pid namespace does not see a SIGTERM that it has no handler for; systemd then waits 90 s before it kills.
    private static void Impatient(TestBundle bundle) => bundle.Annotations["org.systemd.property.TimeoutStopSec"] = "1";

    [Test]
    public void A_checkpoint_comes_back_in_a_scope()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines[0].Should().Be("counts on");
        lines[1].Trim().Should().BeOneOf("1", "2");
        lines[2..].Should().Equal("42", "TasksMax=42");
    }

    [Test]
    public void A_whole_life()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines[0].Should().Be("0::/");
        lines.Skip(1).Take(2).Should().BeEquivalentTo("ActiveState=active", "ControlGroup=/system.slice/ocirun-A_whole_life.scope");
        lines.Skip(3).Should().Equal("paused", "1", "\"type\":\"stats\"");
    }

    [Test]
    public void Verify_sees_what_others_change()
    {
        string[] lines = [.. _vm.Result().Lines.Select(static line => line.Trim())];
        lines[0].Should().MatchRegex("^Verify_sees_what_others_change, running, 1 process: [0-9]+ held, 0 broken, 0 drifted, ");
        const string Scope = "/sys/fs/cgroup/system.slice/pre-verified.scope";
        string[] pids = [$"drifted   /linux/resources/pids/limit: {Scope}/pids.max = 42", "it is 77"];
        lines[1..].Should().Equal(
            [.. pids, $"broken    /linux/resources/memory/limit: {Scope}/memory.max = 33554432", "it is max", .. pids]);
    }

    [Test]
    public void A_scope_that_is_gone_is_no_obstacle() => _vm.Result().ShouldSucceed().Text.Should().BeEmpty();

    [Test]
    public void A_create_that_fails_leaves_no_unit() => _vm.Result().ShouldFail(null, "/nonexistent").Text.Should().BeEmpty();

    [Test]
    public void A_create_that_is_killed_leaves_no_unit() => _vm.Result().ShouldSucceed().Text.Should().BeEmpty();

    [Test]
    public void A_create_that_is_killed_in_a_hook_leaves_no_unit() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("pre-hooked.scope loaded active");

    [Test]
    public void A_second_container_of_the_name_leaves_the_first_alone()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines.Should().Equal("running", "loaded active running");
        result.Stderr.Should().Contain("start the systemd unit pre-twice.scope: a unit of this name exists already");
    }

    [Test]
    public void A_failed_unit_of_the_name_is_reset() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("loaded failed failed", "loaded active running");

    [Test]
    public void A_unit_that_fails_is_forgotten() => _vm.Result().ShouldSucceed().Lines.Should().Equal("loaded failed failed");

    [Test]
    public void A_container_may_nest_cgroups() => _vm.Result().ShouldSucceed().Lines.Should().Equal("9", "0::/inner");
}
