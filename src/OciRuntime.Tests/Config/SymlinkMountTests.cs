using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Security;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>crun's words for binds whose source or destination is a symbolic link: copy-symlink, src-nofollow, dest-nofollow.</summary>
public sealed class SymlinkMountTests
{
    private TestBundle _bundle = null!;
    private string _link = null!;

    /// <summary>A link on the host, to a file there.</summary>
    [SetUp]
    public void Begin()
    {
        _bundle = new TestBundle();
        _link = Path.Combine(_bundle.Directory, "link");
        File.WriteAllText(Path.Combine(_bundle.Directory, "file"), "content\n");
        File.CreateSymbolicLink(_link, "file");
    }

    [TearDown]
    public void End() => _bundle.Dispose();

    [Test]
    public void Copied_link_is_a_link_in_the_container([Values] bool user)
    {
        if (user) _bundle.WithUserNamespace().WithDirectoriesOfItsRoot();
        _bundle.AddMount("/new/localtime", "bind", _link, "bind", "copy-symlink")
            .AddMount("/plain", "bind", Path.Combine(_bundle.Directory, "file"), "bind", "copy-symlink", "ro");
        Observe.Run(_bundle,
            "readlink /new/localtime; cat /plain; grep -c ' /new' /proc/self/mountinfo; grep ' /plain ' /proc/self/mountinfo | cut -d' ' "
            + "-f6 | cut -c1-2")
            .Should().Equal("file", "content", "0", "ro");
    }

    [Test]
    public void Copied_link_may_be_there_already_but_nothing_else()
    {
        File.CreateSymbolicLink(_bundle.InRootfs("etc/same"), "file");
        File.CreateSymbolicLink(_bundle.InRootfs("etc/other"), "file2");
        _bundle.AddMount("/etc/same", "bind", _link, "bind", "copy-symlink");
        Observe.Run(_bundle, "readlink /etc/same").Should().Equal("file");
        foreach (string path in (string[])["/etc/other", "/etc/passwd", "/home"])
        {
            _bundle.AddMount(path, "bind", _link, "bind", "copy-symlink");
            Observe.Refused(_bundle).Should()
                .Contain($"/mounts/8: make the symbolic link {path} -> file: a different file is there already").And.Contain("EEXIST");
            _bundle.RemoveMount(path);
        }
    }

    [Test]
    public void Copied_link_at_a_path_longer_than_the_kernels_is_refused()
    {
        _bundle.AddMount("/" + string.Concat(Enumerable.Repeat("a/", 3000)) + "link", "bind", _link, "bind", "copy-symlink");
        Observe.Refused(_bundle).Should().Contain("/mounts/7: ").And.Contain("file name too long (ENAMETOOLONG)");
    }

    [Test]
    public void Copied_link_stays_inside_whatever_the_image_says()
    {
        using Canary canary = new();
        File.CreateSymbolicLink(_bundle.InRootfs("escape"), canary.Directory);
        File.CreateSymbolicLink(_bundle.InRootfs("escape2"), "../../../../../.." + canary.Directory);
        _bundle.AddMount("/escape/link", "bind", _link, "bind", "copy-symlink")
            .AddMount("/escape2/link2", "bind", _link, "bind", "copy-symlink");
        Observe.Run(_bundle, $"ls {canary.Directory}").Should().Equal("link", "link2");
        canary.ShouldBeUntouched();
    }

    [Test]
    public void Source_link_itself_can_be_bound([Values] bool user)
    {
        if (user) _bundle.WithUserNamespace().WithDirectoriesOfItsRoot();
        File.CreateSymbolicLink(_bundle.InRootfs("etc/target"), "nowhere");
        _bundle.AddMount("/etc/file", "bind", _link, "bind", "src-nofollow", "ro")
            .AddMount("/etc/target", "bind", _link, "bind", "src-nofollow", "dest-nofollow")
            .AddMount("/etc/plain", "bind", _link, "bind");
        Observe.Run(_bundle,
            "readlink /etc/file; readlink /etc/target; cat /etc/plain; grep -c -E ' /etc/(file|target) ' /proc/self/mountinfo; ls -d "
            + "/etc/nowhere 2>&1 || true")
            .Should().Equal("file", "file", "content", "2", "ls: /etc/nowhere: No such file or directory");
        new FileInfo(_bundle.InRootfs("etc/target")).LinkTarget.Should().Be("nowhere", "it is only covered");
    }

    /// <summary>A user namespace may not be able to reach a source; then the runtime opens it, by the same rules.</summary>
    [Test]
    public void Source_link_below_a_directory_that_the_user_namespace_cannot_enter()
    {
        _bundle.WithUserNamespace().WithDirectoriesOfItsRoot();
        string hidden = Directory.CreateDirectory(Path.Combine(_bundle.Directory, "hidden"), UnixFileMode.UserRead | UnixFileMode.UserWrite
            | UnixFileMode.UserExecute).FullName;
        File.CreateSymbolicLink(Path.Combine(hidden, "link"), "elsewhere");
        _bundle.AddMount("/a", "bind", Path.Combine(hidden, "link"), "bind", "src-nofollow")
            .AddMount("/b", "bind", Path.Combine(hidden, "link"), "bind", "copy-symlink");
        Observe.Run(_bundle, "readlink /a; readlink /b; grep -c ' /a ' /proc/self/mountinfo").Should().Equal("elsewhere", "elsewhere", "1");
    }

    [Test]
    public void Destination_link_itself_can_be_covered()
    {
        using Canary canary = new();
        string file = Path.Combine(_bundle.Directory, "file");
        File.CreateSymbolicLink(_bundle.InRootfs("etc/evil"), canary["passwd"]);
        File.CreateSymbolicLink(_bundle.InRootfs("etc/inner"), "passwd");
        _bundle.AddMount("/etc/evil", "bind", file, "bind", "dest-nofollow").AddMount("/etc/inner", "bind", file, "bind", "dest-nofollow")
            .AddMount("/made/here", "bind", file, "bind", "dest-nofollow");
        Observe.Run(_bundle,
            "cat /etc/evil /etc/inner /made/here; head -1 /etc/passwd; for p in /etc/evil /etc/inner; do grep -c \" $p \" "
            + "/proc/self/mountinfo; done").Should()
            .Equal("content", "content", "content", "root:x:0:0:root:/root:/bin/sh", "1", "1");
        canary.ShouldBeUntouched();
    }

    [Test]
    public void A_directory_cannot_cover_a_link_and_nothing_may_cover_one_of_procfs()
    {
        File.CreateSymbolicLink(_bundle.InRootfs("etc/dir"), "/tmp");
        _bundle.AddMount("/etc/dir", "bind", _bundle.Directory, "bind", "dest-nofollow");
        Observe.Refused(_bundle).Should().Contain("/mounts/7").And.Contain("ENOTDIR");
        _bundle.RemoveMount("/etc/dir").AddMount("/p/self", "bind", _link, "bind", "dest-nofollow");
        File.CreateSymbolicLink(_bundle.InRootfs("p"), "/proc");
        Observe.Refused(_bundle).Should().Contain("/mounts/7").And.Contain("destination leads into the container's /proc");
    }
}
