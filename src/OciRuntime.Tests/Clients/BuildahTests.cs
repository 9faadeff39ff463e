using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients;

/// <summary>Debian's Buildah: create, start, state until it says stopped, delete; without a monitor, and with its own pipes open in the runtime.</summary>
public sealed class BuildahTests
{
    private ClientHost _buildah = null!;
    private string _container = "";

    [OneTimeSetUp]
    public void Prepare()
    {
        _buildah = new ClientHost("buildah");
        string directory = _buildah.Directory;
        _buildah.GlobalOptions.AddRange(["--root", $"{directory}/r", "--runroot", $"{directory}/rr", "--storage-driver", "vfs"]);
        // The default isolation may be chroot, which needs no runtime at all.
        _buildah.Environment["BUILDAH_ISOLATION"] = "oci";
        _buildah.Environment["BUILDAH_RUNTIME"] = Ocirun.Binary.Path;
        _buildah.Environment["TMPDIR"] = directory;
        File.WriteAllText($"{directory}/containers.conf", """
            [containers]
            default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
            """);
        _buildah.Environment["CONTAINERS_CONF"] = $"{directory}/containers.conf";
        ClientImage.WriteRootfs($"{directory}/bb.tar");
        _container = _buildah.Run("from", "--security-opt=seccomp=unconfined", "scratch").ShouldSucceed().Text;
        _buildah.Run("add", "--quiet", _container, $"{directory}/bb.tar", "/").ShouldSucceed();
    }

    [TearDown]
    public void Check() => _buildah.CheckNothingLeft();

    [OneTimeTearDown]
    public void End()
    {
        _buildah.Run("rm", "--all").ShouldSucceed();
        _buildah.Dispose();
    }

    [Test]
    public void Output_and_exit_code_come_back()
    {
        _buildah.Run("run", "--network=none", _container, "--", "echo", "out").ShouldSucceed().Stdout.Should().Be("out\n");
        _buildah.Run("run", "--network=none", _container, "--", "sh", "-c", "exit 7").ExitCode.Should().Be(7);
        _buildah.Run("run", "--network=none", _container, "--", "/nope").ShouldFail(null, "no such file or directory");
    }

    [Test]
    public void Terminal() =>
        _buildah.RunInTerminal("run", "--terminal", "--network=none", _container, "--", "tty").ShouldSucceed().Stdout.Should().Contain("/dev/pts/0");

    [Test]
    public void Image_is_built()
    {
        string context = Directory.CreateDirectory($"{_buildah.Directory}/context").FullName;
        File.Copy($"{_buildah.Directory}/bb.tar", $"{context}/bb.tar");
        File.WriteAllText($"{context}/Dockerfile", "FROM scratch\nADD bb.tar /\nRUN echo built > /x\nRUN [\"cat\", \"/x\"]\n");
        _buildah.Run("bud", "--security-opt=seccomp=unconfined", "--network=none", "--tag", "t", context).ShouldSucceed().Stdout.Should().Contain("\nbuilt\n");
    }
}
