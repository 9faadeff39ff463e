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
        using NotifySocket manager = new(isAbstract);
        using TestBundle bundle = new();
        bundle.Env("NOTIFY_SOCKET=/something/else").RunProbe("notify", "STATUS=loading", "STATUS=done\nREADY=1\nMAINPID=1", "sleep");
        using TestContainer container = new(bundle) { Options = manager.Options };
        container.Create().ShouldSucceed();
        container.Init.MountAt("/run/notify").Options.Should()
            .Contain("ro").And.Contain("nosuid").And.Contain("nodev").And.Contain("noexec");
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

    /// <summary>Whatever the caller's umask lets others do.</summary>
    [TestCase("022")]
    [TestCase("077")]
    public void Another_user_in_a_user_namespace_can_send(string umask)
    {
        using NotifySocket manager = new();
        using TestBundle bundle = new();
        bundle.User(1000, 1000).RunProbe("notify", "READY=1", "sleep");
        Directory.CreateDirectory(bundle.InRootfs("run/notify"));
        RuntimeBinary runtime = Ocirun.Binary with { Launcher = ["sh", "-c", $"umask {umask}; exec \"$0\" \"$@\""] };
        using TestContainer container = new(bundle.WithUserNamespace(), runtime) { Options = manager.Options };
        using RunningCommand run = container.StartRun("--detach");
        manager.Receive().Text.Should().Be("READY=1\n");
        manager.Receive().Text.Should().StartWith("MAINPID=");
        _ = Syscall.close(manager.Receive().Fd);
        run.Wait().ShouldSucceed();
    }

    [Test]
    public void Run_in_the_foreground_remains_the_main_process()
    {
        using NotifySocket manager = new();
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.RunProbe("notify", "READY=1", "sleep")) { Options = manager.Options };
        using RunningCommand run = container.StartRun();
        manager.Receive().Text.Should().Be("READY=1\n");
        manager.IsQuiet.Should().BeTrue("with MAINPID the manager would kill the runtime at the container's end");
        container.Kill("KILL").ShouldSucceed();
        run.Wait().ExitCode.Should().Be(137);
    }

    [MeasuresTime]
    [Test]
    public void Start_gives_up_when_the_program_ends()
    {
        using NotifySocket manager = new();
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("sleep 0.3")) { Options = manager.Options };
        container.Create().ShouldSucceed();
        container.Start().ShouldSucceed().Duration.Should().BeGreaterThan(TimeSpan.FromMilliseconds(200));
        manager.IsQuiet.Should().BeTrue();
    }

    [Test]
    public void A_message_sent_just_before_the_end_is_forwarded()
    {
        using NotifySocket manager = new();
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.RunProbe("notify", "READY=1")) { Options = manager.Options };
        container.Create().ShouldSucceed();
        using RunningCommand start = Ocirun.Start(["--root", container.StateRoot, "start", container.Id], manager.Options);
        manager.Receive().Text.Should().Be("READY=1\n");
        manager.Receive();
        _ = Syscall.close(manager.Receive().Fd);
        start.Wait().ShouldSucceed();
    }

    [MeasuresTime]
    [Test]
    public void A_container_that_never_gets_ready_can_be_deleted()
    {
        using NotifySocket manager = new();
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("sleep 100")) { Options = manager.Options };
        container.Create().ShouldSucceed();
        using RunningCommand start = Ocirun.Start(["--root", container.StateRoot, "start", container.Id], manager.Options);
        container.WaitStatus("running");
        container.Delete("--force").ShouldSucceed().Duration.Should().BeLessThan(TimeSpan.FromSeconds(3));
        start.Wait(TimeSpan.FromSeconds(5)).ShouldSucceed();
    }

    [Test]
    public void Only_the_variable_of_start_makes_it_wait()
    {
        using NotifySocket manager = new();
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("sleep 100")) { Options = manager.Options };
        container.Create().ShouldSucceed();
        container.Call(["start", container.Id], new CommandOptions()).ShouldSucceed();
        container.Status.Should().Be("running");
    }

    [Test]
    public void A_signal_while_waiting_takes_run_detach_back()
    {
        using NotifySocket manager = new();
        using TestBundle bundle = new();
        string pidFile = TestRun.NewPath("pids");
        using TestContainer container = new(bundle.Script("echo up; sleep 100").WithCgroup()) { Options = manager.Options };
        using RunningCommand run = container.StartRun("--detach", "--pid-file", pidFile);
        container.WaitOutput("up");
        Eventually.True(() => File.Exists(pidFile), "pid file");
        run.Signal(15);
        run.Wait().ExitCode.Should().Be(143);
        container.State().ShouldFail(1, "container does not exist");
        File.Exists(pidFile).Should().BeFalse();
    }

    private static CommandOptions Stale(string kind)
    {
        string path = kind switch
        {
            "gone" => "/no/such/socket",
            "file" => "/etc/passwd",
            "abstract" => $"@{TestRun.Token}-nobody",
            "vsock" => "vsock:2:1234",
            _ => "/" + new string('x', 200),
        };
        return new() { Env = new Dictionary<string, string?> { ["NOTIFY_SOCKET"] = path } };
    }

    [MeasuresTime]
    [Test]
    public void A_socket_that_nobody_listens_on_is_worth_a_warning([Values("gone", "file", "abstract", "vsock", "long")]
    string kind, [Values("run", "run --detach", "start")] string verb)
    {
        using TestBundle bundle = new();
        using TestContainer container =
            new(bundle.Script(verb == "run" ? "echo runs" : "echo runs; exec sleep 100")) { Options = Stale(kind) };
        container.GlobalOptions.AddRange(["--log-level", "warning"]);
        if (verb == "start") container.Create().ShouldSucceed().Stderr.Should().BeEmpty();
        CommandResult result = verb == "start" ? container.Start() : container.Run(verb.Split(' ')[1..]);
        result.ShouldSucceed().Stderr.Should()
            .Contain($"NOTIFY_SOCKET {container.Options.Env["NOTIFY_SOCKET"]}: ").And.Contain(
            "nobody will be told when the container is ready");
        container.WaitOutput("runs");
        result.Duration.Should().BeLessThan(TimeSpan.FromSeconds(5), "it does not wait for readiness that nobody wants to know of");
    }

    /// <summary>A socket whose owner has ended: the file is there, and refuses.</summary>
    [Test]
    public void A_socket_left_behind_is_as_good_as_none()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("echo runs"));
        string path = TestRun.NewPath("notify");
        using (System.Net.Sockets.Socket socket =
            new(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Dgram, System.Net.Sockets.ProtocolType.Unspecified))
        {
            socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(path));
        }
        container.Options = new() { Env = new Dictionary<string, string?> { ["NOTIFY_SOCKET"] = path } };
        container.Run().ShouldSucceed().Text.Should().Be("runs");
        File.Delete(path);
    }
}
