using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;

namespace OciRuntime.Tests.Vm;

/// <summary>systemd on cgroup v1, of which it uses some hierarchies and the container all.</summary>
[Category("Slow")]
[ForeignDaemon]
public sealed class SystemdV1Tests
{
    private readonly VmChecks _vm = new();

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Options("--systemd", "--append", "systemd.unified_cgroup_hierarchy=0");
        _vm.Add(nameof(A_container_is_in_all_hierarchies_with_its_limits), bundle =>
        {
            bundle.Linux["cgroupsPath"] = ":pre:v1";
            bundle.Linux["resources"] = JsonNode.Parse("""
                { "memory": { "limit": 33554432 }, "cpu": { "shares": 512, "quota": 50000, "cpus": "1", "mems": "0" }, "pids": { "limit": 42 },
                  "network": { "classID": 65538 }, "devices": [ { "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 1, "minor": 11, "access": "w" } ] }
                """);
            bundle.Capabilities("CAP_MKNOD").Args("sleep", "1000");
        }, """
            at=system.slice/pre-v1.scope
            limits() { cd /sys/fs/cgroup; cat memory/$at/memory.limit_in_bytes cpu/$at/cpu.shares cpu/$at/cpu.cfs_quota_us pids/$at/pids.max cpuset/$at/cpuset.cpus net_cls/$at/net_cls.classid; cd /; }
            devices() { ocirun exec $id sh -c 'cd /dev; mknod kmsg c 1 11; mknod port c 1 4; for f in kmsg full port; do (: <$f) 2>/dev/null && echo r $f; (: >>$f) 2>/dev/null && echo w $f; done; rm kmsg port'; }
            ocirun --systemd-cgroup create $id && ocirun start $id || exit
            ocirun exec $id cat /proc/self/cgroup | grep -vc ':/system.slice/pre-v1.scope$'
            limits; devices; systemctl daemon-reload; limits; devices
            systemctl show pre-v1.scope -p MemoryLimit,CPUShares,CPUQuotaPerSecUSec,TasksMax,DevicePolicy
            ocirun update --memory 50331648 $id && cat /sys/fs/cgroup/memory/$at/memory.limit_in_bytes && devices && systemctl show pre-v1.scope -p MemoryLimit
            ocirun pause $id && ocirun update --pids-limit 9 $id && ocirun state $id | grep -o paused; ocirun resume $id
            quota() { ocirun update "$@" $id && cat /sys/fs/cgroup/cpu/$at/cpu.cfs_quota_us /sys/fs/cgroup/cpu/$at/cpu.cfs_period_us; }
            quota --cpu-period 200000; quota --cpu-quota 24600; quota --cpu-share 300
            systemctl show pre-v1.scope -p CPUQuotaPerSecUSec; systemctl show pre-v1.scope -p CPUQuotaPeriodUSec
            ocirun delete --force $id
            find /sys/fs/cgroup -name 'pre-v1*'; systemctl list-units --all --plain --no-legend 'pre-*'
            # What systemd does not use has no slices of its own.
            find /sys/fs/cgroup -depth -type d -name system.slice -exec rmdir {} ';' 2>/dev/null
            true
            """);
        _vm.Add(nameof(A_user_has_no_v1_cgroups), bundle => bundle.Linux["cgroupsPath"] = "",
            "setpriv --reuid 1000 --regid 1000 --init-groups env XDG_RUNTIME_DIR=/run/user/1000 ocirun --systemd-cgroup run $id");
        _vm.Run();
    }

    [Test]
    public void A_container_is_in_all_hierarchies_with_its_limits()
    {
        string[] limits = ["33554432", "512", "50000", "42", "1", "65538"], devices = ["w kmsg", "r full", "w full"];
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines[0].Should().Be("0");
        lines.Skip(1).Take(18).Should().Equal([.. limits, .. devices, .. limits, .. devices], "daemon-reload changes nothing");
        lines.Skip(19).Take(5).Should()
            .BeEquivalentTo("MemoryLimit=33554432", "CPUShares=512", "CPUQuotaPerSecUSec=500ms", "TasksMax=42", "DevicePolicy=strict");
        lines.Skip(24).Should().Equal(["50331648", .. devices, "MemoryLimit=50331648", "paused",
            "50000", "200000", "24600", "200000", "24600", "200000", "CPUQuotaPerSecUSec=130ms", "CPUQuotaPeriodUSec=200ms"]);
    }

    [Test]
    public void A_user_has_no_v1_cgroups() => _vm.Result().ShouldFail(1, "cannot use rootless systemd cgroups manager on cgroup v1");
}
