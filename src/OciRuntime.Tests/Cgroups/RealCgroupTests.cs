using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Spec;
using Process = System.Diagnostics.Process;

namespace OciRuntime.Tests.Cgroups;

/// <summary>Creation and limits on the kernel of this machine.</summary>
public sealed class RealCgroupTests : CgroupFixture
{
    /// <summary>Whatever an update would have changed; what the kernel says that it weighs, 3 here, is not its weight.</summary>
    [Test]
    public void What_is_idle_is_given_back_to_systemd_as_idle()
    {
        NeedV1();
        CgroupPlan plan = PlanOn("cpu", new() { Cpu = new() { Idle = 1 } });
        Cgroup.Create(plan).Dispose();
        CgroupHost host = new(CgroupMode.V1, [plan.Directories[0].Hierarchy]);
        foreach (CpuResources change in (CpuResources[])[new() { Idle = 0 }, new() { Idle = 0, Shares = 512 }, new() { Shares = 512 }])
        {
            CgroupUndo undo = CgroupUndo.Take(CgroupPlan.BuildUpdate(host, plan.Paths, new() { Cpu = change }, ""));
            UnitLimits.Of(undo.Steps).ConvertAll(static property => property.Describe()).Should().Equal("CPUWeight = 0");
        }
        UnitLimits.Of(CgroupUndo.Take(plan.Paths[0], [ControlFile.CpuShares]).Steps).Should().ContainSingle();
        System.IO.File.WriteAllText($"{plan.Paths[0]}/cpu.idle", "0");
        UnitLimits.Of(CgroupUndo.Take(plan.Paths[0], [ControlFile.CpuShares]).Steps).ConvertAll(static property => property.Describe())
            .Should().Equal("CPUShares = 1024");
    }

    [Test]
    public void Limits_arrive_in_the_kernel()
    {
        NeedV1();
        CgroupPlan plan = Plan(new()
        {
            Memory = new() { Limit = 64 << 20, Swap = 128 << 20, Reservation = 32 << 20 },
            Cpu = new() { Shares = 512, Quota = 20000, Period = 50000, Cpus = "0" },
            Pids = new() { Limit = 123 },
            Devices = [new() { Allow = false, Access = "rwm" }, new() { Allow = true, Type = "c", Major = 10, Minor = 229, Access = "rw" }],
        });
        using OpenCgroups entry = Cgroup.Create(plan);
        File("memory", "memory.limit_in_bytes").Should().Be("67108864");
        File("memory", "memory.memsw.limit_in_bytes").Should().Be("134217728");
        File("memory", "memory.soft_limit_in_bytes").Should().Be("33554432");
        File("cpu", "cpu.shares").Should().Be("512");
        File("cpu", "cpu.cfs_quota_us").Should().Be("20000");
        File("cpu", "cpu.cfs_period_us").Should().Be("50000");
        File("cpuset", "cpuset.cpus").Should().Be("0");
        File("cpuset", "cpuset.mems").Should().NotBeEmpty();
        File("pids", "pids.max").Should().Be("123");
        File("devices", "devices.list").Split('\n').Should().BeEquivalentTo("c 10:229 rw", "c *:* m", "b *:* m", "c 1:3 rwm", "c 1:8 rwm",
            "c 1:7 rwm", "c 5:0 rwm", "c 1:5 rwm", "c 1:9 rwm", "c 136:* rwm", "c 5:2 rwm", "c 10:200 rwm");
        entry.TasksFds.Should().HaveCount(Host.Hierarchies.Count(h => !h.Unified));
        (entry.UnifiedFd >= 0).Should().Be(Host.Unified is not null);
        entry.Created.Should().BeEquivalentTo(plan.Paths);
    }

    [Test]
    public void Update_raises_and_lowers_memory_with_swap_and_quota_with_period()
    {
        NeedV1();
        CgroupPlan plan =
            Plan(new() { Memory = new() { Limit = 64 << 20, Swap = 64 << 20 }, Cpu = new() { Quota = 50000, Period = 100000 } });
        Cgroup.Create(plan).Dispose();
        Cgroup.Apply(CgroupPlan.BuildUpdate(Host, plan.Paths, new() { Memory = new() { Limit = 256 << 20, Swap = 512 << 20 } }, ""));
        File("memory", "memory.memsw.limit_in_bytes").Should().Be("536870912");
        Cgroup.Apply(CgroupPlan.BuildUpdate(Host, plan.Paths,
            new() { Memory = new() { Limit = 32 << 20, Swap = 32 << 20 }, Cpu = new() { Quota = 1000, Period = 1000, Burst = 500 } }, ""));
        File("memory", "memory.limit_in_bytes").Should().Be("33554432");
        File("memory", "memory.memsw.limit_in_bytes").Should().Be("33554432");
        File("cpu", "cpu.cfs_period_us").Should().Be("1000");
        File("cpu", "cpu.cfs_burst_us").Should().Be("500");
        Cgroup.Apply(CgroupPlan.BuildUpdate(Host, plan.Paths, new() { Memory = new() { Limit = -1 } }, ""));
        long.Parse(File("memory", "memory.memsw.limit_in_bytes")).Should().BeGreaterThan(1L << 60);
    }

    /// <summary>To systemd quota and period are one limit, and so are weight and idle: told of one alone it changes the other.</summary>
    [Test]
    public void An_update_is_completed_from_the_kernel()
    {
        NeedV1();
        CgroupPlan plan = Plan(new() { Cpu = new() { Shares = 512, Quota = 40000, Period = 80000 } });
        Cgroup.Create(plan).Dispose();
        CpuResources Completed(CpuResources cpu)
        {
            CurrentLimits.Complete(Host, plan.Paths, new() { Cpu = cpu });
            return cpu;
        }
        Completed(new() { Quota = 20000 }).Period.Should().Be(80000);
        Completed(new() { Period = 50000 }).Quota.Should().Be(40000);
        Completed(new() { Idle = 0 }).Idle.Should().BeNull("it is not idle");
        System.IO.File.WriteAllText($"{Host.Find("cpu")!.MountPoint}/{Name}/cpu.idle", "1");
        Completed(new() { Idle = 0 }).Idle.Should().Be(0);
    }

    [Test]
    public void Empty_parents_of_a_cpuset_are_filled()
    {
        NeedV1();
        using OpenCgroups entry = Cgroup.Create(Plan(below: "/a/b"));
        string root = Host.Find("cpuset")!.MountPoint;
        foreach (string level in new[] { "", "/a", "/a/b" })
            System.IO.File.ReadAllText($"{root}/{Name}{level}/cpuset.cpus").Should().Be(System.IO.File.ReadAllText(root + "/cpuset.cpus"));
        Process sleeper = Sleeper(entry);
        System.IO.File.ReadAllText($"/proc/{sleeper.Id}/cgroup").Should().Contain($"cpuset:/{Name}/a/b").And.Contain($"memory:/{Name}/a/b");
    }

    [Test]
    public void A_process_enters_by_the_tasks_descriptors_and_leaves()
    {
        NeedV1();
        CgroupPlan plan = Plan();
        using OpenCgroups entry = Cgroup.Create(plan);
        Process sleeper = Start("sleep", "1000");
        foreach (int fd in entry.TasksFds) CgroupFiles.WriteTo(fd, sleeper.Id.ToString()).Should().Be(0);
        CgroupControl control = new(plan.Paths);
        control.Pids().Should().Equal(sleeper.Id);
        foreach (CgroupHierarchy h in Host.Hierarchies) System.IO.File.WriteAllText(h.MountPoint + "/cgroup.procs", sleeper.Id.ToString());
        control.Pids().Should().BeEmpty();
    }

    [Test]
    public void Descriptors_are_close_on_exec()
    {
        using OpenCgroups entry = Cgroup.Create(Plan());
        foreach (int fd in entry.TasksFds.Append(entry.UnifiedFd).Where(f => f >= 0))
            (Files.Fcntl(fd, Files.F_GETFD) & Files.FD_CLOEXEC).Should().Be(Files.FD_CLOEXEC);
    }

    [Test]
    public void Failure_removes_what_was_made_and_names_the_step()
    {
        NeedV1();
        CgroupPlan plan = Plan(new() { Cpu = new() { Cpus = "4000" } }, "/deep/er");
        FluentActions.Invoking(() => Cgroup.Create(plan)).Should().Throw<OciException>()
            .WithMessage($"/linux/resources/cpu/cpus: write */{Name}/deep/er/cpuset.cpus = 4000: *part of what the parent*");
        foreach (CgroupHierarchy h in Host.Hierarchies) Directory.Exists(h.MountPoint + "/" + Name).Should().BeFalse();
    }

    [Test]
    public void A_failed_creation_leaves_no_descriptor()
    {
        NeedV1();
        CgroupPlan plan = Plan(new() { Cpu = new() { Quota = 5 } });
        int before = Directory.GetFiles("/proc/self/fd").Length;
        for (int i = 0; i < 5; i++)
        {
            FluentActions.Invoking(() => Cgroup.Create(plan)).Should().Throw<OciException>()
                .WithMessage("*cpu.cfs_quota_us*period is 1000*");
        }
        Directory.GetFiles("/proc/self/fd").Length.Should().BeInRange(before - 3, before + 3);
    }

    [Test]
    public void A_cgroup_in_use_is_refused()
    {
        CgroupPlan plan = Plan();
        using OpenCgroups entry = Cgroup.Create(plan);
        Sleeper(entry);
        FluentActions.Invoking(() => Cgroup.Create(plan)).Should().Throw<OciException>()
            .WithMessage("container's cgroup is not empty: 1 process(es) found*");
        Directory.Exists(plan.Paths[0]).Should().BeTrue("it was not ours to remove");
    }

    [TestCase("")]
    [TestCase("/below")]
    public void A_frozen_cgroup_is_refused(string below)
    {
        CgroupPlan plan = Plan();
        using OpenCgroups entry = Cgroup.Create(plan);
        CgroupControl control = new(plan.Paths);
        control.Freeze();
        FluentActions.Invoking(() => Cgroup.Create(Plan(below: below))).Should().Throw<OciException>()
            .WithMessage("container's cgroup unexpectedly frozen*");
        control.Thaw();
        Cgroup.Create(Plan(below: below)).Dispose();
    }

    [Test]
    public void An_empty_leftover_is_taken_over()
    {
        Cgroup.Create(Plan()).Dispose();
        using OpenCgroups entry = Cgroup.Create(Plan());
        entry.Created.Should().BeEmpty();
    }

    [Test]
    public void Exec_opens_what_exists_and_nothing_above_it()
    {
        CgroupPlan plan = Plan();
        Cgroup.Create(plan).Dispose();
        CgroupPlan inner = Plan(below: "/inner");
        Cgroup.Create(inner).Dispose();
        using (OpenCgroups entry = OpenCgroups.Open(inner.Paths))
        {
            Process sleeper = Sleeper(entry);
            new CgroupControl(inner.Paths).Pids().Should().Equal(sleeper.Id);
        }
        FluentActions.Invoking(() => OpenCgroups.Open([plan.Paths[0] + "/missing"])).Should().Throw<OciException>();
    }

    [Test]
    public void Paths_that_are_no_cgroups_are_not_touched()
    {
        string directory = Directory.CreateTempSubdirectory("ocirun-test").FullName;
        try
        {
            Directory.CreateDirectory(directory + "/child");
            Directory.CreateSymbolicLink(directory + "/link", Host.Hierarchies[0].MountPoint);
            FluentActions.Invoking(() => new CgroupControl([directory + "/child"]).Remove(TimeSpan.Zero)).Should().Throw<OciException>();
            FluentActions.Invoking(() => OpenCgroups.Open([directory + "/child"])).Should().Throw<OciException>();
            FluentActions.Invoking(() => OpenCgroups.Open([directory + "/link"])).Should().Throw<OciException>();
            FluentActions.Invoking(() => new CgroupControl([Host.Hierarchies[0].MountPoint]).Remove(TimeSpan.Zero)).Should()
                .Throw<OciException>();
            Directory.Exists(directory + "/child").Should().BeTrue();
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private void NeedV1()
    {
        if (Host.Mode is not (CgroupMode.V1 or CgroupMode.Hybrid) || Host.Find("memory") is null || Host.Find("cpuset") is null)
            Assert.Ignore("missing: cgroup v1 with memory and cpuset");
    }
}
