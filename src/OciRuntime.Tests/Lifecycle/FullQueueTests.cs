using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Seccomp;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>Whoever should take a connection does not: a signal ends the waiting, time does, and nothing is left.</summary>
[LeavesNothing]
public sealed class FullQueueTests
{
    private const int SIGTERM = 15;

    [TestCase("--console-socket")]
    [TestCase("--pidfd-socket")]
    [TestCase("agent")]
    public void A_signal_ends_the_waiting_of_a_launch(string socket)
    {
        Requires.OcirunItself();
        using FullQueue queue = new();
        using TestBundle bundle = new();
        if (socket == "--console-socket") bundle.Terminal();
        if (socket == "agent")
        {
            bundle.Seccomp("SCMP_ACT_ALLOW")
                .Rule("SCMP_ACT_NOTIFY", "mkdir").Linux["seccomp"]!["listenerPath"] = queue.Path;
        }
        using TestContainer container = new(bundle);
        bundle.Save();
        using RunningCommand create =
            Ocirun.Start(["--root", container.StateRoot, "create", .. socket == "agent" ? Array.Empty<string>()
            : [socket, queue.Path], "--bundle", bundle.Directory, container.Id]);
        AwaitRetries(create);
        create.Signal(SIGTERM);
        create.Wait(TimeSpan.FromSeconds(8)).ShouldFail(128 + SIGTERM, "interrupted by signal 15; undone");
        container.State().ShouldFail(1, "container does not exist");
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
    }

    [TestCase("--console-socket")]
    [TestCase("--pidfd-socket")]
    public void A_signal_ends_the_waiting_of_an_exec(string socket)
    {
        Requires.OcirunItself();
        using FullQueue queue = new();
        using TestBundle bundle = new();
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000")).Started();
        using RunningCommand exec = container.StartExec(socket == "--console-socket" ? ["--tty", "--detach", socket, queue.Path]
            : [socket, queue.Path], "true");
        AwaitRetries(exec);
        exec.Signal(SIGTERM);
        exec.Wait(TimeSpan.FromSeconds(8)).ExitCode.Should().Be(128 + SIGTERM);
    }

    [Test]
    public void Time_ends_it_too()
    {
        Requires.OcirunItself();
        using FullQueue queue = new();
        using TestBundle bundle = new();
        using TestContainer container = new(bundle);
        container.Create("--pidfd-socket", queue.Path).ShouldFail(1, $"--pidfd-socket {queue.Path}: connection timed out (ETIMEDOUT)");
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
    }

    /// <summary>It asks again and again; in between it sleeps.</summary>
    private static void AwaitRetries(RunningCommand command)
    {
        Eventually.True(() => command.IsRunning && ProcessTree.ReadOrEmpty($"/proc/{command.Pid}/comm")
            .StartsWith("ocirun", StringComparison.Ordinal) && Sockets(command.Pid) > 0, "it connects");
        Thread.Sleep(100);
        command.IsRunning.Should().BeTrue("nobody takes the connection: {0}", command.Stderr);
    }

    private static int Sockets(int pid)
    {
        try
        {
            return Directory.GetFiles($"/proc/{pid}/fd")
                .Count(static path => new FileInfo(path).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) == true);
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
