using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients;

/// <summary>Debian's Docker Engine: containerd and its shim once more, with a prestart hook for the network and the zeros it writes for "unset".</summary>
public sealed class DockerTests
{
    private const string Unconfined = "--security-opt=seccomp=unconfined";
    private ClientHost _docker = null!;
    private Server? _dockerd;

    [OneTimeSetUp]
    public void Prepare()
    {
        _docker = new ClientHost("docker");
        string directory = _docker.Directory;
        _docker.GlobalOptions.AddRange(["--host", $"unix://{directory}/d.sock"]);
        // No bridge and no iptables: nothing of the host's network is touched. Lowering the score needs CAP_SYS_RESOURCE.
        _dockerd = new Server("dockerd", "--host", $"unix://{directory}/d.sock", "--data-root", $"{directory}/d", "--exec-root", $"{directory}/x", "--pidfile", $"{directory}/pid",
            "--storage-driver", "vfs", "--bridge=none", "--iptables=false", "--ip6tables=false", "--oom-score-adjust=0", "--cgroup-parent", $"/{TestRun.Token}",
            "--add-runtime", $"ocirun={Ocirun.Binary.Path}", "--default-runtime", "ocirun");
        _dockerd.WaitUntil(() => _docker.Run("version").Succeeded);
        ClientImage.WriteRootfs($"{directory}/bb.tar");
        _docker.Run("import", $"{directory}/bb.tar", "bb").ShouldSucceed();
    }

    [TearDown]
    public void RemoveContainers()
    {
        string[] all = _docker.Run("ps", "--all", "--quiet").ShouldSucceed().Lines;
        if (all.Length > 0) _docker.Run(["rm", "--force", .. all]).ShouldSucceed();
        _docker.CheckNothingLeft();
    }

    [OneTimeTearDown]
    public void End()
    {
        _dockerd?.Dispose();
        _docker.Dispose();
    }

    [Test]
    public void Output_and_exit_code_come_back()
    {
        CommandResult result = Run("sh", "-c", "echo out; echo err >&2; exit 7");
        result.ExitCode.Should().Be(7, "{0}", result);
        result.Stdout.Should().Be("out\n");
        result.Stderr.Should().Be("err\n");
    }

    /// <summary>Docker reads the errno from the words, in Go's lower case.</summary>
    [TestCase("/nope", 127)]
    [TestCase("nope", 127)]
    [TestCase("/etc/passwd", 126)]
    public void Program_that_cannot_run_is_told_by_exit_code(string program, int exitCode) =>
        Run(program).ShouldFail(exitCode, $"OCI runtime create failed: ocirun create failed: exec: \"{program}\"");

    [Test]
    public void Terminal_and_input()
    {
        CommandResult result = _docker.RunInTerminal(RunArguments("-it", "bb", "sh", "-c", "tty; exit 3"));
        result.ExitCode.Should().Be(3, "{0}", result);
        result.Stdout.Should().Contain("/dev/pts/0");
        _docker.RunWithInput("in\n", RunArguments("-i", "bb", "cat")).ShouldSucceed().Stdout.Should().Be("in\n");
    }

    [Test]
    public void Container_is_stopped_started_and_killed()
    {
        Detached("c1", "sleep", "1000");
        _docker.Run("stop", "--time", "1", "c1").ShouldSucceed();
        Inspect("c1", "{{.State.Status}} {{.State.ExitCode}}").Should().Be("exited 137");
        _docker.Run("start", "c1").ShouldSucceed();
        Inspect("c1", "{{.State.Running}}").Should().Be("true");
        _docker.Run("kill", "c1").ShouldSucceed();
        Eventually.True(() => Inspect("c1", "{{.State.Running}}") == "false", "the end of c1");
        _docker.Run("rm", "c1").ShouldSucceed();
    }

    [Test]
    public void Container_is_paused_updated_and_looked_into()
    {
        Detached("c3", "sleep", "1000");
        _docker.Run("pause", "c3").ShouldSucceed();
        Inspect("c3", "{{.State.Status}}").Should().Be("paused");
        _docker.Run("unpause", "c3").ShouldSucceed();
        Inspect("c3", "{{.State.Status}}").Should().Be("running");
        _docker.Run("update", "--memory", "100m", "--memory-swap", "200m", "--cpus", "0.5", "--pids-limit", "33", "c3").ShouldSucceed();
        var init = new ProcessView(int.Parse(Inspect("c3", "{{.State.Pid}}")));
        if (CgroupHost.V1MountPoint("memory") != null)
        {
            File.ReadAllText($"{init.CgroupDirectory("memory")}/memory.limit_in_bytes").Trim().Should().Be("104857600");
            File.ReadAllText($"{init.CgroupDirectory("pids")}/pids.max").Trim().Should().Be("33");
        }
        _docker.Run("stats", "--no-stream", "--format", "{{.PIDs}}", "c3").ShouldSucceed().Text.Should().Be("1");
        _docker.Run("top", "c3").ShouldSucceed().Stdout.Should().Contain("sleep 1000");
        // A paused container is stopped, too: the daemon kills what stands still.
        _docker.Run("pause", "c3").ShouldSucceed();
        _docker.Run("rm", "--force", "c3").ShouldSucceed();
    }

    /// <summary>After the first process has gone, the daemon has `kill --all` end the rest.</summary>
    [Test]
    public void Processes_in_the_hosts_pid_namespace_all_end_with_the_container()
    {
        string seconds = $"98{TestRun.NextNumber()}.{Environment.ProcessId}";
        Detached("c2", "--pid=host", "bb", "sh", "-c", $"sleep {seconds} & sleep {seconds}");
        _docker.Run("stop", "--time", "0", "c2").ShouldSucceed();
        Eventually.True(() => !ProcessTree.DescendantsOf(Environment.ProcessId).Any(pid => ProcessTree.CommandLine(pid) == $"sleep {seconds}"), "the end of the background process");
    }

    [Test]
    public void More_processes_in_a_container()
    {
        Detached("c3", "--user=1000:1000", "--env=A=b", "bb", "sleep", "1000");
        _docker.Run("exec", "c3", "sh", "-c", "id -u; echo $A; echo err >&2; exit 7").ShouldFail(7, "err").Lines.Should().Equal("1000", "b");
        _docker.RunWithInput("in\n", ["exec", "-i", "c3", "cat"]).ShouldSucceed().Stdout.Should().Be("in\n");
        _docker.Run("exec", "--user=0", "--workdir=/tmp", "--env=C=d", "c3", "sh", "-c", "id -u; pwd; echo $C").ShouldSucceed().Lines.Should().Equal("0", "/tmp", "d");
        CommandResult terminal = _docker.RunInTerminal(["exec", "-it", "c3", "sh", "-c", "tty; exit 3"]);
        terminal.ExitCode.Should().Be(3, "{0}", terminal);
        terminal.Stdout.Should().Contain("/dev/pts/0");
        // 20.10 takes 126 for whatever keeps a process from running.
        foreach (string program in (string[])["/nope", "nope", "/etc/passwd"]) _docker.Run("exec", "c3", program).ShouldFail().ExitCode.Should().BeOneOf(126, 127);
        _docker.Run("exec", "--detach", "c3", "sleep", "777").ShouldSucceed();
        Eventually.True(() => _docker.Run("exec", "c3", "sh", "-c", "cat /proc/[0-9]*/cmdline").Stdout.Contains("sleep\0777"), "the process in the background");
    }

    [Test]
    public void Health_check()
    {
        Detached("c4", "--health-cmd=test -e /dev/null", "--health-interval=1s", "bb", "sleep", "1000");
        Eventually.True(() => Inspect("c4", "{{.State.Health.Status}}") == "healthy", "the container is healthy");
    }

    [Test]
    public void Common_options_work_together()
    {
        CommandResult result = _docker.Run(RunArguments(
            "--memory=64m", "--cpus=0.5", "--pids-limit=50", "--user=1000:1000", "--workdir=/vol", "--hostname=box", "--env=A=b", "--cap-drop=all", "--tmpfs=/scratch:size=1m",
            "--volume=vol:/vol", "--read-only", "--security-opt=no-new-privileges", "--ulimit=nofile=100:100",
            "bb", "sh", "-c", "id; pwd; hostname; echo $A; grep -E 'CapBnd|NoNewPrivs' /proc/self/status; grep scratch /proc/self/mounts; touch /x 2>&1 || true"));
        result.ShouldSucceed().Stdout.Replace("\t", " ").Should().ContainAll(
            "uid=1000(user) gid=1000(user)", "/vol\n", "box\n", "b\n", "CapBnd: 0000000000000000", "NoNewPrivs: 1", "tmpfs /scratch tmpfs", "size=1024k", "Read-only file system");
    }

    private string[] RunArguments(params string[] args) => ["run", "--rm", "--cidfile", _docker.NextCidFile(), "--network=none", Unconfined, .. args];

    private CommandResult Run(params string[] args) => _docker.Run(RunArguments(["bb", .. args]));

    private void Detached(string name, params string[] args) =>
        _docker.Run(["run", "--detach", "--name", name, .. RunArguments(args.Contains("bb") ? args : ["bb", .. args]).Where(word => word is not ("run" or "--rm"))]).ShouldSucceed();

    private string Inspect(string name, string format) => _docker.Run("inspect", "--format", format, name).ShouldSucceed().Text;
}
