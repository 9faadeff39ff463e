using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// In a user namespace the options of the host's mounts are locked (mount_namespaces(7)): a container may have more of them, never less,
/// and being asked for less is an error.
/// </summary>
public sealed class LockedMountTests
{
    private static readonly string[] Strict = ["nosuid", "nodev", "noexec", "noatime"];
    private TestBundle _bundle = null!;
    private string _source = null!;

    [SetUp]
    public void Begin()
    {
        _bundle = new TestBundle();
        _source = Directory.CreateDirectory(Path.Combine(_bundle.Directory, "source")).FullName;
        Mount("-t", "tmpfs", "-o", "nosuid,nodev,noexec,noatime", "locked", _source);
        Directory.CreateDirectory(Path.Combine(_source, "below"));
        Mount("-t", "tmpfs", "-o", "ro,nodiratime", "below", Path.Combine(_source, "below"));
        _bundle.WithUserNamespace().WithDirectoriesOfItsRoot();
    }

    [TearDown]
    public void End()
    {
        Command.Run("umount", "--recursive", _source).ShouldSucceed();
        _bundle.Dispose();
    }

    [TestCase("rw", "rw")]
    [TestCase("ro", "ro")]
    [TestCase("nosuid nodev", "rw")]
    [TestCase("noatime diratime", "rw")]
    [TestCase("nosymfollow", "rw", "nosymfollow")]
    [TestCase("rro", "ro")]
    [TestCase("rnosuid rnoexec", "rw")]
    [TestCase("ro rw", "rw")]
    public void More_options_are_added_to_the_locked_ones(string words, params string[] more)
    {
        _bundle.AddMount("/a", "bind", _source, ["rbind", .. words.Split(' ')]);
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Init.MountAt("/a").Options.Should().BeEquivalentTo([.. Strict, .. more]);
        container.Init.MountAt("/a/below").Options.Should().Contain(["ro", "nodiratime"]);
    }

    [TestCase("suid", "nosuid")]
    [TestCase("dev", "nodev")]
    [TestCase("exec", "noexec")]
    [TestCase("ro exec suid", "nosuid,noexec")]
    [TestCase("relatime", "noatime")]
    [TestCase("atime", "noatime")]
    [TestCase("strictatime", "noatime")]
    [TestCase("nodiratime", "noatime")]
    [TestCase("rexec", "noexec")]
    public void Fewer_options_are_an_error_that_names_them(string words, string locked)
    {
        _bundle.AddMount("/a", "bind", _source, ["rbind", .. words.Split(' ')]);
        Observe.Refused(_bundle).Should().Contain($"bind {_source} with all below it on /a (").And
            .Contain($"set mount attributes: operation not permitted (EPERM): the mount is {locked} on the host, which is locked: a user "
            + $"namespace cannot take that back");
    }

    [Test]
    public void The_tree_below_is_locked_too()
    {
        _bundle.AddMount("/a", "bind", _source, "rbind", "rrw");
        Observe.Refused(_bundle).Should().Contain("a mount below has options that are locked");
        _bundle.RemoveMount("/a").AddMount("/a", "bind", Path.Combine(_source, "below"), "bind", "rw");
        Observe.Refused(_bundle).Should().Contain("the mount is ro on the host");
    }

    /// <summary>
    /// The runtime has it for the container (<see cref="BindMountTests"/>), unless its own user namespace is in the same position.
    /// </summary>
    [Test]
    public void A_mount_is_not_to_be_had_without_what_is_mounted_below_it()
    {
        using TestBundle bundle = new();
        bundle.AddMount("/a", "bind", _source, "bind");
        Observe.Refused(bundle, Wrapped.UserNamespace).Should().Contain("source: invalid argument (EINVAL)").And.Contain("option rbind");
    }

    [Test]
    public void Remounts_and_read_only_paths_keep_them()
    {
        _bundle.AddMount("/a", "bind", _source, "rbind").AddMount("/a", "none", "none", "remount", "bind", "ro", "nosuid")
            .AddMount("/b", "bind", _source, "rbind");
        _bundle.Linux["readonlyPaths"] = TestBundle.Strings("/b");
        using (TestContainer container = Observe.Sleeping(_bundle))
        {
            container.Init.MountAt("/a").Options.Should().BeEquivalentTo(["ro", .. Strict]);
            container.Init.MountAt("/b").Options.Should().BeEquivalentTo(["ro", .. Strict]);
            container.Init.MountAt("/b/below").Options.Should().BeEquivalentTo("ro", "nodiratime", "relatime");
        }
        _bundle.AddMount("/a", "none", "none", "remount", "bind", "exec");
        Observe.Refused(_bundle).Should().Contain("/mounts/10: remount /a (exec): ").And.Contain("the mount is noexec on the host");
    }

    [Test]
    public void A_read_only_root_keeps_them()
    {
        Mount("--bind", _bundle.Rootfs, _bundle.Rootfs);
        Mount("-o", "remount,bind,nosuid,nodev,noatime", _bundle.Rootfs);
        try
        {
            using TestContainer container = Observe.Sleeping(_bundle);
            container.Init.MountAt("/").Options.Should().BeEquivalentTo("ro", "nosuid", "nodev", "noatime");
        }
        finally
        {
            Command.Run("umount", _bundle.Rootfs).ShouldSucceed();
        }
    }

    [Test]
    public void A_source_that_only_the_runtime_can_reach_has_nothing_locked()
    {
        string hidden = Directory.CreateDirectory(Path.Combine(_bundle.Directory, "hidden"), UnixFileMode.UserRead | UnixFileMode.UserWrite
            | UnixFileMode.UserExecute).FullName;
        string source = Directory.CreateDirectory(Path.Combine(hidden, "source")).FullName;
        Mount("-t", "tmpfs", "-o", "nosuid,noexec", "hidden", source);
        try
        {
            _bundle.AddMount("/a", "bind", source, "bind", "exec", "nosuid");
            using TestContainer container = Observe.Sleeping(_bundle);
            container.Init.MountAt("/a").Options.Should().BeEquivalentTo("rw", "nosuid", "relatime");
        }
        finally
        {
            Command.Run("umount", source).ShouldSucceed();
        }
    }

    [Test]
    public void Without_a_user_namespace_nothing_is_locked()
    {
        _bundle.RemoveNamespace("user").Linux.Remove("uidMappings");
        _bundle.Linux.Remove("gidMappings");
        _bundle.AddMount("/a", "bind", _source, "rbind", "exec", "suid", "nodev", "relatime")
            .AddMount("/b", "bind", _source, "rbind", "rrw", "rdev", "rdiratime");
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Init.MountAt("/a").Options.Should().BeEquivalentTo("rw", "nodev", "relatime");
        container.Init.MountAt("/b/below").Options.Should().BeEquivalentTo("rw", "relatime");
    }

    [Test]
    public void The_runtime_itself_may_run_in_a_user_namespace()
    {
        _bundle.RemoveNamespace("user").Linux.Remove("uidMappings");
        _bundle.Linux.Remove("gidMappings");
        _bundle.AddMount("/a", "bind", _source, "rbind", "ro", "nosuid");
        Command.Run("chown", "-R", "--no-dereference", "0:0", _bundle.Rootfs).ShouldSucceed();
        _bundle.Script("grep ' /a ' /proc/self/mountinfo");
        using (TestContainer container = new(_bundle, Wrapped.UserNamespace))
        {
            MountInfo.Parse(container.Run().ShouldSucceed().Lines.Single()).Options.Should().BeEquivalentTo(["ro", .. Strict]);
        }
        _bundle.AddMount("/b", "bind", _source, "rbind", "dev");
        Observe.Refused(_bundle, Wrapped.UserNamespace).Should().Contain("the mount is nodev on the host, which is locked");
    }

    [Test]
    public void Proc_whose_host_hides_parts_is_refused_and_the_reason_is_said()
    {
        Observe.Refused(_bundle, Wrapped.MaskedProc).Should()
            .Contain("/mounts/0: mount proc on /proc").And.Contain("EPERM").And.Contain("visible in full").And.Contain(
            "covered at /proc/bus");
        _bundle.RemoveMount("/proc").AddMount("/proc", "bind", "/proc", "rbind");
        _bundle.Script("ls /proc/bus; test -e /proc/uptime && echo bound");
        using TestContainer container = new(_bundle, Wrapped.MaskedProc);
        container.Run().ShouldSucceed().Lines.Should().Equal("bound");
    }

    [Test]
    public void Proc_of_the_hosts_pid_namespace_is_refused_and_the_reason_is_said()
    {
        _bundle.RemoveNamespace("pid");
        Observe.Refused(_bundle).Should()
            .Contain("/mounts/0: mount proc on /proc").And.Contain("EPERM").And.Contain("only with a pid namespace of its own").And.Contain(
            "A bind of /proc is possible");
    }

    [Test]
    public void Sysfs_that_the_host_has_read_only_is_bound_as_it_is()
    {
        _bundle.RemoveMount("/sys").AddMount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev")
            .Script("grep ' / /sys ' /proc/self/mountinfo");
        using TestContainer container = new(_bundle, Wrapped.ReadOnlySysfs);
        MountInfo.Parse(container.Run().ShouldSucceed().Lines.Single()).Options.Should().Contain(["ro", "nosuid", "noexec", "nodev"]);
    }

    private static void Mount(params string[] args) => Command.Run("mount", args).ShouldSucceed();
}
