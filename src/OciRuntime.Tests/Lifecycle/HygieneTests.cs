using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>What the program inherits, and what it must not: descriptors, signals, parents, traces of the runtime.</summary>
public sealed class HygieneTests
{
    private const string None = "0000000000000000";

    [Test]
    public void Pid_1_is_the_program_itself_and_its_parent_the_callers_reaper()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.Status("Name").Should().Be("sleep");
        container.Init.Status("NSpid").Should().Be($"{container.InitPid}\t1");
        container.Init.Status("PPid").Should().Be(Environment.ProcessId.ToString());
        container.Init.Status("Threads").Should().Be("1");
        ProcessTree.DescendantsOf(Environment.ProcessId).Should().ContainSingle("nothing else runs").Which.Should().Be(container.InitPid);
        File.ReadAllText($"/proc/{container.InitPid}/oom_score_adj").Trim().Should()
            .Be(File.ReadAllText("/proc/self/oom_score_adj").Trim());
    }

    [Test]
    public void No_descriptor_but_stdio_reaches_the_program()
    {
        using TestBundle bundle = new();
        using OutputFile extra = new("extra");
        using TestContainer container =
            new(bundle.Args("sleep", "1000")) { Options = new CommandOptions { ExtraFds = [extra.Fd, extra.Fd, extra.Fd] } };
        container.Started();
        container.Init.Descriptors.Keys.Should().BeEquivalentTo([0, 1, 2]);
        using TestContainer run = new(bundle.Script("ls /proc/self/fd | wc -l")) { Options = container.Options };
        run.Run().ShouldSucceed().Text.Should().Be("4", "0 to 2 and the one ls opens");
    }

    [Test]
    public void Signals_are_at_their_defaults_and_unblocked_whatever_the_caller_does([Values] bool deaf)
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Args("sleep", "1000"), deaf ? Wrapped.DeafToSignals : null);
        container.Started();
        foreach (string field in (string[])["SigIgn", "SigBlk", "SigCgt", "SigPnd", "ShdPnd"])
            container.Init.Status(field).Should().Be(None, field);
        using TestContainer run = new(bundle.Script("grep -E 'SigIgn|SigBlk' /proc/self/status | cut -f2"), deaf
            ? Wrapped.DeafToSignals : null);
        run.Run().ShouldSucceed().Lines.Should().Equal(None, None);
    }

    [Test]
    public void It_outlives_the_runtime_and_has_no_death_signal_dumpable_and_in_its_own_session()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle);
        container.Status.Should().Be("running", "create and start have long ended");
        // Fields after the name: state, ppid, pgrp, session (proc_pid_stat(5)).
        string[] stat = container.Proc("stat")[(container.Proc("stat").LastIndexOf(')') + 2)..].Split(' ');
        stat[2].Should().Be(container.InitPid.ToString());
        stat[3].Should().Be(container.InitPid.ToString());
        Command.Run("stat", "-c", "%u", $"/proc/{container.InitPid}/environ").Text.Should().Be("0");
        new FileInfo($"/proc/{container.InitPid}/exe").LinkTarget.Should().Be("/bin/sleep");
    }

    [Test]
    public void Short_lives_leave_no_zombie()
    {
        using TestBundle bundle = new();
        bundle.Args("true");
        for (int i = 0; i < 20; i++)
        {
            using TestContainer container = new(bundle);
            container.Run().ShouldSucceed().Stderr.Should().BeEmpty();
        }
        // What earlier tests have left to the reaper is gone a moment later; what a runtime left would stay as long as nobody waits for it.
        Eventually.True(() => !ProcessTree.ChildrenOf(Environment.ProcessId).Any(ProcessTree.IsZombie), "no zombie");
    }

    [Test]
    public void Errors_of_execve_reach_start_with_a_hint()
    {
        using TestBundle bundle = new();
        bundle.WriteFile("/bin/no-format", "just text\n", 0b111_101_101)
            .WriteFile("/bin/no-interpreter", "#!/no/such/shell\n", 0b111_101_101).WriteFile("/bin/empty", "", 0b111_101_101);
        foreach ((string program, string[] words) in ((string, string[])[])
            [("no-format", ["exec /", "no-format: exec format error (ENOEXEC)", "script without a #! line"]), ("empty", ["ENOEXEC"]),
            ("no-interpreter",
                ["no-interpreter: no such file or directory (ENOENT)",
                "its interpreter or dynamic loader does not exist in the container"])])
        {
            using TestContainer container = new(bundle.Args(program));
            container.Create().ShouldSucceed();
            _ = container.InitPid;
            container.Start().ShouldFail(1, ["ocirun start failed: exec", .. words]);
            container.WaitStatus("stopped");
            container.Delete().ShouldSucceed();
            using TestContainer run = new(bundle);
            run.Run().ShouldFail(1, ["ocirun run failed: /process/args: execute", .. words[1..]]);
        }
    }

    [Test]
    public void A_runtime_that_is_killed_while_creating_leaves_nothing_that_force_cannot_delete()
    {
        using TestBundle bundle = new();
        bundle.WithCgroup().AddHook("createRuntime", "/bin/sleep", "1000");
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        using RunningCommand create = container.StartRun("--detach");
        container.WaitStatus("creating");
        Eventually.True(() => ProcessTree.ChildrenOf(create.Pid).Count == 2, "init and hook");
        int[] children = [.. ProcessTree.ChildrenOf(create.Pid)];
        // The state has been there since before init; its pid is written before the first hook.
        int init = container.StateJson["pid"]!.GetValue<int>();
        create.Kill();
        children.Should()
            .Contain(init).And.OnlyContain(pid => Eventually.Becomes(() => !ProcessTree.IsAlive(pid), TimeSpan.FromSeconds(5)));
        container.Status.Should().Be("stopped");
        container.Delete("--force").ShouldSucceed();
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
    }
}
