using System.Text.Json.Nodes;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Cli;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>`events`: the numbers are the kernel's, the keys are runc's, and the stream ends with the container.</summary>
public sealed class EventsTests
{
    private static JsonObject Stats(TestContainer container)
    {
        CommandResult result = container.Invoke("events", "--stats").ShouldSucceed();
        result.Stderr.Should().BeEmpty();
        result.Lines.Should().ContainSingle();
        JsonObject record = result.Json.AsObject();
        record["type"]!.GetValue<string>().Should().Be("stats");
        record["id"]!.GetValue<string>().Should().Be(container.Id);
        return record["data"]!.AsObject();
    }

    private static ulong Number(JsonNode data, string path) => path.Split('/').Aggregate(data, (node, key) => node[key]!).GetValue<ulong>();

    [Test]
    public void Numbers_are_the_kernels()
    {
        Requires.V1Controller("memory");
        Requires.V1Controller("cpuacct");
        using TestBundle bundle = new();
        bundle.WithCgroup().Resources["memory"] = JsonNode.Parse("""{ "limit": 67108864, "swap": 134217728 }""");
        bundle.Resources["cpu"] = JsonNode.Parse("""{ "quota": 20000, "period": 100000, "cpus": "0", "mems": "0" }""");
        bundle.Resources["pids"] = JsonNode.Parse("""{ "limit": 42 }""");
        using TestContainer container =
            new TestContainer(
            bundle.Script("sleep 1000 & i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; echo worked; exec sleep 1000")).Started();
        container.WaitOutput("worked");
        // It has still to become another program.
        string usage = "";
        Eventually.True(() => usage == (usage = container.ReadCgroup("cpuacct", "cpuacct.usage")), "it becomes idle");
        JsonObject data = Stats(container);
        Number(data, "memory/usage/limit").Should().Be(67108864);
        Number(data, "memory/swap/limit").Should().Be(134217728);
        Number(data, "memory/usage/usage").Should().BeInRange(4096, 67108864);
        Number(data, "memory/raw/hierarchical_memory_limit").Should().Be(67108864);
        Number(data, "pids/current").Should().Be(2);
        Number(data, "pids/limit").Should().Be(42);
        Number(data, "cpu/usage/total").Should().Be(ulong.Parse(container.ReadCgroup("cpuacct", "cpuacct.usage")));
        Number(data, "cpu/usage/total").Should().BeGreaterThan(50_000_000);
        Number(data, "cpu/usage/user").Should().BeGreaterThan(10_000_000).And.BeLessThan(Number(data, "cpu/usage/total") * 2);
        data["cpu"]!["usage"]!["percpu"]!.AsArray().Select(one => (double)one!.GetValue<ulong>()).Sum().Should()
            .Be(Number(data, "cpu/usage/total"));
        Number(data, "cpu/throttling/throttledPeriods").Should().BePositive();
        data["cpuset"]!["cpus"]!.ToJsonString().Should().Be("[0]");
    }

    [Test]
    public void Keys_and_their_order_are_runcs()
    {
        if (CgroupHost.Mode == CgroupMode.V2) Assert.Ignore("missing: cgroup v1");
        using TestBundle bundle = new();
        using TestContainer ours = Observe.Sleeping(bundle.WithCgroup());
        using TestContainer theirs = new(bundle.WithCgroup(), new RuntimeBinary(Requires.Tool("runc")));
        theirs.Create().ShouldSucceed();
        theirs.Start().ShouldSucceed();
        // What is zero in one and not in the other is left out by both; Debian's runc knows no pressure yet and no huge pages without a
        // mounted controller.
        string[] known = [.. Keys(theirs).Where(Fixed)];
        Keys(ours).Where(key => Fixed(key)).Should().Equal(known);
        static bool Fixed(string key) => !key.Contains("/psi") && !key.StartsWith("/hugetlb/", StringComparison.Ordinal)
            && !key.EndsWith("/cache", StringComparison.Ordinal) && !key.EndsWith("/max", StringComparison.Ordinal)
            && !key.Contains("Recursive") && !key.EndsWith("/current", StringComparison.Ordinal);
    }

    private static List<string> Keys(TestContainer container)
    {
        List<string> keys = [];
        Collect(Stats(container), "");
        return keys;
        void Collect(JsonObject data, string path)
        {
            foreach ((string key, JsonNode? value) in data)
            {
                keys.Add($"{path}/{key}");
                if (value is JsonObject inner) Collect(inner, $"{path}/{key}");
            }
        }
    }

    [Test]
    public void A_stream_has_a_record_per_interval_and_ends_with_the_container()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle.WithCgroup());
        using RunningCommand events = Stream(container, "100ms");
        Eventually.True(() => events.Stdout.Split('\n').Length > 4, "some records");
        _ = container.InitPid;
        container.Kill("KILL").ShouldSucceed();
        CommandResult result = events.Wait(TimeSpan.FromSeconds(5)).ShouldSucceed();
        result.Stderr.Should().BeEmpty();
        result.Lines.Select(line => JsonNode.Parse(line)!["type"]!.GetValue<string>()).Distinct().Should().Equal("stats");
        container.WaitExit();
    }

    [Test]
    public void The_kernels_kill_for_lack_of_memory_is_told_at_once()
    {
        Requires.V1Controller("memory");
        using TestBundle bundle = new();
        bundle.WithCgroup().Resources["memory"] = JsonNode.Parse("""{ "limit": 33554432, "swap": 33554432 }""");
        bundle.Script("echo ready; read x </tmp/go; tail -c 100000000 /dev/zero >/dev/null; echo survived; exec sleep 1000").Writable();
        Libc.Check(Syscall.mkfifo(bundle.InRootfs("/tmp/go"), FilePermissions.S_IRUSR | FilePermissions.S_IWUSR), "mkfifo");
        bundle.RemoveMount("/tmp");
        using TestContainer container = new TestContainer(bundle).Started();
        container.WaitOutput("ready");
        using RunningCommand events = Stream(container, "1h");
        // That the kernel knows of its eventfd no file shows; it is done when the next thing, waiting, has begun.
        Eventually.True(() => HasEventFd(events.Pid) && WaitsInPoll(events.Pid), "it waits for the eventfd");
        File.WriteAllText(bundle.InRootfs("/tmp/go"), "go\n");
        container.WaitOutput("survived");
        Eventually.True(() => events.Stdout.Contains("oom"), "an event", TimeSpan.FromSeconds(5));
        events.Stdout.Split('\n')[0].Should().Be($$"""{"type":"oom","id":"{{container.Id}}"}""");
        container.Kill("KILL").ShouldSucceed();
        events.Wait(TimeSpan.FromSeconds(5)).ShouldSucceed();
    }

    /// <summary>The number of the call that it sleeps in comes first (proc_pid_syscall(5)).</summary>
    private static bool WaitsInPoll(int pid) =>
        ProcessTree.ReadOrEmpty($"/proc/{pid}/syscall").StartsWith($"{OciRuntime.Linux.SyscallNumber.Ppoll} ", StringComparison.Ordinal);

    private static bool HasEventFd(int pid) =>
        Directory.GetFiles($"/proc/{pid}/fd").Any(fd => new FileInfo(fd).LinkTarget == "anon_inode:[eventfd]");

    private static RunningCommand Stream(TestContainer container, string interval) =>
        Ocirun.Binary.Start("--root", container.StateRoot, "events", "--interval", interval, container.Id);

    [Test]
    public void Bad_intervals_and_stopped_containers_are_refused_in_runcs_words()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle.WithCgroup());
        container.Invoke("events", "--interval", "0s").ShouldFail(1).Stderr.Should().Contain("duration interval must be greater than 0");
        container.Invoke("events", "--interval", "-5s").ShouldFail(1).Stderr.Should().Contain("duration interval must be greater than 0");
        container.Invoke("events", "--interval", "5").ShouldFail(1).Stderr.Should()
            .Contain("for flag --interval: expected a duration such as 5s");
        _ = container.InitPid;
        container.Kill("KILL").ShouldSucceed();
        container.WaitExit();
        container.Invoke("events", "--stats").ShouldFail(1).Stderr.Should().Contain($"container with id {container.Id} is not running");
        container.Call("events", "--stats", "nobody").ShouldFail(1).Stderr.Should().Contain("container does not exist");
    }

    [Test]
    public void Interfaces_of_the_containers_own_network_are_counted()
    {
        using TestBundle bundle = new();
        bundle.WithCgroup().Capabilities("CAP_NET_ADMIN");
        using TestContainer container = Observe.Sleeping(bundle);
        Stats(container)["network_interfaces"].Should().BeNull("there is only the loopback");
        Command.Run("nsenter", $"--net=/proc/{container.InitPid}/ns/net", "ip", "link", "add", "dummy7", "type", "veth", "peer", "name",
            "dummy8").ShouldSucceed();
        Command.Run("nsenter", $"--net=/proc/{container.InitPid}/ns/net", "sh", "-c",
            "ip link set dummy7 up; ip link set dummy8 up; ip addr add 192.0.2.1/24 dev dummy7; ping -c1 -W1 192.0.2.2 || true");
        JsonArray interfaces = Stats(container)["network_interfaces"]!.AsArray();
        interfaces.Select(one => one!["Name"]!.GetValue<string>()).Should().BeEquivalentTo("dummy7", "dummy8");
        interfaces.Single(one => one!["Name"]!.GetValue<string>() == "dummy7")!["TxPackets"]!.GetValue<ulong>()
            .Should().Be(interfaces.Single(one => one!["Name"]!.GetValue<string>() == "dummy8")!["RxPackets"]!.GetValue<ulong>());
    }

    [Test]
    public void A_day_of_records_takes_no_more_memory_than_a_second()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle.WithCgroup());
        using RunningCommand events = Stream(container, "1ms");
        WaitRecords(100);
        long early = Resident(events.Pid);
        WaitRecords(600);
        Resident(events.Pid).Should().BeLessThan(early + 8192, "kilobytes; each record is garbage when it is written");
        Resident(events.Pid).Should().BeLessThan(96 * 1024);

        void WaitRecords(int count) =>
            Eventually.True(() => events.Stdout.Count(character => character == '\n') >= count, $"{count} records",
            TimeSpan.FromSeconds(30));
    }

    private static long Resident(int pid) =>
        long.Parse(new ProcessView(pid).Status("VmRSS").Split(' ', StringSplitOptions.RemoveEmptyEntries)[0]);

    [TestCase("5s", 5000)]
    [TestCase("500ms", 500)]
    [TestCase("1m30s", 90_000)]
    [TestCase("1.5h", 5_400_000)]
    [TestCase("1us", 1)]
    [TestCase("+2s", 2000)]
    [TestCase("0", 0)]
    [TestCase("-3s", -3000)]
    [TestCase("5", null)]
    [TestCase("", null)]
    [TestCase("s", null)]
    [TestCase("5 s", null)]
    [TestCase("5d", null)]
    [TestCase("99999999999h", null)]
    public void Durations(string text, long? expected) => (GoDuration.TryParse(text, out long ms) ? ms : (long?)null).Should().Be(expected);

    [Test]
    public void Files_of_v2_in_the_terms_of_v1()
    {
        string directory = TestRun.NewDirectory("stats");
        Dictionary<string, string> files = new()
        {
            ["cpu.stat"] =
                "usage_usec 3000\nuser_usec 1000\nsystem_usec 2000\nnr_periods 4\nnr_throttled 3\nthrottled_usec 7\nnew_thing 1\n",
            ["cpu.pressure"] = "some avg10=1.50 avg60=0.25 avg300=0.00 total=99\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
            ["memory.current"] = "1000\n",
            ["memory.max"] = "5000\n",
            ["memory.peak"] = "2000\n",
            ["memory.swap.current"] = "10\n",
            ["memory.swap.max"] = "max\n",
            ["memory.stat"] = "anon 3\nfile 700\n",
            ["pids.current"] = "5\n",
            ["pids.max"] = "max\n",
            ["io.stat"] = "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=7\n",
        };
        foreach ((string name, string text) in files) File.WriteAllText(Path.Combine(directory, name), text);
        CgroupStats stats = new();
        int fd = Libc.Check(Syscall.open(directory, OpenFlags.O_RDONLY | OpenFlags.O_CLOEXEC), directory);
        StatsV2.Add(stats, fd);
        _ = Syscall.close(fd);
        stats.Cpu.Should()
            .BeEquivalentTo(new
            {
                Total = 3_000_000ul,
                User = 1_000_000ul,
                Kernel = 2_000_000ul,
                Periods = 4ul,
                ThrottledPeriods = 3ul,
                ThrottledTime = 7000ul,
            });
        stats.Cpu.Pressure!.Value.Some.Should().Be(new PressureLine(1.5, 0.25, 0, 99));
        stats.Memory.Usage.Should().Be(new MemoryUse(5000, 1000, 2000, 0));
        stats.Memory.Swap.Should().Be(new MemoryUse(ulong.MaxValue, 1010, 0, 0), "the sum of both, and peaks cannot be added");
        stats.Memory.Cache.Should().Be(700);
        stats.PidsLimit.Should().Be(0);
        stats.Block.ServiceBytes.Should().Equal(new BlockCount(8, 0, "Read", 1), new BlockCount(8, 0, "Write", 2));
        stats.Block.Serviced.Should().Equal(new BlockCount(8, 0, "Read", 3), new BlockCount(8, 0, "Write", 4));
        stats.Memory.Pressure.Should().BeNull();
        Directory.Delete(directory, recursive: true);
    }
}
