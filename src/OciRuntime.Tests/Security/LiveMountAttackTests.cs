using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// A container that expects `mounts`: links where a destination is to be, directories that change while they are looked up, mount points
/// that moved.
/// </summary>
[LeavesNothing]
public sealed class LiveMountAttackTests
{
    private TestBundle _bundle = null!;
    private string _source = null!, _outside = null!;

    [SetUp]
    public void Begin()
    {
        Requires.OcirunItself();
        _bundle = new TestBundle().Writable();
        _source = Path.Combine(_bundle.Directory, "source");
        Directory.CreateDirectory(_source);
        File.WriteAllText(Path.Combine(_source, "file"), "content\n");
        _outside = TestRun.NewDirectory("outside");
    }

    [TearDown]
    public void End()
    {
        Directory.Delete(_outside, recursive: true);
        _bundle.Dispose();
    }

    [Test]
    public void A_link_as_destination_stays_inside()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Exec("sh", "-c",
            $"mkdir /real; ln -s /real /link; ln -s ../../../../../..{_outside}/escape /up; ln -s /proc/1/root /magic; ln -s / "
            + $"/root-link; ln -s /proc/1 /self").ShouldSucceed();
        LiveMount.Add(container, LiveMount.Of("/link", "bind", _source, "bind"), LiveMount.Of("/up", "bind", _source, "bind"))
            .ShouldSucceed();
        container.Init.MountAt("/real");
        container.Init.MountAt($"{_outside}/escape");
        Directory.GetFileSystemEntries(_outside).Should().BeEmpty("the link leads where it leads inside the container");
        LiveMount.Add(container, LiveMount.Of("/magic", "bind", _source, "bind")).ShouldFail(1, "destination");
        LiveMount.Add(container, LiveMount.Of("/root-link", "bind", _source, "bind"))
            .ShouldFail(1, "destination leads to the container's root");
        LiveMount.Add(container, LiveMount.Of("/self/attr", "bind", _source, "bind"))
            .ShouldFail(1, "destination leads into the container's /proc");
        MountInfo.Of().Should().NotContain(mount => mount.MountPoint.StartsWith(_outside, StringComparison.Ordinal)
            || mount.MountPoint.StartsWith(_bundle.Rootfs, StringComparison.Ordinal));
        LiveMount.Remove(container, LiveMount.At("/link"), LiveMount.At("/up")).ShouldSucceed();
        LiveMount.Remove(container, LiveMount.At("/root-link")).ShouldFail(1, "destination leads to the container's root");
    }

    /// <summary>The parent of the destination becomes a link up to the host's tree, and back, as fast as a process can.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public void Directories_that_are_swapped_all_the_time(bool userNamespace)
    {
        if (userNamespace) LiveMount.Own(_bundle.WithUserNamespace());
        _bundle.Script(
            $"mkdir -p /a/x .{_outside}/x; ln -s ../../../../../../..{_outside} /b; echo ready; while :; do mv -T /a /c; mv -T /b /a; mv "
            + $"-T /a /b; mv -T /c /a; done");
        using TestContainer container = new TestContainer(_bundle).Started();
        container.WaitOutput("ready");
        int attached = 0;
        for (int i = 0; i < 60; i++)
        {
            if (!LiveMount.Add(container, LiveMount.Of("/a/x", "bind", _source, "bind"), LiveMount.Of("/a/x", "tmpfs", null)).Succeeded)
                continue;
            attached++;
        }
        attached.Should().BePositive();
        Directory.GetFileSystemEntries(_outside).Should().BeEmpty();
        MountInfo.Of().Should().NotContain(mount => mount.MountPoint.StartsWith(_outside, StringComparison.Ordinal)
            || mount.MountPoint.StartsWith(_bundle.Rootfs, StringComparison.Ordinal));
        string[] places = ["/a/x", "/b/x", "/c/x", $"{_outside}/x"];
        container.Init.Mounts.Count(mount => places.Contains(mount.MountPoint)).Should()
            .Be(2 * attached, "both or none, each time, somewhere in the root file system");
    }

    /// <summary>
    /// Nothing of the host is ever in the container's pid namespace, where it could be traced or its descriptors be followed.
    /// </summary>
    [TestCase(false)]
    [TestCase(true)]
    public void The_process_that_mounts_is_never_seen(bool userNamespace)
    {
        _bundle.RunProbe("spy").Capabilities("CAP_SYS_PTRACE");
        if (userNamespace) LiveMount.Own(_bundle.WithUserNamespace());
        using TestContainer container = new TestContainer(_bundle).Started();
        container.WaitOutput("ready");
        for (int i = 0; i < 20; i++)
        {
            LiveMount.Add(container, LiveMount.Of("/a", "bind", _source, "bind"), LiveMount.Of("/b", "tmpfs", null)).ShouldSucceed();
            LiveMount.Remove(container, LiveMount.At("/a"), LiveMount.At("/b")).ShouldSucceed();
        }
        container.Output.Should().Be("ready\n");
    }

    /// <summary>The container renames a directory, or makes a link, so that the path now leads to what hides a file from it.</summary>
    [Test]
    public void Removal_uncovers_nothing_that_the_configuration_hides()
    {
        _bundle.WriteFile("/etc/keep/secret", "secret\n").WriteFile("/etc/keep/fixed", "");
        _bundle.Linux["maskedPaths"]!.AsArray().Add("/etc/keep/secret");
        _bundle.Linux["readonlyPaths"]!.AsArray().Add("/etc/keep/fixed");
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(container, LiveMount.Of("/vol/data", "bind", _source, "bind")).ShouldSucceed();
        container.Exec("sh", "-c",
            "mv /vol /gone; ln -s /etc/keep /vol; ln -s secret /etc/keep/data; ln -s fixed /etc/keep/more; ln -s /proc/keys /etc/keep/keys")
            .ShouldSucceed();
        int[] before = [.. container.Init.Mounts.Select(static mount => mount.Id)];
        foreach (string path in (string[])["/vol/data", "/vol/more", "/vol/keys", "/etc/keep/secret"])
        {
            LiveMount.Remove(container, LiveMount.At(path))
                .ShouldFail(1, $"/0: look for a mount on {path}: it leads to what hides or protects a path of the container");
        }
        LiveMount.Remove(container, LiveMount.At("/proc/keys")).ShouldFail(1, "/0 /proc/keys: is inside /proc");
        container.Init.Mounts.Select(static mount => mount.Id).Should().Equal(before);
        container.Exec("cat", "/etc/keep/secret").Stdout.Should().BeEmpty();
        LiveMount.Remove(container, LiveMount.At("/gone/data")).ShouldSucceed();
    }

    [Test]
    public void Mounting_into_a_container_that_is_being_deleted()
    {
        for (int i = 0; i < 10; i++)
        {
            using TestContainer container = Observe.Sleeping(_bundle);
            Task<CommandResult>[] adds = [.. Enumerable.Range(0, 3)
                .Select(n => OwnThread.Run(() => LiveMount.Add(container, LiveMount.Of($"/d{n}", "bind", _source, "bind"))))];
            container.Delete("--force").ShouldSucceed();
            foreach (Task<CommandResult> add in adds)
            {
                if (!add.Result.Succeeded)
                {
                    add.Result.Stderr.Should()
                        .MatchRegex("container does not exist|container not running|the process that mounts ended early|no such process");
                }
            }
        }
        MountInfo.Of().Should().NotContain(mount => mount.MountPoint.StartsWith(_bundle.Rootfs, StringComparison.Ordinal));
    }
}
