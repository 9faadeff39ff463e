using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Exec;

/// <summary>exec with a terminal: the caller's relayed, or one sent to a console socket.</summary>
[LeavesNothing]
public sealed class ExecTerminalTests
{
    private TestBundle _bundle = null!;
    private TestContainer _container = null!;

    [SetUp]
    public void Begin()
    {
        _bundle = new TestBundle();
        _container = Observe.Sleeping(_bundle);
    }

    [TearDown]
    public void End()
    {
        _container.Dispose();
        _bundle.Dispose();
    }

    [Test]
    public void Foreground()
    {
        using Pty pty = new();
        pty.Master.Size = (20, 70);
        string modes = pty.Modes;
        pty.Master.Size = (31, 99);
        _container.Options = pty.Options with { NewSession = true };
        using RunningCommand exec = _container.StartExec(["-t"], "sh", "-c",
            "tty; stty size; ls -l /dev/console; read x; stty size; read y; echo got $x; sleep 0.3; exit 5");
        pty.Master.ReadUntil("/dev/pts/0\r\n31 99\r\n");
        pty.Master.Size = (20, 70);
        // A terminal tells its own foreground group only, which the runtime may not be here.
        exec.Signal(28);
        pty.Master.Write("one\n");
        pty.Master.ReadUntil("20 70");
        pty.Master.Write("two\n");
        exec.Wait().ExitCode.Should().Be(5, pty.Master.ReadToEnd(TimeSpan.FromSeconds(1)));
        pty.Master.ReadToEnd(TimeSpan.FromSeconds(1)).Should().Contain("got one");
        pty.Modes.Should().Be(modes, "the caller's terminal is as before");
    }

    [Test]
    public void It_is_the_sessions_own()
    {
        using Pty pty = new();
        _container.Options = pty.Options with { NewSession = true };
        using RunningCommand exec =
            _container.StartExec(["-t"], "sh", "-c", "trap 'echo interrupted; exit 6' INT; echo ready; while :; do sleep 0.02; done");
        pty.Master.ReadUntil("ready");
        pty.Master.Write("\u0003");
        exec.Wait().ExitCode.Should().Be(6, "control-C reaches the program as a signal from its terminal");
    }

    [Test]
    public void Console_socket()
    {
        using ConsoleSocket socket = new();
        string pidFile = TestRun.NewPath("pids");
        _container.ExecWith(["-t", "-d", "--console-socket", socket.SocketPath, "--pid-file", pidFile], "sh", "-c",
            "tty; read x; echo got $x; sleep 100").ShouldSucceed();
        using PtyMaster terminal = socket.Receive();
        terminal.Name.Should().Be("/dev/pts/0");
        terminal.ReadUntil("/dev/pts/0");
        terminal.Write("it\n");
        terminal.ReadUntil("got it");
        int pid = int.Parse(File.ReadAllText(pidFile));
        File.Delete(pidFile);
        new ProcessView(pid).Descriptors.Keys.Order().Should().Equal(0, 1, 2);
        _container.Exec("stat", "-c", "%u", "/dev/pts/0").ShouldSucceed().Text.Should().Be("0");
    }

    [Test]
    public void Size_and_user_come_from_the_process_file()
    {
        using ConsoleSocket socket = new();
        string path = Path.Combine(_bundle.Directory, "process.json");
        File.WriteAllText(path,
            """{"terminal":true,"consoleSize":{"height":33,"width":44},"cwd":"/","user":{"uid":1000,"gid":1000},"env":["PATH=/bin"],"args":["sh","-c","stty size; stat -c %u $(tty); sleep 100"]}""");
        _container.ExecWith(["-d", "--console-socket", socket.SocketPath, "-p", path]).ShouldSucceed();
        using PtyMaster terminal = socket.Receive();
        terminal.ReadUntil("33 44\r\n1000");
    }

    [Test]
    public void Wrong_combinations()
    {
        _container.ExecWith(["-t", "-d"], "true")
            .ShouldFail(255, "cannot allocate tty if ocirun will detach without setting console socket");
        _container.ExecWith(["-t", "--console-socket", "/x"], "true")
            .ShouldFail(255, "cannot use console socket if ocirun will not detach or allocate tty");
        _container.ExecWith(["-d", "--console-socket", "/x"], "true").ShouldFail(255, "cannot use console socket");
        _container.ExecWith(["-t", "-d", "--console-socket", "/nowhere/x"], "true")
            .ShouldFail(255, "--console-socket /nowhere/x: no such file or directory");
    }
}
