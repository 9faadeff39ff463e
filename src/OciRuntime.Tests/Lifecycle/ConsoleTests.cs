using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>process.terminal, with a console socket and in the foreground.</summary>
public sealed class ConsoleTests
{
    private const string Describe = "tty; stty size; stat -c '%t:%T %u' /dev/console; stat -c '%t:%T %u' $(tty); echo end-$((6*7))";

    [TestCase("create")]
    [TestCase("run")]
    public void Console_socket_receives_the_master(string verb)
    {
        using TestBundle bundle = new();
        bundle.Terminal().Script(Describe + "; sleep 100").Process["consoleSize"] = new JsonObject { ["height"] = 33, ["width"] = 111 };
        using ConsoleSocket socket = new();
        using TestContainer container = new(bundle);
        if (verb == "create")
        {
            container.Create("--console-socket", socket.SocketPath).ShouldSucceed();
        }
        else
        {
            container.Run("--detach", "--console-socket", socket.SocketPath).ShouldSucceed();
        }
        using PtyMaster terminal = socket.Receive();
        terminal.Name.Should().Be("/dev/pts/0");
        terminal.Size.Should().Be((33, 111));
        if (verb == "create") container.Start().ShouldSucceed();
        string[] lines = terminal.ReadUntil("end-42").Split("\r\n");
        lines[0].Should().Be("/dev/pts/0");
        lines[1].Should().Be("33 111");
        lines[2].Should().Be("88:0 0", "major 136, minor 0");
        lines[3].Should().Be(lines[2], "/dev/console is the same device");
        container.Init.Descriptors.Where(fd => fd.Key <= 2).Select(fd => fd.Value).Should().AllBe("/dev/pts/0");
        terminal.Size = (10, 20);
    }

    /// <summary>sockaddr_un has room for 107 bytes.</summary>
    [Test]
    public void Socket_path_may_be_of_any_length()
    {
        using TestBundle bundle = new();
        using ConsoleSocket socket = new(longPath: true);
        using TestContainer container = new(bundle.Terminal().Args("sleep", "100"));
        socket.SocketPath.Length.Should().BeGreaterThan(200);
        container.Create("--console-socket", socket.SocketPath).ShouldSucceed();
        using PtyMaster terminal = socket.Receive();
        terminal.Name.Should().Be("/dev/pts/0");
    }

    [Test]
    public void It_is_the_controlling_terminal_with_job_control()
    {
        using TestBundle bundle = new();
        using ConsoleSocket socket = new();
        using TestContainer container = new(bundle.Terminal().Args("sh", "-i"));
        container.Create("--console-socket", socket.SocketPath).ShouldSucceed();
        using PtyMaster terminal = socket.Receive();
        container.Start().ShouldSucceed();
        terminal.ReadUntil("# ");
        terminal.Output.Should().NotContain("job control");
        terminal.Write("sleep 100\n");
        Eventually.True(() => ProcessTree.ChildrenOf(container.InitPid).Any(ProcessTree.IsForeground), "sleep is in the foreground");
        terminal.Write("\x03");
        terminal.Write("echo status-$?\n");
        terminal.ReadUntil("status-130");
        terminal.Write("sleep 100\n");
        Eventually.True(() => ProcessTree.ChildrenOf(container.InitPid).Any(ProcessTree.IsForeground), "sleep is in the foreground");
        terminal.Write("\x1a");
        terminal.ReadUntil("Stopped");
        // The first time the shell only says that there is a stopped job.
        terminal.Write("exit 5\nexit 5\n");
        container.WaitExit().Code.Should().Be(5);
    }

    [Test]
    public void Another_user_owns_it()
    {
        using TestBundle bundle = new();
        using ConsoleSocket socket = new();
        using TestContainer container =
            new(bundle.Terminal().User(1000, 1000).Script(Describe + "; echo through > /dev/stdout; sleep 100"));
        container.Create("--console-socket", socket.SocketPath).ShouldSucceed();
        using PtyMaster terminal = socket.Receive();
        container.Start().ShouldSucceed();
        terminal.ReadUntil("through").Should().Contain("88:0 1000\r\n88:0 1000\r\n");
    }

    [Test]
    public void In_a_user_namespace_too()
    {
        using TestBundle bundle = new();
        using ConsoleSocket socket = new();
        using TestContainer container = new(bundle.Terminal().WithUserNamespace().Script(Describe + "; sleep 100"));
        container.Create("--console-socket", socket.SocketPath).ShouldSucceed();
        using PtyMaster terminal = socket.Receive();
        container.Start().ShouldSucceed();
        terminal.ReadUntil("end-42").Should().Contain("88:0 0\r\n88:0 0\r\n");
    }

    [Test]
    public void Foreground_relays_both_ways_and_restores_the_modes()
    {
        using Pty pty = new();
        pty.Master.Size = (24, 80);
        string modes = pty.Modes;
        using TestBundle bundle = new();
        using TestContainer container =
            new(bundle.Terminal()
            .Script("stty size; read line; echo got-$line; trap 'stty size; exit 7' WINCH; echo armed; while :; do sleep 0.05; done"))
            { Options = pty.Options };
        using RunningCommand run = container.StartRun();
        pty.Master.ReadUntil("24 80");
        pty.Modes.Should().Contain("-icanon").And.Contain("-echo ").And.Contain("-isig");
        pty.Master.Write("something\n");
        pty.Master.ReadUntil("got-something\r\n");
        pty.Master.ReadUntil("armed");
        pty.Master.Size = (31, 97);
        run.Signal(28);
        pty.Master.ReadUntil("31 97");
        run.Wait().ExitCode.Should().Be(7);
        pty.Modes.Should().Be(modes.Replace("rows 24; columns 80", "rows 31; columns 97"));
    }

    [Test]
    public void Foreground_passes_control_characters_on()
    {
        using Pty pty = new();
        string modes = pty.Modes;
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Terminal()
            .Script("trap 'echo interrupted; exit 4' INT; echo up; while :; do sleep 0.05; done"))
        { Options = pty.Options };
        using RunningCommand run = container.StartRun();
        pty.Master.ReadUntil("up");
        pty.Master.Write("\x03");
        pty.Master.ReadUntil("interrupted");
        run.Wait().ExitCode.Should().Be(4);
        pty.Modes.Should().Be(modes);
    }

    /// <summary>Nobody looks at the caller's terminal, which then takes nothing any more.</summary>
    [Test]
    public void A_stalled_terminal_keeps_no_signal_from_the_program([Values("run", "exec")] string verb)
    {
        using Pty pty = new();
        using TestBundle bundle = new();
        const string script = "trap 'exit 3' TERM; yes abcdefghijklmnop & wait";
        using TestContainer container = new(verb == "run" ? bundle.Terminal().Script(script) : bundle.Args("sleep", "1000"));
        if (verb == "exec") container.Started();
        container.Options = pty.Options;
        using RunningCommand runtime = verb == "run" ? container.StartRun() : container.StartExec(["--tty"], "sh", "-c", script);
        container.Options = new();
        Libc.WaitReadable(pty.Master.Fd, TimeSpan.FromSeconds(30)).Should().BeTrue("the program runs");
        // Both terminals are full in a few milliseconds.
        Thread.Sleep(500);
        int program = ProcessTree.ChildrenOf(runtime.Pid).Should().ContainSingle().Subject;
        runtime.Signal(15);
        Eventually.True(() => !ProcessTree.IsAlive(program), "the signal has reached it", TimeSpan.FromSeconds(5));
        pty.Master.ReadToEnd(TimeSpan.FromSeconds(1));
        runtime.Wait().ExitCode.Should().Be(3);
    }

    /// <summary>Until a job is brought to the foreground, the terminal is the shell's.</summary>
    [Test]
    public void In_the_background_the_callers_terminal_is_left_alone()
    {
        using Pty pty = new();
        string modes = pty.Modes;
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Terminal().Script("echo up; read line; echo got-$line; exit 5"));
        string run = $"{Ocirun.Binary.Path} --root {container.StateRoot} run --bundle {bundle.Save().Directory} {container.Id}";
        // bash does not tell a job that has been running all the time.
        using RunningCommand shell = Command.Start("setsid",
            ["--ctty", "--wait", "bash", "-c", $"set -m; {run} & read word; fg %1; echo status-$?; read word"], pty.Options);
        pty.Master.ReadUntil("up");
        pty.Modes.Should().Be(modes);
        pty.Master.Write("go\n");
        Eventually.True(() => pty.Modes.Contains("-icanon", StringComparison.Ordinal), "it is in the foreground");
        pty.Master.Write("something\n");
        pty.Master.ReadUntil("got-something");
        pty.Master.ReadUntil("status-5");
        pty.Modes.Should().Be(modes);
    }

    [Test]
    public void Foreground_without_a_terminal_of_ones_own_carries_all_output()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Terminal().Script("seq 1 20000; tty")) { Options = new() { Stdin = "" } };
        CommandResult result = container.Run().ShouldSucceed();
        result.Lines.Should().HaveCount(20001).And.EndWith("/dev/pts/0");
        result.Stdout.Should().NotContain("\r", "line ends are left alone, as by runc");
    }

    /// <summary>Input that nobody reads must not keep output from being carried, nor the end from being noticed.</summary>
    [Test]
    public void Unread_input_does_not_block_output()
    {
        using TestBundle bundle = new();
        string input = string.Concat(Enumerable.Repeat("0123456789\n", 50_000));
        using TestContainer container = new(bundle.Terminal()
            .Script("stty raw -echo; sleep 0.5; seq 1 20000; exit 3"))
        { Options = new() { Stdin = input } };
        CommandResult result = container.Run();
        result.ExitCode.Should().Be(3);
        result.Stdout.Should().EndWith("20000\n");
    }

    /// <summary>
    /// At the caller's limit on processes, or on descriptors: it is attended to all the same. The thread that writes, and the socket to it,
    /// are the last of their kind that the runtime makes.
    /// </summary>
    [Test]
    public void Nobody_is_left_alone_without_a_thread_that_writes(
        [Values("run", "exec")] string verb, [Values("clone3 EAGAIN", "socketpair EMFILE")] string fault, [Values] bool terminal)
    {
        string[] program = ["sh", "-c", "seq 1 3000; exit 7"];
        (string call, string errno) = (fault.Split(' ')[0], fault.Split(' ')[1]);
        using Pty pty = new();
        using TestBundle bundle = new();
        using TestContainer container = verb == "exec" ? Observe.Sleeping(bundle) : new(bundle.Terminal().Args(program));
        string[] command = [Ocirun.Binary.Path, "--root", container.StateRoot, verb, .. verb == "exec" ? (string[])["-t", container.Id]
            : ["--bundle", bundle.Save().Directory, container.Id], .. verb == "exec" ? program : []];
        string[] strace = ["-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-e", $"trace={call}", "-e",
            $"inject={call}:error={errno}:when={Calls(command, call)}", .. command];
        CommandOptions options = terminal ? pty.Options with { NewSession = true } : new CommandOptions { Stdin = "" };
        using RunningCommand run = Command.Start(Requires.Tool("strace"), strace, options);
        if (terminal) pty.Master.ReadUntil("2999\r\n3000\r\n");
        CommandResult result = run.Wait();
        result.ExitCode.Should().Be(7, "{0}", result);
        if (!terminal) result.Lines.Should().Equal(Enumerable.Range(1, 3000).Select(static i => $"{i}"));
        if (verb == "run") container.State().ShouldFail(1, "container does not exist");
    }

    /// <summary>Those of the runtime's own process in a clean run.</summary>
    private static int Calls(string[] command, string call)
    {
        string[] lines = Strace.Record(command, $"execve,{call}").Split('\n');
        string runtime = lines[0].Split(' ', 2)[0];
        return lines.Count(line => line.StartsWith(runtime + " ", StringComparison.Ordinal)
            && line.Contains($" {call}(", StringComparison.Ordinal));
    }

    [Test]
    public void Wrong_combinations_are_refused()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle);
        container.Create("--console-socket", "/tmp/none.sock").ShouldFail(1, "cannot use console socket if");
        container.Run("--console-socket", "/tmp/none.sock").ShouldFail(1, "cannot use console socket if");
        bundle.Terminal();
        container.Create().ShouldFail(1, "cannot allocate tty if", "without setting console socket");
        container.Run("--detach").ShouldFail(1, "cannot allocate tty if");
        container.Run("--console-socket", "/tmp/none.sock").ShouldFail(1, "cannot use console socket if");
        container.Create("--console-socket", "/tmp/none.sock")
            .ShouldFail(1, "--console-socket /tmp/none.sock: no such file or directory (ENOENT)");
    }

    [Test]
    public void Without_devpts_the_error_says_what_is_missing()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Terminal().RemoveMount("/dev/pts")) { Options = new() { Stdin = "" } };
        container.Run().ShouldFail(1, "/process/terminal: ", "devpts at /dev/pts");
    }

    /// <summary>An image's own /dev/console that leads to a file of the host's (CVE-2025-52565).</summary>
    [Test]
    public void A_link_at_dev_console_is_not_followed()
    {
        using TestBundle bundle = new();
        string outside = Path.Combine(TestRun.Root, $"outside-{TestRun.NextNumber()}");
        bundle.Terminal().RemoveMount("/dev").Writable();
        Directory.CreateDirectory(bundle.InRootfs("dev/pts"));
        File.CreateSymbolicLink(bundle.InRootfs("dev/console"), outside);
        using TestContainer container = new(bundle) { Options = new() { Stdin = "" } };
        container.Run().ShouldFail(1, "/process/terminal: ", "/dev/console");
        File.Exists(outside).Should().BeFalse();
        // The devpts is a mount of the container's namespace; what the runtime made below the image's /dev is the image's.
        container.State().ShouldFail(1, "container does not exist");
    }
}
