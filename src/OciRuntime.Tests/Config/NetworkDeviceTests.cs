using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>`linux.netDevices`, with one end of a veth pair, read back from inside the container.</summary>
[LeavesNothing]
public sealed class NetworkDeviceTests
{
    private TestBundle _bundle = null!;
    private VethPair _pair = null!;

    [SetUp]
    public void SetUp()
    {
        Requires.OcirunItself();
        _bundle = new TestBundle();
        _pair = new VethPair();
    }

    [TearDown]
    public void TearDown()
    {
        _bundle.Dispose();
        _pair.Dispose();
    }

    private TestBundle Give(string? name = null) => Give(_pair.Name, name);

    private TestBundle Give(string device, string? name)
    {
        JsonObject devices = (_bundle.Linux["netDevices"] ??= new JsonObject()).AsObject();
        devices[device] = name is null ? new JsonObject() : new JsonObject { ["name"] = name };
        return _bundle;
    }

    [TestCase(null)]
    [TestCase("data0")]
    public void Moves_with_its_permanent_global_addresses_and_is_up(string? name)
    {
        VethPair.Ip("addr", "add", "10.77.1.2/24", "dev", _pair.Name);
        VethPair.Ip("addr", "add", "10.77.1.3/24", "dev", _pair.Name);
        VethPair.Ip("addr", "add", "10.77.2.1", "peer", "10.77.2.2/32", "dev", _pair.Name);
        VethPair.Ip("addr", "add", "169.254.7.7/16", "scope", "link", "dev", _pair.Name);
        VethPair.Ip("addr", "add", "10.77.3.1/24", "valid_lft", "900", "preferred_lft", "900", "dev", _pair.Name);
        VethPair.Ip("addr", "add", "fd77::1/64", "nodad", "dev", _pair.Name);
        VethPair.Ip("link", "set", _pair.Name, "mtu", "1400", "address", "02:00:00:00:77:01", "up");
        string inside = name ?? _pair.Name;
        string text = string.Join('\n',
            Observe.Run(Give(name), $"ip addr show {inside}; cat /sys/class/net/{inside}/mtu /sys/class/net/{inside}/address"));
        text.Should()
            .Contain("inet 10.77.1.2/24 scope global").And.Contain("inet 10.77.1.3/24 scope global secondary").And.Contain(
            "inet 10.77.2.1 peer 10.77.2.2/32")
            .And.Contain("inet6 fd77::1/64 scope global");
        text.Should().NotContain("169.254.7.7", "its scope is the link").And.NotContain("10.77.3.1", "it is not permanent");
        text.Should().Contain(",UP").And.EndWith("1400\n02:00:00:00:77:01");
        Eventually.True(() => !_pair.Exists, "a virtual device ends with its namespace");
    }

    [Test]
    public void Kernel_chooses_the_number_of_a_template()
    {
        Observe.Run(Give("lo%d"), "ls /sys/class/net").Should().Contain(["lo", "lo0"]).And.NotContain(_pair.Name);
    }

    [Test]
    public void Several_move_in_one_launch()
    {
        Give("left0");
        Observe.Run(Give(_pair.Peer, "right0"), "ls /sys/class/net").Should().Contain(["left0", "right0"]);
    }

    [Test]
    public void Hooks_find_it()
    {
        string file = Path.Combine(_bundle.Directory, "hook-output");
        Give("data0").AddHook("createRuntime", "/bin/sh", "-c",
            $"/bin/busybox nsenter -t $(/bin/sed -n 's/.*\"pid\":\\([0-9]*\\).*/\\1/p') -n /bin/busybox ip link show data0 > {file}");
        Observe.Run(_bundle, "true");
        File.ReadAllText(file).Should().Contain("data0");
    }

    [Test]
    public void In_a_user_namespace()
    {
        Observe.Run(Give("data0").WithUserNamespace(), "ip link show data0")[0].Should().Contain(",UP");
    }

    /// <summary>The namespace's owner keeps the device: it is there for the next container, and after `delete`.</summary>
    [Test]
    public void A_joined_namespace_keeps_it()
    {
        using RunningCommand owner = Command.Start("unshare", "--net", "sh", "-c", "echo in; exec sleep 1000");
        Eventually.True(() => owner.Stdout == "in\n", "the namespace exists");
        Give("data0").AddNamespace("network", $"/proc/{owner.Pid}/ns/net");
        Observe.Run(_bundle, "ip link show data0")[0].Should().Contain(",UP");
        Command.Run("nsenter", "-t", $"{owner.Pid}", "-n", "ip", "link", "show", "data0").ShouldSucceed();
    }

    [Test]
    public void A_device_number_that_is_taken_inside_is_no_obstacle()
    {
        using RunningCommand owner = Command.Start("unshare", "--net", "sh", "-c",
            $"ip link add foreign0 index {_pair.Index} type veth peer name foreign1; echo in; exec sleep 1000");
        Eventually.True(() => owner.Stdout == "in\n", "the namespace exists");
        Give("data0").AddNamespace("network", $"/proc/{owner.Pid}/ns/net");
        VethPair.Ip("addr", "add", "10.77.1.2/24", "dev", _pair.Name);
        string[] lines = Observe.Run(_bundle, "ip addr show data0; ip link show foreign0");
        string.Join('\n', lines).Should()
            .Contain("10.77.1.2/24").And.MatchRegex($"(?m)^{_pair.Index}: foreign0@foreign1: <BROADCAST,MULTICAST(,M-DOWN)?>",
            "the other one is untouched");
    }

    [Test]
    public void A_failed_launch_gives_everything_back()
    {
        VethPair.Ip("addr", "add", "10.77.1.2/24", "dev", _pair.Name);
        VethPair.Ip("addr", "add", "169.254.7.7/16", "scope", "link", "dev", _pair.Name);
        VethPair.Ip("addr", "add", "fd77::1/64", "nodad", "dev", _pair.Name);
        VethPair.Ip("link", "set", _pair.Name, "up");
        string before = _pair.Describe();
        Give("data0").Args("no-such-program");
        Observe.Refused(_bundle).Should().Contain("executable file not found");
        _pair.Describe().Should().Be(before);
        _bundle.Args("true").AddHook("createRuntime", "/bin/false");
        Observe.Refused(_bundle).Should().Contain("createRuntime");
        _pair.Describe().Should().Be(before);
    }

    [Test]
    public void An_interrupted_launch_gives_it_back()
    {
        VethPair.Ip("addr", "add", "10.77.1.2/24", "dev", _pair.Name);
        string before = _pair.Describe();
        using TestContainer container = new(Give("data0").AddHook("createRuntime", "/bin/sleep", "100"));
        using RunningCommand run = container.StartRun();
        Eventually.True(() => !_pair.Exists, "it is in the container");
        run.Signal(15);
        run.Wait().ExitCode.Should().Be(128 + 15);
        _pair.Describe().Should().Be(before);
    }

    [Test]
    public void A_name_that_is_taken_inside_is_refused_and_nothing_has_moved()
    {
        Give(_pair.Peer, "other0");
        Observe.Refused(Give("lo")).Should()
            .Contain($"/linux/netDevices/{_pair.Name}: move {_pair.Name} into the container: its network namespace has a device lo "
            + $"already: file exists (EEXIST)");
        (_pair.Exists, VethPair.Ip("link", "show", _pair.Peer).Succeeded).Should().Be((true, true), "what had moved is back");
    }

    [Test]
    public void A_device_that_does_not_exist_is_named()
    {
        Observe.Refused(Give("no-such-dev", null)).Should()
            .Contain("/linux/netDevices/no-such-dev: the runtime's network namespace has no device no-such-dev");
    }

    /// <summary>lo belongs to its namespace; only the kernel knows all such devices, and the message has its words.</summary>
    [Test]
    public void A_device_that_cannot_move_is_refused_by_the_kernel()
    {
        Observe.Refused(Give("lo", "lo7")).Should()
            .Contain("/linux/netDevices/lo: move lo into the container as lo7: invalid argument (EINVAL)");
    }

    [Test]
    public void The_hosts_own_namespace_is_refused()
    {
        Observe.Refused(Give().AddNamespace("network", $"/proc/{Environment.ProcessId}/ns/net")).Should()
            .Contain("/linux/netDevices: would change the host: /linux/namespaces/");
        Observe.Refused(Give().RemoveNamespace("network")).Should()
            .Contain("/linux/netDevices: needs a network namespace in linux.namespaces");
        _pair.Exists.Should().BeTrue();
    }
}
