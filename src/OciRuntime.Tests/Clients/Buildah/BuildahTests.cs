using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;
using OciRuntime.Tests.Verify;

namespace OciRuntime.Tests.Clients.Buildah;

/// <summary>
/// Debian's Buildah: create, start, state until it says stopped, delete; without a monitor, and with its own pipes open in the runtime.
/// </summary>
[ForeignDaemon]
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
        File.WriteAllText($"{directory}/containers.conf", ClientHost.ContainersSection);
        _buildah.Environment["CONTAINERS_CONF"] = $"{directory}/containers.conf";
        ClientImage.WriteRootfs($"{directory}/bb.tar");
        BuildahBuild.Write($"{directory}/context", $"{directory}/bb.tar");
        _container = _buildah.Run("from", "scratch").ShouldSucceed().Text;
        _buildah.Run("add", "--quiet", _container, $"{directory}/bb.tar", "/").ShouldSucceed();
    }

    [TearDown]
    public void Check()
    {
        _buildah.CheckNothingLeft();
        if (Directory.Exists("/run/ocirun"))
            Directory.GetFileSystemEntries("/run/ocirun", "buildah-*").Should().BeEmpty("Buildah deletes its containers");
    }

    [OneTimeTearDown]
    public void End()
    {
        _buildah.Run("rm", "--all").ShouldSucceed();
        _buildah.Dispose();
    }

    [Test]
    [ThisMachinesEngines]
    public void Output_and_exit_code_come_back()
    {
        Run("echo", "out").ShouldSucceed().Stdout.Should().Be("out\n");
        Run("sh", "-c", "exit 7").ExitCode.Should().Be(7);
        Run("sh", "-c", "sleep 100 & kill -KILL $!; wait $!").ExitCode.Should().Be(137);
        Run("/nope").ShouldFail(1).Stderr.ToLowerInvariant().Should().Contain("no such file or directory");
        _buildah.RunWithInput("in\n", "run", "--network=none", _container, "--", "cat").ShouldSucceed().Stdout.Should().Be("in\n");
    }

    /// <summary>Buildah 1.28 gives up with "container status unexpectedly changed" when it sees a status that was over already.</summary>
    [Test]
    [ThisMachinesEngines]
    public void Programs_that_end_at_once_are_never_created_again()
    {
        for (int i = 0; i < 5; i++) Run("true").ShouldSucceed().Stderr.Should().BeEmpty();
    }

    [Test]
    public void What_is_promised_is_held()
    {
        Requires.OcirunItself();
        using RunningCommand run = _buildah.Start("run", "--network=none", "--user=1000:1000", _container, "--", "sleep", "1000");
        string[] made = [];
        Eventually.True(() => Directory.Exists("/run/ocirun")
            && (made = Directory.GetDirectories("/run/ocirun", "buildah-*")).Length == 1
            && Ocirun.Run("state", Path.GetFileName(made[0])) is { Succeeded: true } state && (string?)state.Json["status"] == "running",
            "it runs");
        string id = Path.GetFileName(made[0]);
        Verified.AllHeld("/run/ocirun", id);
        Ocirun.Run("kill", id, "KILL").ShouldSucceed();
        run.Wait().ShouldFail(null);
    }

    [Test]
    public void Terminal() =>
        _buildah.RunInTerminal("run", "--terminal", "--network=none", _container, "--", "tty").ShouldSucceed().Stdout.Should()
        .Contain("/dev/pts/0");

    [Test]
    [ThisMachinesEngines]
    public void Options_reach_the_container()
    {
        CommandResult result = Run(
            ["--user=1000:1000", "--workingdir=/tmp", "--env=A=b", "--cap-drop=CAP_CHOWN", "--cap-add=CAP_NET_ADMIN", "--hostname=box",
            $"--volume={_buildah.Directory}/context:/context:ro", "--mount=type=tmpfs,dst=/scratch"],
            "sh", "-c", "id -u; pwd; echo $A; grep CapBnd /proc/self/status; hostname; touch /context/x 2>&1; grep -c ' /scratch tmpfs ' "
            + "/proc/mounts");
        result.ShouldSucceed().Stdout.Replace("\t", " ").Split('\n', StringSplitOptions.RemoveEmptyEntries).Should().Equal(
            ["1000", "/tmp", "b", "CapBnd: 00000000a80435fa", "box", "touch: /context/x: Read-only file system", "1"], "{0}", result);
    }

    [Test]
    public void Image_is_built_and_run()
    {
        string[] build = ["bud", "--network=none", "--layers", "--ulimit=nofile=100:100",
            $"--secret=id=secret,src={_buildah.Directory}/context/secret", "--tag=built", $"{_buildah.Directory}/context"];
        _buildah.Run(build).ShouldSucceed().Lines.Should().ContainInOrder(BuildahBuild.Printed);
        _buildah.Run(build).ShouldSucceed().Stdout.Should().Contain("Using cache").And.NotContain("bound built");
        _buildah.Run("bud", "--network=none", $"--file={_buildah.Directory}/context/Failing", $"{_buildah.Directory}/context")
            .ShouldFail(9, "exit status 9");
        string container = _buildah.Run("from", "built").ShouldSucceed().Text;
        _buildah.Run("copy", "--quiet", container, $"{_buildah.Directory}/context/secret", "/copied").ShouldSucceed();
        _buildah.Run("commit", "--quiet", container, "copied").ShouldSucceed();
        CommandResult result = Command.Run(
            Requires.Tool("podman"),
            ["--runtime", Ocirun.Binary.Path, "--cgroup-manager=cgroupfs", "--tmpdir", $"{_buildah.Directory}/t", .. _buildah.GlobalOptions,
            "run", "--rm", "--network=none", "--cgroups=no-conmon", $"--cgroup-parent=/{TestRun.Token}", "copied", "/copied"],
            new CommandOptions { Env = _buildah.Environment });
        result.ShouldSucceed().Stdout.Should().Be("built\nhush\n");
    }

    [Test]
    public void Limits_of_a_build_are_in_the_kernel()
    {
        Requires.V1Controller("memory");
        Requires.V1Controller("cpu");
        File.WriteAllText($"{_buildah.Directory}/context/Limits", """
            FROM scratch
            ADD bb.tar /
            ENV PATH=/bin
            RUN for c in memory/memory.limit_in_bytes cpu/cpu.shares; do echo "$c $(cat /limits/${c%/*}$(busybox sed -n "s/^[0-9]*:[^:]*${c%/*}[^:]*://p" /proc/self/cgroup | busybox head -n 1)/${c#*/})"; done
            """);
        // The parent becomes the container's own cgroup, limits and device rules included: not the one that all containers of the run are
        // in.
        _buildah.Run(
            "bud", "--network=none", "--no-cache", "--memory=64m", "--cpu-shares=100", $"--cgroup-parent=/{TestRun.Token}/build",
            "--volume=/sys/fs/cgroup:/limits:ro", $"--file={_buildah.Directory}/context/Limits", $"{_buildah.Directory}/context")
            .ShouldSucceed().Lines.Should().ContainInOrder("memory/memory.limit_in_bytes 67108864", "cpu/cpu.shares 100");
    }

    private CommandResult Run(params string[] command) => Run([], command);

    private CommandResult Run(string[] options, params string[] command) =>
        _buildah.Run(["run", "--network=none", .. options, _container, "--", .. command]);
}
