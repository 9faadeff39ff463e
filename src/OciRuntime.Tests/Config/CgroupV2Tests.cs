using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// The same where only cgroup v2 is visible. Its controllers are on v1 here, but cgroups, device programs, freeze and kill are v2's own.
/// </summary>
public sealed class CgroupV2Tests
{
    [SetUp]
    public void Begin()
    {
        if (CgroupHost.V2MountPoint is null) Assert.Ignore("missing: cgroup v2");
    }

    private static string Directory2(TestContainer container) =>
        CgroupHost.V2MountPoint + container.Init.Cgroups.First(entry => entry.Hierarchy == 0).Path;

    [Test]
    public void A_whole_life_in_pure_v2()
    {
        using TestBundle bundle = new();
        using TestContainer container = new TestContainer(bundle.Script("sleep 1000 & wait").WithCgroup(), Wrapped.PureV2).Started();
        Eventually.True(() => ProcessTree.ChildrenOf(container.InitPid).Count == 1, "a child");
        Directory2(container).Should().EndWith(bundle.CgroupsPath);
        File.ReadAllLines(Path.Combine(Directory2(container), "cgroup.procs")).Should()
            .Contain(container.InitPid.ToString()).And.HaveCount(2);
        container.Init.Cgroups.Where(entry => entry.Hierarchy != 0).Should()
            .OnlyContain(entry => !entry.Path.Contains(bundle.CgroupsPath!), "v1 was not to be seen");
        container.Status.Should().Be("running");
        container.Kill("KILL", "--all").ShouldSucceed();
        container.WaitExit().Signal.Should().Be(9);
        container.WaitStatus("stopped");
        container.Delete().ShouldSucceed();
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
    }

    [Test]
    public void Cgroup_mount_in_pure_v2([Values] bool cgroupNamespace)
    {
        using TestBundle bundle = new();
        bundle.WithCgroup();
        if (cgroupNamespace) bundle.AddNamespace("cgroup");
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000"), Wrapped.PureV2).Started();
        MountInfo mount = container.Init.MountAt("/sys/fs/cgroup");
        mount.Type.Should().Be("cgroup2");
        mount.Options.Should().Contain(["ro", "nosuid", "noexec", "nodev"]);
        mount.Root.Should().Be(cgroupNamespace ? bundle.CgroupsPath : "/");
    }

    [Test]
    public void Device_rules_are_a_program_in_pure_v2()
    {
        using TestBundle bundle = new();
        bundle.Capabilities("CAP_MKNOD").WithCgroup().Writable();
        bundle.Resources["devices"] =
            JsonNode.Parse(
            """[ { "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 1, "minor": 11, "access": "w" } ]""");
        bundle.Script("""
            cd /tmp; mknod kmsg c 1 11 && mknod full c 1 7 && mknod port c 1 4
            for f in kmsg full port; do (dd if=$f of=/dev/null bs=1 count=0 2>/dev/null) && echo r $f; (: >>$f) 2>/dev/null && echo w $f; done; true
            """);
        JsonNode plan = Wrapped.PureV2.Run("explain", "--format", "json", "--bundle", bundle.Save().Directory).ShouldSucceed().Json;
        // Of character devices the default's last rule is asked first: 10:200, any access. Others decide in the same place.
        plan["deviceProgram"]!.AsArray().Select(line => (string)line!).Should()
            .ContainInConsecutiveOrder(
                "9: if w2 != 0x2 goto pc+14", "10: if w6 == 0xa000c8 goto pc+17", "11: if w6 == 0x500002 goto pc+16");
        using TestContainer container = new(bundle, Wrapped.PureV2);
        container.Run().ShouldSucceed().Lines.Should().Equal("w kmsg", "r full", "w full");
    }

    /// <summary>Moving a process that runs already takes a lock of the whole machine (design, section 3).</summary>
    [Test]
    public void The_process_is_born_in_its_cgroup()
    {
        using TestBundle bundle = new TestBundle().WithCgroup().Args("cat", "/proc/self/cgroup").Save();
        string log = TestRun.NewPath("strace"), root = TestRun.NewDirectory("state");
        string[] run = [Wrapped.PureV2.Path, "--root", root, "run", "--bundle", bundle.Directory, $"{TestRun.Token}-born"];
        Command.Run(Requires.Tool("strace"), ["-f", "-qq", "-o", log, "-e", "trace=clone3,openat2", "-e", "signal=none", .. run])
            .ShouldSucceed().Stdout.Should().Contain($"0::{bundle.CgroupsPath}");
        string calls = File.ReadAllText(log);
        File.Delete(log);
        Directory.Delete(root);
        calls.Should().MatchRegex("clone3.*CLONE_NEWPID.*CLONE_INTO_CGROUP").And.NotContain("cgroup.procs\", {flags=O_WRONLY");
    }

    [Test]
    public void A_limit_without_its_controller_is_refused_by_name()
    {
        if (CgroupHost.V2Controllers.Contains("pids")) Assert.Ignore("missing: a v2 hierarchy without controllers");
        using TestBundle bundle = new();
        bundle.WithCgroup().Resources["pids"] = JsonNode.Parse("""{ "limit": 42 }""");
        Observe.Refused(bundle, Wrapped.PureV2).Should().Contain("pids");
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
    }
}
