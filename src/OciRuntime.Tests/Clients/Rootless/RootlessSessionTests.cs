using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;
using OciRuntime.Tests.Vm;

namespace OciRuntime.Tests.Clients.Rootless;

/// <summary>
/// Debian's Podman and Buildah in the session of a user to whom systemd has delegated all controllers, on pure cgroup v2: what needs
/// cgroups of his own. Under emulation each command of theirs takes seconds, so there are few.
/// </summary>
[Category("Slow")]
[ForeignDaemon]
[ThisMachinesEngines]
public sealed class RootlessSessionTests
{
    private readonly VmChecks _vm = new VmChecks().WithAnyRuntime();

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Within(9).Options("--systemd").Prelude("""
            as_user() { setpriv --reuid 1000 --regid 1000 --init-groups env -i PATH=$PATH HOME=/home/user XDG_RUNTIME_DIR=/run/user/1000 "$@"; }
            podman_run() { as_user podman --runtime /usr/sbin/ocirun "$@"; }
            files() { dir=$1; shift; for f in "$@"; do v=; while read -r l; do v="$v${v:+,}$l"; done <$dir/$f; echo "$f=$v"; done; }
            # Some runtimes have a cgroup of their own below the scope.
            group_of() { read -r group </proc/$(as_user podman inspect --format '{{.State.Pid}}' "$1")/cgroup; echo ${group#0::}; }
            tidy() {
              as_user podman rm --force --time 0 $id >/dev/null
              as_user systemctl --user list-units --all --plain --no-legend 'libpod-*.scope'
              find /tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-*' -exec rm -rf {} +
              # Podman's own, and the slices that only its containers were in.
              as_user systemctl --user stop user.slice 2>/dev/null
            }
            cd /home/user
            mkdir -p image/bin image/proc image/sys image/dev image/tmp image/etc image/run
            cp /vm/busybox/busybox image/bin
            for applet in sh cat echo grep sleep tail; do ln -s busybox image/bin/$applet; done
            chown -R user image
            # Once, for all that stays: the pause process, directories, a slice.
            podman_run run --rm --network none --rootfs /home/user/image true
            rm -rf /tmp/*-run-1000 /tmp/podman*
            """);
        _vm.Add(nameof(Limits_are_in_unit_and_kernel_and_change), static _ => { }, """
            podman_run run --detach --name $id --network none --memory 40m --pids-limit 33 --cpus 0.5 --rootfs /home/user/image sleep 1000 >/dev/null || exit
            group=$(group_of $id)
            scope=${group%.scope*}.scope
            echo ${scope%-*}; files /sys/fs/cgroup$group memory.max pids.max cpu.max
            as_user systemctl --user show ${scope##*/} -p MemoryMax,TasksMax,CPUQuotaPerSecUSec
            podman_run exec $id cat /proc/self/cgroup
            as_user podman unshare ocirun verify $(as_user podman inspect --format '{{.Id}}' $id) | tail -n 1 >&2
            podman_run update --memory 50m --cpus 1 $id >/dev/null; files /sys/fs/cgroup$group memory.max cpu.max
            podman_run pause $id >/dev/null; files /sys/fs/cgroup$group cgroup.freeze; as_user podman inspect --format '{{.State.Status}}' $id
            podman_run unpause $id >/dev/null; files /sys/fs/cgroup$group cgroup.freeze
            podman_run stats --no-stream --no-reset --format '{{.MemUsage}} {{.PIDS}}' $id
            podman_run stop --time 0 $id >/dev/null 2>&1
            [ ! -d /sys/fs/cgroup$scope ] || echo $scope is left
            tidy
            """);
        _vm.Add(nameof(Too_much_memory_is_the_end), static _ => { }, """
            podman_run run --name $id --network none --memory 20m --memory-swap 20m --rootfs /home/user/image tail /dev/zero
            echo $?; as_user podman inspect --format '{{.State.Status}} {{.State.ExitCode}}' $id
            tidy
            """);
        _vm.Add(nameof(Kill_of_a_paused_container), static _ => { }, """
            podman_run run --detach --name $id --network none --rootfs /home/user/image sleep 1000 >/dev/null || exit
            podman_run pause $id >/dev/null && podman_run rm --force --time 0 $id >/dev/null && as_user podman ps --all --quiet
            tidy
            """);
        // Each in a scope of the user's, which Podman takes for its own.
        const string Inside = "as_user systemd-run --user --scope --quiet -p Delegate=yes podman --runtime /usr/sbin/ocirun";
        const string PidsMax = "--rm --network none --pids-limit 33 --rootfs /home/user/image cat /sys/fs/cgroup/pids.max";
        _vm.Add(nameof(Cgroups_without_systemd), static _ => { }, $"{Inside} --cgroup-manager cgroupfs run {PidsMax}; tidy");
        _vm.Add(nameof(Cgroups_beside_the_monitor), static _ => { },
            $"{Inside} run --cgroups=no-conmon {PidsMax}; {Inside} run --cgroups=split {PidsMax}; tidy");
        _vm.Add(nameof(Buildah_gives_a_build_its_limits), static _ => { }, """
            as_user tar -C /home/user/image -cf /home/user/image.tar .
            printf 'FROM scratch\nADD image.tar /\nRUN ["/bin/sleep", "5"]\n' >/home/user/Containerfile
            as_user systemd-run --user --scope --quiet env BUILDAH_ISOLATION=oci BUILDAH_RUNTIME=/usr/sbin/ocirun buildah --storage-driver vfs bud --network none --memory 64m /home/user >/dev/null &
            while kill -0 $! 2>/dev/null; do
              ! grep -qsx 67108864 /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/buildah-*/memory.max || { echo limited; break; }
              sleep 0.2
            done
            wait $!; echo $?
            as_user buildah --storage-driver vfs rmi --all --force >/dev/null
            rm /home/user/image.tar /home/user/Containerfile
            tidy
            """);
        _vm.Run();
    }

    [Test]
    public void Limits_are_in_unit_and_kernel_and_change()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        if (Ocirun.IsUnderTest) result.Stderr.Should().Contain(" 0 broken, 0 drifted, ");
        string[] lines = result.Lines;
        lines.Take(4).Should().Equal("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod", "memory.max=41943040",
            "pids.max=33", "cpu.max=50000 100000");
        // The unit's are Debian's crun's own affair.
        if (Ocirun.Binary.Name != "crun")
            lines.Skip(4).Take(3).Should().BeEquivalentTo("MemoryMax=41943040", "TasksMax=33", "CPUQuotaPerSecUSec=500ms");
        lines.Skip(7).Take(6).Should()
            .Equal("0::/", "memory.max=52428800", "cpu.max=100000 100000", "cgroup.freeze=1", "paused", "cgroup.freeze=0");
        lines.Skip(13).Should().ContainSingle().Which.Should().MatchRegex(@"^[\d.]+kB / [\d.]+MB 1$");
    }

    [Test]
    public void Too_much_memory_is_the_end() => _vm.Result().ShouldSucceed().Lines.Should().Equal("137", "exited 137");

    [Test]
    public void Kill_of_a_paused_container() => _vm.Result().ShouldSucceed().Text.Should().BeEmpty();

    [Test]
    public void Cgroups_without_systemd()
    {
        Requires.NotRuntime("crun", "Debian's stays in a user's own cgroup and leaves the limits out");
        _vm.Result().ShouldSucceed().Text.Should().Be("33");
    }

    [Test]
    public void Cgroups_beside_the_monitor() => _vm.Result().ShouldSucceed().Lines.Should().Equal("33", "33");

    [Test]
    public void Buildah_gives_a_build_its_limits()
    {
        Requires.NotRuntime("crun", "leaves limits out where nobody says which cgroup they are for");
        _vm.Result().ShouldSucceed().Lines.Should().Equal("limited", "0");
    }
}
