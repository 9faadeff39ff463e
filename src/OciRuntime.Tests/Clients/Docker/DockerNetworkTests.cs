using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Docker;

/// <summary>
/// Networks of several containers, as compose makes them. The daemon moves its veth into the container's namespace in a prestart hook: it asks
/// for the namespace of the pid that the runtime writes to the hook's stdin.
/// </summary>
public sealed class DockerNetworkTests
{
    private DockerHost _docker = null!;

    [OneTimeSetUp]
    public void Prepare() => _docker = new DockerHost();

    [TearDown]
    public void RemoveContainers() => _docker.Clear();

    [OneTimeTearDown]
    public void End() => _docker.Dispose();

    [Test]
    public void Containers_find_each_other_by_name_and_talk()
    {
        _docker.Run("network", "create", "front").ShouldSucceed();
        _docker.Run("network", "create", "--internal", "back").ShouldSucceed();
        // Each answers with its name: nc starts a program for every connection.
        string[] service = ["bb", "sh", "-c", "while :; do nc -l -p 80 -e hostname; done"];
        _docker.Detached("web", ["--network=front", "--network-alias=www", "--hostname=web", "--publish=127.0.0.1:8080:80", .. service]);
        _docker.Detached("db", ["--network=back", "--hostname=db", .. service]);
        _docker.Run("network", "connect", "back", "web").ShouldSucceed();
        _docker.Run("exec", "web", "sh", "-c", "nc -w 5 db 80 </dev/null").ShouldSucceed().Stdout.Should().Be("db\n");
        _docker.Run("exec", "db", "sh", "-c", "nc -w 5 web 80 </dev/null").ShouldSucceed().Stdout.Should().Be("web\n");
        string address = _docker.Inspect("db", "{{.NetworkSettings.Networks.back.IPAddress}}");
        _docker.RunContainer("--network=front", "bb", "sh", "-c", $"nc -w 5 www 80 </dev/null; nc -w 1 {address} 80 </dev/null || echo unreachable").Stdout.Should().Be("web\nunreachable\n");
        // From the host: through the packet filter or docker-proxy.
        _docker.Host.Run("busybox", "nc", "-w", "5", "127.0.0.1", "8080").ShouldSucceed().Stdout.Should().Be("web\n");
        _docker.Run("network", "disconnect", "back", "web").ShouldSucceed();
        _docker.Run("exec", "web", "sh", "-c", $"nc -w 1 {address} 80 </dev/null").ShouldFail();
        // A container that starts again gets its networks again.
        _docker.Run("restart", "--time", "0", "web").ShouldSucceed();
        Eventually.True(() => _docker.Host.Run("busybox", "nc", "-w", "5", "127.0.0.1", "8080").Stdout == "web\n", "web answers again");
        _docker.Run("exec", "web", "cat", "/etc/hosts").ShouldSucceed().Stdout.Should().Contain("\tweb\n");
    }
}
