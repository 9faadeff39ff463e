using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.State;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// Where the root of a container without a mount namespace is mounted, when others mount there, or somebody deletes it from elsewhere.
/// </summary>
public sealed class HostMountPlaceTests
{
    private TestBundle _bundle = null!;

    [SetUp]
    public void Begin() => _bundle = new TestBundle().RemoveNamespace("mount").WithCgroup();

    [TearDown]
    public void End() => _bundle.Dispose();

    private static MountInfo[] At(string path) => [.. MountInfo.Of().Where(mount => mount.MountPoint == path)];

    /// <summary>
    /// sudo in a `nsenter` or `ip netns exec` is in a copy of the mount namespace: what is forgotten there would stay for good.
    /// </summary>
    [Test]
    public void Deleted_from_another_mount_namespace()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        Command.Run("unshare", "--mount", "--propagation", "private", Ocirun.Binary.Path, "--root", container.StateRoot, "delete",
            "--force", container.Id)
            .ShouldFail(1, "the container's root is mounted in another mount namespace, that of process");
        At(_bundle.Rootfs).Should().HaveCount(1);
        container.Delete("--force").ShouldSucceed();
        At(_bundle.Rootfs).Should().BeEmpty();
    }

    /// <summary>The namespace that had the mounts has ended with all of them.</summary>
    [Test]
    public void Deleted_when_its_mount_namespace_is_gone()
    {
        using TestContainer container = new(_bundle.Args("sleep", "1000"));
        _bundle.Save();
        Command.Run("unshare", "--mount", "--propagation", "private", Ocirun.Binary.Path, "--root", container.StateRoot, "run", "--detach",
            "--bundle", _bundle.Directory, container.Id).ShouldSucceed();
        At(_bundle.Rootfs).Should().BeEmpty();
        container.Delete("--force").ShouldSucceed();
        container.Call("state", container.Id).ShouldFail(1);
    }

    /// <summary>
    /// A mount that another one covers is not to be seen: its directory is the other's, and no mount point of the container's.
    /// </summary>
    [Test]
    public void A_covered_mount_is_not_bound_again()
    {
        string below = Directory.CreateDirectory(_bundle.InRootfs("volume")).FullName;
        Command.Run("mount", "-t", "tmpfs", "tmpfs", below).ShouldSucceed();
        Command.Run("mount", "--bind", _bundle.Rootfs, _bundle.Rootfs).ShouldSucceed();
        try
        {
            Command.Run("mount", "--make-private", _bundle.Rootfs).ShouldSucceed();
            using TestContainer container = Observe.Sleeping(_bundle);
            At(below).Should().HaveCount(1);
            container.Exec("ls", "-d", "/volume").ShouldSucceed();
            container.Delete("--force").ShouldSucceed();
        }
        finally
        {
            Libc.Check(Libc.umount2(_bundle.Rootfs, Libc.MNT_DETACH), "umount");
            Libc.Check(Libc.umount2(below, Libc.MNT_DETACH), "umount");
        }
    }

    /// <summary>
    /// Two that are created at once for the same directory: the journal of the second would name a place where its mount is not, and nobody
    /// would take it away.
    /// </summary>
    [Test]
    public void Something_mounted_in_between()
    {
        using Fd tree = HostRoot.Clone(_bundle.Rootfs, out HostMount identity);
        Command.Run("mount", "-t", "tmpfs", "between", _bundle.Rootfs).ShouldSucceed();
        try
        {
            Action attach = () => HostRoot.Attach(tree, _bundle.Rootfs, identity);
            attach.Should().Throw<OciException>().WithMessage("*something else has been mounted there meanwhile*");
            At(_bundle.Rootfs).Select(mount => mount.Source).Should().Equal("between");
        }
        finally
        {
            Libc.Check(Libc.umount2(_bundle.Rootfs, Libc.MNT_DETACH), "umount");
        }
    }
}
