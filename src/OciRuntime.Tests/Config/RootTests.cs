using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>Section `root`, `linux.rootfsPropagation`, and the ways to make the rootfs the container's "/".</summary>
public sealed class RootTests
{
    private static void SetPath(TestBundle bundle, string path) => bundle.Config["root"]!["path"] = path;

    [Test]
    public void Readonly_root_refuses_writes_and_a_writable_one_takes_them([Values] bool readOnly)
    {
        using TestBundle bundle = new();
        bundle.Config["root"]!["readonly"] = readOnly;
        string[] lines = Observe.Run(bundle,
            "touch /written 2>/dev/null && echo yes || echo no; grep ' / / ' /proc/self/mountinfo || grep ' / ' /proc/self/mountinfo");
        lines[0].Should().Be(readOnly ? "no" : "yes");
        MountInfo.Parse(lines[1]).Options.Should().Contain(readOnly ? "ro" : "rw");
        File.Exists(bundle.InRootfs("written")).Should().Be(!readOnly);
    }

    [Test]
    public void Path_may_be_absolute_relative_or_a_link_and_is_shown_resolved()
    {
        using TestBundle bundle = new();
        string link = Path.Combine(bundle.Directory, "link");
        File.CreateSymbolicLink(link, "rootfs");
        foreach (string path in (string[])[bundle.Rootfs, "rootfs", "./rootfs/../rootfs/", "link"])
        {
            SetPath(bundle, path);
            using TestContainer container = Observe.Sleeping(bundle);
            File.Exists(container.Init.InRoot("/bin/busybox")).Should().BeTrue(path);
            container.StateJson["rootfs"]!.GetValue<string>().Should().Be(bundle.Rootfs);
        }
    }

    [Test]
    public void A_missing_or_unsuitable_root_is_an_error_that_names_it()
    {
        using TestBundle bundle = new();
        SetPath(bundle, "nowhere");
        Observe.Refused(bundle).Should().Contain("/root/path").And.Contain("nowhere").And.Contain("no such file or directory");
        SetPath(bundle, "config.json");
        Observe.Refused(bundle).Should().Contain("/root/path").And.Contain("not a directory");
    }

    [Test]
    public void Nothing_of_the_host_is_left_in_the_container([Values] bool pivot)
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle, pivot ? [] : ["--no-pivot"]);
        string[] points = [.. container.Init.Mounts.Select(mount => mount.MountPoint)];
        points.Should().Contain("/proc").And.NotContain(point => point.StartsWith(TestRun.Root, StringComparison.Ordinal));
        container.Init.MountAt("/").Root.Should().Be(MountRoot(bundle.Rootfs));
        Directory.Exists(container.Init.InRoot("/usr/share")).Should().BeFalse();
        container.Init.MountAt("/").Options.Should().Contain("ro");
        new FileInfo($"/proc/{container.InitPid}/cwd").LinkTarget.Should().NotBeNull();
    }

    [Test]
    public void No_pivot_leaves_no_other_complete_proc_reachable()
    {
        using TestBundle bundle = new();
        bundle.Linux["maskedPaths"] = TestBundle.Strings("/proc/uptime");
        string[] lines = Observe.Run(bundle, "stat -c %t:%T /proc/uptime; stat -c %i /; ls / | sort | tr '\\n' ' '", "--no-pivot");
        lines[0].Should().Be("1:3");
        lines[2].Split(' ').Should().Contain("home").And.NotContain("usr");
    }

    [TestCase(null, "private")]
    [TestCase("private", "private")]
    [TestCase("slave", "private")]
    [TestCase("shared", "shared")]
    [TestCase("unbindable", "unbindable")]
    public void Propagation_on_a_host_whose_mounts_are_private(string? word, string expected)
    {
        using TestBundle bundle = new();
        if (word is not null) bundle.Linux["rootfsPropagation"] = word;
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.MountAt("/").PropagationType.Should().Be(expected);
        container.Init.MountAt("/dev").PropagationType.Should().Be("private", "the word is for the rootfs alone");
    }

    [TestCase("rshared", "shared")]
    [TestCase("runbindable", "unbindable")]
    public void Recursive_propagation_reaches_every_mount(string word, string expected)
    {
        using TestBundle bundle = new();
        bundle.Linux["rootfsPropagation"] = word;
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.Mounts.Should().OnlyContain(mount => mount.PropagationType == expected);
    }

    [TestCase(null, "slave")]
    [TestCase("private", "private")]
    [TestCase("slave", "slave")]
    [TestCase("shared", "shared")]
    public void Propagation_on_a_host_whose_mounts_are_shared(string? word, string expected)
    {
        using TestBundle bundle = new();
        if (word is not null) bundle.Linux["rootfsPropagation"] = word;
        using TestContainer container =
            new(bundle.Script("grep ' / / \\| / ' /proc/self/mountinfo | head -1"), Wrapped.SharedMounts);
        CommandResult result = container.Run().ShouldSucceed();
        MountInfo.Parse(result.Text.Split('\n')[0]).PropagationType.Split(',').Should().Contain(expected, "{0}", result);
    }

    [Test]
    public void Without_a_mount_namespace_there_is_chroot_only()
    {
        using TestBundle bundle = new();
        bundle.RemoveNamespace("mount").Writable();
        bundle.Config.Remove("mounts");
        bundle.Linux.Remove("maskedPaths");
        bundle.Linux.Remove("readonlyPaths");
        bundle.Process["cwd"] = "/made/for/it";
        string marker = Path.Combine(bundle.Directory, "hook");
        bundle.AddHook("createRuntime", "/bin/touch", marker);
        using TestContainer container = Observe.Sleeping(bundle);
        container.NamespaceInode("mnt").Should().Be(ProcessView.HostNamespaceInode("mnt"));
        new FileInfo($"/proc/{container.InitPid}/root").LinkTarget.Should().Be(bundle.Rootfs);
        new FileInfo($"/proc/{container.InitPid}/cwd").LinkTarget.Should().Be(bundle.Rootfs + "/made/for/it");
        File.Exists(marker).Should().BeTrue("hooks run in such a container, too");
    }

    [Test]
    public void Without_a_mount_namespace_the_hosts_propagation_stays()
    {
        using TestBundle bundle = new();
        bundle.RemoveNamespace("mount").Linux["rootfsPropagation"] = "rshared";
        Observe.Refused(bundle).Should().Contain("/linux/rootfsPropagation").And.Contain("it is the host's own mounts that would change");
    }

    /// <summary>The path as the fourth field of mountinfo has it: relative to the file system that holds it.</summary>
    private static string MountRoot(string path)
    {
        MountInfo mount = MountInfo.Of().Where(m => m.MountPoint == "/" || path.StartsWith(m.MountPoint + "/", StringComparison.Ordinal))
            .MaxBy(m => m.MountPoint.Length)!;
        return mount.Root.TrimEnd('/') + (mount.MountPoint == "/" ? path : path[mount.MountPoint.Length..]);
    }
}
