using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>`pause` and `resume`: what the freezer says, and that nothing runs meanwhile.</summary>
public sealed class PauseTests
{
    private static string FreezerState(TestContainer container) => container.ReadCgroup("freezer", "freezer.state");

    private static TestContainer Counting(TestBundle bundle, RuntimeBinary? runtime = null) =>
        new TestContainer(bundle.Script("while :; do echo x; sleep 0.01; done").WithCgroup(), runtime).Started();

    [Test]
    public void A_paused_container_stands_still_until_it_is_resumed()
    {
        Requires.V1Controller("freezer");
        using TestBundle bundle = new();
        using TestContainer container = Counting(bundle);
        container.WaitOutput("x\nx\n");
        container.Invoke("pause").ShouldSucceed().Stderr.Should().BeEmpty();
        FreezerState(container).Should().Be("FROZEN");
        container.Status.Should().Be("paused");
        string before = container.Output;
        Thread.Sleep(150);
        container.Output.Should().Be(before);
        container.Invoke("resume").ShouldSucceed().Stderr.Should().BeEmpty();
        FreezerState(container).Should().Be("THAWED");
        container.Status.Should().Be("running");
        Eventually.True(() => container.Output.Length > before.Length, "further output");
    }

    [Test]
    public void In_pure_v2_the_same_by_cgroup_freeze()
    {
        if (CgroupHost.V2MountPoint is null) Assert.Ignore("missing: cgroup v2");
        using TestBundle bundle = new();
        using TestContainer container = Counting(bundle, Wrapped.PureV2);
        container.WaitOutput("x\nx\n");
        string events = CgroupHost.V2MountPoint + bundle.CgroupsPath + "/cgroup.events";
        container.Invoke("pause").ShouldSucceed();
        File.ReadAllText(events).Should().Contain("frozen 1");
        container.Status.Should().Be("paused");
        container.Invoke("resume").ShouldSucceed();
        File.ReadAllText(events).Should().Contain("frozen 0");
        container.Status.Should().Be("running");
    }

    /// <summary>
    /// Not to know is no answer. A `start` that took it for one waited, with the lock, for an init that could not answer.
    /// </summary>
    [Test]
    public void A_freezer_that_cannot_be_read_is_an_error([Values("state", "resume", "start")] string verb, [Values] bool unified)
    {
        if (unified) Requires.PathExists(CgroupHost.V2MountPoint ?? "", "cgroup v2");
        else Requires.V1Controller("freezer");
        RuntimeBinary runtime = unified ? Wrapped.PureV2 : Ocirun.Binary;
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Args("sleep", "1000").WithCgroup(), runtime);
        container.Create().ShouldSucceed();
        container.Invoke("pause").ShouldSucceed();
        string file = unified ? $"/sys/fs/cgroup{bundle.CgroupsPath}/cgroup.freeze"
            : $"{CgroupHost.V1MountPoint("freezer")}{bundle.CgroupsPath}/freezer.state";
        Strace.Failing(runtime, "pread64", file, "ENOMEM").Run("--root", container.StateRoot, verb, container.Id)
            .ShouldFail(1, $"read {file}: cannot allocate memory (ENOMEM)");
        container.Status.Should().Be("paused");
    }

    /// <summary>Everybody had stopped, or would have: what failed was to ask for it, or to look.</summary>
    [TestCase(false, "write", "freezer.state", "1")]
    [TestCase(false, "write", "freezer.state", "1+")]
    [TestCase(false, "pread64", "freezer.state", "2")]
    [TestCase(true, "write", "cgroup.freeze", "1")]
    [TestCase(true, "pread64", "cgroup.events", "2")]
    public void A_pause_that_fails_says_why_and_stops_nobody(bool unified, string call, string name, string when)
    {
        if (unified) Requires.PathExists(CgroupHost.V2MountPoint ?? "", "cgroup v2");
        else Requires.V1Controller("freezer");
        RuntimeBinary runtime = unified ? Wrapped.PureV2 : Ocirun.Binary;
        using TestBundle bundle = new();
        using TestContainer container = Counting(bundle, runtime);
        string cgroup = (unified ? "/sys/fs/cgroup" : CgroupHost.V1MountPoint("freezer")) + bundle.CgroupsPath;
        Strace.Failing(runtime, call, $"{cgroup}/{name}", "ENOMEM", when).Run("--root", container.StateRoot, "pause", container.Id)
            .ShouldFail(1, "unable to freeze", $"{bundle.CgroupsPath}: cannot allocate memory (ENOMEM)").Stderr.Should()
            .NotContain("did not stop").And.Match(when == "1+" ? "*(ENOMEM); and thaw *" : "*(ENOMEM)\"\n");
        container.Status.Should().Be("running");
        string before = container.Output;
        Eventually.True(() => container.Output.Length > before.Length, "further output");
    }

    [Test]
    public void What_is_not_running_or_not_paused_is_refused_in_runcs_words()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle.WithCgroup());
        container.Invoke("resume").ShouldFail(1).Stderr.Should().Contain("container not paused");
        container.Invoke("pause").ShouldSucceed();
        container.Invoke("pause").ShouldFail(1).Stderr.Should().Contain("container not running");
        container.Status.Should().Be("paused", "a refusal changes nothing");
        _ = container.InitPid;
        container.Kill("KILL").ShouldSucceed();
        container.WaitExit().Signal.Should().Be(9, "a kill reaches what is frozen");
        container.WaitStatus("stopped");
        container.Invoke("pause").ShouldFail(1).Stderr.Should().Contain("container not running");
        container.Invoke("resume").ShouldFail(1).Stderr.Should().Contain("container not paused");
        container.Call("pause", "nobody").ShouldFail(1).Stderr.Should().Contain("container does not exist");
    }

    [Test]
    public void A_created_container_can_be_paused_and_is_not_started_then()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Args("sleep", "1000").WithCgroup());
        container.Create().ShouldSucceed();
        container.Invoke("pause").ShouldSucceed();
        container.Status.Should().Be("paused");
        container.Start().ShouldFail(1).Stderr.Should().Contain("cannot start a container in the paused state");
        container.Invoke("resume").ShouldSucceed();
        container.Status.Should().Be("created");
        container.Start().ShouldSucceed();
        container.Status.Should().Be("running");
    }

    [Test]
    public void Without_a_cgroup_of_its_own_a_container_cannot_be_paused()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        container.GlobalOptions.AddRange(["--cgroup-manager", "disabled"]);
        container.Create().ShouldSucceed();
        container.Start().ShouldSucceed();
        container.GlobalOptions.Clear();
        container.Invoke("pause").ShouldFail(1).Stderr.Should().Contain("no cgroup of its own").And.Contain("--cgroup-manager disabled");
        container.Status.Should().Be("running");
    }

    [Test]
    public void A_paused_container_is_deleted_by_force_only()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle.WithCgroup());
        container.Invoke("pause").ShouldSucceed();
        container.Delete().ShouldFail(1).Stderr.Should().Contain("paused");
        container.Delete("--force").ShouldSucceed();
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
    }

    [Test]
    public void Pause_and_resume_by_many_at_once_leave_one_or_the_other()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle.WithCgroup());
        Parallel.For(0, 16, new ParallelOptions { MaxDegreeOfParallelism = 4 }, i => container.Invoke(i % 2 == 0 ? "pause" : "resume"));
        string status = container.Status;
        status.Should().BeOneOf("paused", "running");
        if (status == "paused") container.Invoke("resume").ShouldSucceed();
        container.Status.Should().Be("running");
    }
}
