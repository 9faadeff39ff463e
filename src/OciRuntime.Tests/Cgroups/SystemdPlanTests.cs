using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Cgroups;

/// <summary>What systemd will be asked for: names, places, properties.</summary>
public sealed class SystemdPlanTests
{
    private static readonly CgroupHost V2 = new(CgroupMode.V2, [new("/sys/fs/cgroup", [], null, true)]);

    [TestCase(null, "ocirun-web.scope", "system.slice/ocirun-web.scope")]
    [TestCase("", "ocirun-web.scope", "system.slice/ocirun-web.scope")]
    [TestCase(":p:n", "p-n.scope", "system.slice/p-n.scope")]
    [TestCase("a.slice:p:n", "p-n.scope", "a.slice/p-n.scope")]
    [TestCase("a.slice::n", "-n.scope", "a.slice/-n.scope")]
    [TestCase("a-b-c.slice:cri-containerd:0123", "cri-containerd-0123.scope", "a.slice/a-b.slice/a-b-c.slice/cri-containerd-0123.scope")]
    [TestCase("-:p:n", "p-n.scope", "p-n.scope")]
    [TestCase("-.slice:p:n", "p-n.scope", "p-n.scope")]
    public void A_path_names_a_scope_in_a_slice(string? path, string name, string place)
    {
        SystemdUnit unit = SystemdUnit.Parse("web", path, isUser: false);
        (unit.Name, unit.Path).Should().Be((name, place));
        unit.Directories(V2).Should().ContainSingle().Which.Path.Should().Be("/sys/fs/cgroup/" + place);
        (SystemdUnit.Parse("web", path, isUser: true) with { ManagersGroup = "/user.slice/user@1.service" }).Directories(V2)[0].Path
            .Should().Be("/sys/fs/cgroup/user.slice/user@1.service/" + place.Replace("system.slice", "user.slice"));
    }

    [Test]
    public void An_id_becomes_a_name_that_systemd_takes() =>
    SystemdUnit.Parse("a+b", null, isUser: false).Name.Should().Be(@"ocirun-a\x2bb.scope");

    [TestCase("/a/b", "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/a/b\" instead")]
    [TestCase("a:b", "expected cgroupsPath to be of format")]
    [TestCase("a:b:c:d", "expected cgroupsPath to be of format")]
    [TestCase("a:b:c", "invalid slice name: a")]
    [TestCase("a--b.slice:b:c", "invalid slice name: a--b.slice")]
    [TestCase("-a.slice:b:c", "invalid slice name: -a.slice")]
    [TestCase("a-.slice:b:c", "invalid slice name: a-.slice")]
    [TestCase(".slice:b:c", "invalid slice name: .slice")]
    [TestCase("a/b.slice:b:c", "invalid slice name: a/b.slice")]
    [TestCase("../x.slice:b:c", "invalid slice name: ../x.slice")]
    [TestCase("a.slice:b:c/d", "systemd takes no unit of the name \"b-c/d.scope\"")]
    [TestCase("a.slice:b:c'd", "systemd takes no unit of the name")]
    [TestCase("a.slice:b:d.slice", "is the name of a slice")]
    public void Other_paths_are_refused(string path, string error)
    {
        Action parse = () => SystemdUnit.Parse("web", path, isUser: false);
        parse.Should().Throw<OciException>().Which.Message.Should().StartWith("/linux/cgroupsPath: ").And.Contain(error);
    }

    [TestCase("""{"memory":{"limit":100,"reservation":50,"swap":150}}""", "MemorySwapMax=50 MemoryMax=100 MemoryLow=50")]
    [TestCase("""{"memory":{"limit":-1}}""", "MemorySwapMax=MAX MemoryMax=MAX")]
    [TestCase("""{"memory":{"limit":100,"swap":100}}""", "MemorySwapMax=0 MemoryMax=100")]
    [TestCase("""{"cpu":{"shares":1024}}""", "CPUWeight=100")]
    [TestCase("""{"cpu":{"idle":1}}""", "CPUWeight=0")]
    [TestCase("""{"cpu":{"idle":0}}""", "CPUWeight=MAX")]
    [TestCase("""{"cpu":{"idle":0,"shares":1024}}""", "CPUWeight=100")]
    [TestCase("""{"cpu":{"quota":50000}}""", "CPUQuotaPeriodUSec=100000 CPUQuotaPerSecUSec=500000")]
    [TestCase("""{"cpu":{"quota":12345,"period":100000}}""", "CPUQuotaPeriodUSec=100000 CPUQuotaPerSecUSec=130000")]
    [TestCase("""{"cpu":{"quota":1000,"period":1000000}}""", "CPUQuotaPeriodUSec=1000000 CPUQuotaPerSecUSec=10000")]
    [TestCase("""{"cpu":{"quota":-1,"period":50000}}""", "CPUQuotaPeriodUSec=50000 CPUQuotaPerSecUSec=MAX")]
    [TestCase("""{"cpu":{"cpus":"0-2,8","mems":"1"}}""", "AllowedCPUs=7,1 AllowedMemoryNodes=2")]
    [TestCase("""{"pids":{"limit":7}}""", "TasksMax=7")]
    [TestCase("""{"pids":{"limit":-1}}""", "TasksMax=MAX")]
    [TestCase("""{"blockIO":{"weight":200,"weightDevice":[{"major":8,"minor":0,"weight":100},{"major":8,"minor":16,"weight":1000}]}}""",
        "IOWeight=1200 IODeviceWeight=/dev/block/8:0,100,/dev/block/8:16,10000")]
    [TestCase("""{"unified":{"memory.high":"30M","memory.min":"max","pids.max":"9","cpu.weight":"77","cpu.max":"max","io.weight":"default 33","memory.oom.group":"1","hugetlb.2MB.max":"0","cpuset.cpus":"1"}}""",
        "MemoryHigh=31457280 MemoryMin=MAX TasksMax=9 CPUWeight=77 CPUQuotaPeriodUSec=100000 CPUQuotaPerSecUSec=MAX IOWeight=33 "
        + "OOMPolicy=kill AllowedCPUs=2")]
    [TestCase("""{"memory":{"limit":100},"unified":{"memory.max":"200"}}""", "MemoryMax=200")]
    [TestCase("""{"cpu":{"cpus":"0"},"unified":{"cpuset.cpus":"","cpuset.mems":"\n"}}""", "AllowedCPUs= AllowedMemoryNodes=")]
    [TestCase("""{"unified":{"cpuset.cpus":"x"}}""", "")]
    [TestCase("""{"unified":{"memory.max":"0","cpu.max":"what ever","pids.max":"x"}}""", "")]
    public void Limits_become_properties(string resources, string expected) => Show(Resources(resources)).Should().Be(expected);

    [TestCase("""{"memory":{"limit":100},"cpu":{"shares":512,"quota":50000,"period":200000},"pids":{"limit":3},"blockIO":{"weight":20}}""",
        "TasksMax=3 MemoryLimit=100 BlockIOWeight=20 CPUShares=512 CPUQuotaPeriodUSec=200000 CPUQuotaPerSecUSec=250000")]
    [TestCase("""{"cpu":{"quota":-1}}""", "CPUQuotaPeriodUSec=100000 CPUQuotaPerSecUSec=MAX")]
    public void So_do_those_of_v1(string resources, string expected)
    {
        CgroupHost host = new(CgroupMode.V1,
        [
            new("/sys/fs/cgroup/cpu", ["cpu"], null, false), new("/sys/fs/cgroup/memory", ["memory"], null, false),
            new("/sys/fs/cgroup/devices", ["devices"], null, false),
            new("/sys/fs/cgroup/pids", ["pids"], null, false), new("/sys/fs/cgroup/blkio", ["blkio"], null, false),
        ]);
        CgroupPlan plan = Plan(host, Resources(resources));
        string[] names = expected.Split(' ').Select(p => p.Split('=')[0]).ToArray();
        string.Join(' ', plan.Scope!.Properties.FindAll(p => Array.IndexOf(names, p.Name) >= 0).Select(Text).Order()).Should()
            .Be(string.Join(' ', expected.Split(' ').Order()));
        plan.Scope.Properties.Select(p => p.Name).Should().Contain("BlockIOAccounting").And.NotContain("IOAccounting");
    }

    /// <summary>
    /// A systemd before 240 takes no numbers of drivers, and of a name with several numbers more than asked for would be allowed.
    /// </summary>
    [Test]
    public void Devices_are_allowed_by_number_or_driver()
    {
        const string Known = "Character devices:\n  1 mem\n  5 /dev/tty\n136 pts\n180 usb\n189 usb\n\nBlock devices:\n  8 sd\n136 other\n";
        DeviceFilter filter = DeviceFilter.Build(Resources("""
            {"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":180,"access":"rw"},{"allow":true,"type":"b","major":8,"access":"r"},
             {"allow":true,"type":"b","major":9,"minor":3,"access":"rwm"},{"allow":true,"type":"c","minor":5,"access":"r"}]}
            """).Devices);
        string Rules(bool unified) => string.Join(' ', UnitDevices.Properties(filter, unified, Known).ConvertAll(Text));
        Rules(unified: true).Should()
            .StartWith("DevicePolicy=strict DeviceAllow=char-180,rw,block-sd,r,/dev/block/9:3,rwm,char-*,r,").And.Contain(
            ",char-pts,rwm,").And.Contain("char-*,m,block-*,m,/dev/char/1:3,rwm,");
        Rules(unified: false).Should().NotContain("char-*,r", "on v1 it would be allowed for good");
    }

    [Test]
    public void A_list_of_denials_is_not_for_systemd() =>
        UnitDevices.Properties(
        DeviceFilter.Build(
        Resources("""{"devices":[{"allow":true,"access":"rwm"},{"allow":false,"type":"b","major":8,"access":"w"}]}""").Devices),
        unified: true, "").Should().BeEmpty();

    [TestCase("PIDs")]
    [TestCase("Slice")]
    [TestCase("Delegate")]
    public void Annotations_do_not_say_whose_processes_it_has(string name)
    {
        Action plan = () => Plan(V2, new LinuxResources(), new SystemdProperty(name, VariantValue.OfNumber("b", 1)));
        plan.Should().Throw<OciException>().WithMessage($"/annotations/org.systemd.property.{name}: this property is for ocirun to set");
    }

    [Test]
    public void Annotations_become_properties()
    {
        CgroupPlan plan =
            Plan(V2, Resources("""{"pids":{"limit":4}}"""), new SystemdProperty("TimeoutStopUSec", VariantValue.OfNumber("t", 7)));
        plan.Scope!.Properties.FindAll(p => p.Name is not ("DeviceAllow" or "DevicePolicy")).ConvertAll(Text).Should()
            .Equal("Description=ocirun container web", "Slice=system.slice", "Delegate=1", "DefaultDependencies=0",
            "MemoryAccounting=1", "CPUAccounting=1", "IOAccounting=1", "TasksAccounting=1", "TimeoutStopUSec=7", "TasksMax=4");
        plan.Scope.With(12).ConvertAll(Text).Should().Contain("PIDs=12");
        plan.Optional.Should().BeFalse();
    }

    private static CgroupPlan Plan(CgroupHost host, LinuxResources resources, params SystemdProperty[] annotations) =>
        CgroupPlan.Build(host,
        new CgroupRequest("web", null,
        resources)
        { Unit = SystemdUnit.Parse("web", null, isUser: false), UnitAnnotations = [.. annotations] });

    private static LinuxResources Resources(string json)
    {
        SpecProblems problems = new("resources");
        LinuxResources resources = SpecReader.ParseResources(Encoding.UTF8.GetBytes(json), problems);
        problems.ToString().Should().BeEmpty();
        return resources;
    }

    private static string Show(LinuxResources resources)
    {
        CgroupPlanBuilder steps = new([new CgroupDirectory(V2.Unified!, "x")], unified: true);
        OciRuntime.Cgroups.Resources.Add(steps, resources);
        return string.Join(' ', UnitLimits.Of(steps.Steps).ConvertAll(Text));
    }

    private static string Text(UnitProperty property) => $"{property.Name}={Text(property.Value)}";

    private static string Text(VariantValue value) => value.Signature[0] switch
    {
        'a' or '(' => string.Join(',', value.Items.Select(Text)),
        's' => value.Text!,
        _ => value.Bits == ulong.MaxValue ? "MAX" : value.Bits.ToString(),
    };
}
