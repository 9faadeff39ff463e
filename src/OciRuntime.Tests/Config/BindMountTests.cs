using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>Bind mounts: their flags, their tree, and the places they are made for.</summary>
public sealed class BindMountTests
{
    private TestBundle _bundle = null!;
    private SourceTree _tree = null!;

    private string Source => _tree.Directory;

    [SetUp]
    public void Begin()
    {
        _bundle = new TestBundle();
        _tree = new SourceTree(_bundle);
    }

    [TearDown]
    public void End()
    {
        _tree.Dispose();
        _bundle.Dispose();
    }

    [Test]
    public void Flags_of_plain_and_recursive_binds()
    {
        _bundle.AddMount("/plain", "bind", Source, "bind").AddMount("/tree", "none", Source, "rbind")
            .AddMount("/ro", "bind", Source, "rbind", "ro", "nosuid", "nodev", "noexec")
            .AddMount("/rw", null, Source, "rbind", "ro", "rw", "noatime")
            .AddMount("/noatime", "bind", Source, "noatime", "nodiratime")
            .AddMount("/strict", "bind", Source, "bind", "strictatime", "nosymfollow")
            .AddMount("/super", "bind", Source, "bind", "sync", "dirsync", "lazytime", "iversion");
        using TestContainer container = Observe.Sleeping(_bundle);
        string[] Options(string path) => container.Init.MountAt(path).Options;
        Options("/plain").Should().BeEquivalentTo("rw", "relatime");
        container.Init.Mounts.Should().NotContain(mount => mount.MountPoint == "/plain/sub");
        Options("/tree/sub").Should().BeEquivalentTo("rw", "nosuid", "relatime");
        Options("/ro").Should().BeEquivalentTo("ro", "nosuid", "nodev", "noexec", "relatime");
        Options("/ro/sub").Should().BeEquivalentTo(["rw", "nosuid", "relatime"], "without an r-word only the top mount changes");
        Options("/rw").Should().BeEquivalentTo("rw", "noatime");
        Options("/noatime").Should().BeEquivalentTo("rw", "noatime", "nodiratime");
        Options("/strict").Should().BeEquivalentTo("rw", "nosymfollow");
        container.Init.MountAt("/super").SuperOptions.Should().NotContain("sync", "the superblock is the source's");
        MountInfo.Of().Where(mount => mount.MountPoint.StartsWith(Source, StringComparison.Ordinal)).Should()
            .ContainSingle("the host sees none of it")
            .Which.Options.Should().BeEquivalentTo("rw", "nosuid", "relatime");
    }

    [Test]
    public void A_directory_can_be_bound_without_the_mounts_below_it_in_a_user_namespace()
    {
        Directory.CreateDirectory(_bundle.InRootfs("/plain"));
        _bundle.WithUserNamespace().AddMount("/plain", "bind", Source, "bind", "ro");
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Init.MountAt("/plain").Options.Should().BeEquivalentTo("ro", "relatime");
        container.Init.Mounts.Should().NotContain(mount => mount.MountPoint == "/plain/sub");
    }

    [TestCase("rro", "ro")]
    [TestCase("rnosuid", "nosuid")]
    [TestCase("rnodev", "nodev")]
    [TestCase("rnoexec", "noexec")]
    [TestCase("rnodiratime", "nodiratime")]
    [TestCase("rnoatime", "noatime")]
    [TestCase("rnosymfollow", "nosymfollow")]
    public void Recursive_attributes_reach_the_whole_tree(string word, string flag)
    {
        _bundle.AddMount("/tree", "bind", Source, "rbind", word);
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Init.MountAt("/tree").Options.Should().Contain(flag);
        container.Init.MountAt("/tree/sub").Options.Should().Contain(flag);
    }

    [Test]
    public void Recursive_attributes_can_also_be_cleared()
    {
        _bundle.AddMount("/a", "bind", Source, "rbind", "rsuid", "rrw", "rdev", "rexec", "rdiratime", "rsymfollow", "rstrictatime")
            .AddMount("/b", "bind", Source, "rbind", "rnoatime", "rrelatime");
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Init.MountAt("/a/sub").Options.Should().BeEquivalentTo("rw");
        container.Init.MountAt("/b/sub").Options.Should().BeEquivalentTo("rw", "nosuid", "relatime");
    }

    [TestCase("private", "private", "private")]
    [TestCase("rprivate", "private", "private")]
    [TestCase("shared", "shared", "private")]
    [TestCase("rshared", "shared", "shared")]
    [TestCase("unbindable", "unbindable", "private")]
    [TestCase("runbindable", "unbindable", "unbindable")]
    public void Propagation_words_reach_one_mount_or_the_tree(string word, string top, string below)
    {
        _bundle.AddMount("/tree", "bind", Source, "rbind", word);
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Init.MountAt("/tree").PropagationType.Should().Be(top);
        container.Init.MountAt("/tree/sub").PropagationType.Should().Be(below);
    }

    [TestCase("rslave", "slave", "slave")]
    [TestCase("slave", "slave", "slave")]
    [TestCase("rprivate", "private", "private")]
    [TestCase("private", "private", "slave")]
    public void Propagation_words_on_a_host_with_shared_mounts(string word, string top, string below)
    {
        _bundle.AddMount("/tree", "bind", Source, "rbind", word).Script("grep ' /tree' /proc/self/mountinfo");
        using TestContainer container = new(_bundle, Wrapped.SharedMounts);
        CommandResult result = container.Run().ShouldSucceed();
        Dictionary<string, MountInfo> mounts = result.Lines.Select(MountInfo.Parse).ToDictionary(mount => mount.MountPoint);
        mounts["/tree"].PropagationType.Should().Be(top, "{0}", result);
        mounts["/tree/sub"].PropagationType.Should().Be(below, "{0}", result);
    }

    [Test]
    public void A_mount_made_on_the_host_later_reaches_a_slave_and_not_a_private_bind()
    {
        string late = Path.Combine(Source, "late");
        Directory.CreateDirectory(late);
        Command.Run("mount", "--bind", Source, Source).ShouldSucceed();
        Command.Run("mount", "--make-shared", Source).ShouldSucceed();
        try
        {
            _bundle.AddMount("/slave", "bind", Source, "rbind", "rslave").AddMount("/private", "bind", Source, "rbind", "rprivate");
            using TestContainer container = Observe.Sleeping(_bundle);
            Command.Run("mount", "-t", "tmpfs", "late", late).ShouldSucceed();
            container.Init.MountAt("/slave").PropagationType.Should().Be("slave");
            container.Init.MountAt("/slave/late").Source.Should().Be("late");
            container.Init.Mounts.Should().NotContain(mount => mount.MountPoint == "/private/late");
        }
        finally
        {
            Command.Run("umount", late);
            Command.Run("umount", Source);
        }
    }

    [Test]
    public void Targets_are_made_of_the_sources_kind()
    {
        _bundle.AddMount("/new/dir", "bind", Source, "bind").AddMount("/new/deep/file", "bind", Path.Combine(Source, "file"), "bind", "ro")
            .AddMount("/etc/passwd", "bind", Path.Combine(Source, "file"), "bind").AddMount("/devnull", "bind", "/dev/null", "bind");
        Observe.Run(_bundle, "stat -c %F /new/dir /new/deep/file /devnull; cat /new/deep/file /etc/passwd").Should()
            .Equal("directory", "regular file", "character special file", "content", "content");
        File.ReadAllText(_bundle.InRootfs("etc/passwd")).Should().StartWith("root:", "the image's own file is only covered");
    }

    [TestCase("", "/file")]
    [TestCase("/file", "/directory")]
    public void A_file_and_a_directory_cannot_cover_each_other(string source, string target)
    {
        _bundle.WriteFile("/file", "");
        Directory.CreateDirectory(_bundle.InRootfs("/directory"));
        _bundle.AddMount(target, "bind", Source + source, "rbind");
        Observe.Refused(_bundle).Should()
            .Contain("not a directory (ENOTDIR): a directory can only be mounted on a directory, and a file on a file");
    }

    [Test]
    public void Source_may_be_relative_to_the_bundle_or_a_link()
    {
        File.CreateSymbolicLink(Path.Combine(_bundle.Directory, "link"), Source);
        _bundle.AddMount("/a", "bind", "source", "bind").AddMount("/b", "bind", "./source/../source", "bind")
            .AddMount("/c", "bind", "link", "bind");
        _bundle.Script("cat /a/file /b/file /c/file");
        using TestContainer container = new(_bundle) { Options = new CommandOptions { WorkingDirectory = "/" } };
        container.Run().ShouldSucceed().Lines.Should().Equal("content", "content", "content");
    }

    [TestCase("../run/x", "/run/x")]
    [TestCase("/run/sub/x", "/run/sub/x")]
    [TestCase("../../../../../../run/x", "/run/x")]
    [TestCase("missing/../../run/x", "/run/x")]
    [TestCase("second", "/run/chained")]
    public void A_dangling_link_in_the_image_is_followed_inside_it(string link, string made)
    {
        File.CreateSymbolicLink(_bundle.InRootfs("etc/resolv.conf"), link);
        File.CreateSymbolicLink(_bundle.InRootfs("etc/second"), "../run/chained");
        _bundle.AddMount("/etc/resolv.conf", "bind", Path.Combine(Source, "file"), "bind", "ro");
        Observe.Run(_bundle, $"cat /etc/resolv.conf; grep -c ' {made} ' /proc/self/mountinfo").Should().Equal("content", "1");
    }

    [Test]
    public void A_dangling_link_cannot_lead_out_by_way_of_a_directory_that_is_missing([Values] bool file)
    {
        // Each ".." after the missing directory would climb one level: rootfs, bundle, bundles …
        string outside = Path.Combine(_bundle.Directory, "escaped");
        File.CreateSymbolicLink(_bundle.InRootfs("etc/evil"), "missing/../../../escaped");
        File.CreateSymbolicLink(_bundle.InRootfs("etc/worse"), "gone/" + string.Concat(Enumerable.Repeat("../", 30))
            + outside.TrimStart('/'));
        string source = file ? Path.Combine(Source, "file") : Source;
        _bundle.AddMount("/etc/evil", "bind", source, "bind").AddMount("/etc/worse", "bind", source, "bind");
        using TestContainer container = Observe.Sleeping(_bundle);
        Path.Exists(outside).Should().BeFalse("nothing may be made outside of the root file system");
        container.Init.MountAt("/escaped").Should().NotBeNull();
        container.Init.MountAt(outside).Should().NotBeNull("the same path, inside");
    }

    [Test]
    public void A_link_loop_and_a_missing_source_are_errors()
    {
        File.CreateSymbolicLink(_bundle.InRootfs("etc/loop"), "loop");
        _bundle.AddMount("/etc/loop", "bind", Source, "bind");
        Observe.Refused(_bundle).Should().Contain("/mounts/7").And.Contain("/etc/loop").And.Contain("ELOOP");
        _bundle.RemoveMount("/etc/loop").AddMount("/a", "bind", "/no/such/source", "bind");
        Observe.Refused(_bundle).Should().Contain("/mounts/7").And.Contain("/no/such/source").And.Contain("ENOENT");
        _bundle.RemoveMount("/a").AddMount("/a", "bind", Source, "bind", "size=1m");
        Observe.Refused(_bundle).Should().Contain("bind mounts cannot have any filesystem-specific options applied");
        _bundle.RemoveMount("/a").AddMount("/bin/busybox", "bind", Source, "bind");
        Observe.Refused(_bundle).Should().Contain("/mounts/7").And.Contain("ENOTDIR");
        _bundle.RemoveMount("/bin/busybox").AddMount("/", "bind", Source, "bind");
        Observe.Refused(_bundle).Should().Contain("/mounts/7/destination");
    }

    [Test]
    public void A_bound_dev_is_left_alone()
    {
        string dev = Path.Combine(_bundle.Directory, "dev");
        Directory.CreateDirectory(dev);
        File.WriteAllText(Path.Combine(dev, "own"), "");
        foreach (string below in (string[])["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"]) _bundle.RemoveMount(below);
        _bundle.AddMount("/dev", "bind", dev, "bind");
        Observe.Run(_bundle, "ls /dev").Should().Equal("own");
        Directory.GetFileSystemEntries(dev).Should().ContainSingle();
    }
}
