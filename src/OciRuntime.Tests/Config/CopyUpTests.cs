using System.Net.Sockets;
using System.Security.Cryptography;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// The option tmpcopyup: a tmpfs that begins with what the image has at its destination, compared file by file from the host.
/// </summary>
public sealed class CopyUpTests
{
    private const UnixFileMode SetIds = UnixFileMode.SetUser | UnixFileMode.SetGroup | (UnixFileMode)0b111_101_001;
    private TestBundle _bundle = null!;
    private string _covered = null!;

    [SetUp]
    public void Begin()
    {
        _bundle = new TestBundle();
        _covered = Directory.CreateDirectory(_bundle.InRootfs("covered")).FullName;
    }

    [TearDown]
    public void End() => _bundle.Dispose();

    [Test]
    public void Files_of_every_kind_have_their_modes_owners_times_and_links()
    {
        Directory.CreateDirectory(In("a/deep/er"));
        Write("a/file", "content\n", SetIds);
        Write("a/deep/empty", "", UnixFileMode.None);
        Write(new string('n', 255), "long name", UnixFileMode.UserRead);
        Write("big", new string('x', 100_000), UnixFileMode.UserRead);
        Libc.Check(Syscall.link(In("big"), In("hard")), "link");
        File.CreateSymbolicLink(In("link"), "a/file");
        File.CreateSymbolicLink(In("a/absolute"), "/etc/shadow");
        File.CreateSymbolicLink(In("loop"), "loop");
        using (Socket socket = new(AddressFamily.Unix, SocketType.Stream, 0))
            socket.Bind(new UnixDomainSocketEndPoint(In("socket")));
        Shell("mkfifo -m 0622 pipe && mknod -m 0640 null c 1 3 && mknod -m 0604 disk b 7 200 && chown 5:6 a/file pipe disk && chown -h "
            + "7:8 link"
            + " && chmod 6751 a/file && chown 9:10 a/deep && chmod 3775 a/deep && touch -d '2001-02-03 04:05:06.789' a/file a/deep pipe "
            + "big && touch -h -d '2002-03-04 05:06:07.5' link"
            + " && chmod 1751 .");
        using TestContainer container = CopiedUp();
        Listing(container.Init.InRoot("covered")).Should().Equal(Listing(_covered));
        string devices = "stat -c '%n %t:%T' null disk";
        Shell(devices, container.Init.InRoot("covered")).Should().Equal(Shell(devices));
        File.ReadAllText(container.Init.InRoot("covered/a/file")).Should().Be("content\n");
        File.ReadAllText(container.Init.InRoot("covered/hard")).Should().Be(new string('x', 100_000));
        container.Init.MountAt("/covered").Should()
            .BeEquivalentTo(new { Type = "tmpfs", Options = (string[])["rw", "nosuid", "nodev", "noexec", "relatime"] });
        container.Init.MountAt("/covered").SuperOptions.Should()
            .Contain("mode=1751", "the directory's own mode stays, its owner is root as with runc and crun");
    }

    [Test]
    public void Extended_attributes_come_along()
    {
        // struct vfs_cap_data, revision 2, effective: CAP_NET_RAW.
        byte[] capability = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        Directory.CreateDirectory(In("dir"));
        Write("dir/ping", "x", SetIds);
        SetXattr(In("dir/ping"), "security.capability", capability);
        SetXattr(In("dir/ping"), "trusted.note", "one"u8.ToArray());
        SetXattr(In("dir"), "trusted.note", "two"u8.ToArray());
        using TestContainer container = CopiedUp();
        GetXattr(container.Init.InRoot("covered/dir/ping"), "security.capability").Should().Equal(capability);
        GetXattr(container.Init.InRoot("covered/dir/ping"), "trusted.note").Should().Equal("one"u8.ToArray());
        GetXattr(container.Init.InRoot("covered/dir"), "trusted.note").Should().Equal("two"u8.ToArray());
        Listing(container.Init.InRoot("covered")).Should().Equal(Listing(_covered));
    }

    [Test]
    public void Sparse_files_stay_sparse()
    {
        using (FileStream file = File.Create(In("sparse")))
        {
            file.SetLength(200 << 20);
            file.Position = 100 << 20;
            file.Write(RandomNumberGenerator.GetBytes(123_456));
        }
        using (FileStream hole = File.Create(In("hole"))) hole.SetLength(1L << 40);
        using TestContainer container = CopiedUp("size=8m");
        string copy = container.Init.InRoot("covered/sparse");
        Shell("stat -c %b sparse", Path.GetDirectoryName(copy)!).Should().ContainSingle().Which.Should()
            .Match(blocks => int.Parse(blocks) < 1000);
        Command.Run("cmp", copy, In("sparse")).ShouldSucceed();
        new FileInfo(container.Init.InRoot("covered/hole")).Length.Should().Be(1L << 40);
    }

    [Test]
    public void Read_only_with_a_mode_of_its_own_and_without_a_directory_to_cover()
    {
        Write("file", "content\n", UnixFileMode.UserRead);
        _bundle.AddMount("/covered", "tmpfs", "tmpfs", "tmpcopyup", "ro", "mode=0711")
            .AddMount("/not/there", "tmpfs", "tmpfs", "tmpcopyup");
        File.CreateSymbolicLink(_bundle.InRootfs("linked"), "/../../etc");
        _bundle.AddMount("/linked", "tmpfs", "tmpfs", "tmpcopyup", "rro");
        Observe.Run(_bundle,
            "cat /covered/file; touch /covered/x 2>&1; stat -c %a /covered; ls /not/there; touch /not/there/x && echo written; grep -c "
            + "root /etc/passwd; touch /etc/x 2>&1 || true")
            .Should().Equal("content", "touch: /covered/x: Read-only file system", "711", "written", "1",
            "touch: /etc/x: Read-only file system");
        Directory.Exists(_bundle.InRootfs("not/there")).Should().BeTrue();
    }

    [Test]
    public void What_an_earlier_mount_put_there_is_copied_and_the_image_stays_as_it_was()
    {
        string source = Directory.CreateDirectory(Path.Combine(_bundle.Directory, "source")).FullName;
        File.WriteAllText(Path.Combine(source, "file"), "from the volume\n");
        _bundle.AddMount("/covered", "bind", source, "bind").AddMount("/covered", "tmpfs", "tmpfs", "tmpcopyup");
        Observe.Run(_bundle, "cat /covered/file; echo changed >/covered/file; cat /covered/file").Should()
            .Equal("from the volume", "changed");
        File.ReadAllText(Path.Combine(source, "file")).Should().Be("from the volume\n");
        Directory.GetFileSystemEntries(_covered).Should().BeEmpty();
    }

    [Test]
    public void In_a_user_namespace_owners_stay_who_they_are_inside()
    {
        Write("file", "content\n", SetIds);
        Directory.CreateDirectory(In("dir"));
        Write("foreign", "of nobody here\n", UnixFileMode.OtherRead);
        Shell("chown 100005:100006 file && chmod 6751 file && chown 100007:100008 dir && chown 100000:100000 .. .");
        _bundle.WithUserNamespace().AddMount("/covered", "tmpfs", "tmpfs", "tmpcopyup");
        Observe.Run(_bundle, "cd /covered; stat -c '%n %u:%g %a' file dir foreign; cat foreign").Should()
            .Equal("file 5:6 6751", "dir 7:8 755", "foreign 65534:65534 4", "of nobody here");
    }

    [TestCase("mknod dev c 1 3", "make the device: operation not permitted (EPERM): dev: not possible in a user namespace", 65536)]
    [TestCase("echo x >file; chmod 600 file", "copy what is there: permission denied (EACCES): file", 65536)]
    [TestCase("mkdir d; chown 100000 d; echo x >d/file; chmod 604 d/file",
        "set the owner: invalid argument (EINVAL): d/file: the owner has no mapping in the user namespace", 1)]
    public void What_a_user_namespace_cannot_copy_is_an_error(string make, string expected, int size)
    {
        Shell($"{make}; chown 100000:100000 .. .");
        _bundle.WithUserNamespace(size: size).RemoveMount("/dev/pts").AddMount("/covered", "tmpfs", "tmpfs", "tmpcopyup");
        Observe.Refused(_bundle).Should().Contain("mount tmpfs on /covered (tmpcopyup): ").And.Contain(expected);
    }

    [Test]
    public void Too_much_and_too_deep_are_errors_that_leave_nothing()
    {
        Directory.CreateDirectory(In("sub"));
        Write("sub/big", new string('x', 2 << 20), SetIds);
        _bundle.AddMount("/covered", "tmpfs", "tmpfs", "tmpcopyup", "size=1m");
        Observe.Refused(_bundle).Should()
            .Contain("/mounts/7: mount tmpfs on /covered").And.Contain(
            "no space left on device (ENOSPC): sub/big: it does not fit into the tmpfs");
        File.Delete(In("sub/big"));
        Shell("i=0; while [ $i -lt 300 ]; do mkdir d && cd d; i=$((i+1)); done");
        Observe.Refused(_bundle).Should().Contain("more than 256 directories deep").And.Contain("d/d/d/d");
    }

    [Test]
    public void A_deep_and_wide_tree_is_copied_without_a_managed_allocation()
    {
        Shell("i=0; while [ $i -lt 255 ]; do mkdir d && cd d && echo $i >f; i=$((i+1)); done");
        Shell("mkdir wide && cd wide && seq 3000 | xargs touch");
        string log = Path.Combine(_bundle.Directory, "log");
        _bundle.AddMount("/covered", "tmpfs", "tmpfs", "tmpcopyup").Script("find /covered | wc -l");
        using TestContainer container = new(_bundle);
        container.GlobalOptions.AddRange(["--debug", "--log", log]);
        container.Run().ShouldSucceed().Lines.Should().Equal((1 + 255 * 2 + 1 + 3000).ToString());
        if (Ocirun.IsUnderTest) File.ReadAllText(log).Should().Contain("init allocated 0 bytes");
    }

    private TestContainer CopiedUp(params string[] options)
    {
        _bundle.AddMount("/covered", "tmpfs", "tmpfs", ["tmpcopyup", "nosuid", "nodev", "noexec", .. options]);
        return Observe.Sleeping(_bundle);
    }

    private string In(string name) => Path.Combine(_covered, name);

    private void Write(string name, string content, UnixFileMode mode)
    {
        File.WriteAllText(In(name), content);
        File.SetUnixFileMode(In(name), mode);
    }

    private string[] Shell(string script, string? directory = null) =>
        Command.Run("sh", ["-c", script], new CommandOptions { WorkingDirectory = directory ?? _covered }).ShouldSucceed().Lines;

    /// <summary>
    /// Everything below, by find(1): type, mode, owner, modification time, size and target of a link. Sizes of directories are the file
    /// system's affair.
    /// </summary>
    private static string[] Listing(string directory) =>
        [.. Command.Run("find", directory, "-mindepth", "1", "(", "-type", "d", "-printf", "%P %y %m %U:%G %T@\n", ")", "-o", "-printf",
        "%P %y %m %U:%G %T@ %s %l\n").ShouldSucceed().Lines.Order(StringComparer.Ordinal)];

    private static void SetXattr(string path, string name, byte[] value) =>
        Libc.Check(Syscall.setxattr(path, name, value), $"setxattr {name}");

    private static byte[] GetXattr(string path, string name)
    {
        Libc.Check(Syscall.getxattr(path, name, out byte[] value), $"getxattr {name}");
        return value;
    }
}
