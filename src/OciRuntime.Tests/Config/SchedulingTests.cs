using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Plan;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// `process.scheduler`, `process.ioPriority`, `linux.personality`, `linux.memoryPolicy` and the CPUs a container may use, as the kernel
/// says they are.
/// </summary>
public sealed class SchedulingTests
{
    [OneTimeSetUp]
    public void Privilege() => Requires.Capability(23, "CAP_SYS_NICE");

    /// <summary>chrt(1) of the running program, in one line.</summary>
    private static string Schedule(TestContainer container) =>
        string.Join("; ", Command.Run(Requires.Tool("chrt"), "--pid", $"{container.InitPid}")
        .ShouldSucceed().Lines.Select(line => line[(line.IndexOf('\'') + 3)..].Trim()));

    private static TestContainer Scheduled(TestBundle bundle, string scheduler)
    {
        bundle.Process["scheduler"] = Plans.Json(scheduler);
        return Observe.Sleeping(bundle);
    }

    /// <summary>
    /// On cgroup v1 with CONFIG_RT_GROUP_SCHED a cgroup has no real time unless it is given some, which its parent must have.
    /// </summary>
    private static TestBundle WithRealTime()
    {
        TestBundle bundle = new();
        bundle.Linux["cgroupsPath"] = $"/{TestRun.Token}-{TestRun.NextNumber()}";
        if (CgroupHost.V1MountPoint("cpu") is { } cpu && File.Exists(Path.Combine(cpu, "cpu.rt_runtime_us")))
            bundle.Resources["cpu"] = new JsonObject { ["realtimeRuntime"] = 1000 };
        return bundle;
    }

    [TestCase("""{"policy":"SCHED_OTHER"}""", "SCHED_OTHER", "0")]
    [TestCase("""{"policy":"SCHED_OTHER","nice":7}""", "SCHED_OTHER", "7")]
    [TestCase("""{"policy":"SCHED_OTHER","nice":-20}""", "SCHED_OTHER", "-20")]
    [TestCase("""{"policy":"SCHED_BATCH","nice":19}""", "SCHED_BATCH", "19")]
    [TestCase("""{"policy":"SCHED_IDLE"}""", "SCHED_IDLE", "0")]
    public void Policies_that_share_the_cpu(string scheduler, string policy, string nice)
    {
        using TestBundle bundle = new();
        using TestContainer container = Scheduled(bundle, scheduler);
        Schedule(container).Should().StartWith($"current scheduling policy: {policy}");
        container.Proc("stat").Split(") ")[1].Split(' ')[16].Should().Be(nice, "field 19 is the nice value (proc_pid_stat(5))");
    }

    [TestCase("SCHED_FIFO", 42, "")]
    [TestCase("SCHED_RR", 99, "|SCHED_RESET_ON_FORK")]
    public void Real_time_policies(string policy, int priority, string flag)
    {
        using TestBundle bundle = WithRealTime();
        using TestContainer container =
            Scheduled(bundle,
            $$"""{"policy":"{{policy}}","priority":{{priority}},"flags":[{{(flag.Length > 0 ? "\"SCHED_FLAG_RESET_ON_FORK\"" : "")}}]}""");
        Schedule(container).Should()
            .StartWith($"current scheduling policy: {policy}{flag};").And.Contain($"scheduling priority: {priority}");
    }

    [Test]
    public void Deadline_policy_although_the_caller_is_pinned()
    {
        using TestBundle bundle = new();
        bundle.Process["scheduler"] =
            Plans.Json("""{"policy":"SCHED_DEADLINE","runtime":1000000,"deadline":20000000,"period":30000000,"flags":["SCHED_FLAG_RESET_ON_FORK"]}""");
        using TestContainer container = new(bundle.Args("sleep", "1000"), Wrapped.Pinned);
        container.Started();
        Schedule(container).Should()
            .Contain("policy: SCHED_DEADLINE|SCHED_RESET_ON_FORK").And.Contain(
            "runtime/deadline/period parameters: 1000000/20000000/30000000");
    }

    [TestCase("SCHED_FLAG_RESET_ON_FORK", 1u)]
    [TestCase("SCHED_FLAG_RECLAIM", 2u)]
    [TestCase("SCHED_FLAG_DL_OVERRUN", 4u)]
    public void Flags_of_the_deadline_policy(string flag, uint number)
    {
        using TestBundle bundle = new();
        using TestContainer container =
            Scheduled(bundle,
            $$"""{"policy":"SCHED_DEADLINE","runtime":15000000,"deadline":20000000,"period":30000000,"flags":["{{flag}}"]}""");
        Libc.SchedulerFlags(container.InitPid).Should().Be(number);
    }

    /// <summary>
    /// Each of them alone would fit: the kernel gives away no more than 95 percent of all CPUs together (sched_rt_runtime_us).
    /// </summary>
    [Test]
    public void Deadline_beyond_what_the_cpus_have_left_is_explained()
    {
        using TestBundle bundle = new();
        bundle.Process["scheduler"] = Plans.Json("""{"policy":"SCHED_DEADLINE","runtime":100000000,"deadline":100000000}""");
        List<TestContainer> sleeping = [];
        try
        {
            for (int i = 1; i < Environment.ProcessorCount; i++) sleeping.Add(Observe.Sleeping(bundle));
            Observe.Refused(bundle).Should()
                .Contain("/process/scheduler: schedule as SCHED_DEADLINE, 100000000 ns of every 100000000 ns within 100000000 ns: device "
                + "or resource busy (EBUSY): the CPUs have not as much left for SCHED_DEADLINE");
        }
        finally
        {
            sleeping.ForEach(static container => container.Dispose());
        }
    }

    [Test]
    public void Real_time_without_a_share_of_the_cgroup_is_refused_and_the_reason_given()
    {
        if (CgroupHost.V1MountPoint("cpu") is not { } cpu || !File.Exists(Path.Combine(cpu, "cpu.rt_runtime_us")))
            Assert.Ignore("missing: real-time group scheduling (cgroup v1, CONFIG_RT_GROUP_SCHED)");
        using TestBundle bundle = new();
        bundle.WithCgroup().Process["scheduler"] = Plans.Json("""{"policy":"SCHED_RR","priority":1}""");
        Observe.Refused(bundle).Should()
            .Contain("operation not permitted (EPERM)").And.Contain(
            "on cgroup v1 a share of real time (/linux/resources/cpu/realtimeRuntime)");
    }

    [Test]
    public void Iso_policy_is_refused_by_the_kernel_and_the_reason_given()
    {
        using TestBundle bundle = new();
        bundle.Process["scheduler"] = Plans.Json("""{"policy":"SCHED_ISO"}""");
        Observe.Refused(bundle).Should()
            .Contain("/process/scheduler: schedule as SCHED_ISO: invalid argument (EINVAL): the number is reserved, but no mainline "
            + "kernel has this policy");
    }

    [Test]
    public void Real_time_in_a_user_namespace_is_refused_and_the_reason_given()
    {
        using TestBundle bundle = new();
        bundle.WithUserNamespace().Process["scheduler"] = Plans.Json("""{"policy":"SCHED_FIFO","priority":1}""");
        Observe.Refused(bundle).Should()
            .Contain("/process/scheduler: schedule as SCHED_FIFO, priority 1: operation not permitted (EPERM): takes CAP_SYS_NICE outside "
            + "any user namespace");
    }

    [Test]
    public void Policy_is_set_before_capabilities_are_given_up_and_by_an_ordinary_user()
    {
        using TestBundle bundle = WithRealTime();
        bundle.User(1000, 1000).Capabilities();
        using TestContainer container = Scheduled(bundle, """{"policy":"SCHED_FIFO","priority":3}""");
        Schedule(container).Should().Contain("SCHED_FIFO").And.Contain("priority: 3");
    }

    [TestCase("""{"policy":"SCHED_DEADLINE","runtime":1000,"deadline":2000}""", "/process/scheduler/runtime: 1000 must be at least 1024")]
    [TestCase("""{"policy":"SCHED_DEADLINE","runtime":5000,"deadline":2000}""",
        "/process/scheduler/deadline: 2000 must be from runtime (5000)")]
    [TestCase("""{"policy":"SCHED_DEADLINE","runtime":5000,"deadline":9000,"period":8000}""",
        "/process/scheduler/period: 8000 must be from deadline (9000)")]
    [TestCase("""{"policy":"SCHED_BATCH","priority":1}""", "/process/scheduler/priority: 1 is only for SCHED_FIFO and SCHED_RR")]
    [TestCase("""{"policy":"SCHED_BATCH","nice":20}""", "/process/scheduler/nice: 20 must be from -20 to 19")]
    [TestCase("""{"policy":"SCHED_RR","priority":100}""", "/process/scheduler/priority: 100 must be from 1 to 99 for SCHED_RR")]
    [TestCase("""{"nice":1}""", "/process/scheduler/policy: is required")]
    public void What_does_not_go_together_is_refused(string scheduler, string message)
    {
        using TestBundle bundle = new();
        bundle.Process["scheduler"] = Plans.Json(scheduler);
        Observe.Refused(bundle).Should().Contain(message);
    }

    [TestCase("IOPRIO_CLASS_RT", 2, "realtime: prio 2")]
    [TestCase("IOPRIO_CLASS_BE", 7, "best-effort: prio 7")]
    [TestCase("IOPRIO_CLASS_IDLE", 0, "idle")]
    public void Io_priority(string kind, int level, string expected)
    {
        using TestBundle bundle = new();
        bundle.User(1000, 1000).Process["ioPriority"] = new JsonObject { ["class"] = kind, ["priority"] = level };
        using TestContainer container = Observe.Sleeping(bundle);
        Command.Run(Requires.Tool("ionice"), "-p", $"{container.InitPid}").ShouldSucceed().Text.Should().Be(expected);
    }

    [Test]
    public void Real_time_io_in_a_user_namespace_is_refused_and_the_reason_given()
    {
        using TestBundle bundle = new();
        bundle.WithUserNamespace().Process["ioPriority"] = new JsonObject { ["class"] = "IOPRIO_CLASS_RT", ["priority"] = 0 };
        Observe.Refused(bundle).Should()
            .Contain("/process/ioPriority: set the I/O priority to IOPRIO_CLASS_RT, level 0: operation not permitted (EPERM): "
            + "IOPRIO_CLASS_RT takes CAP_SYS_NICE");
    }

    [TestCase("LINUX", "00000000")]
    [TestCase("LINUX32", "00000008")]
    public void Personality(string domain, string expected)
    {
        using TestBundle bundle = new();
        bundle.Linux["personality"] = new JsonObject { ["domain"] = domain };
        using TestContainer container = Observe.Sleeping(bundle);
        container.Proc("personality").Trim().Should().Be(expected);
        string machine = Command.Run("uname", "-m").Text;
        Observe.Run(bundle, "uname -m").Should().Equal(domain == "LINUX32" && machine == "x86_64" ? "i686" : machine);
    }

    [Test]
    public void Personality_of_the_caller_is_reset()
    {
        using TestBundle bundle = new();
        bundle.Linux["personality"] = new JsonObject { ["domain"] = "LINUX" };
        using TestContainer container = new(bundle.Script("cat /proc/self/personality"), Wrapped.WithoutAddressRandomization);
        container.Run().ShouldSucceed().Text.Should().Be("00000000");
        bundle.Linux.Remove("personality");
        using TestContainer unset = new(bundle, Wrapped.WithoutAddressRandomization);
        unset.Run().ShouldSucceed().Text.Should().Be("00040000", "what is not configured is left alone");
    }

    [TestCase("""{"mode":"MPOL_DEFAULT"}""", "0", "default")]
    [TestCase("""{"mode":"MPOL_PREFERRED"}""", "0x4", "local")]
    [TestCase("""{"mode":"MPOL_PREFERRED","nodes":"0"}""", "0x1 0", "prefer:0")]
    [TestCase("""{"mode":"MPOL_BIND","nodes":" 0 ,"}""", "0x2 0", "bind:0")]
    [TestCase("""{"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_NUMA_BALANCING"]}""", "0x2002 0", "bind=balancing:0")]
    [TestCase("""{"mode":"MPOL_INTERLEAVE","nodes":"0","flags":["MPOL_F_STATIC_NODES"]}""", "0x8003 0", "interleave=static:0")]
    [TestCase("""{"mode":"MPOL_LOCAL"}""", "0x4", "local")]
    [TestCase("""{"mode":"MPOL_PREFERRED_MANY","nodes":"0","flags":["MPOL_F_RELATIVE_NODES"]}""", "0x4005 0", "prefer (many)=relative:0")]
    [TestCase("""{"mode":"MPOL_WEIGHTED_INTERLEAVE","nodes":"0"}""", "0x6 0", "weighted interleave:0")]
    public void Memory_policy(string policy, string asked, string shown)
    {
        Requires.PathExists("/proc/self/numa_maps", "CONFIG_NUMA");
        if (policy.Contains("WEIGHTED")) Requires.Kernel(6, 9, "MPOL_WEIGHTED_INTERLEAVE");
        using TestBundle bundle = new();
        bundle.Linux["memoryPolicy"] = Plans.Json(policy);
        using TestContainer container = new(bundle.RunProbe("mempolicy"));
        container.Run().ShouldSucceed().Text.Should().Be(asked);
        bundle.Args("sleep", "1000");
        using TestContainer sleeping = Observe.Sleeping(bundle);
        sleeping.Proc("numa_maps").Split('\n')[0].Should().Contain($" {shown} ");
    }

    [Test]
    public void Memory_policy_is_set_before_a_filter_that_denies_it([Values] bool noNewPrivileges)
    {
        Requires.PathExists("/proc/self/numa_maps", "CONFIG_NUMA");
        using TestBundle bundle = new();
        bundle.Process["noNewPrivileges"] = noNewPrivileges;
        bundle.Process["scheduler"] = Plans.Json("""{"policy":"SCHED_BATCH"}""");
        bundle.Process["ioPriority"] = Plans.Json("""{"class":"IOPRIO_CLASS_BE","priority":1}""");
        bundle.Linux["personality"] = Plans.Json("""{"domain":"LINUX32"}""");
        bundle.Linux["memoryPolicy"] = Plans.Json("""{"mode":"MPOL_BIND","nodes":"0"}""");
        bundle.Linux["seccomp"] = Plans.Json("""
            {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["set_mempolicy","sched_setattr","ioprio_set","personality","sched_setaffinity"],"action":"SCMP_ACT_KILL_PROCESS"}]}
            """);
        Observe.Run(bundle, "head -1 /proc/self/numa_maps | cut -d' ' -f2; cat /proc/self/personality").Should()
            .Equal("bind:0", "00000008");
    }

    [TestCase("""{"mode":"MPOL_BIND"}""", "/linux/memoryPolicy/nodes: must not be empty for MPOL_BIND")]
    [TestCase("""{"mode":"MPOL_LOCAL","nodes":"0"}""", "/linux/memoryPolicy/nodes: \"0\" must be empty for MPOL_LOCAL")]
    [TestCase("""{"mode":"MPOL_BIND","nodes":"1024"}""",
        "/linux/memoryPolicy/nodes: \"1024\" must be a list like 0-3,7 of nodes below 1024")]
    [TestCase("""{"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_STATIC_NODES","MPOL_F_RELATIVE_NODES"]}""",
        "/linux/memoryPolicy/flags: has MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES")]
    [TestCase("""{"mode":"MPOL_PREFERRED","flags":["MPOL_F_STATIC_NODES"]}""",
        "/linux/memoryPolicy/flags: says how to read nodes, and there are none")]
    [TestCase("""{"mode":"MPOL_INTERLEAVE","nodes":"0","flags":["MPOL_F_NUMA_BALANCING"]}""",
        "/linux/memoryPolicy/flags: has MPOL_F_NUMA_BALANCING, which is only for")]
    [TestCase("""{"mode":"MPOL_BIND","nodes":"1000"}""",
        "/linux/memoryPolicy: set the memory policy to MPOL_BIND, nodes 1000: invalid argument (EINVAL): the cgroup allows none of these "
        + "nodes")]
    public void Impossible_memory_policy_is_refused(string policy, string message)
    {
        using TestBundle bundle = new();
        bundle.Linux["memoryPolicy"] = Plans.Json(policy);
        Observe.Refused(bundle).Should().Contain(message);
    }

    /// <summary>A shim that is pinned would otherwise pin whatever it starts.</summary>
    [Test]
    public void Cpus_of_the_caller_are_not_the_containers([Values] bool user)
    {
        string all = new ProcessView(Environment.ProcessId).Status("Cpus_allowed_list");
        if (all == "0") Assert.Ignore("missing: a second CPU");
        using TestBundle bundle = new();
        bundle.WithCgroup();
        if (user) bundle.WithUserNamespace();
        using TestContainer container = new(bundle.Script("grep Cpus_allowed_list /proc/self/status"), Wrapped.Pinned);
        container.Run().ShouldSucceed().Text.Should().EndWith($"\t{all}");
    }

    [Test]
    public void Cpus_of_the_cgroup_are_kept_although_the_caller_is_pinned_to_others()
    {
        Requires.Controller("cpuset");
        if (new ProcessView(Environment.ProcessId).Status("Cpus_allowed_list") != "0-1") Assert.Ignore("missing: exactly two CPUs");
        using TestBundle bundle = new();
        bundle.WithCgroup().Resources["cpu"] = new JsonObject { ["cpus"] = "1" };
        using TestContainer container = new(bundle.Script("grep Cpus_allowed_list /proc/self/status"), Wrapped.Pinned);
        container.Run().ShouldSucceed().Text.Should().EndWith("\t1");
    }

    /// <summary>It is for processes that exec adds; config.json may have it for them.</summary>
    [Test]
    public void Affinity_for_exec_leaves_the_first_process_alone()
    {
        using TestBundle bundle = new();
        bundle.Process["execCPUAffinity"] = new JsonObject { ["initial"] = " 0 , ", ["final"] = "" };
        Observe.Run(bundle, "grep Cpus_allowed_list /proc/self/status").Single().Should()
            .EndWith($"\t{new ProcessView(Environment.ProcessId).Status("Cpus_allowed_list")}");
        bundle.Process["execCPUAffinity"]!["final"] = "0-65536";
        Observe.Refused(bundle).Should()
            .Contain("/process/execCPUAffinity/final: \"0-65536\" must be a list like 0-3,7 of CPUs below 65536");
    }
}
