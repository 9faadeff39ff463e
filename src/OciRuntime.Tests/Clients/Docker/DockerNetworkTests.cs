using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Docker;

/// <summary>
/// Networks of several containers, as compose makes them. The daemon moves its veth into the container's namespace in a prestart hook: it
/// asks for the namespace of the pid that the runtime writes to the hook's stdin.
/// </summary>
public sealed class DockerNetworkTests(ShimKind shim) : DockerTest(shim)
{
    [Test]
    public void Containers_find_each_other_by_name_and_talk()
    {
        Docker.Run("network", "create", "front").ShouldSucceed();
        Docker.Run("network", "create", "--internal", "back").ShouldSucceed();
        // Each answers with its name: nc starts a program for every connection.
        string[] service = ["bb", "sh", "-c", "while :; do nc -l -p 80 -e hostname; done"];
        Docker.Detached("web", ["--network=front", "--network-alias=www", "--hostname=web", "--publish=127.0.0.1:8080:80", .. service]);
        Docker.Detached("db", ["--network=back", "--hostname=db", .. service]);
        Docker.Run("network", "connect", "back", "web").ShouldSucceed();
        Docker.Run("exec", "web", "sh", "-c", "nc -w 5 db 80 </dev/null").ShouldSucceed().Stdout.Should().Be("db\n");
        Docker.Run("exec", "db", "sh", "-c", "nc -w 5 web 80 </dev/null").ShouldSucceed().Stdout.Should().Be("web\n");
        string address = Docker.Inspect("db", "{{.NetworkSettings.Networks.back.IPAddress}}");
        Docker.RunContainer("--network=front", "bb", "sh", "-c",
            $"nc -w 5 www 80 </dev/null; nc -w 1 {address} 80 </dev/null || echo unreachable").Stdout.Should().Be("web\nunreachable\n");
        // From the host: through the packet filter or docker-proxy.
        Docker.Host.Run("busybox", "nc", "-w", "5", "127.0.0.1", "8080").ShouldSucceed().Stdout.Should().Be("web\n");
        Docker.Run("network", "disconnect", "back", "web").ShouldSucceed();
        Docker.Run("exec", "web", "sh", "-c", $"nc -w 1 {address} 80 </dev/null").ShouldFail();
        // A container that starts again gets its networks again.
        Docker.Run("restart", "--time", "0", "web").ShouldSucceed();
        Eventually.True(() => Docker.Host.Run("busybox", "nc", "-w", "5", "127.0.0.1", "8080").Stdout == "web\n", "web answers again");
        Docker.Run("exec", "web", "cat", "/etc/hosts").ShouldSucceed().Stdout.Should().Contain("\tweb\n");
    }
}
