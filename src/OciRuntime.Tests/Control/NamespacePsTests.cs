using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>`ps` of a container that has no cgroup to be listed by.</summary>
public sealed class NamespacePsTests
{
    private static readonly string[] Disabled = ["--cgroup-manager", "disabled"];

    private static int[] Pids(TestContainer container) =>
        [.. container.Invoke("ps", "--format", "json").ShouldSucceed().Json.AsArray().Select(pid => pid!.GetValue<int>())];

    [Test]
    public void Processes_are_found_by_their_pid_namespace_and_those_below()
    {
        using TestBundle bundle = new();
        using TestContainer container =
            new(bundle.Capabilities("CAP_SYS_ADMIN").Script("sleep 1000 & unshare -p -f sh -c 'sleep 1000; true' & wait"));
        container.GlobalOptions.AddRange(Disabled);
        container.Started();
        Eventually.True(() => ProcessTree.DescendantsOf(container.InitPid).Count == 4, "sleep, unshare, its sh and that one's sleep");
        int[] everyone = [.. ProcessTree.DescendantsOf(container.InitPid).Append(container.InitPid).Order()];
        everyone.Select(pid => new ProcessView(pid).NamespaceInode("pid")).Distinct().Should()
            .HaveCount(2, "one pid namespace is in the other");
        Pids(container).Should().Equal(everyone);
        // A process that has come in from outside has its parent there.
        using RunningCommand exec = container.StartExec([], "sleep", "1001");
        Eventually.True(() => Pids(container).Length == 6, "the process of exec");
        container.Invoke("ps").ShouldSucceed().Stdout.Should().Contain("sleep 1001").And.NotContain("dotnet");
        container.Kill("KILL").ShouldSucceed();
        container.WaitExit();
        container.Invoke("ps", "--format", "json").ShouldSucceed().Stdout.Should().Be("null\n");
    }

    /// <summary>And `kill --all`: each is told, those of namespaces below, too, and nobody else.</summary>
    [Test]
    public void All_that_are_listed_are_signalled()
    {
        using TestBundle bundle = new();
        string log = TestRun.NewDirectory("heard");
        bundle.Capabilities("CAP_SYS_ADMIN").AddMount("/log", null, log, "bind")
            .Env("LISTEN=trap 'echo $0 >>/log/heard' USR1; touch /log/$0; while :; do sleep 0.1; done");
        bundle.Script("""sh -c "$LISTEN" child & unshare -p -f sh -c "$LISTEN" below & exec sh -c "$LISTEN" init""");
        using TestContainer container = new(bundle);
        container.GlobalOptions.AddRange(Disabled);
        container.Started();
        string[] everyone = ["below", "child", "init"];
        Eventually.True(() => everyone.All(name => File.Exists($"{log}/{name}")), "all listen");
        container.Kill("USR1", "--all").ShouldSucceed();
        Eventually.True(() => File.Exists($"{log}/heard")
            && File.ReadAllLines($"{log}/heard").Order().SequenceEqual(everyone), "each of them has heard it");
        container.Delete("--force").ShouldSucceed();
        Cleaner.DeleteTree(log);
    }

    [Test]
    public void With_others_in_the_pid_namespace_it_says_why_not()
    {
        using TestBundle bundle = new TestBundle().RemoveNamespace("pid").Args("sleep", "1000");
        using TestContainer container = new(bundle);
        container.GlobalOptions.AddRange(Disabled);
        container.Started();
        container.Invoke("ps").ShouldFail(1, "no cgroup of its own and shares its pid namespace").Stdout.Should().BeEmpty();
    }
}
