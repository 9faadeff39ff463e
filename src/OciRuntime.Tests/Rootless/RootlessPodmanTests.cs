using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Clients;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rootless;

/// <summary>Debian's Podman as an ordinary user, without systemd and without a cgroup of his own: the runtime is root of Podman's user namespace then.</summary>
public sealed class RootlessPodmanTests
{
    private OrdinaryUser _user = null!;
    private string _home = null!;
    private RuntimeBinary _podman = null!;

    [OneTimeSetUp]
    public void Prepare()
    {
        _user = OrdinaryUser.WithRanges();
        _home = _user.NewDirectory();
        File.WriteAllText($"{_home}/containers.conf", $"""
            [containers]
            default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
            [network]
            network_backend = "netavark"
            [engine]
            cgroup_manager = "cgroupfs"
            events_logger = "file"
            runtime = "ocirun"
            runtime_supports_json = ["ocirun"]
            runtime_supports_nocgroup = ["ocirun"]
            [engine.runtimes]
            ocirun = ["{_user.Directory}/ocirun"]
            """);
        ClientImage.WriteRootfs($"{_home}/bb.tar");
        _podman = new RuntimeBinary(Requires.Tool("podman")) { Launcher = [.. _user.With($"HOME={_home}", $"CONTAINERS_CONF={_home}/containers.conf").Launcher] };
        Podman("import", "-q", $"{_home}/bb.tar", "bb").ShouldSucceed();
    }

    [TearDown]
    public void RemoveContainers()
    {
        Podman("rm", "--all", "--force", "--time", "0").ShouldSucceed();
        Directory.Exists($"{_user.RuntimeDirectory}/ocirun").Should().BeTrue("Podman gives no --root");
        Eventually.True(() => Directory.GetFileSystemEntries($"{_user.RuntimeDirectory}/ocirun").Length == 0, "no container is left");
        EndPause();
    }

    [OneTimeTearDown]
    public void End()
    {
        EndPause();
        // Files of the image belong to ids of the range.
        Cleaner.UnmountBelow(_home);
        _user.Dispose();
    }

    [TestCase("--cgroups=disabled")]
    [TestCase("--cgroups=enabled")]
    public void Output_exit_code_and_maps(string cgroups)
    {
        CommandResult result = Podman("run", "--rm", "--network=none", cgroups, "bb", "sh", "-c", "id -u; cat /proc/self/uid_map; exit 7");
        result.ExitCode.Should().Be(7, "{0}", result);
        result.Stdout.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Should().Equal(["0", "0", $"{_user.Uid}", "1", "1", $"{_user.Ranges.Uids}", "65536"], "{0}", result);
    }

    [Test]
    public void Background_container_with_user_and_volume()
    {
        Podman("run", "--detach", "--name", "c1", "--network=none", "--user=1000:1000", $"--volume={_user.Directory}:/mnt:ro", "bb", "sh", "-c", "id; ls /mnt; sleep 1000").ShouldSucceed();
        Eventually.True(() => Podman("logs", "c1").Stdout.Contains("ocirun"), "the log");
        Podman("logs", "c1").ShouldSucceed().Stdout.Should().Be("uid=1000(user) gid=1000(user) groups=1000(user)\nocirun\n");
        ProcessView init = new(int.Parse(Podman("inspect", "--format", "{{.State.Pid}}", "c1").ShouldSucceed().Text));
        init.Status("Uid").Should().StartWith($"{_user.Ranges.Uids + 999}\t");
        Podman("stop", "--time", "0", "c1").ShouldSucceed();
        Podman("inspect", "--format", "{{.State.Status}} {{.State.ExitCode}}", "c1").ShouldSucceed().Text.Should().Be("exited 137");
        ProcessTree.IsAlive(init.Pid).Should().BeFalse();
    }

    private CommandResult Podman(params string[] args) => _podman.Run(["--storage-driver", "vfs", .. args], new CommandOptions { WorkingDirectory = _home });

    /// <summary>A process of Podman's holds its user namespace between two commands.</summary>
    private void EndPause()
    {
        string file = $"{_user.RuntimeDirectory}/libpod/tmp/pause.pid";
        if (!File.Exists(file)) return;
        int pid = int.Parse(File.ReadAllText(file));
        if (ProcessTree.CommandLine(pid).Contains("podman", StringComparison.Ordinal)) _ = Libc.kill(pid, Libc.SIGKILL);
        Eventually.True(() => !ProcessTree.Exists(pid), "the end of Podman's pause process");
        File.Delete(file);
    }
}
