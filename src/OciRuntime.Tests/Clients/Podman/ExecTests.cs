using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Podman;

/// <summary>`podman exec` and health checks, which are the same to a runtime.</summary>
[ThisMachinesEngines]
public sealed class ExecTests : PodmanTest
{
    [Test]
    public void More_processes_in_a_container()
    {
        Detached("c8", "--user=1000:1000", "--env=A=b", "bb", "sleep", "1000");
        Podman.Run("exec", "c8", "sh", "-c", "id -u; echo $A; echo err >&2; exit 7").ShouldFail(7, "err").Lines.Should().Equal("1000", "b");
        Podman.RunWithInput("in\n", ["exec", "-i", "c8", "cat"]).ShouldSucceed().Stdout.Should().Be("in\n");
        Do("exec", "--user=0", "--workdir=/tmp", "--env=C=d", "c8", "sh", "-c", "id -u; pwd; echo $C").Lines.Should()
            .Equal("0", "/tmp", "d");
        Podman.RunInTerminal(["exec", "-it", "c8", "sh", "-c", "tty; sleep 0.3; exit 5"]).ShouldFail(5).Stdout.Should()
            .Contain("/dev/pts/0");
        Podman.Run("exec", "c8", "sh", "-c", "kill -9 $$").ShouldFail(137);
        Do("exec", "--detach", "c8", "sleep", "777");
        Eventually.True(() => Do("top", "c8", "args").Stdout.Contains("sleep 777"), "the process in the background");
        using OutputFile file = OutputFile.Containing("third\n"u8.ToArray());
        Podman.Run(new CommandOptions { ExtraFds = [file.Fd] }, "exec", "--preserve-fds=1", "c8", "sh", "-c", "cat <&3")
            .ShouldSucceed().Text.Should().Be("third");
    }

    [Test]
    public void What_cannot_be_done_is_told_by_exit_code()
    {
        Detached("c9", "sleep", "1000");
        Podman.Run("exec", "c9", "/nope").ShouldFail(127);
        Podman.Run("exec", "c9", "nope").ShouldFail(127);
        Podman.Run("exec", "c9", "/etc/passwd").ShouldFail(126);
        Podman.Run("exec", "--workdir=/nope", "c9", "pwd").ShouldFail(127);
        Do("pause", "c9");
        Podman.Run("exec", "c9", "true").ShouldFail(255);
        Do("unpause", "c9");
        Do("exec", "c9", "true");
    }

    [Test]
    public void Privileged_process_in_a_confined_container()
    {
        Detached("c10", "--cap-drop=all", "bb", "sleep", "1000");
        string Effective(params string[] options) => Do(["exec", .. options, "c10", "grep", "CapEff", "/proc/self/status"]).Text[^16..];
        Effective().Should().Be("0000000000000000");
        Effective("--privileged").Should().Be(new ProcessView(Environment.ProcessId).Status("CapBnd"));
    }

    [Test]
    public void Health_check()
    {
        Detached("c7", "--health-cmd=test -e /tmp/healthy", "--health-interval=disable", "--health-retries=1", "bb", "sleep", "1000");
        Podman.Run("healthcheck", "run", "c7").ShouldFail(1);
        Inspect("c7", "{{.State.Health.Status}} {{.State.Health.FailingStreak}}").Should().Be("unhealthy 1");
        Do("exec", "c7", "touch", "/tmp/healthy");
        Do("healthcheck", "run", "c7");
        Inspect("c7", "{{.State.Health.Status}} {{.State.Health.FailingStreak}}").Should().Be("healthy 0");
    }
}
