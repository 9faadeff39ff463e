using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Rootless;

/// <summary>
/// How an ordinary user's containers get at a network: slirp4netns is given the pid of the created container, netavark and pasta its
/// network namespace. They do their work between create and start, pasta before.
/// </summary>
[ForeignDaemon]
public sealed class RootlessNetworkTests
{
    private RootlessHost _host = null!;

    [OneTimeSetUp]
    public void Prepare()
    {
        Requires.PathExists("/dev/net/tun", "tun devices");
        _host = new RootlessHost();
    }

    [TearDown]
    public void RemoveContainers() => _host.RemoveContainers();

    [OneTimeTearDown]
    public void End() => _host.Dispose();

    [Test]
    [ThisMachinesEngines]
    public void Slirp4netns_reaches_the_machines_loopback_and_publishes_ports()
    {
        using RunningCommand listener = _host.Start("busybox", "nc", "-ll", "-p", "7070", "-e", "/bin/echo", "from the machine");
        _host.Podman("run", "--rm", "--network=slirp4netns:allow_host_loopback=true", "bb", "sh", "-c",
            "for i in $(busybox seq 50); do busybox nc -w 5 10.0.2.2 7070 && break; sleep 0.1; done; busybox ip -o -4 addr show tap0")
            .ShouldSucceed().Stdout.Should().ContainAll("from the machine", "10.0.2.100/24");
        _host.Detached("web", "--network=slirp4netns", "--publish=127.0.0.1:8080:80", "bb", "busybox", "nc", "-ll", "-p", "80", "-e",
            "/bin/echo", "from the container");
        ShouldAnswer("8080", "from the container");
    }

    [Test]
    [ThisMachinesEngines]
    public void Netavark_makes_a_bridge_with_names_and_ports()
    {
        _host.Podman("network", "create", "n1").ShouldSucceed();
        _host.Detached("web", "--network=n1", "--publish=127.0.0.1:8081:80", "bb", "busybox", "nc", "-ll", "-p", "80", "-e", "/bin/echo",
            "from the bridge");
        _host.Podman("run", "--rm", "--network=n1", "bb", "sh", "-c",
            "for i in $(busybox seq 50); do busybox nc -w 5 web 80 && break; sleep 0.1; done").ShouldSucceed().Text.Should()
            .Be("from the bridge");
        ShouldAnswer("8081", "from the bridge");
        _host.Podman("rm", "--force", "--time", "0", "web").ShouldSucceed();
        _host.Podman("network", "rm", "n1").ShouldSucceed();
    }

    /// <summary>The default of Podman 5.</summary>
    [Test]
    public void Pasta_publishes_ports()
    {
        Engine.NeedsPasta();
        _host.Detached("web", "--network=pasta", "--publish=127.0.0.1:8082:80", "bb", "busybox", "nc", "-ll", "-p", "80", "-e", "/bin/echo",
            "from behind pasta");
        ShouldAnswer("8082", "from behind pasta");
    }

    private void ShouldAnswer(string port, string answer) => Eventually.True(() =>
    {
        using RunningCommand client = _host.Start("busybox", "nc", "-w", "5", "127.0.0.1", port);
        return client.Wait().Text == answer;
    }, $"\"{answer}\" from port {port}");
}
