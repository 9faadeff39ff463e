using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>$NOTIFY_SOCKET: readiness from the container to the service manager, by runc's protocol.</summary>
public sealed class NotifySocketTests
{
    [TestCase(false)]
    [TestCase(true)]
    public void Start_forwards_readiness(bool isAbstract)
    {
        using var manager = new NotifySocket(isAbstract);
        using var bundle = new TestBundle();
        bundle.Env("NOTIFY_SOCKET=/something/else").RunProbe("notify", "STATUS=loading", "STATUS=done\nREADY=1\nMAINPID=1", "sleep");
        using var container = new TestContainer(bundle) { Options = manager.Options };
        container.Create().ShouldSucceed();
        container.Init.MountAt("/run/notify").Options.Should().Contain("ro").And.Contain("nosuid").And.Contain("nodev").And.Contain("noexec");
        using RunningCommand start = Ocirun.Start(["--root", container.StateRoot, "start", container.Id], manager.Options);
        manager.Receive().Should().Be(("READY=1\n", -1));
        manager.Receive().Should().Be(($"MAINPID={container.InitPid}\n", -1));
        (string barrier, int fd) = manager.Receive();
        barrier.Should().Be("BARRIER=1");
        start.IsRunning.Should().BeTrue("it waits for the barrier");
        _ = Syscall.close(fd);
        start.Wait().ShouldSucceed();
        container.Init.Environ.Should().Contain("NOTIFY_SOCKET=/run/notify/notify.sock").And.NotContain("NOTIFY_SOCKET=/something/else");
        File.GetUnixFileMode(container.Init.InRoot("/run/notify/notify.sock")).Should().Be((UnixFileMode)0b111_111_111);
    }

    [Test]
    public void Another_user_in_a_user_namespace_can_send()
    {
        using var manager = new NotifySocket();
        using var bundle = new TestBundle();
        bundle.User(1000, 1000).RunProbe("notify", "READY=1", "sleep");
        Directory.CreateDirectory(bundle.InRootfs("run/notify"));
        using var container = new TestContainer(bundle.WithUserNamespace()) { Options = manager.Options };
        using RunningCommand run = container.StartRun("--detach");
        manager.Receive().Text.Should().Be("READY=1\n");
        manager.Receive().Text.Should().StartWith("MAINPID=");
        _ = Syscall.close(manager.Receive().Fd);
        run.Wait().ShouldSucceed();
    }

    [Test]
    public void Run_in_the_foreground_remains_the_main_process()
    {
        using var manager = new NotifySocket();
        using var bundle = new TestBundle();
        using var container = new TestContainer(bundle.RunProbe("notify", "READY=1", "sleep")) { Options = manager.Options };
        using RunningCommand run = container.StartRun();
        manager.Receive().Text.Should().Be("READY=1\n");
        manager.IsQuiet.Should().BeTrue("with MAINPID the manager would kill the runtime at the container's end");
        container.Kill("KILL").ShouldSucceed();
        run.Wait().ExitCode.Should().Be(137);
    }

    [Test]
    public void Start_gives_up_when_the_program_ends()
    {
        using var manager = new NotifySocket();
        using var bundle = new TestBundle();
        using var container = new TestContainer(bundle.Script("sleep 0.3")) { Options = manager.Options };
        container.Create().ShouldSucceed();
        container.Start().ShouldSucceed().Duration.Should().BeGreaterThan(TimeSpan.FromMilliseconds(200));
        manager.IsQuiet.Should().BeTrue();
    }

    [Test]
    public void A_message_sent_just_before_the_end_is_forwarded()
    {
        using var manager = new NotifySocket();
        using var bundle = new TestBundle();
        using var container = new TestContainer(bundle.RunProbe("notify", "READY=1")) { Options = manager.Options };
        container.Create().ShouldSucceed();
        using RunningCommand start = Ocirun.Start(["--root", container.StateRoot, "start", container.Id], manager.Options);
        manager.Receive().Text.Should().Be("READY=1\n");
        manager.Receive();
        _ = Syscall.close(manager.Receive().Fd);
        start.Wait().ShouldSucceed();
    }

    [Test]
    public void A_container_that_never_gets_ready_can_be_deleted()
    {
        using var manager = new NotifySocket();
        using var bundle = new TestBundle();
        using var container = new TestContainer(bundle.Script("sleep 100")) { Options = manager.Options };
        container.Create().ShouldSucceed();
        using RunningCommand start = Ocirun.Start(["--root", container.StateRoot, "start", container.Id], manager.Options);
        container.WaitStatus("running");
        container.Delete("--force").ShouldSucceed().Duration.Should().BeLessThan(TimeSpan.FromSeconds(3));
        start.Wait(TimeSpan.FromSeconds(5)).ShouldSucceed();
    }

    [Test]
    public void Only_the_variable_of_start_makes_it_wait()
    {
        using var manager = new NotifySocket();
        using var bundle = new TestBundle();
        using var container = new TestContainer(bundle.Script("sleep 100")) { Options = manager.Options };
        container.Create().ShouldSucceed();
        container.Call(["start", container.Id], new CommandOptions()).ShouldSucceed();
        container.Status.Should().Be("running");
    }

    [Test]
    public void A_signal_while_waiting_takes_run_detach_back()
    {
        using var manager = new NotifySocket();
        using var bundle = new TestBundle();
        string pidFile = TestRun.NewPath("pids");
        using var container = new TestContainer(bundle.Script("echo up; sleep 100").WithCgroup()) { Options = manager.Options };
        using RunningCommand run = container.StartRun("--detach", "--pid-file", pidFile);
        container.WaitOutput("up");
        Eventually.True(() => File.Exists(pidFile), "pid file");
        run.Signal(15);
        run.Wait().ExitCode.Should().Be(143);
        container.State().ShouldFail(1, "container does not exist");
        File.Exists(pidFile).Should().BeFalse();
    }

    [Test]
    public void A_socket_that_nobody_listens_on_is_an_error_before_the_program_runs()
    {
        using var bundle = new TestBundle();
        using var container = new TestContainer(bundle.Script("sleep 100"))
        {
            Options = new() { Env = new Dictionary<string, string?> { ["NOTIFY_SOCKET"] = "/no/such/socket" } },
        };
        container.Create().ShouldSucceed();
        container.Start().ShouldFail(1, "NOTIFY_SOCKET /no/such/socket: no such file or directory (ENOENT)");
        container.Status.Should().Be("created");
    }
}
