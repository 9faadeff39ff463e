using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <content>exec on pure cgroup v2, where the process is cloned right into its cgroup.</content>
public sealed partial class PlainTests
{
    private const string Begin = "ocirun create $id && ocirun start $id || exit", End = "ocirun delete --force $id";

    private void AddExecChecks()
    {
        _vm.Add(nameof(Exec_is_born_in_the_containers_cgroup), bundle => bundle.AddNamespace("cgroup").Args("sleep", "1000"), $"""
            {Begin}
            ocirun exec $id cat /proc/self/cgroup
            # What it is from the host's side.
            ocirun exec --detach --pid-file /tmp/pid $id sleep 1000 && cat /proc/$(cat /tmp/pid)/cgroup && rm /tmp/pid
            {End}
            """);
        _vm.Add(nameof(Exec_takes_a_cgroup_below), bundle => bundle.AddNamespace("cgroup").Args("sleep", "1000"), $"""
            {Begin}
            mkdir /sys/fs/cgroup/$id/below
            ocirun exec --cgroup below $id cat /proc/self/cgroup
            ocirun exec --cgroup nosuch $id true || echo $?
            ocirun exec --cgroup ../$id $id cat /proc/self/cgroup || echo $?
            ocirun exec --cgroup memory:below $id true || echo $?
            {End}
            """);
        _vm.Add(nameof(Exec_goes_where_init_is_when_the_cgroup_takes_no_processes), bundle =>
        {
            bundle.AddNamespace("cgroup").RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "rw");
            bundle.Script(
                "cd /sys/fs/cgroup && mkdir leaf && echo $$ >leaf/cgroup.procs && echo +pids >cgroup.subtree_control && exec sleep 1000");
        }, $"""
            {Begin}
            # From outside: a process of exec in the cgroup would be what keeps it from handing a controller down.
            until grep -q pids /sys/fs/cgroup/$id/cgroup.subtree_control; do :; done
            ocirun exec $id cat /proc/self/cgroup
            ocirun exec --cgroup / $id true || echo $?
            ocirun exec --cgroup leaf $id cat /proc/self/cgroup
            {End}
            """);
        _vm.Add(nameof(Exec_waits_with_a_paused_container), bundle => bundle.Args("sleep", "1000"), $"""
            {Begin}
            ocirun pause $id
            ocirun exec $id true || echo $?
            ocirun exec --ignore-paused $id echo awake & exec=$!
            until [ "$(wc -l </sys/fs/cgroup/$id/cgroup.procs)" -gt 1 ]; do :; done
            echo asleep; ocirun resume $id; wait $exec
            {End}
            """);
        _vm.Add(nameof(Exec_can_have_what_it_takes_privileges_for), bundle => bundle.Args("sleep", "1000"), $$"""
            {{Begin}}
            echo '{ "args": ["sh", "-c", "ulimit -Hn; cat /proc/self/oom_score_adj; grep CapEff /proc/self/status"], "cwd": "/", "oomScoreAdj": -500,
                "rlimits": [ { "type": "RLIMIT_NOFILE", "soft": 1048576, "hard": 1048576 } ], "capabilities": { "bounding": ["CAP_SYS_RESOURCE"], "effective": ["CAP_SYS_RESOURCE"], "permitted": ["CAP_SYS_RESOURCE"] } }' >/tmp/p
            ocirun exec --process /tmp/p $id
            rm /tmp/p
            {{End}}
            """);
    }

    [Test]
    public void Exec_is_born_in_the_containers_cgroup() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("0::/", $"0::/{nameof(Exec_is_born_in_the_containers_cgroup)}");

    [Test]
    public void Exec_takes_a_cgroup_below()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        // A path that leads up ends at the container's cgroup, in which there is no such one.
        result.Lines.Should().Equal("0::/below", "255", "255", "255");
        result.Stderr.Should()
            .Contain($"/sys/fs/cgroup/{nameof(Exec_takes_a_cgroup_below)}/nosuch").And.Contain(
            "no cgroup v1 hierarchy with the controller memory");
    }

    [Test]
    public void Exec_goes_where_init_is_when_the_cgroup_takes_no_processes()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines.Should().Equal("0::/leaf", "255", "0::/leaf");
        result.Stderr.Should().Contain("EBUSY");
    }

    [Test]
    public void Exec_waits_with_a_paused_container()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines.Should().Equal("255", "asleep", "awake");
        result.Stderr.Should().Contain("cannot exec in a paused container (use --ignore-paused to override)");
    }

    [Test]
    public void Exec_can_have_what_it_takes_privileges_for() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("1048576", "-500", "CapEff:\t0000000001000000");
}
