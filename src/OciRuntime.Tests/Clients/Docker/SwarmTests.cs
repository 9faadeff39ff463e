using System.Diagnostics;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Docker;

/// <summary>
/// A swarm of one node. Its services have an overlay network (VXLAN) with name service; dnsrr instead of a virtual address, which would
/// need the kernel's ip_vs.
/// </summary>
[Category("Slow")]
[ForeignDaemon]
[ThisMachinesEngines]
public sealed class SwarmTests
{
    private const int Replicas = 50;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(180);
    private DockerHost _docker = null!;

    [OneTimeSetUp]
    public void Prepare() => _docker = new DockerHost();

    [SetUp]
    public void BeginSwarm() => _docker.Run("swarm", "init", "--advertise-addr", "127.0.0.1").ShouldSucceed();

    /// <summary>Leaving ends whatever a failed test may have left running.</summary>
    [TearDown]
    public void LeaveSwarm()
    {
        _docker.Run("swarm", "leave", "--force").ShouldSucceed();
        _docker.Clear();
    }

    [OneTimeTearDown]
    public void End() => _docker.Dispose();

    [Test, CancelAfter(3_600_000)]
    public void Service_of_fifty_is_updated_rolled_back_and_drained()
    {
        _docker.Run("network", "create", "--driver", "overlay", "net").ShouldSucceed();
        _docker.Run("service", "create", "--detach", "--name", "many", "--network", "net", "--endpoint-mode", "dnsrr", "--replicas", "3",
            "--env", "VERSION=1",
            "--stop-grace-period", "0s", "--restart-delay", "100ms", "--update-parallelism", "25", "--update-monitor", "10ms",
            "--update-failure-action", "rollback", "--rollback-monitor", "10ms", "--rollback-parallelism", "0",
            "--limit-pids", "20", "bb", "sh", "-c", "while :; do nc -l -p 80 -e hostname; done").ShouldSucceed();
        WaitForAll(3, "VERSION=1");
        EachAnswersUnderTheServicesName(3);

        Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
        _docker.Run("service", "scale", "--detach", $"many={Replicas}").ShouldSucceed();
        ProcessView[] first = WaitForAll(Replicas, "VERSION=1");
        TestContext.Out.WriteLine($"{Replicas} replicas run after {clock.Elapsed.TotalSeconds:F1} s");
        first.Select(init => init.NamespaceInode("net")).Distinct().Should().HaveCount(Replicas);
        first.Should().OnlyContain(init => File.ReadAllText($"{init.CgroupDirectory("pids")}/pids.max").Trim() == "20");

        clock.Restart();
        _docker.Run("service", "update", "--detach", "--env-add", "VERSION=2", "many").ShouldSucceed();
        ProcessView[] second = WaitForAll(Replicas, "VERSION=2");
        TestContext.Out.WriteLine($"updated after {clock.Elapsed.TotalSeconds:F1} s");
        WaitForUpdate("completed");

        // The runtime's refusal of the first few is what makes the swarm go back.
        _docker.Run("service", "update", "--detach", "--args", "/nope", "--update-parallelism", "3", "many").ShouldSucceed();
        WaitForUpdate("rollback_completed");
        _docker.Run("service", "ps", "--no-trunc", "--filter", "desired-state=shutdown", "--format", "{{.Error}}", "many")
            .ShouldSucceed().Stdout
            .Should().Contain("OCI runtime create failed").And.Contain("/nope");
        WaitForAll(Replicas, "VERSION=2").Select(init => init.Pid).Intersect(second.Select(init => init.Pid)).Should()
            .HaveCountGreaterThan(Replicas / 2);

        clock.Restart();
        string node = _docker.Run("node", "ls", "--quiet").ShouldSucceed().Text;
        _docker.Run("node", "update", "--availability", "drain", node).ShouldSucceed();
        WaitForAll(0);
        TestContext.Out.WriteLine($"drained after {clock.Elapsed.TotalSeconds:F1} s");
        _docker.Run("service", "rm", "many").ShouldSucceed();
        WaitForAll(0);
    }

    /// <summary>The name service knows a task a little after it runs.</summary>
    private void EachAnswersUnderTheServicesName(int count)
    {
        string[] names = _docker.Run("ps", "--quiet").ShouldSucceed().Lines, addresses = [];
        Eventually.True(() => (addresses = [.. Execute("nslookup many | grep ^Address: | grep -v 127").Lines.Distinct()]).Length == count,
            $"{count} addresses");
        string calls = string.Join(';', addresses.Select(line => $"nc -w 5 {line["Address: ".Length..]} 80 </dev/null"));
        Execute(calls).ShouldSucceed().Lines.Should().BeEquivalentTo(names);

        CommandResult Execute(string script) => _docker.Run("exec", names[0], "sh", "-c", script);
    }

    /// <summary>
    /// Waits until as many containers run as there should be, each with the variable in its environment; the truth is in the cgroups and
    /// /proc.
    /// </summary>
    private static ProcessView[] WaitForAll(int count, string variable = "")
    {
        ProcessView[] inits = [];
        Eventually.True(IsSo, $"{count} containers with {variable}", Patience);
        return inits;

        bool IsSo()
        {
            LeaveTheProcessorToTheSwarm();
            inits = Inits();
            return inits.Length == count && inits.All(init => variable == "" || Has(init, variable));
        }
    }

    private void WaitForUpdate(string state)
    {
        Eventually.True(IsSo, $"the update's state is {state}", Patience);

        bool IsSo()
        {
            LeaveTheProcessorToTheSwarm();
            return _docker.Run("service", "inspect", "--format", "{{.UpdateStatus.State}}", "many").ShouldSucceed().Text == state;
        }
    }

    /// <summary>Between two looks: each costs some milliseconds, of minutes that it all takes on a slow machine.</summary>
    private static void LeaveTheProcessorToTheSwarm() => Thread.Sleep(100);

    /// <summary>The first process of each container.</summary>
    private static ProcessView[] Inits()
    {
        string controller = CgroupHost.V1MountPoint("pids") ?? CgroupHost.V2MountPoint!;
        string parent = $"{controller}/{TestRun.Token}";
        if (!Directory.Exists(parent)) return [];
        return [.. Directory.GetDirectories(parent).Select(cgroup => ProcessTree.ReadOrEmpty($"{cgroup}/cgroup.procs").Split('\n')[0])
            .Where(pid => pid != "").Select(pid => new ProcessView(int.Parse(pid)))];
    }

    private static bool Has(ProcessView init, string variable) =>
        ProcessTree.ReadOrEmpty($"/proc/{init.Pid}/environ").Split('\0').Contains(variable);
}
