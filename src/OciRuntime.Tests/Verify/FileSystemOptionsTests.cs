using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Host;
using OciRuntime.Verify;

namespace OciRuntime.Tests.Verify;

/// <summary>What was asked for, and the kernel's own words for what there is.</summary>
public sealed class FileSystemOptionsTests
{
    [TestCase("tmpfs", "size=64m", "rw,size=65536k", true)]
    [TestCase("tmpfs", "size=1000", "rw,size=4k", true)]
    [TestCase("tmpfs", "size=64m", "rw,size=65540k,inode64", true)]
    [TestCase("tmpfs", "size=64m", "rw,size=65544k", false)]
    [TestCase("tmpfs", "size=64m", "rw", false)]
    [TestCase("tmpfs", "size=64m", "rw,size=0k", false)]
    [TestCase("tmpfs", "size=50%", "rw,size=1234k", true)]
    [TestCase("tmpfs", "nr_inodes=1k", "rw,nr_inodes=1024", true)]
    [TestCase("tmpfs", "nr_inodes=1k", "rw,nr_inodes=1025", false)]
    [TestCase("tmpfs", "nr_inodes=1k", "rw", true)]
    [TestCase("tmpfs", "mode=0755", "rw,mode=755", true)]
    [TestCase("tmpfs", "mode=0755", "rw,mode=700", true)]
    [TestCase("tmpfs", "mode=0755", "rw,mode=775", false)]
    [TestCase("tmpfs", "mode=0755", "rw", false)]
    [TestCase("tmpfs", "mode=1777", "rw", true)]
    [TestCase("tmpfs", "mode=1777", "rw,mode=777", false)]
    [TestCase("tmpfs", "uid=7", "rw,uid=1007", true)]
    [TestCase("tmpfs", "uid=7", "rw", false)]
    [TestCase("tmpfs", "huge=always", "rw", true)]
    [TestCase("proc", "hidepid=2", "rw,hidepid=invisible", true)]
    [TestCase("proc", "hidepid=2", "rw,hidepid=2", true)]
    [TestCase("proc", "hidepid=invisible", "rw,gid=1005,hidepid=ptraceable", true)]
    [TestCase("proc", "hidepid=2", "rw,hidepid=noaccess", false)]
    [TestCase("proc", "hidepid=2", "rw", false)]
    [TestCase("proc", "hidepid=0", "rw", true)]
    [TestCase("proc", "subset=pid", "rw,subset=pid", true)]
    [TestCase("proc", "subset=pid", "rw", false)]
    [TestCase("proc", "gid=5", "rw,gid=1005", true)]
    [TestCase("devpts", "ptmxmode=0666", "rw,gid=1005,mode=620,ptmxmode=666", true)]
    [TestCase("devpts", "mode=0620", "rw,gid=1005,mode=622,ptmxmode=666", false)]
    [TestCase("overlay", "lowerdir=/a,b:/c\\:d", "rw,lowerdir=/a\\054b:/c\\134:d,upperdir=/u", true)]
    [TestCase("overlay", "upperdir=/u", "rw,lowerdir=/a,upperdir=/other", false)]
    [TestCase("overlay", "lowerdir=/a:/b", "rw,lowerdir+=/a,lowerdir+=/b", true)]
    public void Parameters_agree(string type, string wanted, string shown, bool agree)
    {
        string[] word = wanted.Split('=', 2);
        FileSystemOptions options = new(static id => id + 1000, static id => id + 1000);
        MountEntry entry = new("0:1", "/", "/x", type, FileSystemOptions: shown);
        string differs = options.Differ(type, [new(word[0], "another"), new(word[0], word[1])], entry);
        differs.Length.Should().Be(agree ? 0 : differs.Length).And.BeGreaterThan(agree ? -1 : 0, differs);
        options.Differ("ext4", [new(word[0], word[1])], entry).Should().BeEmpty();
    }
}
