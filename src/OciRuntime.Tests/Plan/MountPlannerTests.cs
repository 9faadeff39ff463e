using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Tests.Plan;

public sealed class MountPlannerTests
{
    [TestCase("""{"destination":"/x","source":"data","options":["bind"]}""", "bind /b/data on /x")]
    [TestCase("""{"destination":"/x","type":"bind","source":"/d","options":["rbind","ro","rnosuid","rslave"]}""",
        "bind /d with all below it on /x (ro,rnosuid,rslave)")]
    [TestCase("""{"destination":"/x","source":"/d","options":["bind","rw","suid","relatime"]}""", "bind /d on /x (rw,suid,relatime)")]
    [TestCase("""{"destination":"/x","type":"ext4","source":"/dev/sda1","options":["ro","noload","sync"]}""",
        "mount ext4 from /dev/sda1 on /x (ro,sync,noload)")]
    [TestCase("""{"destination":"/x","type":"tmpfs","source":"tmpfs","options":["noatime","size=1m","private"]}""",
        "mount tmpfs on /x (noatime,size=1m,private)")]
    [TestCase("""{"destination":"/sys","options":["remount","rw","noatime"]}""", "remount /sys (rw,noatime)")]
    [TestCase("""{"destination":"/sys","options":["remount","rro"]}""", "remount /sys (rro)")]
    [TestCase("""{"destination":"/sys","options":["remount","size=1m","sync"]}""", "reconfigure the file system of /sys (sync,size=1m)")]
    [TestCase("""{"destination":"/sys","options":["remount","rslave"]}""", "remount /sys (rslave)")]
    [TestCase("""{"destination":"/proc/cpuinfo","source":"/d","options":["bind"]}""", "bind /d on /proc/cpuinfo")]
    [TestCase("""{"destination":"/x","type":"tmpfs","source":"tmpfs","options":["size=1m","tmpcopyup","private"]}""",
        "mount tmpfs on /x (size=1m,tmpcopyup,private)")]
    [TestCase("""{"destination":"/x","source":"/d","options":["bind","src-nofollow","dest-nofollow","ro"]}""",
        "bind /d on /x (src-nofollow,dest-nofollow,ro)")]
    [TestCase("""{"destination":"/x","source":"/proc/self/fd","options":["bind","copy-symlink"]}""", "bind /proc/self/fd on /x")]
    [TestCase("""{"destination":"/x","source":"/d","options":["bind","nocopy"]}""", "bind /d on /x")]
    [TestCase("""{"destination":"/x","source":"/d","options":["bind","copy","ro"]}""", "bind /d on /x (ro)")]
    public void Mount_in_words(string mount, string expected) => With(mount).Words().Should().Contain(expected);

    [TestCase("""{"destination":"/x","options":["bind"]}""", "a bind mount needs a source")]
    [TestCase("""{"destination":"/x","source":"/d","options":["bind","size=1"]}""", "filesystem-specific options applied: size")]
    [TestCase("""{"destination":"/x","source":"/d","options":["bind","nocopy","copy=1"]}""", "filesystem-specific options applied: copy")]
    [TestCase("""{"destination":"/x","source":"s"}""", "needs a type")]
    [TestCase("""{"destination":"/x","type":"","source":"s"}""", "needs a type")]
    [TestCase("""{"destination":"/.","type":"tmpfs"}""", "the root itself")]
    [TestCase("""{"destination":"/proc/self/x","source":"/d","options":["bind","copy-symlink"]}""", "is inside /proc")]
    [TestCase("""{"destination":"/proc","type":"tmpfs"}""", "only proc, or a bind of it")]
    [TestCase("""{"destination":"/proc/self/attr","type":"tmpfs"}""", "is inside /proc")]
    [TestCase("""{"destination":"/a/../proc/sys","source":"/d","options":["bind"]}""", "is inside /proc")]
    public void Refused(string mount, string because)
    {
        // Some of these the validator refuses, too, so the planner is asked directly.
        OciRuntime.Spec.RuntimeSpec spec = Plans.Parse(Support.DefaultConfig.Create());
        OciRuntime.Spec.SpecProblems problems = new();
        spec.Mounts = OciRuntime.Spec.SpecReader.Parse(System.Text.Encoding.UTF8.GetBytes($$"""{"mounts":[{{mount}}]}"""), problems).Mounts;
        Action plan = () =>
            Planner.Build(new PlanRequest { Spec = spec, Host = Plans.Root, Id = "c", Bundle = "/b", Rootfs = "/b/rootfs" });
        plan.Should().Throw<OciException>().WithMessage($"/mounts/0 *{because}*");
    }

    [Test]
    public void Remount_has_no_steps_without_effect() =>
        With("""{"destination":"/sys","options":["remount","rro","size=1m"]}""").Steps.Where(step => step.Origin.ToString() == "/mounts/7")
        .Select(step => step.Describe())
            .Should().Equal("reconfigure the file system of /sys (size=1m)", "remount /sys (rro)");

    [Test]
    public void Flag_of_the_file_system_on_a_bind_is_warned_about() =>
        With("""{"destination":"/x","source":"/d","options":["bind","sync"]}""").Warnings.Should().ContainSingle().Which.Should()
        .StartWith("/mounts/7 /x: option \"sync\"");

    [Test]
    public void Path_that_cannot_be_covered_is_warned_about() =>
        Plans.Default(c => c["linux"]!["readonlyPaths"]!.AsArray().Add("/")).Warnings.Should().ContainSingle().Which.Should()
        .StartWith("/linux/readonlyPaths/5: the root itself");

    [Test]
    public void Read_only_tmpfs_and_dev_become_so_when_all_is_made_inside()
    {
        LaunchPlan plan = With("""{"destination":"/ro","type":"tmpfs","options":["ro"]}""");
        plan.Words().Should().ContainInOrder("mount tmpfs on /ro", "hide /proc/kcore if it exists", "remount /ro (ro)");
        plan.Steps.FindIndex(step => step is SetMountAttributesStep { Path: "ro" }).Should()
            .BeGreaterThan(plan.Steps.FindLastIndex(step => step is MaskPathStep));
    }

    [Test]
    public void Cgroup_v1_is_a_tmpfs_with_each_hierarchy_and_links_for_joint_controllers()
    {
        List<string> words = Plans.Default(cgroups: Plans.Hybrid).Words();
        words.Should().ContainInOrder(
            "mount tmpfs on /sys/fs/cgroup (nosuid,nodev,noexec,relatime,mode=755)".Replace(",relatime", ""),
            "bind /sys/fs/cgroup/cpu,cpuacct/c on /sys/fs/cgroup/cpu,cpuacct (ro,nosuid,nodev,noexec)",
            "make the symbolic link /sys/fs/cgroup/cpu -> cpu,cpuacct",
            "make the symbolic link /sys/fs/cgroup/cpuacct -> cpu,cpuacct",
            "bind /sys/fs/cgroup/systemd/c on /sys/fs/cgroup/systemd (ro,nosuid,nodev,noexec)",
            "remount /sys/fs/cgroup (ro)");
    }

    [Test]
    public void Cgroup_v2_is_mounted_in_a_namespace_of_its_own_only_and_else_bound()
    {
        Plans.Default(cgroups: Plans.Unified).Words().Should()
            .Contain("bind /sys/fs/cgroup with all below it on /sys/fs/cgroup (rro,rnosuid,rnodev,rnoexec)");
        Plans.Default(c => c["linux"]!["namespaces"]!.AsArray().Add(Plans.Json("""{"type":"cgroup"}""")), cgroups: Plans.Unified).Words()
            .Should().Contain("mount cgroup2 on /sys/fs/cgroup (ro,nosuid,nodev,noexec), else bind /sys/fs/cgroup/c");
    }

    /// <summary>Without a linux section there is no namespace, and no map that an option could be relative to.</summary>
    [TestCase("ridmap=uids=0-1000-1", "needs both uids= and gids=")]
    [TestCase("idmap=uids=@0-0-1;gids=@0-0-1", "idmap=uids=@0-0-1;gids=@0-0-1")]
    [TestCase("idmap", "idmap")]
    public void Maps_without_any_namespace(string option, string because)
    {
        Action plan = () => Plans.Of(Plans.Json($$$"""
            {"ociVersion":"1.3.0","process":{"cwd":"/","args":["true"],"user":{"uid":0,"gid":0}},"root":{"path":"rootfs"},
            "mounts":[{"destination":"/x","type":"bind","source":"/d","options":["bind","{{{option}}}"]}]}
            """));
        plan.Should().Throw<OciException>().WithMessage($"/mounts/0 /x: *{because}*");
    }

    private static LaunchPlan With(string mount) => Plans.Default(c => c["mounts"]!.AsArray().Add(Plans.Json(mount)));
}
