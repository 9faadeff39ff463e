using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// A file system on a block device, which the rules of the device cgroup deny to the container's processes, the mounting one among them.
/// </summary>
public sealed class BlockFilesystemTests
{
    private TestBundle _bundle = null!;
    private string _loop = "";

    [SetUp]
    public void AttachImage()
    {
        Requires.PathExists("/dev/loop-control", "loop devices");
        _bundle = new TestBundle().WithCgroup();
        string image = Path.Combine(_bundle.Directory, "image");
        using (FileStream file = File.Create(image)) file.SetLength(4 << 20);
        Command.Run(Requires.Tool("mkfs.ext4"), "-q", image).ShouldSucceed();
        _loop = Command.Run(Requires.Tool("losetup"), "--find", "--show", image).ShouldSucceed().Text.Trim();
    }

    [TearDown]
    public void DetachImage()
    {
        if (_loop.Length > 0) Command.Run("losetup", "--detach", _loop).ShouldSucceed();
        _bundle?.Dispose();
    }

    [Test]
    public void Is_mounted_and_the_device_stays_denied()
    {
        _bundle.AddMount("/disk", "ext4", _loop, "ro").Capabilities("CAP_DAC_OVERRIDE");
        _bundle.Linux["devices"] =
            new JsonArray(
            new JsonObject { ["type"] = "b", ["path"] = "/dev/disk", ["major"] = 7, ["minor"] = int.Parse(_loop["/dev/loop".Length..]) });
        Observe.Run(_bundle, "grep ' /disk ' /proc/mounts | cut -d ' ' -f 3,4; ls /disk; head -c 1 /dev/disk 2>&1 >/dev/null || true")
            .Should().Equal("ext4 ro,relatime", "lost+found", "head: /dev/disk: Operation not permitted");
    }

    /// <summary>The runtime's own failure is told, not what the process in the cgroup has met before.</summary>
    [Test]
    public void A_failure_has_no_words_about_the_device_that_was_denied() =>
        Observe.Refused(_bundle.AddMount("/disk", "ext4", _loop, "ro", "sb=2048")).Should()
        .Contain("create file system: invalid argument (EINVAL)").And.NotContain("blockdev");

    /// <summary>A user namespace has no right to it, whatever the device cgroup says.</summary>
    [Test]
    public void In_a_user_namespace_it_is_refused()
    {
        Directory.CreateDirectory(_bundle.InRootfs("disk"));
        Observe.Refused(_bundle.WithUserNamespace().AddMount("/disk", "ext4", _loop, "ro")).Should()
            .Contain("the kernel lets a user namespace mount ext4 only where its file system is made for that");
    }
}
