using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>What a hook that fails, hangs or does not exist does to the container.</summary>
public sealed class HookFailureTests
{
    [Test]
    public void A_failure_before_start_fails_create_and_leaves_nothing(
        [Values("prestart", "createRuntime", "createContainer")] string kind, [Values("create", "run")] string verb)
    {
        using HookBundle hooks = new();
        hooks.Add(kind, "true").Add(kind, "echo some words; echo more >&2; exit 7").Add(kind, "touch $LOG/third")
            .Add("poststop", "touch $LOG/poststop");
        using TestContainer container = new(hooks.Bundle);
        CommandResult result = verb == "create" ? container.Create() : container.Run();
        result.ShouldFail(1, $"error running {kind} hook #1: /bin/sh: exit status 7, output: some words\\nmore");
        ShouldBeGone(container);
        hooks.Read("third").Should().BeNull();
        hooks.Read("poststop").Should().NotBeNull();
    }

    [TestCase("startContainer")]
    [TestCase("poststart")]
    public void A_failure_at_start_fails_start_and_ends_the_container(string kind)
    {
        using HookBundle hooks = new();
        hooks.Add(kind, "true").Add(kind, "echo some words; exit 7").Add("poststop", "touch $LOG/poststop");
        using TestContainer container = new(hooks.Bundle);
        container.Create().ShouldSucceed();
        _ = container.InitPid;
        container.Start().ShouldFail(1, $"error running {kind} hook #1: /bin/sh: exit status 7, output: some words");
        ShouldBeGone(container);
        hooks.Read("poststop").Should().NotBeNull();
    }

    [TestCase("startContainer")]
    [TestCase("poststart")]
    public void A_failure_at_start_fails_run_and_ends_the_container(string kind)
    {
        using HookBundle hooks = new();
        hooks.Add(kind, "kill -9 $$").Add("poststop", "touch $LOG/poststop");
        using TestContainer container = new(hooks.Bundle);
        container.Run().ShouldFail(1, $"error running {kind} hook #0: /bin/sh: killed by signal 9");
        ShouldBeGone(container);
        hooks.Read("poststop").Should().NotBeNull();
    }

    [Test]
    public void A_failure_of_poststop_is_a_warning_and_the_next_one_runs()
    {
        using HookBundle hooks = new();
        hooks.Add("poststop", "exit 3").Add("poststop", "touch $LOG/second");
        using TestContainer container = new TestContainer(hooks.Bundle).Started();
        container.Delete("--force").ShouldSucceed().Stderr.Should().Contain("error running poststop hook #0: /bin/sh: exit status 3");
        hooks.Read("second").Should().NotBeNull();
        ShouldBeGone(container);
    }

    [Test]
    public void Poststop_runs_when_processes_and_cgroup_are_gone()
    {
        using HookBundle hooks = new();
        hooks.Add("poststop",
            $"find /sys/fs/cgroup -path '*{hooks.Bundle.CgroupsPath}*' > $LOG/cgroups; ls -d /proc/$(cat $LOG/pid) > $LOG/process "
            + $"2>/dev/null");
        using TestContainer container = new TestContainer(hooks.Bundle).Started();
        File.WriteAllText(Path.Combine(hooks.Log, "pid"), $"{container.InitPid}");
        container.Kill("KILL").ShouldSucceed();
        container.WaitExit();
        container.Delete().ShouldSucceed();
        hooks.Read("cgroups").Should().BeEmpty();
        hooks.Read("process").Should().BeEmpty();
    }

    [MeasuresTime]
    [TestCase("createRuntime")]
    [TestCase("createContainer")]
    [TestCase("startContainer")]
    [TestCase("poststart")]
    public void A_hook_beyond_its_time_is_killed_with_its_children(string kind)
    {
        using HookBundle hooks = new();
        string marker = $"61.{TestRun.NextNumber()}";
        hooks.Add(kind, $"sleep {marker} & sleep {marker}", timeout: 1);
        using TestContainer container = new(hooks.Bundle);
        CommandResult result = container.Create();
        if (result.Succeeded) result = container.Start();
        result.ShouldFail(1, $"error running {kind} hook #0: /bin/sh: hook ran past specified timeout of 1.0s");
        result.Duration.Should().BeGreaterThan(TimeSpan.FromSeconds(0.9)).And.BeLessThan(TimeSpan.FromSeconds(4));
        Eventually.True(() => Command.Run("pgrep", "-f", $"sleep {marker}").ExitCode == 1, "no process of the hook is left");
    }

    /// <summary>A profile that is loaded before hooks run may deny what it takes to wait for one.</summary>
    [Test]
    public void Why_a_hook_cannot_be_waited_for_is_told()
    {
        using HookBundle hooks = new();
        hooks.Add("startContainer", "true").Bundle.Process["noNewPrivileges"] = false;
        hooks.Bundle.Linux["seccomp"] = System.Text.Json.Nodes.JsonNode.Parse(
            """{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["ppoll"],"action":"SCMP_ACT_ERRNO"}]}""");
        using TestContainer container = new(hooks.Bundle);
        container.Run()
            .ShouldFail(1, "error running startContainer hook #0: /bin/sh: wait for its end: operation not permitted (EPERM)");
        ShouldBeGone(container);
    }

    [TestCase("prestart")]
    [TestCase("createContainer")]
    [TestCase("startContainer")]
    [TestCase("poststart")]
    public void A_hook_that_does_not_exist_is_named(string kind)
    {
        using HookBundle hooks = new();
        hooks.Bundle.AddHook(kind, "/no/such/hook");
        using TestContainer container = new(hooks.Bundle);
        container.Run().ShouldFail(1, $"error running {kind} hook #0: /no/such/hook:", "no such file or directory (ENOENT)");
        ShouldBeGone(container);
    }

    [Test]
    public void A_failure_without_hooks_before_it_runs_no_poststop()
    {
        using HookBundle hooks = new();
        hooks.Add("poststop", "touch $LOG/poststop").Bundle.AddMount("/mnt", "nosuchfs", "none");
        using TestContainer container = new(hooks.Bundle);
        container.Create().ShouldFail(1, "nosuchfs");
        hooks.Read("poststop").Should().BeNull("there is nothing for it to undo");
    }

    [Test]
    public void Init_that_is_killed_in_a_startContainer_hook_fails_start()
    {
        using HookBundle hooks = new();
        hooks.Add("startContainer", "kill -9 1; touch $LOG/hook; sleep 100");
        using TestContainer container = new(hooks.Bundle);
        container.Create().ShouldSucceed();
        int init = container.InitPid;
        using RunningCommand start = Ocirun.Start(["--root", container.StateRoot, "start", container.Id]);
        Eventually.True(() => hooks.Read("hook") is not null, "the hook runs");
        _ = Syscall.kill(init, Signum.SIGKILL);
        start.Wait().ShouldFail(1, "container init was killed before its program ran");
    }

    private static void ShouldBeGone(TestContainer container)
    {
        container.State().ShouldFail(1, "container does not exist");
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
        CgroupHost.Find(container.Bundle.CgroupsPath!).Should().BeEmpty();
    }
}
