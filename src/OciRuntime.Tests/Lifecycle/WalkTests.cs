using System.Globalization;
using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>create, state, start, kill, delete: the status at each point and what is refused there.</summary>
public sealed class WalkTests
{
    private const int SIGTERM = 15;

    private static TestContainer Waiting(TestBundle bundle) =>
        new(bundle.Script("trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done"));

    [Test]
    public void The_whole_way()
    {
        using TestBundle bundle = new();
        using TestContainer container = Waiting(bundle);
        container.State().ShouldFail(1, "container does not exist");
        container.Create().ShouldSucceed().Stdout.Should().BeEmpty();
        JsonObject state = container.StateJson;
        state.Select(pair => pair.Key).Should().Equal("ociVersion", "id", "pid", "status", "bundle", "rootfs", "created", "owner");
        state["status"]!.GetValue<string>().Should().Be("created");
        state["id"]!.GetValue<string>().Should().Be(container.Id);
        state["bundle"]!.GetValue<string>().Should().Be(bundle.Directory);
        state["pid"]!.GetValue<int>().Should().Be(container.InitPid).And.BePositive();
        DateTime.Parse(state["created"]!.GetValue<string>(), CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal).Should()
            .BeCloseTo(DateTime.UtcNow, TimeSpan.FromMinutes(1));
        container.Output.Should().BeEmpty("the program waits for start");
        container.Create().ShouldFail(1, "container with given ID already exists");

        container.Start().ShouldSucceed().Stderr.Should().BeEmpty();
        container.Status.Should().Be("running");
        container.StateJson["pid"]!.GetValue<int>().Should().Be(container.InitPid);
        container.Start().ShouldFail(1, "cannot start an already running container");
        container.Delete().ShouldFail(1, "that is not stopped: running");
        // Not any handler: the shell has others before.
        Eventually.True(() => (Convert.ToUInt64(container.Init.Status("SigCgt"), 16) >> (SIGTERM - 1) & 1) == 1, "the trap is set");

        container.Kill().ShouldSucceed();
        container.WaitExit().Should().Be(new ExitStatus(5, 0));
        container.WaitStatus("stopped");
        container.StateJson["pid"]!.GetValue<int>().Should().Be(0);
        container.Start().ShouldFail(1, "cannot start a container that has stopped");
        container.Kill().ShouldFail(1, "container not running");
        container.Kill("KILL", "--all").ShouldSucceed();
        container.Delete().ShouldSucceed();
        container.State().ShouldFail(1, "container does not exist");
        container.Delete().ShouldFail(1, "container does not exist");
        container.Delete("--force").ShouldSucceed();
    }

    [Test]
    public void While_hooks_run_it_is_being_created()
    {
        using TestBundle bundle = new();
        string seen = Path.Combine(bundle.Directory, "seen");
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        bundle.AddHook("createRuntime", "/bin/sh", "-c", $"{Ocirun.Binary.Path} --root {container.StateRoot} state {container.Id} >{seen}");
        container.Create().ShouldSucceed();
        JsonNode state = JsonNode.Parse(File.ReadAllText(seen))!;
        state["status"]!.GetValue<string>().Should().Be("creating");
        state["pid"]!.GetValue<int>().Should().Be(container.InitPid);
    }

    [Test]
    public void A_zombie_is_stopped()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        RunningCommand run = container.StartRun();
        container.WaitStatus("running");
        int pid = container.InitPid;
        // Its parent is the runtime in the foreground; stopped, that cannot reap.
        const int SIGSTOP = 19, SIGCONT = 18;
        run.Signal(SIGSTOP);
        container.Kill("KILL").ShouldSucceed();
        Eventually.True(() => ProcessTree.IsZombie(pid), "the init is a zombie");
        container.Status.Should().Be("stopped");
        container.StateJson["pid"]!.GetValue<int>().Should().Be(0);
        container.Kill("KILL").ShouldFail(1, "container not running");
        run.Signal(SIGCONT);
        run.Wait().ExitCode.Should().Be(137);
    }

    [Test]
    public void A_created_container_can_be_killed_or_deleted()
    {
        using TestBundle bundle = new();
        using TestContainer killed = Waiting(bundle);
        killed.Create().ShouldSucceed();
        _ = killed.InitPid;
        killed.Kill("KILL").ShouldSucceed();
        killed.WaitExit().Signal.Should().Be(9);
        killed.WaitStatus("stopped");
        killed.Start().ShouldFail(1, "cannot start a container that has stopped");
        using TestContainer deleted = Waiting(bundle);
        deleted.Create().ShouldSucceed();
        int pid = deleted.InitPid;
        deleted.Delete().ShouldSucceed();
        Eventually.True(() => !ProcessTree.IsAlive(pid), "the init is gone");
    }

    [Test]
    public void Force_deletes_what_runs_with_all_its_processes()
    {
        using TestBundle bundle = new();
        using TestContainer container = new TestContainer(bundle.Script("sleep 1000 & sleep 1000 & echo up; wait").WithCgroup()).Started();
        container.WaitOutput("up");
        int[] pids = [container.InitPid, .. ProcessTree.DescendantsOf(container.InitPid)];
        pids.Should().HaveCount(3);
        container.Delete("--force").ShouldSucceed();
        pids.Should().OnlyContain(pid => !ProcessTree.IsAlive(pid));
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
    }

    [TestCase("")]
    [TestCase("../escape")]
    [TestCase("a/b")]
    [TestCase(".")]
    [TestCase("..")]
    [TestCase("ä")]
    [TestCase("a b")]
    public void Ids_that_could_not_be_directories_are_refused_by_every_verb(string id)
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle);
        bundle.Save();
        string words = id.Length == 0 ? "container id cannot be empty" : "invalid container ID format";
        container.Call("create", "--bundle", bundle.Directory, id).ShouldFail(1, words);
        foreach (string verb in (string[])["state", "start", "kill", "delete"]) container.Call(verb, id).ShouldFail(1, words);
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
    }

    [TestCase("TERM", 15)]
    [TestCase("SIGUSR1", 10)]
    [TestCase("sigint", 2)]
    [TestCase("1", 1)]
    [TestCase("RTMIN+3", 37)]
    [TestCase("64", 64)]
    public void Signals_by_name_and_number(string signal, int number)
    {
        using TestBundle bundle = new();
        // Pid 1 of a pid namespace gets only signals it has a handler for, so this one shares the host's.
        bundle.RemoveNamespace("pid");
        using TestContainer container = Observe.Sleeping(bundle.WithCgroup());
        _ = container.InitPid;
        container.Kill(signal).ShouldSucceed().Stderr.Should().BeEmpty();
        container.WaitExit().Signal.Should().Be(number);
    }

    [Test]
    public void An_unknown_signal_is_named_and_harmless()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle);
        container.Kill("NOPE").ShouldFail(1, "unknown signal", "NOPE");
        container.Kill("-1").ShouldFail(1);
        container.Kill("0").ShouldSucceed();
        container.Status.Should().Be("running");
    }

    [Test]
    public void Kill_all_reaches_every_process_in_a_shared_pid_namespace()
    {
        using TestBundle bundle = new();
        bundle.RemoveNamespace("pid").WithCgroup();
        using TestContainer container = new TestContainer(bundle.Script("sleep 1000 & setsid sleep 1000 & echo up; wait")).Started();
        container.WaitOutput("up");
        Eventually.True(() => ProcessTree.ChildrenOf(container.InitPid).Count == 2, "both children");
        int[] pids = [container.InitPid, .. ProcessTree.DescendantsOf(container.InitPid)];
        container.Kill("TERM", "--all").ShouldSucceed();
        pids.Should().OnlyContain(pid => Eventually.Becomes(() => !ProcessTree.IsAlive(pid), TimeSpan.FromSeconds(5)));
    }

    [Test]
    public void List_has_every_container_in_every_format()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle);
        bundle.Save();
        container.Call("create", "--bundle", bundle.Directory, "another").ShouldSucceed();
        try
        {
            container.Call("list", "-q").ShouldSucceed().Lines.Should().BeEquivalentTo("another", container.Id);
            string[] table = container.Call("list").ShouldSucceed().Lines;
            table[0].Split(' ', StringSplitOptions.RemoveEmptyEntries).Should().Equal("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
            table.Should()
                .HaveCount(3).And.Contain(line => line.StartsWith(container.Id, StringComparison.Ordinal) && line.Contains("running")
                && line.Contains(container.InitPid.ToString()) && line.Contains(bundle.Directory) && line.EndsWith("root"));
            JsonArray json = container.Call("list", "--format", "json").ShouldSucceed().Json.AsArray();
            json.Select(node => (node!["id"]!.GetValue<string>(), node["status"]!.GetValue<string>(), node["owner"]!.GetValue<string>()))
                .Should().BeEquivalentTo([("another", "created", "root"), (container.Id, "running", "root")]);
        }
        finally
        {
            container.Call("delete", "--force", "another").ShouldSucceed();
        }
        container.Delete("--force");
        container.Call("list", "--format", "json").ShouldSucceed().Text.Should().Be("null");
        container.Call("list").ShouldSucceed().Lines.Should().ContainSingle("only the heading");
    }
}
