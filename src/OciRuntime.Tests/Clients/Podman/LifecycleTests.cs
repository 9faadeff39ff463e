using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Podman;

/// <summary>From create to rm, with everything Podman does to a container in between.</summary>
[ThisMachinesEngines]
public sealed class LifecycleTests : PodmanTest
{
    [Test]
    public void Background_container_is_signalled_and_waited_for()
    {
        Detached("c1", "sh", "-c", "trap 'echo got it; exit 3' USR1; echo ready; while :; do sleep 0.05; done");
        WaitLog("c1", "ready");
        Inspect("c1", "{{.State.Status}}").Should().Be("running");
        Do("kill", "--signal", "USR1", "c1");
        Do("wait", "c1").Text.Should().Be("3");
        Do("logs", "c1").Stdout.Should().Be("ready\ngot it\n");
        Do("rm", "c1");
    }

    [Test]
    public void Stopped_container_starts_again_and_is_removed_while_it_runs()
    {
        // As pid 1 it is deaf to SIGTERM: stop has to come back with SIGKILL.
        Detached("c2", "sleep", "1000");
        Do("stop", "--time", "1", "c2");
        Inspect("c2", "{{.State.Status}} {{.State.ExitCode}}").Should().Be("exited 137");
        Do("start", "c2");
        int first = Init("c2").Pid;
        Do("restart", "--time", "0", "c2");
        int second = Init("c2").Pid;
        second.Should().NotBe(first);
        new ProcessView(second).CommandLine.Should().Equal("sleep", "1000");
        Do("rm", "--force", "--time", "0", "c2");
        ProcessTree.IsAlive(second).Should().BeFalse();
    }

    [Test]
    public void Created_container_is_filled_started_and_saved()
    {
        Podman.Run(Line("create --name c11", "cat", "/etc/copied")).ShouldSucceed();
        Do("cp", NewFile("copied\n"), "c11:/etc/copied");
        Do("start", "--attach", "c11").Stdout.Should().Be("copied\n");
        Do("commit", "-q", "c11", "committed");
        Do("image", "exists", "committed");
        Do("rmi", "--force", "committed");
        Inspect("c11", "{{.State.Status}} {{.State.ExitCode}}").Should().Be("exited 0");
    }

    [Test]
    public void Container_that_fails_is_started_again()
    {
        Podman.Run(Line("run --name c12", "--restart=on-failure:2", "bb", "sh", "-c", "echo again; exit 4")).ShouldFail(4);
        Eventually.True(() => Inspect("c12", "{{.RestartCount}} {{.State.Status}}") == "2 exited", "both restarts");
        Do("logs", "c12").Stdout.Should().Be("again\nagain\nagain\n");
    }

    [Test]
    public void Processes_in_the_hosts_pid_namespace_all_end_with_the_container()
    {
        string seconds = $"99{TestRun.NextNumber()}.{Environment.ProcessId}";
        Detached("c3", "--pid=host", "bb", "sh", "-c", $"sleep {seconds} & echo ready; sleep {seconds}");
        WaitLog("c3", "ready");
        Do("rm", "--force", "--time", "0", "c3");
        Eventually.True(() => !ProcessTree.DescendantsOf(Environment.ProcessId)
            .Any(pid => ProcessTree.CommandLine(pid) == $"sleep {seconds}"), "the end of the background process");
    }

    [Test]
    public void Limits_reach_the_kernel()
    {
        Detached("c4", "--memory=64m", "--memory-reservation=32m", "--memory-swappiness=10", "--cpus=0.5", "--cpu-shares=512",
            "--pids-limit=50", "--cpuset-cpus=0", "bb", "sleep", "1000");
        ProcessView init = Init("c4");
        init.Cgroups.First(entry => entry.Controllers.Contains("pids")).Path.Should().StartWith($"/{TestRun.Token}/libpod-");
        Limit(init, "memory", "memory.limit_in_bytes").Should().Be("67108864");
        Limit(init, "memory", "memory.soft_limit_in_bytes").Should().Be("33554432");
        Limit(init, "memory", "memory.swappiness").Should().Be("10");
        Limit(init, "cpu", "cpu.cfs_quota_us").Should().Be("50000");
        Limit(init, "cpu", "cpu.shares").Should().Be("512");
        Limit(init, "pids", "pids.max").Should().Be("50");
        Limit(init, "cpuset", "cpuset.cpus").Should().Be("0");
    }

    [Test]
    public void Container_is_paused_updated_and_looked_into()
    {
        Detached("c6", "sleep", "1000");
        Do("pause", "c6");
        Inspect("c6", "{{.State.Status}}").Should().Be("paused");
        Do("unpause", "c6");
        Inspect("c6", "{{.State.Status}}").Should().Be("running");
        ProcessView init = Init("c6");
        Do("update", "--memory", "100m", "--memory-swap", "200m", "--cpus", "0.5", "--cpuset-cpus=0", "--cpu-shares=100", "c6");
        Limit(init, "memory", "memory.limit_in_bytes").Should().Be("104857600");
        Limit(init, "memory", "memory.memsw.limit_in_bytes").Should().Be("209715200");
        Limit(init, "cpu", "cpu.cfs_quota_us").Should().Be("50000");
        Limit(init, "cpu", "cpu.shares").Should().Be("100");
        Limit(init, "cpuset", "cpuset.cpus").Should().Be("0");
        Podman.Run("update", "--memory", "1k", "c6").ShouldFail(125);
        Limit(init, "memory", "memory.limit_in_bytes").Should().Be("104857600", "what is refused changes nothing");
        Do("stats", "--no-stream", "--format", "{{.PIDs}} {{.MemLimit}}", "c6").Stdout.Should().StartWith("1 ");
        Do("top", "c6", "args").Stdout.Should().Contain("sleep 1000");
        Do("top", "c6", "-eo", "args").Stdout.Should().Contain("sleep 1000");
    }

    /// <summary>Podman does not stop what is paused, whatever the runtime; by force it does.</summary>
    [Test]
    public void Paused_container_is_removed()
    {
        Detached("c13", "sleep", "1000");
        int pid = Init("c13").Pid;
        Do("pause", "c13");
        Podman.Run("stop", "--time=1", "c13").ShouldFail(125);
        Do("rm", "--force", "--time=0", "c13");
        ProcessTree.IsAlive(pid).Should().BeFalse();
    }

    [Test]
    public void Container_that_could_not_start_leaves_nothing_but_its_record()
    {
        Podman.Run(Line("run --name c5", "/nope")).ShouldFail(127);
        Podman.CheckNothingLeft();
        Inspect("c5", "{{.State.Status}}").Should().Be("created");
    }
}
