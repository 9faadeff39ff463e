using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <content>The systemd of an ordinary user, Podman, and a bus that is not there.</content>
public sealed partial class SystemdTests
{
    // The check's script is root's; a copy of its bundle is the user's. as_user keeps his hands off root's environment.
    private const string AsUser = """
        as_user() { setpriv --reuid 1000 --regid 1000 --init-groups env -i PATH=$PATH HOME=/home/user XDG_RUNTIME_DIR=/run/user/1000 "$@"; }
        manager=/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service
        """;

    private void AddUserChecks()
    {
        Add(nameof(A_user_gets_what_is_delegated), "", bundle =>
        {
            Rootless(bundle);
            Resources(bundle, """{ "memory": { "limit": 33554432 }, "cpu": { "quota": 50000, "cpus": "1" }, "pids": { "limit": 42 } }""");
        }, $"""
            {AsUser}
            scope=$manager/user.slice/ocirun-$id.scope
            as_user ocirun --systemd-cgroup create $id && as_user ocirun start $id || exit
            files $scope memory.max cpu.max cpuset.cpus pids.max
            as_user systemctl --user show ocirun-$id.scope -p MemoryMax,TasksMax,CPUQuotaPerSecUSec,AllowedCPUs,Slice
            as_user ocirun exec $id cat /proc/self/cgroup
            as_user ocirun update --pids-limit 9 $id && files $scope pids.max && as_user systemctl --user show ocirun-$id.scope -p TasksMax
            as_user ocirun pause $id && as_user ocirun state $id | grep -o paused && as_user ocirun resume $id
            as_user ocirun delete --force $id
            as_user systemctl --user list-units --all --plain --no-legend 'ocirun-*'
            ls -d $scope 2>/dev/null
            true
            """);
        Add(nameof(A_user_in_his_own_slice), "vmtest-u.slice:pre:user", Rootless, $"""
            {AsUser}
            as_user systemd-run --user --scope --quiet sh -c "ocirun --systemd-cgroup create $id && ocirun start $id && ocirun exec $id cat /proc/self/cgroup" || exit
            cat $manager/vmtest.slice/vmtest-u.slice/pre-user.scope/cgroup.procs | wc -l
            as_user env -u XDG_RUNTIME_DIR ocirun delete --force $id
            as_user systemctl --user list-units --all --plain --no-legend 'pre-*'
            as_user systemctl --user stop vmtest.slice
            """);
        Add(nameof(A_user_without_a_bus_is_told_so), "", Rootless, $"""
            {AsUser}
            as_user env DBUS_SESSION_BUS_ADDRESS=unix:path=/nowhere ocirun --systemd-cgroup run $id
            """);
        Add(nameof(A_user_cannot_have_the_machines_systemd), "", Rootless, $"""
            {AsUser}
            as_user ocirun --rootless=false --systemd-cgroup run $id
            """);
    }

    internal static void Rootless(TestBundle bundle)
    {
        bundle.AddNamespace("user");
        bundle.Linux["uidMappings"] = System.Text.Json.Nodes.JsonNode.Parse("""[{"containerID":0,"hostID":1000,"size":1}]""");
        bundle.Linux["gidMappings"] = bundle.Linux["uidMappings"]!.DeepClone();
        // Ids that are not mapped.
        bundle.RemoveMount("/dev/pts")
            .AddMount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620");
    }

    private void AddPodmanChecks()
    {
        const string Podman = "podman --cgroup-manager=systemd --runtime /usr/sbin/ocirun";
        _vm.Add(nameof(Podman_limits_and_stops_a_container), static _ => { }, $$"""
            tar -C /rootfs -c . | {{Podman}} import -q - vmtest >/dev/null || exit
            {{Podman}} run --detach --name $id --network none --memory 40m --pids-limit 33 --cpus 0.5 vmtest sleep 1000 >/dev/null || exit
            scope=$(podman inspect --format '{{"{{.State.CgroupPath}}"}}' $id)
            echo ${scope%-*}; files /sys/fs/cgroup$scope memory.max pids.max cpu.max
            systemctl show ${scope##*/} -p MemoryMax,TasksMax,CPUQuotaPerSecUSec
            {{Podman}} exec $id cat /proc/self/cgroup
            {{Podman}} update --memory 50m $id >/dev/null; files /sys/fs/cgroup$scope memory.max
            {{Podman}} stop --time 0 $id >/dev/null 2>&1; podman rm --force $id >/dev/null
            units 'libpod-*'; systemctl stop machine.slice; podman rmi -f vmtest >/dev/null
            find /tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-*' -exec rm -rf {} +
            """);
        // Podman cannot pass --network-lock on, and criu 3.17 crashes when its configuration file says it: nothing is connected that rules
        // would have to keep still.
        _vm.Add(nameof(Podman_saves_a_container_and_has_it_go_on), static _ => { }, $$"""
            for name in iptables-restore ip6tables-restore; do printf '#!/bin/sh\nexec cat >/dev/null\n' >/usr/sbin/$name; chmod 755 /usr/sbin/$name; done
            while read -r module; do insmod "/lib/modules/$module.ko" 2>/dev/null; done </lib/modules/criu
            mkdir /data
            look() { read -r life count </data/count; }
            # The same process as before, not its program once more.
            goes_on() { set -- $life $count; tries=0; until look && [ $count -gt $2 ] || [ $tries -ge 100 ]; do tries=$((tries + 1)); sleep 0.1; done; [ $life = $1 ] && [ $count -gt $2 ] && echo counts on; }
            tar -C /rootfs -c . | {{Podman}} import -q - vmtest >/dev/null || exit
            {{Podman}} run --detach --name $id --network none --volume /data:/data vmtest sh -c 'read life </proc/sys/kernel/random/uuid; i=0; while :; do i=$((i+1)); echo $life $i >/data/new; mv /data/new /data/count; sleep 0.1; done' >/dev/null || exit
            until [ -e /data/count ]; do :; done
            {{Podman}} container checkpoint $id >/dev/null && podman inspect --format '{{"{{.State.Status}}"}}' $id
            look; {{Podman}} container restore $id >/dev/null && goes_on
            {{Podman}} container checkpoint --export /saved.tar.gz $id >/dev/null && podman rm $id >/dev/null
            look; {{Podman}} container restore --import /saved.tar.gz --name other >/dev/null && goes_on
            podman rm --force --time 0 other >/dev/null; units 'libpod-*'; systemctl stop machine.slice; podman rmi -f vmtest >/dev/null
            rm -r /data /saved.tar.gz /usr/sbin/iptables-restore /usr/sbin/ip6tables-restore
            find /tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-*' -exec rm -rf {} +
            """);
    }

    private void AddBusChecks()
    {
        Add(nameof(A_bus_that_hangs_does_not_keep_a_container), ":pre:hanging", static _ => { }, """
            scoped create $id && ocirun start $id || exit
            bus=$(systemctl show dbus.service -p MainPID); bus=${bus#*=}
            kill -STOP $bus
            read -r begin rest </proc/uptime
            ocirun delete --force $id
            read -r end rest </proc/uptime
            kill -CONT $bus
            echo $((${end%.*} - ${begin%.*})); units_left 'pre-*'
            """);
        Add(nameof(Without_a_bus_containers_can_still_be_removed), ":pre:busless", static _ => { }, """
        scoped create $id && ocirun start $id || exit
        mv /run/dbus/system_bus_socket /run/dbus/elsewhere
        scoped create other
        ocirun exec $id echo exec
        ocirun delete --force $id && ocirun list -q
        mv /run/dbus/elsewhere /run/dbus/system_bus_socket
        units_left 'pre-*'
        """);
    }

    [Test]
    public void A_user_gets_what_is_delegated()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines.Take(4).Should().Equal("memory.max=33554432", "cpu.max=50000 100000", "cpuset.cpus=1", "pids.max=42");
        lines.Skip(4).Take(5).Should()
            .BeEquivalentTo("MemoryMax=33554432", "TasksMax=42", "CPUQuotaPerSecUSec=500ms", "AllowedCPUs=1", "Slice=user.slice");
        lines.Skip(9).Should().Equal("0::/", "pids.max=9", "TasksMax=9", "paused");
    }

    [Test]
    public void A_user_in_his_own_slice() => _vm.Result().ShouldSucceed().Lines.Should().Equal("0::/", "1");

    [Test]
    public void A_user_without_a_bus_is_told_so() =>
    _vm.Result().ShouldFail(1, "connect to the user bus (unix:path=/nowhere): no such file or directory (ENOENT)");

    [Test]
    public void A_user_cannot_have_the_machines_systemd() =>
    _vm.Result().ShouldFail(1, "start the systemd unit ocirun-A_user_cannot_have_the_machines_systemd.scope on the system bus",
    "AccessDenied): uid 1000 may not");

    [Test]
    public void Podman_limits_and_stops_a_container()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines.Take(4).Should().Equal("/machine.slice/libpod", "memory.max=41943040", "pids.max=33", "cpu.max=50000 100000");
        lines.Skip(4).Take(3).Should().BeEquivalentTo("MemoryMax=41943040", "TasksMax=33", "CPUQuotaPerSecUSec=500ms");
        lines.Skip(7).Should().Equal("0::/", "memory.max=52428800");
    }

    [Test]
    public void Podman_saves_a_container_and_has_it_go_on() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("exited", "counts on", "counts on");

    [Test]
    public void A_bus_that_hangs_does_not_keep_a_container() => int.Parse(_vm.Result().ShouldSucceed().Text).Should().BeInRange(3, 8);

    [Test]
    public void Without_a_bus_containers_can_still_be_removed()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Stderr.Should()
            .Contain("ocirun create failed: connect to the system bus (unix:path=/run/dbus/system_bus_socket): ").And.Contain(
            "--cgroup-manager cgroupfs");
        result.Lines.Should().Equal("exec");
    }
}
