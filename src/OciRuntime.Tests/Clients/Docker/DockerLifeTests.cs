using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Docker;

/// <summary>
/// From `docker run` to `docker rm`: containerd and its shim once more, with a prestart hook for the network and the zeros it writes for
/// "unset".
/// </summary>
[Category("Slow")]
[ThisMachinesEngines]
public sealed class DockerLifeTests(ShimKind shim) : DockerTest(shim)
{
    [Test]
    public void Output_input_terminal_and_exit_code()
    {
        CommandResult result = Docker.RunContainer("bb", "sh", "-c", "echo out; echo err >&2; exit 7");
        result.ExitCode.Should().Be(7, "{0}", result);
        result.Stdout.Should().Be("out\n");
        result.Stderr.Should().Be("err\n");
        Docker.RunWithInput("in\n", Docker.RunArguments("-i", "bb", "cat")).ShouldSucceed().Stdout.Should().Be("in\n");
        CommandResult terminal = Docker.RunInTerminal(Docker.RunArguments("-it", "bb", "sh", "-c", "tty; exit 3"));
        terminal.ExitCode.Should().Be(3, "{0}", terminal);
        terminal.Stdout.Should().Contain("/dev/pts/0");
    }

    /// <summary>Docker reads the errno from the words, in Go's lower case.</summary>
    [TestCase("", 127, "no such file or directory")]
    [TestCase("/nope", 127, "no such file or directory")]
    [TestCase("nope", 127, "executable file not found in $PATH")]
    [TestCase("/etc/passwd", 126, "permission denied")]
    public void Program_that_cannot_run_is_told_by_exit_code(string program, int exitCode, string words)
    {
        Requires.NotRuntime("crun", "says No such file or directory with a capital letter, which Docker does not know");
        Docker.RunContainer("bb", program).ShouldFail(exitCode, "OCI runtime create failed: ", $"exec: \"{program}\": ", words);
    }

    [Test]
    public void Container_is_signalled_stopped_started_and_killed()
    {
        ProcessView init = Docker.Detached("c1", "bb", "sh", "-c",
            "trap 'echo usr1' USR1; trap 'echo bye; exit 4' TERM; echo ready; while :; do sleep 0.05; done");
        WaitForLog("ready\n");
        Docker.Run("kill", "--signal", "USR1", "c1").ShouldSucceed();
        WaitForLog("ready\nusr1\n");
        Docker.Run("stop", "c1").ShouldSucceed();
        WaitForLog("ready\nusr1\nbye\n");
        Docker.Inspect("c1", "{{.State.Status}} {{.State.ExitCode}}").Should().Be("exited 4");
        ProcessTree.IsAlive(init.Pid).Should().BeFalse();
        Docker.Run("start", "c1").ShouldSucceed();
        Docker.Init("c1").Pid.Should().NotBe(init.Pid);
        Docker.Run("kill", "c1").ShouldSucceed();
        Docker.Run("wait", "c1").ShouldSucceed().Text.Should().Be("137");
        Docker.Run("restart", "--time", "0", "c1").ShouldSucceed();
        Docker.Inspect("c1", "{{.State.Running}}").Should().Be("true");
        // Events up to a full second.
        Docker.Run("events", "--since", "0", "--until", $"{DateTimeOffset.UtcNow.ToUnixTimeSeconds() + 1}", "--filter", "container=c1",
            "--format", "{{.Action}}").ShouldSucceed().Lines
            // Of the two events of a stop either may be the first one.
            .Should().Contain("stop").And.ContainInOrder("create", "start", "kill", "die", "start", "kill", "die", "start", "restart");

        void WaitForLog(string text) => Eventually.True(() => Docker.Run("logs", "c1").Stdout == text, $"the log is {text}");
    }

    [Test]
    public void Deaf_container_is_stopped_after_the_time_and_paused_one_at_once()
    {
        Docker.Detached("c1", "bb", "sleep", "1000");
        Docker.Run("stop", "--time", "1", "c1").ShouldSucceed();
        Docker.Inspect("c1", "{{.State.Status}} {{.State.ExitCode}}").Should().Be("exited 137");
        Docker.Run("start", "c1").ShouldSucceed();
        Docker.Run("pause", "c1").ShouldSucceed();
        Docker.Inspect("c1", "{{.State.Status}}").Should().Be("paused");
        Docker.Run("unpause", "c1").ShouldSucceed();
        Docker.Inspect("c1", "{{.State.Status}}").Should().Be("running");
        Docker.Run("pause", "c1").ShouldSucceed();
        Docker.Run("rm", "--force", "c1").ShouldSucceed();
    }

    /// <summary>After the first process has gone, the daemon has `kill --all` end the rest.</summary>
    [Test]
    public void Processes_in_the_hosts_pid_namespace_all_end_with_the_container()
    {
        string seconds = $"98{TestRun.NextNumber()}.{Environment.ProcessId}";
        Docker.Detached("c2", "--pid=host", "bb", "sh", "-c", $"sleep {seconds} & sleep {seconds}");
        Eventually.True(() => Sleepers() == 2, "both processes");
        Docker.Run("stop", "--time", "0", "c2").ShouldSucceed();
        Eventually.True(() => Sleepers() == 0, "the end of the background process");

        int Sleepers() => ProcessTree.DescendantsOf(Environment.ProcessId).Count(pid => ProcessTree.CommandLine(pid) == $"sleep {seconds}");
    }

    [Test]
    public void More_processes_in_a_container()
    {
        Docker.Detached("c3", "--user=1000:1000", "--env=A=b", "bb", "sleep", "1000");
        Docker.Run("exec", "c3", "sh", "-c", "id -u; echo $A; echo err >&2; exit 7").ShouldFail(7, "err").Lines.Should().Equal("1000", "b");
        Docker.RunWithInput("in\n", ["exec", "-i", "c3", "cat"]).ShouldSucceed().Stdout.Should().Be("in\n");
        Docker.Run("exec", "--user=0", "--workdir=/tmp", "--env=C=d", "c3", "sh", "-c", "id -u; pwd; echo $C")
            .ShouldSucceed().Lines.Should().Equal("0", "/tmp", "d");
        CommandResult terminal = Docker.RunInTerminal(["exec", "-it", "c3", "sh", "-c", "tty; exit 3"]);
        terminal.ExitCode.Should().Be(3, "{0}", terminal);
        terminal.Stdout.Should().Contain("/dev/pts/0");
        // 20.10 takes 126 for whatever keeps a process from running.
        foreach (string program in (string[])["/nope", "nope", "/etc/passwd"])
            Docker.Run("exec", "c3", program).ShouldFail().ExitCode.Should().BeOneOf(126, 127);
        Docker.Run("exec", "--detach", "c3", "sleep", "777").ShouldSucceed();
        Eventually.True(() => Docker.Run("top", "c3").ShouldSucceed().Stdout.Contains("sleep 777"), "the process in the background");
        Docker.Run("stats", "--no-stream", "--format", "{{.PIDs}}", "c3").ShouldSucceed().Text.Should().Be("2");
    }

    [Test]
    public void Files_are_copied_in_and_out_and_the_difference_is_an_image()
    {
        Docker.Detached("c4", "bb", "sleep", "1000");
        File.WriteAllText($"{Docker.Directory}/file", "copied\n");
        Docker.Run("cp", $"{Docker.Directory}/file", "c4:/etc/file").ShouldSucceed();
        Docker.Run("exec", "c4", "cat", "/etc/file").ShouldSucceed().Stdout.Should().Be("copied\n");
        Docker.Run("cp", "c4:/etc/passwd", $"{Docker.Directory}/passwd").ShouldSucceed();
        File.ReadAllText($"{Docker.Directory}/passwd").Should().Contain("user:x:1000");
        Docker.Run("diff", "c4").ShouldSucceed().Lines.Should().Contain("A /etc/file");
        Docker.Run("commit", "c4", "committed").ShouldSucceed();
        Docker.RunContainer("committed", "cat", "/etc/file").ShouldSucceed().Stdout.Should().Be("copied\n");
        Docker.Run("rmi", "committed").ShouldSucceed();
    }

    [Test]
    public void Health_and_restarts_follow_the_exit_codes()
    {
        Docker.Detached("health", "--health-cmd=test -e /tmp/ok", "--health-interval=300ms", "--health-retries=1", "bb", "sleep", "1000");
        Docker.Run("run", "--detach", "--name", "failing", "--restart", "on-failure:2", "bb", "sh", "-c", "echo once; exit 3")
            .ShouldSucceed();
        Docker.WaitFor("health", "{{.State.Health.Status}}", "unhealthy");
        Docker.Run("exec", "health", "touch", "/tmp/ok").ShouldSucceed();
        Docker.WaitFor("health", "{{.State.Health.Status}}", "healthy");
        Docker.WaitFor("failing", "{{.State.Status}} {{.RestartCount}} {{.State.ExitCode}}", "exited 2 3");
        Docker.Run("logs", "failing").ShouldSucceed().Lines.Should().Equal("once", "once", "once");
    }

    /// <summary>The shim watches the memory cgroup of the pid it got; the daemon must hear of it before the exit.</summary>
    [Test]
    public void Out_of_memory_is_seen()
    {
        Docker.Run("run", "--name", "oom", "--memory=16m", "--memory-swap=16m", "bb", "busybox", "tail", "/dev/zero").ExitCode.Should()
            .Be(137);
        Docker.Inspect("oom", "{{.State.OOMKilled}} {{.State.ExitCode}}").Should().Be("true 137");
    }

    [Test]
    public void Container_that_could_not_start_leaves_nothing_but_its_record()
    {
        Docker.Run("run", "--name", "c5", "bb", "/nope").ShouldFail();
        Docker.Inspect("c5", "{{.State.Status}} {{.State.Pid}}").Should().Be("created 0");
    }

    [Test]
    public void Twenty_containers_at_once()
    {
        string[] names = [.. Enumerable.Range(1, 20).Select(number => $"p{number}")];
        Parallel.ForEach(names, new ParallelOptions { MaxDegreeOfParallelism = names.Length }, name =>
            Docker.Run("run", "--detach", "--name", name, "--hostname", name, "bb", "sh", "-c", "hostname; exec sleep 1000")
            .ShouldSucceed());
        ProcessView[] inits = [.. names.Select(Docker.Init)];
        inits.Select(init => init.Cgroups[0].Path).Distinct().Should()
            .HaveCount(20).And.OnlyContain(path => path.StartsWith($"/{TestRun.Token}/"));
        foreach (string name in names) Docker.Run("logs", name).Stdout.Should().Be($"{name}\n");
        Docker.Run(["rm", "--force", .. names]).ShouldSucceed();
        inits.Should().OnlyContain(init => !ProcessTree.IsAlive(init.Pid));
    }
}
