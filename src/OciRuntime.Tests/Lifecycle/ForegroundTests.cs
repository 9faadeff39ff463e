using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>`run` that stays until the program's end.</summary>
public sealed class ForegroundTests
{
    private const int SIGCHLD = 17, SIGURG = 23, SIGWINCH = 28, SIGRTMAX = 64;

    [Test]
    public void Every_signal_is_passed_on_but_three()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.RunProbe("signals"));
        using RunningCommand run = container.StartRun();
        container.WaitOutput("ready");
        // Faults would end the runtime, two cannot be caught, and three belong to libc and the .NET runtime.
        int[] keeps = [4, 5, 6, 7, 8, Libc.SIGKILL, 11, SIGCHLD, Libc.SIGSTOP, SIGURG, SIGWINCH, 31, 32, 33, 34, SIGRTMAX];
        int[] passes = [.. Enumerable.Range(1, SIGRTMAX).Except(keeps)];
        run.Signal(SIGURG);
        run.Signal(SIGWINCH);
        run.Signal(SIGCHLD);
        foreach (int signal in passes)
        {
            run.Signal(signal);
            container.WaitOutput($"<{signal}>");
        }
        run.Signal(SIGRTMAX);
        CommandResult result = run.Wait();
        result.ExitCode.Should().Be(9);
        result.Stdout.Should().Be("ready\n" + string.Concat(passes.Append(SIGRTMAX).Select(signal => $"<{signal}>")));
    }

    [TestCase("exit 0", 0)]
    [TestCase("exit 77", 77)]
    [TestCase("kill -9 $$; sleep 9", 137, "host")]
    [TestCase("kill -15 $$; sleep 9", 143, "host")]
    public void The_exit_code_is_the_programs(string script, int exitCode, string pidNamespace = "own")
    {
        using TestBundle bundle = new();
        bundle.Script(script).WithCgroup();
        if (pidNamespace == "host")
        {
            // In a pid namespace of its own the first process is immune to its own signals.
            bundle.RemoveNamespace("pid");
        }
        using TestContainer container = new(bundle);
        container.Run().ExitCode.Should().Be(exitCode);
    }

    [Test]
    public void Stdio_is_the_callers_own()
    {
        using TestBundle bundle = new();
        using TestContainer container =
            new(
            bundle.Script("cat; echo out; echo err >&2; readlink /proc/self/fd/0"))
            { Options = new() { Stdin = "in\n" } };
        CommandResult result = container.Run().ShouldSucceed();
        result.Lines[..2].Should().Equal("in", "out");
        result.Lines[2].Should().Contain("memfd:stdin");
        result.Stderr.Should().Be("err\n");
    }

    [Test]
    public void The_end_of_stdin_reaches_the_program()
    {
        using TestBundle bundle = new TestBundle().Args("wc", "-c");
        using TestContainer container = new(bundle);
        Command.Run("sh", "-c",
            $"printf 12345 | {Ocirun.Binary.Path} --root {container.StateRoot} run --bundle {bundle.Save().Directory} {container.Id}")
            .ShouldSucceed().Text.Should().Be("5");
    }

    /// <summary>Without a pid namespace orphans of the program come to the nearest subreaper.</summary>
    [Test]
    public void Orphans_are_reaped()
    {
        using TestBundle bundle = new();
        bundle.RemoveNamespace("pid").WithCgroup()
            .Script("for i in 1 2 3 4 5; do (sleep 0.1 & echo $! > /dev/null) ; done; sleep 0.5; echo reap; sleep 100");
        using TestContainer container = new(bundle);
        using RunningCommand run = container.StartRun();
        container.WaitOutput("reap");
        Eventually.True(() => ProcessTree.ChildrenOf(run.Pid).SequenceEqual([container.InitPid]), "only init is left below the runtime");
        container.Kill("KILL").ShouldSucceed();
        run.Wait().ExitCode.Should().Be(137);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Subreaper_is_optional(bool subreaper)
    {
        using TestBundle bundle = new();
        bundle.RemoveNamespace("pid").WithCgroup().Script("(sleep 99 & echo orphan $!); sleep 99");
        using TestContainer container = new(bundle);
        using RunningCommand run = container.StartRun(subreaper ? [] : ["--no-subreaper"]);
        container.WaitOutput("orphan");
        Eventually.True(() => container.Output.EndsWith('\n'), "its pid");
        int orphan = int.Parse(container.Output.Split(' ')[1]);
        int expected = subreaper ? run.Pid : Environment.ProcessId;
        Eventually.True(() => ProcessTree.ChildrenOf(expected).Contains(orphan), "it was adopted by the right one");
        container.Kill("KILL").ShouldSucceed();
        run.Wait().ExitCode.Should().Be(137);
        Eventually.True(() => !ProcessTree.IsAlive(orphan), "the shared pid namespace does not save it");
    }

    [Test]
    public void A_container_outlives_its_runtime()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("echo up; sleep 100").WithCgroup());
        using RunningCommand run = container.StartRun();
        container.WaitOutput("up");
        int init = container.InitPid;
        run.Kill();
        Eventually.True(() => ProcessTree.ChildrenOf(Environment.ProcessId).Contains(init),
            "it was adopted, and so has had whatever signal its parent's end brings");
        container.Exec("echo", "here").ShouldSucceed().Text.Should().Be("here");
        container.Status.Should().Be("running");
        container.Delete("--force").ShouldSucceed();
        ProcessTree.IsAlive(init).Should().BeFalse();
        container.State().ShouldFail(1, "container does not exist");
    }

    [Test]
    public void Keep_leaves_the_stopped_container()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("exit 3"));
        container.Run("--keep").ExitCode.Should().Be(3);
        container.Status.Should().Be("stopped");
        container.Delete().ShouldSucceed();
    }

    /// <summary>Something foreign is in the cgroup, which stays as long as that does.</summary>
    [Test]
    public void The_exit_code_is_the_programs_also_when_the_container_cannot_be_removed()
    {
        Requires.V1Controller("pids");
        using TestBundle bundle = new TestBundle().WithCgroup();
        using TestContainer container = new(bundle.Script("trap 'exit 7' TERM; echo up; while :; do sleep 0.02; done"));
        using RunningCommand run = container.StartRun();
        container.WaitOutput("up");
        using RunningCommand foreign = Command.Start("sleep", "1000");
        File.WriteAllText($"{CgroupHost.V1MountPoint("pids")}{bundle.CgroupsPath}/cgroup.procs", $"{foreign.Pid}");
        run.Signal(15);
        CommandResult result = run.Wait();
        result.ExitCode.Should().Be(7);
        result.Stderr.Should().Contain("level=error").And.Contain("could not be removed").And.Contain(bundle.CgroupsPath)
            .And.Contain("device or resource busy");
    }

    [MeasuresTime]
    [Test]
    public void Two_hundred_in_a_row_do_not_hang()
    {
        using TestBundle bundle = new TestBundle().Args("/bin/true");
        using TestContainer container = new(bundle);
        TimeSpan slowest = TimeSpan.Zero;
        for (int i = 0; i < 200; i++)
        {
            CommandResult result = container.Run().ShouldSucceed();
            slowest = result.Duration > slowest ? result.Duration : slowest;
        }
        slowest.Should().BeLessThan(TimeSpan.FromSeconds(5));
    }
}
