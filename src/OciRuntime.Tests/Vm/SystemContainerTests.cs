using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <summary>
/// A whole system in a container, as docs/engines/systemd-container.md has it: systemd is its first process and manages the cgroup that is
/// delegated to it. Its root file system is that of the machine, below an overlay.
/// </summary>
[Category("Slow")]
[ForeignDaemon]
public sealed class SystemContainerTests
{
    /// <summary>The capabilities that engines leave a container.</summary>
    private static readonly string[] Capabilities =
    [
        "CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",
        "CAP_SETGID", "CAP_SETPCAP",
        "CAP_SETUID", "CAP_SYS_CHROOT",
    ];

    private readonly VmChecks _vm = new();

    /// <summary>Both checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Within(9).Options("--systemd").Prelude("""
            # Of the machine, without what is about the machine.
            begin() {
              mkdir -p /run/sc/upper /run/sc/work /run/sc/root
              mount -t overlay -o lowerdir=/,upperdir=/run/sc/upper,workdir=/run/sc/work overlay /run/sc/root || exit
              rm /run/sc/root/etc/systemd/system/multi-user.target.wants/vm-command.service /run/sc/root/var/lib/systemd/linger/user
              printf '[Service]\nExecStart=/bin/sh -c "echo hello from inside; exec sleep 1000"\nMemoryMax=20M\n' >/run/sc/root/etc/systemd/system/inner.service
            }
            # What enters before systemd hands on the controllers stands in the cgroup that has to be empty for that: they come late then, and limits not at all.
            hands_on() { for init in $(find "$1" -name init.scope); do grep -q memory "${init%/*}/cgroup.subtree_control" && return; done; false; }
            # Until the system in the container has started: await CGROUP COMMAND...
            await() { tries=0; until hands_on "$1" || [ $tries -ge 150 ]; do tries=$((tries + 1)); sleep 0.2; done; shift; started "$@"; }
            started() { tries=0; until state=$("$@" systemctl is-system-running --wait 2>/dev/null) || [ "$state" = degraded ] || [ $tries -ge 50 ]; do tries=$((tries + 1)); sleep 0.2; done; echo "$state"; }
            inside() {
              "$@" systemctl start inner.service
              "$@" cat /sys/fs/cgroup/system.slice/inner.service/memory.max
              "$@" journalctl --unit inner.service --output cat | grep -o 'hello from inside'
              "$@" systemctl is-active systemd-journald.service
              "$@" readlink /proc/1/exe
            }
            processes() { cat $(find "$1" -name cgroup.procs) | wc -l; }
            end() { umount /run/sc/root; rm -r /run/sc; }
            """);
        _vm.Add(nameof(Systemd_is_the_first_process), Configure, """
            begin
            ocirun --systemd-cgroup run --detach $id >/run/sc/out 2>&1 || exit
            await /sys/fs/cgroup/system.slice/pre-system.scope ocirun exec $id
            inside ocirun exec $id
            cat /sys/fs/cgroup/system.slice/pre-system.scope/system.slice/inner.service/memory.max
            ocirun exec $id cat /proc/1/cgroup
            [ $(processes /sys/fs/cgroup/system.slice/pre-system.scope) -ge 3 ] && echo processes
            ocirun kill $id SIGRTMIN+3
            tries=0; until ocirun state $id | grep -q stopped || [ $tries -ge 100 ]; do tries=$((tries + 1)); sleep 0.2; done
            ocirun delete $id || exit
            ls /sys/fs/cgroup/system.slice/pre-system.scope 2>&1 | grep -o 'No such file'
            cat /run/sc/out
            end
            """);
        _vm.Add(nameof(Podman_stops_it_cleanly), static _ => { }, """
            begin
            pm() { podman --runtime /usr/sbin/ocirun --events-backend file "$@" 2>>/run/sc/podman; }
            pm run --detach --name system --network none --systemd always --stop-timeout 60 --rootfs /run/sc/root /sbin/init >/dev/null || { cat /run/sc/podman >&2; exit 1; }
            await /sys/fs/cgroup/machine.slice pm exec system
            inside pm exec system
            pm exec system sh -c 'while read -r device point type options rest; do case $point in /run | /run/lock | /tmp | /sys/fs/cgroup) echo "$point $type ${options%%,*}" ;; esac; done </proc/mounts' | sort
            pm stop system >/dev/null
            pm inspect --format '{{.State.Status}} {{.State.ExitCode}} {{.Config.StopSignal}}' system
            pm rm --force system >/dev/null
            find /sys/fs/cgroup -name '*libpod*'
            systemctl stop machine.slice
            end
            rm -rf /var/lib/containers /run/containers /run/libpod /var/tmp/*
            """);
        _vm.Run();
    }

    private static void Configure(TestBundle bundle)
    {
        bundle.AddNamespace("cgroup").Args("/sbin/init").Capabilities(Capabilities);
        bundle.Config["root"] = new JsonObject { ["path"] = "/run/sc/root" };
        bundle.Config["process"]!["env"] = new JsonArray("PATH=/usr/sbin:/usr/bin:/sbin:/bin", "container=oci");
        bundle.Linux["cgroupsPath"] = ":pre:system";
        bundle.RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "rw");
        bundle.AddMount("/run", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=755")
            .AddMount("/run/lock", "tmpfs", "tmpfs", "nosuid", "nodev", "noexec", "mode=1777");
        bundle.AddMount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev", "mode=1777");
    }

    [Test]
    public void Systemd_is_the_first_process()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines.Should().Equal(["running", .. Inside, "20971520", "0::/init.scope", "processes", "No such file"], "{0}", result);
    }

    [Test]
    public void Podman_stops_it_cleanly()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines.Should()
            .Equal(["running", .. Inside, "/run tmpfs rw", "/run/lock tmpfs rw", "/sys/fs/cgroup cgroup2 rw", "/tmp tmpfs rw",
            "exited 0 37"], "{0}", result);
    }

    private static string[] Inside => ["20971520", "hello from inside", "active", "/usr/lib/systemd/systemd"];
}
