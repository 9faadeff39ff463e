using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Docker;

/// <summary>live-restore: containers do not notice that the daemon, and its containerd, end and come again.</summary>
public sealed class DockerLiveRestoreTests(ShimKind shim) : DockerFixture(shim)
{
    private DockerHost _docker = null!;

    [SetUp]
    public void Prepare() => _docker = new DockerHost(Shim, new JsonObject { ["live-restore"] = true });

    [TearDown]
    public void End()
    {
        _docker.Clear();
        _docker.Dispose();
    }

    [Test]
    public void Containers_go_on_without_the_daemon([Values] bool killed)
    {
        ProcessView web = _docker.Detached("web", "--publish=127.0.0.1:8080:80", "bb", "sh", "-c",
            "trap 'echo bye; exit 4' TERM; echo ready; while :; do nc -l -p 80 -e hostname & wait; done");
        ProcessView ending = _docker.Detached("ending", "bb", "sh", "-c", "while ! test -e /end; do sleep 0.05; done; exit 5");
        ProcessView paused = _docker.Detached("paused", "bb", "sleep", "1000");
        _docker.Run("pause", "paused").ShouldSucceed();
        if (killed) _docker.Kill();
        else _docker.Stop();
        _docker.Run("version").ShouldFail();
        ProcessTree.IsAlive(web.Pid).Should().BeTrue();
        // One ends while nobody looks.
        File.WriteAllText(ending.InRoot("/end"), "");
        Eventually.True(() => !ProcessTree.IsAlive(ending.Pid), "the end of a container without a daemon");

        _docker.Start();
        _docker.WaitFor("ending", "{{.State.Status}} {{.State.ExitCode}}", $"exited {(Engine.ForgetsTasksThatEndedAlone(Shim) ? 255 : 5)}");
        _docker.Inspect("web", "{{.State.Status}}").Should().Be("running");
        _docker.Init("web").Pid.Should().Be(web.Pid);
        _docker.Run("exec", "web", "echo", "more").ShouldSucceed().Stdout.Should().Be("more\n");
        Eventually.True(() => _docker.Host.Run("busybox", "nc", "-w", "5", "127.0.0.1", "8080").Stdout.Length > 0,
            "an answer of the published port");
        _docker.Run("stop", "web").ShouldSucceed();
        _docker.Inspect("web", "{{.State.ExitCode}}").Should().Be("4");
        _docker.Run("logs", "web").ShouldSucceed().Stdout.Should().Be("ready\nbye\n");
        _docker.Run("start", "web").ShouldSucceed();

        _docker.Inspect("paused", "{{.State.Status}}").Should().Be("paused");
        _docker.Run("unpause", "paused").ShouldSucceed();
        _docker.Init("paused").Pid.Should().Be(paused.Pid);
        _docker.Run("rm", "--force", "paused").ShouldSucceed();
        ProcessTree.IsAlive(paused.Pid).Should().BeFalse();
    }
}
