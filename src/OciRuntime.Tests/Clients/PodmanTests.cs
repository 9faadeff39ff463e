using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients;

/// <summary>Debian's Podman, through conmon, as root: what a user types, and what comes back.</summary>
public sealed class PodmanTests
{
    private const string Unconfined = "--security-opt=seccomp=unconfined";
    private ClientHost _podman = null!;

    [OneTimeSetUp]
    public void Prepare()
    {
        _podman = new ClientHost("podman");
        string directory = _podman.Directory;
        // Podman's default limits are above the hard ones of a machine without CAP_SYS_RESOURCE; there is no systemd and no journal to rely on.
        File.WriteAllText($"{directory}/containers.conf", """
            [containers]
            default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
            [network]
            network_backend = "netavark"
            [engine]
            cgroup_manager = "cgroupfs"
            events_logger = "file"
            """);
        _podman.Environment["CONTAINERS_CONF"] = $"{directory}/containers.conf";
        _podman.GlobalOptions.AddRange(
            ["--runtime", Ocirun.Binary.Path, "--root", $"{directory}/r", "--runroot", $"{directory}/rr", "--tmpdir", $"{directory}/t", "--storage-driver", "vfs"]);
        ClientImage.WriteRootfs($"{directory}/bb.tar");
        _podman.Run("import", "-q", $"{directory}/bb.tar", "bb").ShouldSucceed();
    }

    [TearDown]
    public void RemoveContainers()
    {
        _podman.Run("rm", "--all", "--force", "--time", "0").ShouldSucceed();
        _podman.CheckNothingLeft();
        // Podman puts its monitors there, and leaves it to the next ones.
        Cleaner.RemoveCgroups($"{TestRun.Token}/conmon");
    }

    [OneTimeTearDown]
    public void End() => _podman.Dispose();

    [Test]
    public void Output_and_exit_code_come_back()
    {
        CommandResult result = Run("sh", "-c", "echo out; echo err >&2; exit 7");
        result.ExitCode.Should().Be(7, "{0}", result);
        result.Stdout.Should().Be("out\n");
        result.Stderr.Should().Be("err\n");
    }

    [Test]
    public void Input_goes_in() =>
        _podman.RunWithInput("in\n", RunArguments("-i", "bb", "cat")).ShouldSucceed().Stdout.Should().Be("in\n");

    [TestCase("/nope", 127, "no such file or directory")]
    [TestCase("nope", 127, "executable file not found in $PATH")]
    [TestCase("/etc/passwd", 126, "permission denied")]
    public void Program_that_cannot_run_is_told_by_exit_code(string program, int exitCode, string message) =>
        Run(program).ShouldFail(exitCode, message);

    /// <summary>Podman's default profile comes with each container: it is obeyed or refused by name, never ignored.</summary>
    [Test]
    public void Default_seccomp_profile_is_not_ignored()
    {
        CommandResult result = _podman.Run(RunArguments("bb", "grep", "Seccomp:", "/proc/self/status").Where(word => word != Unconfined).ToArray());
        if (Ocirun.Run("features").Json["linux"]!["seccomp"]!["enabled"]!.GetValue<bool>())
        {
            result.ShouldSucceed().Stdout.Should().Contain("2");
            return;
        }
        result.ShouldFail(126, "/linux/seccomp: is not supported by this version of ocirun");
    }

    [Test]
    public void Terminal()
    {
        CommandResult result = _podman.RunInTerminal(RunArguments("-it", "bb", "sh", "-c", "tty; sleep 0.5; exit 3"));
        result.ExitCode.Should().Be(3, "{0}", result);
        result.Stdout.Should().Contain("/dev/pts/0");
    }

    [Test]
    public void Background_container_is_signalled_and_waited_for()
    {
        Detached("c1", "sh", "-c", "trap 'echo got it; exit 3' USR1; echo ready; while :; do sleep 0.05; done");
        WaitLog("c1", "ready");
        Inspect("c1", "{{.State.Status}}").Should().Be("running");
        _podman.Run("kill", "--signal", "USR1", "c1").ShouldSucceed();
        _podman.Run("wait", "c1").ShouldSucceed().Text.Should().Be("3");
        _podman.Run("logs", "c1").ShouldSucceed().Stdout.Should().Be("ready\ngot it\n");
        _podman.Run("rm", "c1").ShouldSucceed();
    }

    [Test]
    public void Stopped_container_starts_again_and_is_removed_while_it_runs()
    {
        // As pid 1 it is deaf to SIGTERM: stop has to come back with SIGKILL.
        Detached("c2", "sleep", "1000");
        _podman.Run("stop", "--time", "1", "c2").ShouldSucceed();
        Inspect("c2", "{{.State.Status}} {{.State.ExitCode}}").Should().Be("exited 137");
        _podman.Run("start", "c2").ShouldSucceed();
        int pid = int.Parse(Inspect("c2", "{{.State.Pid}}"));
        new ProcessView(pid).CommandLine.Should().Equal("sleep", "1000");
        _podman.Run("rm", "--force", "--time", "0", "c2").ShouldSucceed();
        ProcessTree.IsAlive(pid).Should().BeFalse();
    }

    [Test]
    public void Processes_in_the_hosts_pid_namespace_all_end_with_the_container()
    {
        string seconds = $"99{TestRun.NextNumber()}.{Environment.ProcessId}";
        Detached("c3", "--pid=host", "bb", "sh", "-c", $"sleep {seconds} & echo ready; sleep {seconds}");
        WaitLog("c3", "ready");
        _podman.Run("rm", "--force", "--time", "0", "c3").ShouldSucceed();
        Eventually.True(() => !ProcessTree.DescendantsOf(Environment.ProcessId).Any(pid => ProcessTree.CommandLine(pid) == $"sleep {seconds}"), "the end of the background process");
    }

    [Test]
    public void Limits_reach_the_kernel()
    {
        Detached("c4", "--memory=64m", "--memory-reservation=32m", "--cpus=0.5", "--cpu-shares=512", "--pids-limit=50", "--cpuset-cpus=0", "bb", "sleep", "1000");
        var init = new ProcessView(int.Parse(Inspect("c4", "{{.State.Pid}}")));
        init.Cgroups.First(entry => entry.Controllers.Contains("pids")).Path.Should().StartWith($"/{TestRun.Token}/libpod-");
        Limit(init, "memory", "memory.limit_in_bytes").Should().Be("67108864");
        Limit(init, "memory", "memory.soft_limit_in_bytes").Should().Be("33554432");
        Limit(init, "cpu", "cpu.cfs_quota_us").Should().Be("50000");
        Limit(init, "cpu", "cpu.shares").Should().Be("512");
        Limit(init, "pids", "pids.max").Should().Be("50");
        Limit(init, "cpuset", "cpuset.cpus").Should().Be("0");
    }

    [Test]
    public void Container_is_paused_updated_and_looked_into()
    {
        Detached("c6", "sleep", "1000");
        _podman.Run("pause", "c6").ShouldSucceed();
        Inspect("c6", "{{.State.Status}}").Should().Be("paused");
        _podman.Run("unpause", "c6").ShouldSucceed();
        Inspect("c6", "{{.State.Status}}").Should().Be("running");
        var init = new ProcessView(int.Parse(Inspect("c6", "{{.State.Pid}}")));
        _podman.Run("update", "--memory", "100m", "--memory-swap", "200m", "--cpus", "0.5", "c6").ShouldSucceed();
        Limit(init, "memory", "memory.limit_in_bytes").Should().Be("104857600");
        Limit(init, "memory", "memory.memsw.limit_in_bytes").Should().Be("209715200");
        Limit(init, "cpu", "cpu.cfs_quota_us").Should().Be("50000");
        _podman.Run("stats", "--no-stream", "--format", "{{.PIDs}} {{.MemLimit}}", "c6").ShouldSucceed().Stdout.Should().StartWith("1 ");
        _podman.Run("top", "c6", "args").ShouldSucceed().Stdout.Should().Contain("sleep 1000");
        _podman.Run("pause", "c6").ShouldSucceed();
        _podman.Run("rm", "--force", "--time", "0", "c6").ShouldSucceed();
    }

    [Test]
    public void More_processes_in_a_container()
    {
        Detached("c8", "--user=1000:1000", "--env=A=b", "bb", "sleep", "1000");
        _podman.Run("exec", "c8", "sh", "-c", "id -u; echo $A; echo err >&2; exit 7").ShouldFail(7, "err").Lines.Should().Equal("1000", "b");
        _podman.RunWithInput("in\n", ["exec", "-i", "c8", "cat"]).ShouldSucceed().Stdout.Should().Be("in\n");
        _podman.Run("exec", "--user=0", "--workdir=/tmp", "--env=C=d", "c8", "sh", "-c", "id -u; pwd; echo $C").ShouldSucceed().Lines.Should().Equal("0", "/tmp", "d");
        _podman.RunInTerminal(["exec", "-it", "c8", "sh", "-c", "tty; sleep 0.5"]).Stdout.Should().Contain("/dev/pts/0");
        _podman.Run("exec", "c8", "/nope").ShouldFail(127, "no such file or directory");
        _podman.Run("exec", "c8", "nope").ShouldFail(127, "executable file not found in $PATH");
        _podman.Run("exec", "c8", "/etc/passwd").ShouldFail(126, "permission denied");
        _podman.Run("exec", "--detach", "c8", "sleep", "777").ShouldSucceed();
        Eventually.True(() => _podman.Run("exec", "c8", "sh", "-c", "cat /proc/[0-9]*/cmdline").Stdout.Contains("sleep\0777"), "the process in the background");
        _podman.Run("rm", "--force", "--time", "0", "c8").ShouldSucceed();
    }

    [Test]
    public void Health_check()
    {
        Detached("c7", "--health-cmd=test -e /dev/null", "--health-interval=disable", "bb", "sleep", "1000");
        _podman.Run("healthcheck", "run", "c7").ShouldSucceed();
        Inspect("c7", "{{.State.Health.Status}}{{.State.Healthcheck.Status}}").Should().Contain("healthy");
        _podman.Run("rm", "--force", "--time", "0", "c7").ShouldSucceed();
    }

    [Test]
    public void Common_options_work_together()
    {
        Directory.CreateDirectory($"{_podman.Directory}/data");
        File.WriteAllText($"{_podman.Directory}/data/file", "from the host\n");
        CommandResult result = _podman.Run(RunArguments(
            "--user=1000:1000", "--workdir=/mnt", "--hostname=box", "--env=A=b", "--cap-drop=all", "--cap-add=net_raw", "--security-opt=no-new-privileges",
            "--sysctl=net.ipv4.ip_forward=1", $"--volume={_podman.Directory}/data:/mnt:ro", "--volume=vol:/vol", "--device=/dev/null:/dev/zilch",
            "--shm-size=1m", "--ulimit=nofile=100:100", "--ulimit=nproc=100:100", "--umask=0027",
            "bb", "sh", "-c", "id; pwd; hostname; echo $A; cat file /proc/sys/net/ipv4/ip_forward; umask; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; ls /dev/zilch; touch x 2>&1 || true"));
        result.ShouldSucceed().Stdout.Replace("\t", " ").Should().ContainAll(
            "uid=1000(user) gid=1000(user)", "/mnt\n", "box\n", "b\n", "from the host\n1\n0027\n", "CapBnd: 0000000000002000", "NoNewPrivs: 1", "/dev/zilch\n", "Read-only file system");
    }

    [Test]
    public void User_namespace()
    {
        CommandResult result = Run("--uidmap=0:100000:65536", "bb", "sh", "-c", "id -u; cat /proc/self/uid_map");
        result.ShouldSucceed().Stdout.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Should().Equal("0", "0", "100000", "65536");
    }

    /// <summary>Podman covers directories with a tmpfs that has their content (mount option tmpcopyup).</summary>
    [Test]
    public void Tmpfs_over_a_directory_of_the_image_has_its_content() =>
        Run("--tmpfs=/etc", "bb", "sh", "-c", "grep -c user /etc/passwd; echo more >>/etc/passwd && grep -c more /etc/passwd; grep -c ' /etc tmpfs' /proc/mounts")
            .ShouldSucceed().Lines.Should().Equal("1", "1", "1");

    [Test]
    public void Read_only_container_writes_where_podman_lets_it() =>
        Run("--read-only", "bb", "sh", "-c", "touch /x 2>&1; for d in /tmp /run /var/tmp /dev/shm; do echo ok >$d/x && cat $d/x; done")
            .ShouldSucceed().Lines.Should().Equal("touch: /x: Read-only file system", "ok", "ok", "ok", "ok");

    [Test]
    public void Container_that_could_not_start_leaves_nothing_but_its_record()
    {
        _podman.Run(["run", "--name", "c5", .. RunArguments("bb", "/nope").Skip(1).Where(word => word != "--rm")]).ShouldFail(127);
        _podman.CheckNothingLeft();
        Inspect("c5", "{{.State.Status}}").Should().Be("created");
    }

    private static string Limit(ProcessView init, string controller, string file)
    {
        Requires.V1Controller(controller);
        return File.ReadAllText($"{init.CgroupDirectory(controller)}/{file}").Trim();
    }

    private string[] RunArguments(params string[] args) =>
        ["run", "--rm", "--cidfile", _podman.NextCidFile(), "--cgroup-parent", $"/{TestRun.Token}", "--network=none", Unconfined, .. args];

    /// <summary>Options and image come before the command; without any the image is the only one there is.</summary>
    private CommandResult Run(params string[] args) => _podman.Run(RunArguments(args.Contains("bb") ? args : ["bb", .. args]));

    private void Detached(string name, params string[] args) =>
        _podman.Run(["run", "--detach", "--name", name, .. RunArguments(args.Contains("bb") ? args : ["bb", .. args]).Where(word => word is not ("run" or "--rm"))]).ShouldSucceed();

    private void WaitLog(string name, string text) =>
        Eventually.True(() => _podman.Run("logs", name).Stdout.Contains(text), $"\"{text}\" in the log of {name}");

    private string Inspect(string name, string format) => _podman.Run("inspect", "--format", format, name).ShouldSucceed().Text;
}
