using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>
/// `update --resources` with device rules; that nothing happens between old and new ones is shown by
/// <see cref="Cgroups.DeviceMatrixTests"/>.
/// </summary>
public sealed class UpdateDevicesTests
{
    private const string DenyAll = """{"allow":false,"access":"rwm"}""";

    private TestBundle _bundle = null!;
    private TestContainer _container = null!;

    [SetUp]
    public void Start()
    {
        Requires.V1Controller("devices");
        _bundle = new TestBundle().WithCgroup();
        _bundle.Resources["devices"] =
            JsonNode.Parse($$"""[ {{DenyAll}}, { "allow": true, "type": "c", "major": 1, "minor": 11, "access": "rw" } ]""");
        _container = Observe.Sleeping(_bundle);
    }

    [TearDown]
    public void End()
    {
        _container?.Dispose();
        _bundle?.Dispose();
    }

    private string[] List => _container.ReadCgroup("devices", "devices.list").Split('\n');

    private CommandResult Update(string json) =>
        _container.Call(["update", "--resources", "-", _container.Id], new CommandOptions { Stdin = json });

    [Test]
    public void A_list_replaces_the_old_one_and_no_list_leaves_it()
    {
        string[] before = List;
        before.Should().Contain("c 1:11 rw");
        Update("""{"pids":{"limit":9},"devices":[]}""").ShouldSucceed();
        List.Should().BeEquivalentTo(before);
        Update($$"""{"devices":[{{DenyAll}},{"allow":true,"type":"c","major":1,"minor":11,"access":"r"},{"allow":true,"type":"b","major":7,"minor":0,"access":"rw"}]}""").ShouldSucceed().Stderr.Should().BeEmpty();
        List.Should().BeEquivalentTo([.. before.Except(["c 1:11 rw"]), "c 1:11 r", "b 7:0 rw"]);
        _container.Exec("sh", "-c", "echo x >/dev/null").ShouldSucceed();
    }

    /// <summary>As containerd updates a limit, beside a plugin that has allowed a device.</summary>
    [Test]
    public void The_same_list_leaves_what_others_have_allowed()
    {
        string allow = Path.Combine(_container.Init.CgroupDirectory("devices"), "devices.allow");
        string same = $$"""{"pids":{"limit":9},"devices":{{_bundle.Resources["devices"]}}}""";
        string other = $$"""{"devices":[{{DenyAll}}]}""";
        File.WriteAllText(allow, "c 195:* rwm");
        Update(same).ShouldSucceed();
        _container.ReadCgroup("pids", "pids.max").Should().Be("9");
        List.Should().Contain(["c 195:* rwm", "c 1:11 rw"]);
        Update(other).ShouldSucceed();
        List.Should().NotContain("c 1:11 rw");
        File.WriteAllText(allow, "c 195:* rwm");
        Update(other).ShouldSucceed();
        List.Should().Contain("c 195:* rwm", "the list is that of the update before");
        Update(same).ShouldSucceed();
        List.Should().Contain("c 1:11 rw").And.NotContain("c 195:* rwm");
    }

    /// <summary>Nothing has changed, so the list that is repeated next is still the one in force.</summary>
    [Test]
    public void A_list_that_is_refused_leaves_what_others_have_allowed()
    {
        string same = $$"""{"pids":{"limit":9},"devices":{{_bundle.Resources["devices"]}}}""";
        File.WriteAllText(Path.Combine(_container.Init.CgroupDirectory("devices"), "devices.allow"), "c 195:* rwm");
        string[] before = List;
        string all = """{"allow":true,"type":"c","major":10,"access":"rwm"}""";
        string butOne = """{"allow":false,"type":"c","major":10,"minor":229,"access":"rwm"}""";
        Update($$"""{"devices":[{{DenyAll}},{{all}},{{butOne}}]}""").ShouldFail(1, "cannot be expressed on cgroup v1");
        Update(same).ShouldSucceed();
        List.Should().Equal(before);
    }

    [Test]
    public void In_pure_v2_programs_of_others_stay()
    {
        if (CgroupHost.V2MountPoint is not { } mount) throw new IgnoreException("missing: cgroup v2");
        using TestBundle bundle = new TestBundle().WithCgroup().Capabilities("CAP_MKNOD").Writable();
        bundle.Script("mknod /tmp/kmsg c 1 11; echo ready; exec sleep 1000");
        using TestContainer container = new TestContainer(bundle, Wrapped.PureV2).Started();
        container.WaitOutput("ready\n");
        string cgroup = mount + bundle.CgroupsPath;
        string[] own = Observe.Programs(cgroup);
        Observe.AttachProgram(cgroup, "somebodys");
        container.Exec("sh", "-c", ": >>/tmp/kmsg").ShouldFail(1);
        string rules = $$"""{"devices":[{{DenyAll}},{"allow":true,"type":"c","major":1,"minor":11,"access":"w"}]}""";
        container.Call(["update", "--resources", "-", container.Id], new CommandOptions { Stdin = rules }).ShouldSucceed();
        container.Exec("sh", "-c", ": >>/tmp/kmsg").ShouldSucceed();
        Observe.Programs(cgroup).Should().BeEquivalentTo([.. own, "somebodys"]);
    }

    [Test]
    public void Another_default_comes_while_the_container_stands_and_a_paused_one_stays_paused()
    {
        Update("""{"devices":[{"allow":true,"access":"rwm"}]}""").ShouldSucceed();
        List.Should().Equal("a *:* rwm");
        _container.Status.Should().Be("running");
        // A privileged container may have cgroups of its own, and clients repeat its rules with every change of a limit.
        string inner = Directory.CreateDirectory(Path.Combine(_container.Init.CgroupDirectory("devices"), "inner")).FullName;
        Update("""{"pids":{"limit":9},"devices":[{"allow":true,"access":"rwm"}]}""").ShouldSucceed();
        Directory.Delete(inner);
        _container.Invoke("pause").ShouldSucceed();
        Update($$"""{"devices":[{{DenyAll}}]}""").ShouldSucceed();
        List.Should().Contain("c 1:3 rwm").And.NotContain("c 1:11 rw");
        _container.Status.Should().Be("paused");
    }

    [Test]
    public void Bad_rules_change_nothing_and_what_fails_before_leaves_them()
    {
        string[] before = List;
        Update("""{"pids":{"limit":9},"devices":[{"allow":true,"type":"x"}]}""").ShouldFail(1).Stderr.Should().Contain("/devices/0/type");
        Update($$$"""{"devices":[{{{DenyAll}}}],"blockIO":{"throttleReadBpsDevice":[{"major":4000,"minor":1,"rate":1}]}}""")
            .ShouldFail(1).Stderr.Should().Contain("throttleReadBpsDevice/0");
        List.Should().BeEquivalentTo(before);
        string inner = Directory.CreateDirectory(Path.Combine(_container.Init.CgroupDirectory("devices"), "inner")).FullName;
        Update("""{"pids":{"limit":9},"devices":[{"allow":true,"access":"rwm"}]}""").ShouldFail(1).Stderr.Should()
            .Contain("/linux/resources/devices: ").And.Contain("with cgroups below the container's own");
        List.Should().BeEquivalentTo(before);
        _container.ReadCgroup("pids", "pids.max").Should().Be("max");
        Directory.Delete(inner);
    }
}
