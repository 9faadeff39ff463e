using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <content>What is above the container's cgroup, and what the container makes below.</content>
public sealed partial class UnifiedTests
{
    private static void Below(TestBundle bundle, string path, string? resources = null)
    {
        if (resources is not null) PlainTests.Resources(bundle, resources);
        bundle.Args("sleep", "1000").Linux["cgroupsPath"] = path;
    }

    private void AddTreeChecks()
    {
        const string Threaded = "mkdir -p /sys/fs/cgroup/th/t && echo threaded >/sys/fs/cgroup/th/t/cgroup.type",
            Gone = "rmdir /sys/fs/cgroup/th/t /sys/fs/cgroup/th";
        _vm.Add(nameof(Below_a_threaded_cgroup_a_container_is_threaded),
            static bundle => Below(bundle, "/th/t/c", """{ "pids": { "limit": 9 } }"""), $"""
            {Threaded}
            ocirun create $id >/dev/null && ocirun start $id || exit
            cd /sys/fs/cgroup/th/t/c && cat cgroup.type pids.max && wc -l <cgroup.threads && cd /
            ocirun ps --format json $id | grep -c '[0-9]'
            ocirun pause $id && ocirun state $id | grep -c paused
            ocirun kill --all $id KILL
            ocirun resume $id
            until ocirun state $id | grep -q stopped; do :; done
            ocirun delete $id && ls -d /sys/fs/cgroup/th/t/*/ 2>/dev/null
            {Gone}
            """);
        _vm.Add(nameof(Below_a_threaded_cgroup_memory_cannot_be_limited),
            static bundle => Below(bundle, "/th/t/c", """{ "memory": { "limit": 33554432 } }"""), $"""
            {Threaded}
            ocirun create $id; status=$?
            {Gone}
            exit $status
            """);
        _vm.Add(nameof(Below_an_invalid_domain_nothing_runs), static bundle => Below(bundle, "/th/invalid/c"), $"""
            {Threaded}
            mkdir /sys/fs/cgroup/th/invalid
            ocirun create $id; status=$?
            rmdir /sys/fs/cgroup/th/invalid; {Gone}
            exit $status
            """);
        _vm.Add(nameof(Controllers_are_handed_down_from_the_top),
            static bundle => Below(bundle, "/deep/er/still/c", """{ "memory": { "limit": 33554432 } }"""), """
            ocirun create $id >/dev/null
            for d in deep deep/er deep/er/still; do cat /sys/fs/cgroup/$d/cgroup.subtree_control; done
            cat /sys/fs/cgroup/deep/er/still/c/memory.max
            ocirun delete --force $id
            rmdir /sys/fs/cgroup/deep/er/still /sys/fs/cgroup/deep/er /sys/fs/cgroup/deep
            """);
        _vm.Add(nameof(Exactly_the_files_that_the_kernel_lists_are_delegated), static bundle =>
        {
            Below(bundle, "/delegated");
            bundle.AddNamespace("cgroup").WithUserNamespace();
            bundle.RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "rw");
        }, """
            ocirun create $id >/dev/null || exit
            cd /sys/fs/cgroup/delegated
            for f in . $(cat /sys/kernel/cgroup/delegate); do [ ! -e $f ] || echo "$f"; done | sort >/tmp/listed
            find . -maxdepth 1 -user 100000 | sed 's,^\./,,' | sort >/tmp/owned
            cd /
            cmp /tmp/listed /tmp/owned && grep -c . /tmp/owned && cat /tmp/owned
            rm /tmp/listed /tmp/owned
            ocirun delete --force $id
            """);
        _vm.Add(nameof(What_a_container_made_below_its_own_goes_with_it), static bundle =>
        {
            bundle.AddNamespace("cgroup").Linux["cgroupsPath"] = "/nest";
            bundle.RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "rw");
            bundle.Script("""
                cd /sys/fs/cgroup && mkdir -p a/b frozen th/t && echo threaded >th/t/cgroup.type
                sh -c 'echo 0 >a/b/cgroup.procs; sleep 0 & exec sleep 1000' &
                sleep 1000 & echo $! >frozen/cgroup.procs; echo 1 >frozen/cgroup.freeze
                sleep 1000 & echo $! >th/t/cgroup.procs
                sleep 1000 & echo $! >a/cgroup.procs
                touch /dev/shm/ready; wait
                """);
        }, """
            ocirun create --pid-file /tmp/pid $id >/dev/null && ocirun start $id || exit
            until [ -e /proc/$(cat /tmp/pid)/root/dev/shm/ready ] && [ -n "$(cat /sys/fs/cgroup/nest/a/b/cgroup.procs)" ]; do :; done
            until grep -q 'frozen 1' /sys/fs/cgroup/nest/frozen/cgroup.events; do :; done
            cat /sys/fs/cgroup/nest/th/cgroup.type /sys/fs/cgroup/nest/th/t/cgroup.type
            # One that was moved away ends with its pid namespace.
            mkdir /sys/fs/cgroup/elsewhere
            cat /sys/fs/cgroup/nest/a/cgroup.procs | head -n 1 >/sys/fs/cgroup/elsewhere/cgroup.procs
            ocirun delete --force $id && echo deleted
            [ ! -e /sys/fs/cgroup/nest ] && echo gone
            until rmdir /sys/fs/cgroup/elsewhere 2>/dev/null; do :; done
            rm /tmp/pid
            """);
        _vm.Add(nameof(A_cgroup_that_was_there_takes_the_next_container), static bundle =>
        {
            bundle.AddNamespace("cgroup").Linux["cgroupsPath"] = "/users";
            bundle.RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "rw");
            bundle.Script("""
                cd /sys/fs/cgroup && mkdir -p in/deep && echo 0 >in/cgroup.procs && echo +memory +pids >cgroup.subtree_control
                cat cgroup.subtree_control
                """);
        }, """
            mkdir /sys/fs/cgroup/users
            ocirun run $id; ocirun run $id
            ls -d /sys/fs/cgroup/users/*/ 2>/dev/null
            echo +memory >/sys/fs/cgroup/users/cgroup.subtree_control
            ocirun run $id 2>&1 | sed 's/.*msg="//; s/"$//'
            cat /sys/fs/cgroup/users/cgroup.subtree_control
            rmdir /sys/fs/cgroup/users
            """);
    }

    [Test]
    public void Below_a_threaded_cgroup_a_container_is_threaded() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("threaded", "9", "1", "1", "1");

    [Test]
    public void Below_a_threaded_cgroup_memory_cannot_be_limited() =>
        _vm.Result().ShouldFail(1, "/linux/resources/memory/limit: no controller memory in /sys/fs/cgroup/th/t/c: /sys/fs/cgroup/th",
        "threaded");

    [Test]
    public void Below_an_invalid_domain_nothing_runs() =>
    _vm.Result().ShouldFail(1, "operation not supported (EOPNOTSUPP): the cgroup above is threaded");

    [Test]
    public void Controllers_are_handed_down_from_the_top()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        string all = lines[0];
        all.Should().StartWith("cpuset cpu io memory hugetlb pids rdma misc");
        lines[1..].Should().Equal(all, all, "33554432");
    }

    [Test]
    public void Exactly_the_files_that_the_kernel_lists_are_delegated()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines[1..].Should()
            .Contain([".", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads",
            "memory.oom.group"]).And.HaveCount(int.Parse(lines[0]));
    }

    [Test]
    public void What_a_container_made_below_its_own_goes_with_it() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("domain threaded", "threaded", "deleted", "gone");

    /// <summary>What its user has put into its subtree_control stays, and is named.</summary>
    [Test]
    public void A_cgroup_that_was_there_takes_the_next_container() => _vm.Result().ShouldSucceed().Lines.Should().Equal(
        "memory pids", "memory pids",
        "ocirun run failed: clone3 into the cgroup /sys/fs/cgroup/users: device or resource busy (EBUSY): it hands controllers down "
        + "(cgroup.subtree_control: memory), and such a cgroup takes no processes of its own (no internal processes rule)", "memory");
}
