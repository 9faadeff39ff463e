using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Clients.Buildah;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Rootless;

/// <summary>Debian's Buildah as an ordinary user: the runtime is root of Buildah's user namespace, and no cgroup is asked for.</summary>
[ForeignDaemon]
public sealed class RootlessBuildahTests
{
    private RootlessHost _host = null!;
    private string _container = "";

    [OneTimeSetUp]
    public void Prepare()
    {
        _host = new RootlessHost();
        _container = _host.Buildah("from", "scratch").ShouldSucceed().Text;
        _host.Buildah("add", "--quiet", _container, $"{_host.Home}/bb.tar", "/").ShouldSucceed();
        BuildahBuild.Write($"{_host.Home}/context", $"{_host.Home}/bb.tar");
    }

    [TearDown]
    public void RemoveContainers() => _host.RemoveContainers();

    [OneTimeTearDown]
    public void End()
    {
        _host.Buildah("rm", "--all").ShouldSucceed();
        _host.Dispose();
    }

    [TestCase("oci")]
    [TestCase("rootless")]
    public void Output_exit_code_and_maps(string isolation)
    {
        CommandResult result = Run([$"--isolation={isolation}", "--user=1000:1000", "--workingdir=/tmp", "--hostname=box"], "sh", "-c",
            "id -u; pwd; hostname; cat /proc/self/uid_map; exit 7");
        result.ExitCode.Should().Be(7, "{0}", result);
        result.Stdout.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Should()
            .Equal("1000", "/tmp", "box", "0", $"{_host.User.Uid}", "1", "1", $"{_host.User.Ranges.Uids}", "65536");
        Run([$"--isolation={isolation}"], "/nope").ShouldFail(1).Stderr.ToLowerInvariant().Should().Contain("no such file or directory");
    }

    [Test]
    public void Terminal() =>
        _host.RunInTerminal("buildah", "--storage-driver", "vfs", "run", "--terminal", "--network=none", _container, "--", "tty")
        .ShouldSucceed().Stdout.Should().Contain("/dev/pts/0");

    [Test]
    public void Image_is_built_and_run_by_podman()
    {
        string[] build = ["--network=none", "--ulimit=nofile=100:100", "--secret=id=secret,src=context/secret", "--tag=built", "context"];
        _host.Buildah(["bud", .. build]).ShouldSucceed().Lines.Should().ContainInOrder(BuildahBuild.Printed);
        _host.Buildah("bud", "--network=none", "--file=context/Failing", "context").ShouldFail(9, "exit status 9");
        _host.Podman("run", "--rm", "--network=none", "built").ShouldSucceed().Stdout.Should().Be("built\n");
        // Podman is Buildah then, with the runtime that it uses itself.
        _host.Podman(["build", "--isolation=oci", "--no-cache", .. build]).ShouldSucceed().Lines.Should()
            .ContainInOrder("bound built", "user 1000");
    }

    private CommandResult Run(string[] options, params string[] command) =>
        _host.Buildah(["run", "--network=none", .. options, _container, "--", .. command]);
}
