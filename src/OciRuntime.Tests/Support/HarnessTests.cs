using System.Net.Sockets;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Seccomp;

namespace OciRuntime.Tests.Support;

/// <summary>The harness itself, proved with a runtime that is known to work: runc, or the one that $RT names.</summary>
public sealed class HarnessTests
{
    private static RuntimeBinary Known => Environment.GetEnvironmentVariable("RT") is not null ? Ocirun.Binary
        : Ocirun.Runc ?? throw new FileNotFoundException("runc is missing: run ./build.sh test, which installs it");

    [Test]
    public void Command_captures_both_outputs_and_the_exit_code()
    {
        CommandResult result = Command.Run("sh", "-c", "cat; echo err >&2; exit 7");
        result.ExitCode.Should().Be(7);
        result.Stdout.Should().BeEmpty();
        result.Stderr.Should().Be("err\n");
    }

    [Test]
    public void Command_passes_stdin_environment_directory_and_descriptors()
    {
        using OutputFile extra = new("extra");
        CommandOptions options = new()
        {
            Stdin = "in",
            Env = new Dictionary<string, string?> { ["A"] = "b", ["HOME"] = null },
            WorkingDirectory = "/proc",
            ExtraFds = [extra.Fd],
        };
        CommandResult result =
            Command.Run("sh", ["-c", "cat; echo \" $A ${HOME-unset} $(pwd)\"; echo three >&3; ls /proc/self/fd | wc -l"], options);
        result.Stdout.Should().Be("in b unset /proc\n5\n", "0 to 3 and the one ls opens");
        extra.Text.Should().Be("three\n");
    }

    /// <summary>What a thread of its own throws ends all tests.</summary>
    [Test]
    public void An_agent_outlives_a_runtime_that_is_killed_before_it_says_anything()
    {
        using AgentSocket agent = new(static _ => 0);
        using (Socket runtime = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            runtime.Connect(new UnixDomainSocketEndPoint(agent.Path));
        FluentActions.Invoking(agent.Dispose).Should().NotThrow();
        agent.State.Should().BeNull();
    }

    [Test]
    public void Command_resets_the_signals_that_dotnet_ignores() =>
        Command.Run("grep", "SigIgn", "/proc/self/status").Text.Should().EndWith("0000000000000000");

    [Test]
    public void Command_kills_what_takes_too_long()
    {
        Action act = () => Command.Run("sleep", ["60"], new CommandOptions { Timeout = TimeSpan.FromMilliseconds(100) });
        act.Should().Throw<TimeoutException>().WithMessage("*sleep 60*");
    }

    [Test]
    public void Command_does_not_wait_for_those_who_keep_the_output_open()
    {
        string end = TestRun.NewPath("end");
        using RunningCommand command = Command.Start("sh", "-c", $"(until [ -e {end} ]; do sleep 0.01; done; echo late) & echo early");
        command.Wait().Stdout.Should().Be("early\n");
        File.WriteAllText(end, "");
        Eventually.True(() => command.Stdout == "early\nlate\n", "late output");
        File.Delete(end);
    }

    [Test]
    public void Orphans_come_to_the_tests()
    {
        int orphan = int.Parse(Command.Run("sh", "-c", "sleep 1000 & echo $!").Text);
        ProcessTree.ChildrenOf(Environment.ProcessId).Should().Contain(orphan);
        Libc.Check(Libc.kill(orphan, Libc.SIGKILL), "kill");
        Children.Wait(orphan, TimeSpan.FromSeconds(5)).Should().Be(new ExitStatus(0, Libc.SIGKILL));
    }

    [Test]
    public void Container_runs_to_its_end()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("echo hello; exit 3").WithCgroup(), Known);
        CommandResult result = container.Run();
        result.ExitCode.Should().Be(3, "{0}", result);
        result.Stdout.Should().Be("hello\n");
    }

    [Test]
    public void Container_walks_through_its_life()
    {
        using TestBundle bundle = new();
        using TestContainer container =
            new(bundle.Script("trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done").WithCgroup(), Known);
        container.Create().ShouldSucceed();
        container.Status.Should().Be("created");
        container.Start().ShouldSucceed();
        container.WaitOutput("up");
        container.NamespaceInode("net").Should().NotBe(ProcessView.HostNamespaceInode("net"));
        container.NamespaceInode("user").Should().Be(ProcessView.HostNamespaceInode("user"));
        container.Init.MountAt("/proc").Type.Should().Be("proc");
        container.Init.Status("NoNewPrivs").Should().Be("1");
        container.Init.Limit("Max open files").Should().Be(("1024", "1024"));
        container.Init.Cgroups.Should().Contain(entry => entry.Path.EndsWith(bundle.CgroupsPath!, StringComparison.Ordinal));
        container.Exec("echo", "inside").ShouldSucceed().Text.Should().Be("inside");
        container.Kill("TERM").ShouldSucceed();
        container.WaitExit().Should().Be(new ExitStatus(5, 0));
        container.WaitStatus("stopped");
        container.Delete().ShouldSucceed();
        container.State().ShouldFail();
    }

    [Test]
    public void Container_reads_its_cgroup_from_outside()
    {
        Requires.Controller("pids");
        using TestBundle bundle = new();
        bundle.Args("sleep", "60").WithCgroup().Resources["pids"] = new System.Text.Json.Nodes.JsonObject { ["limit"] = 17 };
        using TestContainer container = new(bundle, Known);
        container.Create().ShouldSucceed();
        container.ReadCgroup("pids", "pids.max").Should().Be("17");
    }

    [Test]
    public void Dispose_deletes_a_running_container()
    {
        HostSnapshot before = HostSnapshot.Take();
        int init;
        using (TestBundle bundle = new())
        using (TestContainer container = new TestContainer(bundle.Args("sleep", "60"), Known).Started())
        {
            init = container.InitPid;
            before.Diff(HostSnapshot.Take()).Should().Contain(fact => fact.Contains("process", StringComparison.Ordinal))
                .And.Contain(fact => fact.Contains("cgroup", StringComparison.Ordinal))
                .And.Contain(fact => fact.Contains("file", StringComparison.Ordinal));
        }
        ProcessTree.IsAlive(init).Should().BeFalse();
        before.DiffNow().Should().BeEmpty();
    }

    [Test]
    public void Snapshot_sees_a_mount_and_its_absence()
    {
        string directory = TestRun.NewDirectory("mounts");
        HostSnapshot before = HostSnapshot.Take();
        Command.Run("mount", "-t", "tmpfs", "none", directory).ShouldSucceed();
        HostSnapshot mounted = HostSnapshot.Take();
        Command.Run("umount", directory).ShouldSucceed();
        before.Diff(mounted).Should().ContainSingle().Which.Should().StartWith("+ mount " + directory);
        mounted.Diff(HostSnapshot.Take()).Should().ContainSingle().Which.Should().StartWith("- mount " + directory);
        Directory.Delete(directory);
    }

    [Test]
    public void Terminal_arrives_through_the_console_socket()
    {
        using TestBundle bundle = new();
        using ConsoleSocket socket = new();
        using TestContainer container = new(bundle.Terminal().Script("tty; read line; echo got $line"), Known);
        container.Create("--console-socket", socket.SocketPath).ShouldSucceed();
        using PtyMaster terminal = socket.Receive();
        terminal.Size = (30, 100);
        terminal.Size.Should().Be((30, 100));
        container.Start().ShouldSucceed();
        terminal.ReadUntil("/dev/pts/0");
        terminal.Write("something\n");
        terminal.ReadUntil("got something");
    }
}
