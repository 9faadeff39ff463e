using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Cli;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>`update`: the limits as the kernel has them afterwards.</summary>
public sealed class UpdateTests
{
    private TestBundle _bundle = null!;
    private TestContainer _container = null!;

    [SetUp]
    public void Start()
    {
        Requires.V1Controller("memory");
        Requires.V1Controller("cpu");
        _bundle = new TestBundle().WithCgroup();
        _bundle.Resources["memory"] = JsonNode.Parse("""{ "limit": 67108864, "reservation": 33554432, "swap": 134217728 }""");
        _bundle.Resources["cpu"] = JsonNode.Parse("""{ "shares": 512, "quota": 40000, "period": 80000, "cpus": "0-1", "mems": "0" }""");
        _bundle.Resources["pids"] = JsonNode.Parse("""{ "limit": 50 }""");
        _container = Observe.Sleeping(_bundle);
    }

    [TearDown]
    public void End()
    {
        _container?.Dispose();
        _bundle?.Dispose();
    }

    private string Read(string file) => _container.ReadCgroup(file[..file.IndexOf('.')], file);

    private void Update(params string[] options)
    {
        CommandResult result = _container.Invoke("update", options).ShouldSucceed();
        result.Stdout.Should().BeEmpty();
        result.Stderr.Should().BeEmpty();
    }

    private void Update(string json) =>
        _container.Call(["update", "--resources", "-", _container.Id], new CommandOptions { Stdin = json })
        .ShouldSucceed().Stderr.Should().BeEmpty();

    [Test]
    public void Each_option_changes_its_file_and_no_other()
    {
        (string Option, string Value, string File, string Expected)[] all =
        [
            ("--memory", "96m", "memory.limit_in_bytes", "100663296"),
            ("--memory", "0.0625g", "memory.limit_in_bytes", "67108864"),
            ("--memory", "98304K", "memory.limit_in_bytes", "100663296"),
            ("--memory-reservation", "16MiB", "memory.soft_limit_in_bytes", "16777216"),
            ("--memory-reservation", "-1", "memory.soft_limit_in_bytes", "9223372036854771712"),
            ("--memory-swap", "200m", "memory.memsw.limit_in_bytes", "209715200"),
            ("--memory-swap", "-1", "memory.memsw.limit_in_bytes", "9223372036854771712"),
            ("--cpu-share", "300", "cpu.shares", "300"),
            ("--cpu-quota", "20000", "cpu.cfs_quota_us", "20000"),
            ("--cpu-period", "50000", "cpu.cfs_period_us", "50000"),
            ("--cpu-burst", "5000", "cpu.cfs_burst_us", "5000"),
            ("--cpu-burst", "0", "cpu.cfs_burst_us", "0"),
            ("--cpu-quota", "-1", "cpu.cfs_quota_us", "-1"),
            ("--cpuset-cpus", "1", "cpuset.cpus", "1"),
            ("--cpuset-mems", "0", "cpuset.mems", "0"),
            ("--pids-limit", "20", "pids.max", "20"),
            ("--pids-limit", "-1", "pids.max", "max"),
            ("--cpu-idle", "1", "cpu.idle", "1"),
        ];
        string[] files = [.. all.Select(one => one.File).Distinct().Where(file => file != "cpu.shares")];
        foreach ((string option, string value, string file, string expected) in all)
        {
            string[] others = [.. files.Where(other => other != file)];
            string[] before = [.. others.Select(Read)];
            Update(option, value);
            Read(file).Should().Be(expected, "{0} {1}", option, value);
            others.Select(Read).Should().Equal(before, "{0} changes one file", option);
        }
    }

    /// <summary>What not every kernel has: then the file is named, and nothing else changes.</summary>
    [TestCase("--cpu-rt-period", "500000", "cpu.rt_period_us")]
    [TestCase("--cpu-rt-runtime", "-1", "cpu.rt_runtime_us")]
    [TestCase("--blkio-weight", "200", "blkio.bfq.weight")]
    [TestCase("--kernel-memory-tcp", "1048576", "memory.kmem.tcp.limit_in_bytes")]
    public void Options_for_what_not_every_kernel_has(string option, string value, string file)
    {
        string path = Path.Combine(_container.Init.CgroupDirectory(file[..file.IndexOf('.')]), file);
        string? before = File.Exists(path) ? File.ReadAllText(path).Trim() : null;
        bool isTaken = Takes(path, value, before);
        CommandResult result = _container.Invoke("update", "--pids-limit", "44", option, value);
        if (isTaken) result.ShouldSucceed();
        else result.ShouldFail(1, Path.GetFileName(path).Replace("bfq.", ""));
        Read("pids.max").Should().Be(isTaken ? "44" : "50");
        if (before is not null) File.ReadAllText(path).Trim().Should().Be(isTaken ? value : before);
    }

    // The kernel is asked directly; a real-time budget is the parent's to give.
    private static bool Takes(string path, string value, string? before)
    {
        if (before is null) return false;
        try
        {
            File.WriteAllText(path, value);
            File.WriteAllText(path, before);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return false;
        }
    }

    [Test]
    public void An_empty_value_and_zero_say_nothing()
    {
        Update("--memory", "", "--cpu-quota", "", "--cpu-share", "0", "--cpuset-cpus=", "--pids-limit", "", "--blkio-weight", "0",
            "--memory-swap=0");
        Update("""{"memory":{"limit":0,"reservation":0,"swap":0,"kernel":0},"cpu":{"shares":0,"quota":0,"period":0,"cpus":""},"blockIO":{"weight":0},"pids":{"limit":null}}""");
        Update();
        Read("memory.limit_in_bytes").Should().Be("67108864");
        Read("memory.memsw.limit_in_bytes").Should().Be("134217728");
        Read("cpu.shares").Should().Be("512");
        Read("cpu.cfs_quota_us").Should().Be("40000");
        Read("cpuset.cpus").Should().Be("0-1");
        Read("pids.max").Should().Be("50");
    }

    [Test]
    public void Resources_come_from_a_file_or_from_standard_input()
    {
        Update("""{"memory":{"limit":104857600,"swap":209715200},"cpu":{"quota":50000,"period":100000},"pids":{"limit":7}}""");
        Read("memory.limit_in_bytes").Should().Be("104857600");
        Read("memory.memsw.limit_in_bytes").Should().Be("209715200");
        Read("cpu.cfs_quota_us").Should().Be("50000");
        Read("pids.max").Should().Be("7");
        string file = Path.Combine(_bundle.Directory, "resources.json");
        File.WriteAllText(file, """{"pids":{"limit":9}}""");
        _container.Invoke("update", $"--resources={file}", "--pids-limit", "11").ShouldSucceed().Stderr.Should()
            .Contain("those of other options are ignored");
        Read("pids.max").Should().Be("9", "other limits do not count beside --resources");
    }

    [Test]
    public void Memory_and_swap_are_changed_in_the_order_that_the_kernel_takes()
    {
        Update("--memory", "256m", "--memory-swap", "300m");
        Read("memory.memsw.limit_in_bytes").Should().Be("314572800");
        Update("--memory", "32m", "--memory-swap", "40m");
        Read("memory.limit_in_bytes").Should().Be("33554432");
        Update("--memory", "-1");
        Read("memory.limit_in_bytes").Should().Be("9223372036854771712");
        Read("memory.memsw.limit_in_bytes").Should().Be("9223372036854771712", "memory without a limit cannot be below a sum with one");
    }

    [Test]
    public void A_failure_takes_back_what_was_done_before_it()
    {
        CommandResult refused = _container.Invoke("update", "--cpu-share", "300", "--cpu-quota", "10000", "--cpuset-cpus", "4000",
            "--memory", "100m", "--pids-limit", "5").ShouldFail(1);
        refused.Stderr.Should().Contain("/linux/resources/cpu/cpus").And.Contain("4000").And.Contain("numerical result out of range");
        Read("cpu.shares").Should().Be("512");
        Read("cpu.cfs_quota_us").Should().Be("40000");
        Read("cpu.cfs_period_us").Should().Be("80000");
        Read("cpuset.cpus").Should().Be("0-1");
        Read("memory.limit_in_bytes").Should().Be("67108864");
        Read("pids.max").Should().Be("50");
    }

    /// <summary>What is not known could not be put back; the limits after it are refused, or would have been.</summary>
    [TestCase("cpu", "cpu.shares")]
    [TestCase("memory", "memory.limit_in_bytes")]
    public void Without_the_old_values_nothing_is_changed(string controller, string file)
    {
        string path = Path.Combine(_container.Init.CgroupDirectory(controller), file);
        Strace.Failing(Ocirun.Binary, "pread64", path, "ENOMEM")
            .Run("--root", _container.StateRoot, "update", "--cpu-share", "300", "--memory", "32m", "--pids-limit", "5", _container.Id)
            .ShouldFail(1, $"read {path} before it is changed: cannot allocate memory (ENOMEM)");
        Read("cpu.shares").Should().Be("512");
        Read("memory.limit_in_bytes").Should().Be("67108864");
        Read("pids.max").Should().Be("50");
    }

    /// <summary>Swap alone is compared with the limit that there is.</summary>
    [Test]
    public void Without_what_the_change_depends_on_nothing_is_changed()
    {
        string path = Path.Combine(_container.Init.CgroupDirectory("memory"), "memory.limit_in_bytes");
        Strace.Failing(Ocirun.Binary, "pread64", path, "ENOMEM")
            .Run("--root", _container.StateRoot, "update", "--memory-swap", "200m", _container.Id)
            .ShouldFail(1, $"read {path}: cannot allocate memory (ENOMEM)");
        Read("memory.memsw.limit_in_bytes").Should().Be("134217728");
    }

    [Test]
    public void A_failure_gives_back_the_weight_that_becoming_idle_takes()
    {
        string json =
            """{"cpu":{"idle":1},"blockIO":{"throttleReadBpsDevice":[{"major":4000,"minor":1,"rate":1}]}}""";
        _container.Call(["update", "-r", "-", _container.Id], new CommandOptions { Stdin = json }).ShouldFail(1, "throttleReadBpsDevice/0");
        Read("cpu.idle").Should().Be("0");
        Read("cpu.shares").Should().Be("512");
    }

    [Test]
    public void A_late_failure_takes_back_memory_and_swap_too()
    {
        // A device that is not there fails after everything else.
        string json =
            """{"memory":{"limit":268435456,"swap":268435456},"pids":{"limit":5},"blockIO":{"throttleReadBpsDevice":[{"major":4000,"minor":1,"rate":1}]}}""";
        _container.Call(["update", "-r", "-", _container.Id], new CommandOptions { Stdin = json }).ShouldFail(1).Stderr.Should()
            .Contain("throttleReadBpsDevice/0");
        Read("memory.limit_in_bytes").Should().Be("67108864");
        Read("memory.memsw.limit_in_bytes").Should().Be("134217728");
        Read("pids.max").Should().Be("50");
    }

    [Test]
    public void Bad_values_change_nothing_and_are_named()
    {
        Refused("--memory", "12x").Should().Contain("invalid value \"12x\" for flag --memory");
        Refused("--memory", "-2").Should().Contain("--memory");
        Refused("--cpu-quota", "many").Should().Contain("invalid value \"many\" for flag --cpu-quota");
        Refused("--cpu-period", "5").Should().Contain("/cpu/period").And.Contain("1000");
        Refused("--memory-swap", "10m").Should().Contain("/memory/swap").And.Contain("memory limit (67108864)");
        Refused("--blkio-weight", "5").Should().Contain("/blockIO/weight");
        Refused("--cpuset-cpus", "x").Should().Contain("/cpu/cpus");
        Refused("--cpuset-mems", ",").Should().Contain("/cpu/mems").And.Contain("a cgroup that has processes must keep some");
        Refused("--l3-cache-schema", "L3:0=f").Should().Contain("Intel RDT/CAT: l3 cache schema is not enabled");
        Refused("--mem-bw-schema", "MB:0=20").Should().Contain("Intel RDT/MBA: memory bandwidth schema is not enabled");
        Refused("--resources", "/nonexistent").Should().Contain("--resources /nonexistent: no such file or directory");
        _container.Call(["update", "-r", "-", _container.Id], new CommandOptions { Stdin = "{" }).ShouldFail(1).Stderr.Should()
            .Contain("--resources -: is not valid JSON");
        _container.Call(["update", "-r", "-", _container.Id], new CommandOptions { Stdin = """{"memory":{"limit":"1"}}""" })
            .ShouldFail(1).Stderr.Should().Contain("/memory/limit");
        Read("memory.limit_in_bytes").Should().Be("67108864");
    }

    private string Refused(params string[] options) => _container.Invoke("update", options).ShouldFail(1).Stderr.Replace("\\\"", "\"");

    [Test]
    public void Kernel_memory_is_ignored_with_a_warning()
    {
        _container.Invoke("update", "--kernel-memory", "50m", "--pids-limit", "8").ShouldSucceed().Stderr.Should()
            .Contain("level=warning").And.Contain("kernel memory");
        Read("pids.max").Should().Be("8");
    }

    [Test]
    public void A_stopped_container_is_refused_and_a_paused_one_is_not()
    {
        _container.Invoke("pause").ShouldSucceed();
        Update("--pids-limit", "33");
        Read("pids.max").Should().Be("33");
        _container.Invoke("resume").ShouldSucceed();
        _ = _container.InitPid;
        _container.Kill("KILL").ShouldSucceed();
        _container.WaitExit();
        _container.Invoke("update", "--pids-limit", "8").ShouldFail(1).Stderr.Should().Contain("container not running");
    }

    [Test]
    public void Limits_of_a_container_that_uses_more_are_refused_and_nothing_changes()
    {
        using TestBundle bundle = new TestBundle().WithCgroup();
        using TestContainer hungry =
            new TestContainer(bundle.Script("dd if=/dev/zero of=/dev/shm/x bs=1M count=20 2>/dev/null; echo full; sleep 1000")).Started();
        hungry.WaitOutput("full");
        hungry.Invoke("update", "--pids-limit", "9", "--memory", "4m").ShouldFail(1).Stderr.Should().Contain("current usage");
        hungry.ReadCgroup("memory", "memory.limit_in_bytes").Should().Be("9223372036854771712");
        hungry.ReadCgroup("pids", "pids.max").Should().Be("max");
    }

    [TestCase("memory.max", "1", "max", ExpectedResult = "max")]
    [TestCase("cpu.max", "1 2", "max 100000", ExpectedResult = "max 100000")]
    [TestCase("cpuset.cpus", "0", "", ExpectedResult = "\n")]
    [TestCase("io.max", "8:0 rbps=1", "8:16 rbps=5\n8:0 rbps=7 wbps=max riops=max wiops=max",
        ExpectedResult = "8:0 rbps=7 wbps=max riops=max wiops=max")]
    [TestCase("io.max", "8:0 rbps=1", "", ExpectedResult = "8:0 rbps=max wbps=max riops=max wiops=max")]
    [TestCase("blkio.throttle.read_bps_device", "8:0 1", "8:1 5", ExpectedResult = "8:0 0")]
    [TestCase("io.weight", "50", "default 100\n8:0 70", ExpectedResult = "default 100")]
    [TestCase("io.weight", "8:16 50", "default 100\n8:0 70", ExpectedResult = "8:16 default")]
    [TestCase("memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0", ExpectedResult = "0")]
    [TestCase("net_prio.ifpriomap", "eth0 5", "lo 0\neth0 2", ExpectedResult = "eth0 2")]
    [TestCase("rdma.max", "mlx hca_handle=1", "", ExpectedResult = "mlx hca_handle=max hca_object=max")]
    public string Old_values_are_written_as_the_file_takes_them(string file, string written, string present) =>
    CgroupUndo.OldValue(file, written, present);

    [TestCase("64m", 67108864L)]
    [TestCase("64M", 67108864L)]
    [TestCase("64mb", 67108864L)]
    [TestCase("64 MiB", 67108864L)]
    [TestCase("1.5k", 1536L)]
    [TestCase("7", 7L)]
    [TestCase("7b", 7L)]
    [TestCase("-1", -1L)]
    [TestCase("9223372036854775807", long.MaxValue)]
    [TestCase("2p", 2L << 50)]
    [TestCase("9000p", null)]
    [TestCase("", null)]
    [TestCase("-5m", null)]
    [TestCase("m", null)]
    [TestCase("1mm", null)]
    [TestCase("1.2.3k", null)]
    [TestCase("9223372036854775808", null)]
    public void Sizes(string text, long? expected) => (ByteSize.TryParse(text, out long bytes) ? bytes : (long?)null).Should().Be(expected);
}
