using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <content>What needs CAP_SYS_RESOURCE, or every capability at once.</content>
public sealed partial class PlainTests
{
    /// <summary>With the names of /proc/PID/limits.</summary>
    private static readonly (string Type, string Name)[] Limits =
    [
        ("RLIMIT_CPU", "Max cpu time"), ("RLIMIT_FSIZE", "Max file size"), ("RLIMIT_DATA", "Max data size"),
        ("RLIMIT_STACK", "Max stack size"),
        ("RLIMIT_CORE", "Max core file size"), ("RLIMIT_RSS", "Max resident set"), ("RLIMIT_NPROC", "Max processes"),
        ("RLIMIT_NOFILE", "Max open files"),
        ("RLIMIT_MEMLOCK", "Max locked memory"), ("RLIMIT_AS", "Max address space"), ("RLIMIT_LOCKS", "Max file locks"),
        ("RLIMIT_SIGPENDING", "Max pending signals"),
        ("RLIMIT_MSGQUEUE", "Max msgqueue size"), ("RLIMIT_NICE", "Max nice priority"), ("RLIMIT_RTPRIO", "Max realtime priority"),
        ("RLIMIT_RTTIME", "Max realtime timeout"),
    ];

    // Different for each; large enough for a program to run, and, as descriptors, not too many.
    private static ulong Soft(int i) => Limits[i].Type == "RLIMIT_NOFILE" ? 1007 : 1_000_000_000UL + (ulong)i;

    private static ulong Hard(int i) => Limits[i].Type == "RLIMIT_NOFILE" ? 1008 : 2_000_000_000UL + (ulong)i;

    private void AddPrivilegeChecks()
    {
        _vm.Add(nameof(Hard_limits_are_raised_and_the_oom_score_is_lowered), bundle =>
        {
            bundle.Process["rlimits"] = JsonNode.Parse("""
                [ { "type": "RLIMIT_NOFILE", "hard": 65536, "soft": 32768 }, { "type": "RLIMIT_MEMLOCK", "hard": 18446744073709551615, "soft": 18446744073709551615 } ]
                """);
            bundle.Process["oomScoreAdj"] = -500;
            bundle.User(1000, 1000).Script("ulimit -Hn; ulimit -Sn; ulimit -Hl; cat /proc/self/oom_score_adj");
        }, "ulimit -Hn 4096; ulimit -l 64; ocirun run $id");
        _vm.Add(nameof(Every_resource_limit_is_set), bundle =>
        {
            bundle.Process["rlimits"] =
                new JsonArray([
                .. Limits.Select(static (limit, i) => new JsonObject { ["type"] = limit.Type, ["soft"] = Soft(i), ["hard"] = Hard(i) })]);
            bundle.Args("cat", "/proc/self/limits");
        }, "ocirun run $id");
        _vm.Add(nameof(A_privileged_container_may_do_everything), Privileged, "ocirun run $id");
    }

    // What engines make of --privileged.
    private static void Privileged(TestBundle bundle)
    {
        string[] all = CapabilityNames.All;
        JsonObject sets = [];
        foreach (string set in (string[])["bounding", "effective", "permitted", "inheritable", "ambient"])
            sets[set] = TestBundle.Strings(all);
        bundle.Process["capabilities"] = sets;
        bundle.Process["noNewPrivileges"] = false;
        bundle.Linux["maskedPaths"] = new JsonArray();
        bundle.Linux["readonlyPaths"] = new JsonArray();
        bundle.Linux["resources"] = JsonNode.Parse("""{ "devices": [ { "allow": true, "access": "rwm" } ] }""");
        bundle.RemoveMount("/sys").RemoveMount("/sys/fs/cgroup").AddNamespace("cgroup");
        bundle.AddMount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev");
        bundle.AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev");
        bundle.Script("""
            grep '^Cap' /proc/self/status
            mknod /dev/kmem0 c 1 11 && echo privileged >/dev/kmem0 && dmesg | grep -c privileged
            mkdir /dev/mnt && mount -t tmpfs none /dev/mnt && umount /dev/mnt && echo mount
            mkdir /sys/fs/cgroup/inner && rmdir /sys/fs/cgroup/inner && echo cgroup
            v=$(cat /proc/sys/vm/swappiness) && echo $v >/proc/sys/vm/swappiness && echo sysctl
            chroot / true && renice -n -5 -p $$ && hostname other && echo rest
            """);
    }

    [Test]
    public void Hard_limits_are_raised_and_the_oom_score_is_lowered() =>
        _vm.Result().ShouldSucceed().Lines.Should().Equal("65536", "32768", "unlimited", "-500");

    [Test]
    public void Every_resource_limit_is_set()
    {
        Limits.Select(static limit => limit.Type).Should().BeEquivalentTo(ResourceNames.All);
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        for (int i = 0; i < Limits.Length; i++)
        {
            string line = lines.Single(text => text.StartsWith(Limits[i].Name, StringComparison.Ordinal));
            line[Limits[i].Name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[..2].Should().Equal($"{Soft(i)}", $"{Hard(i)}");
        }
    }

    [Test]
    public void A_privileged_container_may_do_everything()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        foreach (string set in (string[])["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
            lines.Should().Contain($"{set}:\t000001ffffffffff");
        lines[5..].Should().Equal("1", "mount", "cgroup", "sysctl", "rest");
    }
}
