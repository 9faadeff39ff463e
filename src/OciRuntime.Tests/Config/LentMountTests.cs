using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// What root of a user namespace cannot clone itself the runtime clones for it. Nothing is locked on such a mount, and yet a container must
/// not get a program or a device out of a volume by a directory above it that is closed, or a mount below it: what is only not named stays
/// as it does on any other.
/// </summary>
public sealed class LentMountTests
{
    private TestBundle _bundle = null!;
    private string _source = null!;

    [SetUp]
    public void Begin()
    {
        _bundle = LiveMount.Own(new TestBundle().WithUserNamespace());
        _source = Directory.CreateDirectory(Path.Combine(_bundle.Directory, "closed", "source")).FullName;
        Command.Run("mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,noatime,mode=755", "lent", _source).ShouldSucceed();
    }

    [TearDown]
    public void End()
    {
        Command.Run("umount", "--recursive", _source).ShouldSucceed();
        _bundle.Dispose();
    }

    [TestCase("", "rw nosuid nodev noexec noatime")]
    [TestCase("rw rprivate", "rw nosuid nodev noexec noatime")]
    [TestCase("ro", "ro nosuid nodev noexec noatime")]
    [TestCase("nosymfollow", "rw nosuid nodev noexec noatime nosymfollow")]
    [TestCase("exec", "rw nosuid nodev noatime")]
    public void Below_a_closed_directory(string words, string left)
    {
        File.SetUnixFileMode(Path.Combine(_bundle.Directory, "closed"), UnixFileMode.UserRead | UnixFileMode.UserWrite
            | UnixFileMode.UserExecute);
        Check("rbind", words, left);
    }

    [TestCase("rw", "rw nosuid nodev noexec noatime")]
    [TestCase("ro", "ro nosuid nodev noexec noatime")]
    [TestCase("dev", "rw nosuid noexec noatime")]
    public void Without_the_mount_below_it(string words, string left)
    {
        Command.Run("mount", "-t", "tmpfs", "below", Directory.CreateDirectory(Path.Combine(_source, "below")).FullName).ShouldSucceed();
        Check("bind", words, left);
    }

    private void Check(string bind, string words, string left)
    {
        _bundle.AddMount("/a", "bind", _source, [bind, .. words.Split(' ', StringSplitOptions.RemoveEmptyEntries)]);
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Init.MountAt("/a").Options.Should().BeEquivalentTo(left.Split(' '));
    }
}
