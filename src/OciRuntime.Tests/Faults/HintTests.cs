using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.Tests.Plan;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>
/// Hints behind error messages are true: where what they take for granted is not so, there are none. Those that follow from step and errno
/// alone have tests beside the feature.
/// </summary>
public sealed class HintTests
{
    private static string Explain(LaunchPlan plan, PlanStep step, int errno, InitDetail detail = InitDetail.None)
    {
        plan.Steps.Add(step);
        using InitMessage message =
            new()
            {
                Kind = SyncKind.Error,
                Step = step,
                Op = step.Op,
                Errno = errno,
                Detail = detail,
                Value = 0,
                Text = "",
                Descriptor = new Fd(-1)
            };
        return FailureText.Explain(plan, message).Message;
    }

    private static MountFilesystemStep Mount(string type, string source = "none") =>
        new(Origin.Runtime) { Type = type, Target = new("x"), Options = [new("source", source)] };

    private static LaunchPlan InUserNamespace() => Plans.Default(c =>
    {
        c["linux"]!["namespaces"]!.AsArray().Add(Plans.Json("""{"type":"user"}"""));
        c["linux"]!["uidMappings"] = JsonNode.Parse("""[{"containerID":0,"hostID":100000,"size":100}]""");
        c["linux"]!["gidMappings"] = c["linux"]!["uidMappings"]!.DeepClone();
        c["mounts"]!.AsArray().RemoveAt(2);
    });

    private static readonly (string Name, PlanStep Step, int Errno, InitDetail Detail)[] OfUserNamespaces =
    [
        ("block file system", Mount("ext4", "/dev/x"), Errno.EPERM, InitDetail.Superblock),
        ("proc", Mount("proc"), Errno.EPERM, InitDetail.MountObject),
        ("sysfs", Mount("sysfs"), Errno.EPERM, InitDetail.Superblock),
        ("device copied up", Mount("tmpfs"), Errno.EPERM, InitDetail.CopyUpDevice),
        ("bind without what is below", new MountBindStep(Origin.Runtime) { Source = "/", Target = new("x") }, Errno.EINVAL,
            InitDetail.Source),
        ("locked", new SetMountAttributesStep(Origin.Runtime, "x") { Recursive = true, Set = Mounts.MOUNT_ATTR_RDONLY }, Errno.EPERM,
            InitDetail.Attributes),
        ("unmapped", new SetUserStep(new User(), GroupPolicy.Set), Errno.EINVAL, InitDetail.Uid),
        ("setgroups", new SetUserStep(new User(), GroupPolicy.Set), Errno.EPERM, InitDetail.Groups),
    ];

    [Test]
    public void No_user_namespace_is_blamed_where_there_is_none()
    {
        foreach ((string name, PlanStep step, int errno, InitDetail detail) in OfUserNamespaces)
        {
            Explain(Plans.Default(), step, errno, detail).Should().NotContain("user namespace", name);
            Explain(InUserNamespace(), step, errno, detail).Should().Contain("user namespace", name);
        }
    }

    /// <summary>Their file systems are made for user namespaces: what refuses them is something else.</summary>
    [TestCase("tmpfs")]
    [TestCase("overlay")]
    [TestCase("cgroup2")]
    public void A_type_that_user_namespaces_may_mount_is_not_called_one_that_they_may_not(string type) =>
        Explain(InUserNamespace(), Mount(type), Errno.EPERM, InitDetail.Superblock).Should().EndWith("(EPERM)");

    /// <summary>EINVAL of an unbindable mount.</summary>
    [Test]
    public void What_is_mounted_below_is_blamed_only_where_something_is() =>
        Explain(InUserNamespace(), new MountBindStep(Origin.Runtime) { Source = "/bin/sh", Target = new("x") }, Errno.EINVAL,
        InitDetail.Source).Should().EndWith("(EINVAL)");

    [Test]
    public void Seccomp_is_blamed_only_for_what_comes_behind_the_filter() =>
        Explain(Plans.Default(), new NewSessionStep(), Errno.EPERM).Should().EndWith("(EPERM)");

    [TestCase(0)]
    [TestCase((int)SeccompFilter.FLAG_LOG)]
    public void Seccomp_flags_that_the_kernel_knows_are_not_called_unknown(int flags) =>
        Explain(Plans.Default(), Filter((uint)flags), Errno.EINVAL).Should().EndWith("(EINVAL)");

    [Test]
    public void Unknown_seccomp_flags_are() =>
        Explain(Plans.Default(), Filter(1 << 20), Errno.EINVAL).Should().EndWith("the kernel does not know one of /linux/seccomp/flags");

    [TestCase(1, true)]
    [TestCase(2, false)]
    [TestCase(3, false)]
    public void Real_time_io_is_blamed_for_itself_only(int kind, bool blamed) =>
        Explain(Plans.Default(), new IoPriorityStep(kind, 0), Errno.EPERM).Contains("IOPRIO_CLASS_RT takes").Should().Be(blamed);

    [Test]
    public void A_higher_oom_score_is_not_called_lower()
    {
        int own = int.Parse(File.ReadAllText("/proc/self/oom_score_adj"));
        Explain(Plans.Default(), new OomScoreAdjustStep(own), Errno.EACCES).Should().EndWith("(EACCES)");
        Explain(Plans.Default(), new OomScoreAdjustStep(own - 1), Errno.EACCES).Should().Contain("lowering it");
    }

    [Test]
    public void The_initial_ram_file_system_is_named_only_where_it_is_the_root() =>
        Explain(Plans.Default(), new PivotRootStep(), Errno.EINVAL).Contains("--no-pivot").Should()
        .Be(File.ReadAllText("/proc/self/mountinfo").Contains("rootfs rootfs"));

    [Test]
    public void A_chroot_is_guessed_only_where_the_root_is_no_mount_point() =>
        Explain(Plans.Default(), new HostPropagationStep(Origin.Runtime, 0, "/"), Errno.EINVAL, InitDetail.Parent).Should()
        .NotContain("chroot");

    [Test]
    public void A_new_pid_namespace_without_memory_is_no_stopped_container()
    {
        Explain(Plans.Default(), new ForkIntoPidNamespaceStep(Origin.Runtime) { IsNew = true }, Errno.ENOMEM).Should().EndWith("(ENOMEM)");
        Explain(Plans.Default(), new ForkIntoPidNamespaceStep(Origin.Runtime), Errno.ENOMEM).Should().Contain("stopped container");
    }

    [TestCase(50_000UL, true)]
    [TestCase(100_000_000UL, false)]
    public void A_deadline_period_is_compared_with_the_bounds(ulong period, bool outside) =>
        Explain(Plans.Default(),
        new SchedulerStep(Origin.Runtime,
        new() { Policy = Scheduling.SCHED_DEADLINE, Runtime = 40_000, Deadline = 50_000, Period = period }), Errno.EINVAL)
        .Contains("the period must be from").Should().Be(outside);

    /// <summary>The kernel's limit comes before the caller's, whatever privileges he has.</summary>
    [Test]
    public void A_limit_above_the_kernels_own_is_told_as_such()
    {
        ulong most = ulong.Parse(File.ReadAllText("/proc/sys/fs/nr_open"));
        using TestBundle bundle = new();
        bundle.Process["rlimits"] = JsonNode.Parse($$"""[{"type":"RLIMIT_NOFILE","soft":1,"hard":{{most + 1}}}]""");
        using TestContainer container = new(bundle);
        container.Run()
            .ShouldFail(1,
            $"/process/rlimits/0: set RLIMIT_NOFILE soft 1 hard {most + 1}: operation not permitted (EPERM): the kernel allows at most "
            + $"{most} (/proc/sys/fs/nr_open)");
    }

    /// <summary>An id of the host that the runtime has not is named; one that it has is not blamed.</summary>
    [Test]
    public void An_id_map_that_is_refused_names_the_id()
    {
        using TestBundle bundle = new();
        bundle.WithUserNamespace(hostId: 70000, size: 10);
        using TestContainer container = new(bundle, Config.Wrapped.UserNamespace);
        container.Run()
            .ShouldFail(1,
            "/linux/uidMappings: write \\\"0 70000 10\\\" to uid_map: operation not permitted (EPERM): id 70000 is not mapped in the "
            + "runtime's own user namespace (/proc/self/uid_map)");
    }

    [Test]
    public void The_hosts_root_directory_is_no_root_for_a_container()
    {
        using TestBundle bundle = new();
        foreach (string path in (string[])["/", "/proc/self/root/", "/.."])
        {
            bundle.Config["root"]!["path"] = path;
            using TestContainer container = new(bundle);
            container.Run()
                .ShouldFail(1,
                "/root/path: / is the root directory of the host, which a container with a mount namespace cannot have as its own");
        }
    }

    private static SeccompStep Filter(uint flags) =>
        new(new() { Instructions = [], DefaultAction = SeccompFilter.RET_ALLOW, Flags = flags, UnknownNames = [] }, isLastStep: false);
}
