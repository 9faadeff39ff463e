using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <summary>
/// Limits by the systemd cgroup driver with a real systemd, that of the machine: what it says of the units, and what the kernel has.
/// </summary>
/// <param name="suite">Debian's, with its kernel.</param>
[Category("Slow")]
[ForeignDaemon]
public abstract class SystemdLimitTests(string suite)
{
    private const string Limits = """
        { "memory": { "limit": 33554432, "reservation": 16777216, "swap": 67108864 },
          "cpu": { "shares": 512, "quota": 50000, "period": 200000, "burst": 20000, "cpus": "1", "mems": "0" },
          "pids": { "limit": 42 }, "blockIO": { "weight": 200 }, "hugepageLimits": [ { "pageSize": "2MB", "limit": 4194304 } ],
          "devices": [ { "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 1, "minor": 11, "access": "w" } ],
          "unified": { "memory.high": "30M" } }
        """;

    private const string Files =
        "memory.max memory.low memory.high memory.swap.max cpu.weight cpu.max cpu.max.burst cpuset.cpus cpuset.mems pids.max io.weight "
        + "hugetlb.2MB.max";

    // What can be used of /dev/kmsg, which the rules mention, /dev/full, which is a default, and /dev/port, which is neither.
    private const string Devices =
        "cd /dev; mknod kmsg c 1 11; mknod port c 1 4; for f in kmsg full port; do (: <$f) 2>/dev/null && echo r $f; (: >>$f) 2>/dev/null "
        + "&& echo w $f; done; rm kmsg port";

    private static readonly string[] LimitsInTheKernel =
    [
        "memory.max=33554432", "memory.low=16777216", "memory.high=31457280", "memory.swap.max=33554432", "cpu.weight=59",
        "cpu.max=50000 200000", "cpu.max.burst=20000",
        "cpuset.cpus=1", "cpuset.mems=0", "pids.max=42", "io.weight=default 1200", "hugetlb.2MB.max=4194304", "w kmsg", "r full", "w full",
    ];

    private protected readonly VmChecks _vm = new();

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Within(9).Of(suite).Options("--systemd", "--file", $"{Ocirun.Runc!.Path}:/runc").Prelude($$"""
            {{VmChecks.LoopDevices}}
            # Ubuntu's users have less, which is TrixieTests' matter.
            [ ! -e /proc/sys/kernel/apparmor_restrict_unprivileged_userns ] || echo 0 >/proc/sys/kernel/apparmor_restrict_unprivileged_userns
            scoped() { ocirun --systemd-cgroup "$@"; }
            files() { dir=$1; shift; for f in "$@"; do v=; while read -r l; do v="$v${v:+,}$l"; done <$dir/$f; echo "$f=$v"; done; }
            units() { systemctl list-units --all --plain --no-legend "$@"; }
            # systemd learns from the kernel that a scope is empty, but not when its cgroup is removed within 10 ms of another message (kernfs).
            units_left() { tries=0; until [ -z "$(units "$@")" ] || [ $tries -ge 20 ]; do tries=$((tries + 1)); sleep 0.1; done; systemctl stop "$@" 2>/dev/null; units "$@"; }
            """);
        AddChecks();
        _vm.Run();
    }

    private protected virtual void AddChecks() => AddLimitChecks();

    private protected void Add(string name, string path, Action<TestBundle> configure, string script) => _vm.Add(name, bundle =>
    {
        bundle.AddNamespace("cgroup").Args("sleep", "1000");
        bundle.Linux["cgroupsPath"] = path;
        configure(bundle);
    }, script);

    private protected static void Resources(TestBundle bundle, string json) => bundle.Linux["resources"] = JsonNode.Parse(json);

    private void AddLimitChecks()
    {
        // The second half after `daemon-reload`, when systemd writes to the files again.
        Add(nameof(Limits_and_devices_are_in_unit_and_kernel_and_stay), "vmtest-a.slice:pre:limits", bundle =>
        {
            Resources(bundle, Limits);
            bundle.Capabilities("CAP_MKNOD");
        }, $$"""
            scope=/sys/fs/cgroup/vmtest.slice/vmtest-a.slice/pre-limits.scope
            scoped create $id && ocirun start $id || exit
            for round in 1 2; do
              files $scope {{Files}}
              ocirun exec $id sh -c '{{Devices}}'
              systemctl daemon-reload
            done
            systemctl show pre-limits.scope -p Description,Slice,ControlGroup,Delegate,DefaultDependencies,MemoryMax,MemoryLow,MemoryHigh,MemorySwapMax,CPUWeight,CPUQuotaPerSecUSec,CPUQuotaPeriodUSec,TasksMax,AllowedCPUs,AllowedMemoryNodes,IOWeight,DevicePolicy,MemoryAccounting,IOAccounting
            ocirun delete --force $id || exit
            units 'pre-*'
            systemctl stop vmtest.slice
            """);
        Add(nameof(Values_are_those_of_runc), "vmtest-r.slice:pre:runc", bundle => Resources(bundle, """
            { "memory": { "limit": 33554432, "reservation": 16777216, "swap": 50000000 }, "cpu": { "quota": 12345, "period": 100000, "cpus": "0-1", "mems": "0" },
              "pids": { "limit": 42 }, "unified": { "memory.high": "31457280" },
              "devices": [ { "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 10, "access": "rw" }, { "allow": true, "type": "c", "major": 1, "minor": 11, "access": "r" } ] }
            """), """
            properties() { systemctl show pre-runc.scope -p Slice,Delegate,DefaultDependencies,MemoryMax,MemoryLow,MemoryHigh,MemorySwapMax,CPUQuotaPerSecUSec,CPUQuotaPeriodUSec,TasksMax,AllowedCPUs,AllowedMemoryNodes,DevicePolicy,DeviceAllow; }
            scoped create $id && properties && ocirun delete --force $id || exit
            echo =
            /runc --systemd-cgroup create $id && properties && /runc delete --force $id
            systemctl stop vmtest.slice
            rm -rf /run/runc
            """);
        ResourceCases.Add(_vm, nameof(Each_value_is_in_the_kernel), "scoped", ":pre:case", "/sys/fs/cgroup/system.slice/pre-case.scope",
            ResourceCases.Values);
        Add(nameof(An_update_changes_both_or_nothing), ":pre:update", bundle => Resources(bundle, Limits), """
            scope=/sys/fs/cgroup/system.slice/pre-update.scope
            both() { files $scope memory.max pids.max cpu.max cpuset.cpus; systemctl show pre-update.scope -p MemoryMax,TasksMax,CPUQuotaPerSecUSec,AllowedCPUs; }
            scoped create $id || exit
            ocirun update --memory 50331648 --pids-limit 17 --cpu-quota 20000 --cpuset-cpus 0 $id && both
            ocirun update --pids-limit 99 --cpuset-cpus 7 $id
            both
            echo '{"memory":{"limit":4096,"checkBeforeUpdate":true}}' | ocirun update --resources - $id
            both
            ocirun delete --force $id
            """);
        Add(nameof(What_an_update_does_not_name_stays), ":pre:stays", bundle => Resources(bundle, """
            { "cpu": { "shares": 512, "quota": 12300, "period": 100000 } }
            """), """
            scope=/sys/fs/cgroup/system.slice/pre-stays.scope
            update() { echo "$1" | ocirun update --resources - $id; files $scope cpu.max cpu.weight cpu.idle | tr '\n' ' '; systemctl show pre-stays.scope -p CPUWeight; }
            scoped create $id || exit
            update '{"pids":{"limit":50}}'
            update '{"cpu":{"idle":0}}'
            update '{"devices":[{"allow":false,"access":"rwm"}]}'
            update '{"cpu":{"idle":1},"unified":{"pids.max":"x"}}'
            update '{"cpu":{"shares":300}}'
            update '{"cpu":{"idle":1}}'
            update '{"cpu":{"idle":0},"unified":{"pids.max":"x"}}'
            update '{"cpu":{"idle":0}}'
            update '{"cpu":{"quota":50000}}'
            ocirun delete --force $id
            """);
        Add(nameof(An_empty_cpuset_is_given_back_to_the_unit), ":pre:cpuset", static _ => { }, """
            scoped create $id || exit
            echo '{"cpu":{"cpus":"0"},"unified":{"pids.max":"x"}}' | ocirun update --resources - $id
            systemctl show pre-cpuset.scope -p AllowedCPUs
            ocirun delete --force $id
            """);
        Add(nameof(Device_rules_are_updated_and_stay), ":pre:devices", bundle =>
        {
            Resources(bundle, Limits);
            bundle.Capabilities("CAP_MKNOD");
        }, $$"""
            scoped create $id && ocirun start $id || exit
            for rules in '{"allow":false,"access":"rwm"}' '{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":11,"access":"w"}' '{"allow":true,"access":"rwm"}'; do
              echo "{\"devices\":[$rules]}" | ocirun update --resources - $id || exit
              systemctl daemon-reload
              ocirun exec $id sh -c '{{Devices}}' | grep -v -e ' port' -e 'r kmsg' | tr '\n' ' '; echo
            done
            ocirun delete --force $id
            """);
        Add(nameof(Annotations_are_properties), ":pre:annotated", bundle =>
        {
            bundle.Annotations["org.systemd.property.TimeoutStopSec"] = "uint64 123";
            bundle.Annotations["org.systemd.property.CollectMode"] = "'inactive-or-failed'";
        }, "scoped create $id && systemctl show pre-annotated.scope -p TimeoutStopUSec,CollectMode; ocirun delete --force $id");
        Add(nameof(A_property_that_systemd_does_not_know_is_refused), ":pre:unknown",
            bundle => bundle.Annotations["org.systemd.property.NoSuchThing"] = "true", "scoped run $id");
        Add(nameof(A_path_must_have_three_parts), "/pre/path", static _ => { }, "scoped run $id");
    }

    [Test]
    public void Limits_and_devices_are_in_unit_and_kernel_and_stay()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines.Take(LimitsInTheKernel.Length).Should().Equal(LimitsInTheKernel);
        lines.Skip(LimitsInTheKernel.Length).Take(LimitsInTheKernel.Length).Should()
            .Equal(LimitsInTheKernel, "daemon-reload changes nothing");
        lines.Skip(2 * LimitsInTheKernel.Length).Should().BeEquivalentTo(
            "Description=ocirun container Limits_and_devices_are_in_unit_and_kernel_and_stay", "Slice=vmtest-a.slice",
            "ControlGroup=/vmtest.slice/vmtest-a.slice/pre-limits.scope", "Delegate=yes",
            "DefaultDependencies=no", "MemoryMax=33554432", "MemoryLow=16777216", "MemoryHigh=31457280", "MemorySwapMax=33554432",
            "CPUWeight=59", "CPUQuotaPerSecUSec=250ms",
            "CPUQuotaPeriodUSec=200ms", "TasksMax=42", "AllowedCPUs=1", "AllowedMemoryNodes=0", "IOWeight=1200", "DevicePolicy=strict",
            "MemoryAccounting=yes", "IOAccounting=yes");
    }

    [Test]
    public void Each_value_is_in_the_kernel() => _vm.Result().ShouldSucceed().Lines.Should().Equal(ResourceCases.ExpectedWithSystemd);

    /// <summary>Debian's, whose weights are those of an older formula, and which leaves out devices that the host does not have.</summary>
    [Test]
    public void Values_are_those_of_runc()
    {
        string[] halves = _vm.Result().ShouldSucceed().Text.Split("\n=\n");
        halves[0].Split('\n').Should().HaveCountGreaterThan(20).And.Contain("CPUQuotaPerSecUSec=130ms");
        const string Tun = "DeviceAllow=/dev/char/10:200 rwm";
        halves[0].Split('\n').Except([Tun]).Should().BeEquivalentTo(halves[1].Split('\n').Except([Tun]));
    }

    [Test]
    public void An_update_changes_both_or_nothing()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        string[] first = ["memory.max=50331648", "pids.max=17", "cpu.max=20000 200000", "cpuset.cpus=0", "CPUQuotaPerSecUSec=100ms",
            "AllowedCPUs=0", "MemoryMax=50331648", "TasksMax=17"];
        result.Lines.Should().HaveCount(3 * first.Length);
        for (int i = 0; i < 3; i++) result.Lines.Skip(i * first.Length).Take(first.Length).Should().BeEquivalentTo(first);
        result.Stderr.Should().Contain("/linux/resources/cpu/cpus").And.Contain("rejecting memory limit 4096");
    }

    /// <summary>
    /// With each change systemd writes all again that it knows of the unit: a quota in whole percent, and idle as a weight.
    /// </summary>
    [Test]
    public void What_an_update_does_not_name_stays() =>
        // What is idle weighs 0 or, to newer kernels, 1.
        _vm.Result().ShouldSucceed().Lines.Select(static line => line.Replace(" cpu.weight=1 ", " cpu.weight=0 ")).Should().Equal(
            "cpu.max=12300 100000 cpu.weight=59 cpu.idle=0 CPUWeight=59", "cpu.max=12300 100000 cpu.weight=59 cpu.idle=0 CPUWeight=59",
            "cpu.max=12300 100000 cpu.weight=59 cpu.idle=0 CPUWeight=59", "cpu.max=12300 100000 cpu.weight=59 cpu.idle=0 CPUWeight=59",
            "cpu.max=12300 100000 cpu.weight=39 cpu.idle=0 CPUWeight=39", "cpu.max=12300 100000 cpu.weight=0 cpu.idle=1 CPUWeight=idle",
            "cpu.max=12300 100000 cpu.weight=0 cpu.idle=1 CPUWeight=idle",
            "cpu.max=12300 100000 cpu.weight=100 cpu.idle=0 CPUWeight=[not set]",
            "cpu.max=50000 100000 cpu.weight=100 cpu.idle=0 CPUWeight=[not set]");

    /// <summary>Its file these kernels do not let become empty again while processes are in the cgroup (ENOSPC).</summary>
    [Test]
    public void An_empty_cpuset_is_given_back_to_the_unit() => _vm.Result().ShouldSucceed().Lines.Should().Equal("AllowedCPUs=");

    [Test]
    public void Device_rules_are_updated_and_stay() =>
        _vm.Result().ShouldSucceed().Lines.Select(static line => line.Trim()).Should()
        .Equal("r full w full", "w kmsg r full w full", "w kmsg r full w full");

    [Test]
    public void Annotations_are_properties() =>
    _vm.Result().ShouldSucceed().Lines.Should().BeEquivalentTo("TimeoutStopUSec=2min 3s", "CollectMode=inactive-or-failed");

    [Test]
    public void A_property_that_systemd_does_not_know_is_refused() =>
        _vm.Result().ShouldFail(1,
        "/annotations/org.systemd.property.NoSuchThing: start the systemd unit pre-unknown.scope on the system bus",
        "Cannot set property NoSuchThing");

    [Test]
    public void A_path_must_have_three_parts() => _vm.Result().ShouldFail(1, "expected cgroupsPath to be of format", "/pre/path");
}
