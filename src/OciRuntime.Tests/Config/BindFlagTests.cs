using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// What a bind keeps of its source's attributes: all, where no word is about the mount itself; else only what is named. The rows are what
/// runc 1.3 does, but for `atime` and `diratime`, which mean what they say here.
/// </summary>
public sealed class BindFlagTests
{
    private const string All = "ro nosuid nodev noexec noatime nodiratime nosymfollow";
    private TestBundle _bundle = null!;
    private string _source = null!;

    [SetUp]
    public void Begin()
    {
        _bundle = new TestBundle();
        _source = Directory.CreateDirectory(Path.Combine(_bundle.Directory, "source")).FullName;
        Command.Run("mount", "-t", "tmpfs", "strict", _source).ShouldSucceed();
        File.Copy("/bin/busybox", Path.Combine(_source, "true"));
        Directory.CreateDirectory(Path.Combine(_source, "below"));
        Command.Run("mount", "-t", "tmpfs", "-o", All.Replace(' ', ','), "strict", Path.Combine(_source, "below")).ShouldSucceed();
        Command.Run("mount", "-o", "remount,bind," + All.Replace(' ', ','), _source).ShouldSucceed();
    }

    [TearDown]
    public void End()
    {
        Command.Run("umount", "--recursive", _source).ShouldSucceed();
        _bundle.Dispose();
    }

    [TestCase("", All)]
    [TestCase("rprivate", All)]
    [TestCase("defaults", All)]
    [TestCase("rw", "rw noatime nodiratime")]
    [TestCase("ro", "ro noatime nodiratime")]
    [TestCase("suid", "rw noatime nodiratime")]
    [TestCase("exec", "rw noatime nodiratime")]
    [TestCase("nosuid", "rw nosuid noatime nodiratime")]
    [TestCase("rprivate nosuid nodev ro", "ro nosuid nodev noatime nodiratime")]
    [TestCase("symfollow", "rw noatime nodiratime")]
    [TestCase("nosymfollow", "rw noatime nodiratime nosymfollow")]
    [TestCase("sync", "rw noatime nodiratime")]
    [TestCase("silent", "rw noatime nodiratime")]
    [TestCase("loud", "rw noatime nodiratime")]
    [TestCase("iversion", "rw noatime nodiratime")]
    [TestCase("noatime", "rw noatime")]
    [TestCase("relatime", "rw relatime")]
    [TestCase("strictatime", "rw")]
    [TestCase("norelatime", "rw noatime nodiratime")]
    [TestCase("rnorelatime", All)]
    [TestCase("nodiratime", "rw relatime nodiratime")]
    [TestCase("noatime nodiratime", "rw noatime nodiratime")]
    [TestCase("atime", "rw relatime")]
    [TestCase("diratime", "rw noatime")]
    [TestCase("rro", All)]
    [TestCase("rexec", "ro nosuid nodev noatime nodiratime nosymfollow", "ro nosuid nodev noatime nodiratime nosymfollow")]
    [TestCase("rrw exec", "rw noatime nodiratime", "rw nosuid nodev noexec noatime nodiratime nosymfollow")]
    public void What_is_left(string words, string top, string below = All)
    {
        _bundle.AddMount("/a", "bind", _source, ["rbind", .. words.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Init.MountAt("/a").Options.Should().BeEquivalentTo(top.Split(' '));
        container.Init.MountAt("/a/below").Options.Should().BeEquivalentTo(below.Split(' '));
        MountInfo.Of().Single(mount => mount.MountPoint == _source).Options.Should()
            .BeEquivalentTo(All.Split(' '), "the host's own mount is not touched");
    }

    /// <summary>Locked is all but nosymfollow.</summary>
    [TestCase("", All)]
    [TestCase("ro", "ro nosuid nodev noexec noatime nodiratime")]
    [TestCase("nosuid", "ro nosuid nodev noexec noatime nodiratime")]
    [TestCase("symfollow", "ro nosuid nodev noexec noatime nodiratime")]
    [TestCase("nosymfollow", All)]
    [TestCase("noatime nodiratime", "ro nosuid nodev noexec noatime nodiratime")]
    public void What_a_user_namespace_may_not_take_away_stays(string words, string expected)
    {
        _bundle.WithUserNamespace().AddMount("/a", "bind", _source, ["rbind", .. words.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
        Command.Run("chmod", "755", _bundle.Directory).ShouldSucceed();
        LiveMount.Own(_bundle);
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Init.MountAt("/a").Options.Should().BeEquivalentTo(expected.Split(' '));
    }

    [TestCase("rw", "ro")]
    [TestCase("exec", "noexec")]
    [TestCase("rw suid dev nosymfollow", "ro,nosuid,nodev")]
    public void Unless_it_is_named_which_is_an_error(string words, string locked)
    {
        LiveMount.Own(_bundle.WithUserNamespace()).AddMount("/a", "bind", _source, ["rbind", .. words.Split(' ')]);
        Observe.Refused(_bundle).Should().Contain($"the mount is {locked} on the host, which is locked");
    }

    /// <summary>What Kubernetes and Podman send for a volume.</summary>
    [Test]
    public void A_program_in_a_volume_can_be_run()
    {
        _bundle.AddMount("/a", "bind", _source, "rbind", "rprivate", "rw");
        Observe.Run(_bundle, "/a/true && echo ran").Should().Equal("ran");
    }

    [Test]
    public void In_a_container_that_is_there()
    {
        Directory.CreateDirectory(_bundle.InRootfs("/b"));
        using TestContainer container = Observe.Sleeping(_bundle.Writable());
        LiveMount.Add(container, LiveMount.Of("/a", "bind", _source, "rbind", "rw"), LiveMount.Of("/b", "bind", _source, "rbind"))
            .ShouldSucceed();
        container.Init.MountAt("/a").Options.Should().BeEquivalentTo("rw", "noatime", "nodiratime");
        container.Init.MountAt("/b").Options.Should().BeEquivalentTo(All.Split(' '));
    }
}
