using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>`linux.cgroupsPath` of a cgroup that was there before: it stays, and what the container brought there goes.</summary>
[NeedsMachine]
public sealed class ExistingCgroupTests
{
    private readonly List<TestContainer> _containers = [];
    private TestBundle _bundle = null!;
    private string _path = "";
    private string[] _made = [];

    /// <summary>In all hierarchies, as an administrator would.</summary>
    [SetUp]
    public void Make()
    {
        _bundle = new TestBundle().WithCgroup();
        _path = _bundle.CgroupsPath!;
        _made = [.. CgroupHost.Mounts.Select(mount => Directory.CreateDirectory(mount.MountPoint + _path).FullName)];
    }

    [TearDown]
    public void Remove()
    {
        // Otherwise the harness would take them for what the container left.
        _bundle.Linux.Remove("cgroupsPath");
        _containers.ForEach(container => container.Dispose());
        _containers.Clear();
        foreach (string path in CgroupHost.Find(_path)) Directory.Delete(path);
        _bundle.Dispose();
    }

    private string Unified() => (CgroupHost.V2MountPoint ?? throw new IgnoreException("missing: cgroup v2")) + _path;

    private TestContainer Container(RuntimeBinary? runtime = null)
    {
        TestContainer container = new(_bundle, runtime);
        _containers.Add(container);
        return container;
    }

    private string In(string controller) => CgroupHost.V1MountPoint(controller) + _path;

    /// <summary>Others stay, as does the one of a container that still has its own.</summary>
    [Test]
    public void A_device_program_goes_with_its_container()
    {
        string cgroup = Unified();
        Observe.AttachProgram(cgroup, "somebodys");
        _bundle.Capabilities("CAP_MKNOD").Writable()
            .Script("cd /tmp; mknod kmsg c 1 11; (: >>kmsg) 2>/dev/null && echo allowed || echo denied; rm kmsg");
        TestContainer ended = Container(Wrapped.PureV2).Started();
        ended.WaitStatus("stopped");
        ended.Output.Should().Be("denied\n");
        string[] before = Observe.Programs(cgroup);
        before.Should().HaveCount(2).And.Contain("somebodys").And.ContainSingle(name => name.StartsWith("ocirun"));
        Container(Wrapped.PureV2).Run().ShouldSucceed();
        Observe.Programs(cgroup).Should().BeEquivalentTo(before, "the ended one is not deleted yet");
        ended.Delete().ShouldSucceed();
        Observe.Programs(cgroup).Should().Equal("somebodys");
        _bundle.Resources["devices"] = JsonNode.Parse("""[ { "allow": true, "type": "c", "major": 1, "minor": 11, "access": "w" } ]""");
        Container(Wrapped.PureV2).Run().ShouldSucceed().Stdout.Should().Be("allowed\n");
    }

    [TestCase("createRuntime")]
    [TestCase("startContainer")]
    public void A_device_program_goes_with_a_launch_that_fails(string hook)
    {
        string cgroup = Unified();
        _bundle.AddHook(hook, "/nowhere");
        Container(Wrapped.PureV2).Run().ShouldFail(1);
        Observe.Programs(cgroup).Should().BeEmpty();
    }

    [Test]
    public void What_a_container_made_below_goes([Values] bool pidNamespace)
    {
        Requires.V1Controller("freezer");
        TestContainer container = Nested(pidNamespace);
        CgroupHost.Find("deep").Should().HaveCount(2);
        container.Delete("--force").ShouldSucceed();
        CgroupHost.Find(_path).Should().BeEquivalentTo(_made);
    }

    [Test]
    public void Where_there_was_something_all_of_it_stays()
    {
        Requires.V1Controller("freezer");
        string pids = In("pids"), before = Directory.CreateDirectory(pids + "/before").FullName;
        Nested().Delete("--force").ShouldSucceed();
        CgroupHost.Find(_path).Should().BeEquivalentTo([.. _made, before, pids + "/in", pids + "/in/deep"]);
    }

    /// <summary>Another container, say, that began when this one had ended.</summary>
    [Test]
    public void Where_somebody_is_all_of_it_stays()
    {
        Requires.V1Controller("freezer");
        TestContainer container = Nested();
        string used = Directory.CreateDirectory(In("freezer") + "/used").FullName;
        using System.Diagnostics.Process other = Children.Start(new("sleep", "1000"));
        try
        {
            File.WriteAllText(used + "/cgroup.procs", $"{other.Id}");
            string[] all = [.. CgroupHost.Find(_path)];
            container.Delete("--force").ShouldSucceed();
            other.HasExited.Should().BeFalse();
            CgroupHost.Find(_path).Should().BeEquivalentTo(all);
        }
        finally
        {
            other.Kill();
            other.WaitForExit();
        }
    }

    /// <summary>Only what is done: there is no program on v1, and where there was something all of it stays.</summary>
    [Test]
    public void Explain_says_what_goes([Values] bool unified)
    {
        if (unified) Unified();
        else Requires.V1Controller("pids");
        string before = unified ? Unified() : In("pids"), seen = unified ? "/sys/fs/cgroup" + _path : before;
        RuntimeBinary runtime = unified ? Wrapped.PureV2 : Ocirun.Binary;
        string[] Words() => [.. runtime.Run("explain", "--format", "json", "--bundle", _bundle.Save().Directory).ShouldSucceed().Stdout
            .Split('"').Where(text => text.StartsWith("take ", StringComparison.Ordinal) && text.EndsWith($"out of {seen}"))];
        Words().Should().Equal($"take {(unified ? "its device program, and what it made below," : "what it made below")} out of {seen}");
        string below = Directory.CreateDirectory(before + "/before").FullName;
        Words().Should().Equal(unified ? (string[])[$"take its device program out of {seen}"] : []);
        Directory.Delete(below);
    }

    /// <summary>With cgroups of its own in two hierarchies, a process in one of them.</summary>
    private TestContainer Nested(bool pidNamespace = true)
    {
        _bundle.AddNamespace("cgroup");
        if (!pidNamespace) _bundle.RemoveNamespace("pid");
        _bundle.RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev");
        _bundle.Script("""
            cd /sys/fs/cgroup
            mkdir -p freezer/in/deep pids/in/deep
            sleep 1000 & echo $! >freezer/in/deep/cgroup.procs
            echo ready; exec sleep 1000
            """);
        TestContainer container = Container().Started();
        container.WaitOutput("ready\n");
        return container;
    }
}
