using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Docker;

/// <summary>userns-remap: every container has a user namespace, whose root is the host's user dockremap with its subordinate IDs.</summary>
public sealed class DockerUserNamespaceTests(ShimKind shim) : DockerFixture(shim)
{
    private const int FirstId = 700_000;
    private DockerHost _docker = null!;

    [OneTimeSetUp]
    public void Prepare() => _docker = new DockerHost(
        Shim, new JsonObject { ["userns-remap"] = "default" },
        ("/etc/passwd", "root:x:0:0::/root:/bin/sh\ndockremap:x:999:999::/:/bin/false\n"), ("/etc/group", "root:x:0:\ndockremap:x:999:\n"),
        ("/etc/subuid", $"dockremap:{FirstId}:65536\n"), ("/etc/subgid", $"dockremap:{FirstId}:65536\n"));

    [TearDown]
    public void RemoveContainers() => _docker.Clear();

    [OneTimeTearDown]
    public void End() => _docker.Dispose();

    [Test]
    public void Root_in_the_container_is_nobody_on_the_host()
    {
        ProcessView init = _docker.Detached("c1", "--memory=64m", "--sysctl=net.ipv4.ip_unprivileged_port_start=79", "--tmpfs=/scratch",
            "--volume=vol:/vol", "bb", "sleep", "1000");
        init.NamespaceInode("user").Should().NotBe(ProcessView.HostNamespaceInode("user"));
        foreach (string map in (string[])["uid_map", "gid_map"])
        {
            init.Proc(map).Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Should()
                .Equal("0", $"{FirstId}", "65536");
        }
        init.Status("Uid").Split('\t').Should().OnlyContain(id => id == $"{FirstId}");
        _docker.Run("exec", "c1", "sh", "-c", "id -u; touch /vol/file /scratch/file /file && stat -c '%u %g' /vol/file /file /bin")
            .ShouldSucceed().Lines.Should().Equal("0", "0 0", "0 0", "0 0");
        _docker.Run("exec", "--user=1000", "c1", "grep", "Uid", "/proc/self/status").ShouldSucceed().Stdout.Should().Contain("1000");
        string volume = _docker.Run("volume", "inspect", "--format", "{{.Mountpoint}}", "vol").ShouldSucceed().Text;
        Command.Run("/usr/bin/stat", "--format", "%u:%g", $"{volume}/file").ShouldSucceed().Text.Should().Be($"{FirstId}:{FirstId}");
        // Its root has all rights over its own namespaces, none over the host's.
        _docker.Run("exec", "c1", "sh", "-c",
            "hostname other || mount -t tmpfs tmpfs /tmp || echo 0 >/proc/sys/kernel/printk || mknod /dev/sda b 8 0").ShouldFail();
        CommandResult terminal = _docker.RunInTerminal(_docker.RunArguments("-it", "bb", "sh", "-c", "tty; stat -c %u $(tty)"));
        terminal.ShouldSucceed().Stdout.Should().Contain("/dev/pts/0\r\n0");
    }

    [Test]
    public void Container_is_left_out_on_demand() =>
        _docker.RunContainer("--userns=host", "bb", "busybox", "readlink", "/proc/self/ns/user").ShouldSucceed().Text.Should()
        .Be($"user:[{ProcessView.HostNamespaceInode("user")}]");

    [Test]
    public void Networks_and_builds_know_the_namespace()
    {
        _docker.Run("network", "create", "front").ShouldSucceed();
        _docker.Detached("web", "--network=front", "--publish=127.0.0.1:8080:80", "bb", "sh", "-c",
            "while :; do nc -l -p 80 -e id -u; done");
        _docker.RunContainer("--network=front", "bb", "sh", "-c", "nc -w 5 web 80 </dev/null").ShouldSucceed().Stdout.Should().Be("0\n");
        string context = Directory.CreateDirectory($"{_docker.Directory}/context").FullName;
        File.WriteAllText($"{context}/Dockerfile", "FROM bb\nRUN cat /proc/self/uid_map > /map\nRUN chown 1000 /map\n");
        _docker.Build(buildKit: false, "--tag", "built", context).ShouldSucceed();
        _docker.RunContainer("built", "sh", "-c", "cat /map; stat -c %u /map")
            .ShouldSucceed().Stdout.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)
            .Should().Equal("0", $"{FirstId}", "65536", "1000");
        _docker.Run("rmi", "built").ShouldSucceed();
    }
}
