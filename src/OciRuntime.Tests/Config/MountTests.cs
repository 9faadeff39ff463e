using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>File systems in `mounts`: types, options, order, and what happens to the directory they cover.</summary>
public sealed class MountTests
{
    [Test]
    public void Mounts_of_the_default_specification_are_what_they_say()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle);
        ProcessView init = container.Init;
        init.MountAt("/proc").Should().BeEquivalentTo(new { Type = "proc", Source = "proc" });
        init.MountAt("/dev").Should().BeEquivalentTo(new { Type = "tmpfs", Source = "tmpfs", Options = (string[])["rw", "nosuid"] });
        init.MountAt("/dev").SuperOptions.Should().Contain(["mode=755", "size=65536k"]);
        init.MountAt("/dev/pts").Should()
            .BeEquivalentTo(new { Type = "devpts", Options = (string[])["rw", "nosuid", "noexec", "relatime"] });
        init.MountAt("/dev/pts").SuperOptions.Should().Contain(["gid=5", "mode=620", "ptmxmode=666"]);
        init.MountAt("/dev/shm").Should()
            .BeEquivalentTo(new { Type = "tmpfs", Source = "shm", Options = (string[])["rw", "nosuid", "nodev", "noexec", "relatime"] });
        init.MountAt("/dev/shm").SuperOptions.Should().Contain("size=65536k");
        init.MountAt("/dev/mqueue").Should()
            .BeEquivalentTo(new { Type = "mqueue", Options = (string[])["rw", "nosuid", "nodev", "noexec", "relatime"] });
        init.MountAt("/sys").Should()
            .BeEquivalentTo(new { Type = "sysfs", Options = (string[])["ro", "nosuid", "nodev", "noexec", "relatime"] });
        container.Bundle.Mounts.Count.Should().Be(7);
        init.Mounts[0].MountPoint.Should().Be("/");
    }

    [Test]
    public void Each_container_has_its_own_proc_devpts_and_shm()
    {
        using TestBundle bundle = new();
        string[] lines = Observe.Run(bundle,
            "echo $$; ls /dev/pts; ls /dev/shm | wc -l; cat /proc/1/comm; stat -c '%a %n' /dev/shm /dev/pts/ptmx; readlink /dev/ptmx");
        lines.Should().Equal("1", "ptmx", "0", "sh", "1777 /dev/shm", "666 /dev/pts/ptmx", "pts/ptmx");
    }

    [Test]
    public void Tmpfs_inherits_the_mode_it_covers_unless_told_otherwise()
    {
        using TestBundle bundle = new();
        string covered = Directory.CreateDirectory(bundle.InRootfs("/covered")).FullName;
        File.SetUnixFileMode(covered, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.StickyBit | UnixFileMode.GroupWrite);
        bundle.AddMount("/covered", "tmpfs", "tmpfs").AddMount("/home", "tmpfs", "tmpfs", "mode=0711")
            .AddMount("/new/one", "tmpfs", "tmpfs");
        Observe.Run(bundle, Observe.Stat("%a", "/covered", "/home", "/new/one", "/new")).Should().Equal("1520", "711", "1777", "755");
    }

    [Test]
    public void Read_only_tmpfs_takes_later_mounts_devices_and_links_first()
    {
        using TestBundle bundle = new();
        bundle.RemoveMount("/dev").AddMount("/ro", "tmpfs", "tmpfs", "ro").AddMount("/ro/in/side", "tmpfs", "tmpfs", "rw")
            .AddMount("/dev", "tmpfs", "tmpfs", "nosuid", "ro", "mode=755");
        // Order matters: /dev comes after its own children in the list now, so put those behind it.
        foreach (string below in (string[])["/dev/pts", "/dev/shm", "/dev/mqueue"]) bundle.RemoveMount(below);
        bundle.AddMount("/dev/shm", "tmpfs", "shm", "mode=1777");
        string[] lines =
            Observe.Run(bundle,
            "touch /ro/x 2>&1 || echo refused; touch /ro/in/side/x && echo written; touch /dev/x 2>/dev/null || echo refused; echo 1 "
            + ">/dev/shm/x && echo written; echo x >/dev/null && ls -l /dev/fd | wc -l");
        lines.Should().Equal("touch: /ro/x: Read-only file system", "refused", "written", "refused", "written", "1");
    }

    [Test]
    public void Flags_words_reach_mount_and_superblock()
    {
        using TestBundle bundle = new();
        bundle.AddMount("/a", "tmpfs", "tmpfs", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow", "sync",
            "dirsync", "size=1m")
            .AddMount("/b", "tmpfs", "tmpfs", "nosuid", "suid", "nodev", "dev", "noexec", "exec", "ro", "rw", "noatime", "relatime",
            "async", "defaults", "silent", "loud")
            .AddMount("/c", "tmpfs", "tmpfs", "strictatime", "lazytime", "mand", "nomand", "iversion", "noiversion",
            "nr_inodes=100,size=2m")
            .AddMount("/d", "tmpfs", "tmpfs", "noatime", "atime").AddMount("/e", "tmpfs", "tmpfs", "norelatime");
        using TestContainer container = Observe.Sleeping(bundle);
        MountInfo At(string path) => container.Init.MountAt(path);
        At("/a").Options.Should().BeEquivalentTo("rw", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow");
        At("/a").SuperOptions.Should().Contain(["sync", "dirsync", "size=1024k"]);
        At("/b").Options.Should().BeEquivalentTo("rw", "relatime");
        At("/c").Options.Should().BeEquivalentTo("rw");
        At("/c").SuperOptions.Should().Contain(["lazytime", "nr_inodes=100", "size=2048k"]);
        At("/d").Options.Should().BeEquivalentTo("rw", "relatime");
        At("/e").Options.Should().BeEquivalentTo("rw", "relatime");
    }

    [TestCase("private", "private")]
    [TestCase("rprivate", "private")]
    [TestCase("shared", "shared")]
    [TestCase("rshared", "shared")]
    [TestCase("unbindable", "unbindable")]
    [TestCase("runbindable", "unbindable")]
    [TestCase("slave", "private")]
    public void Propagation_words_of_a_file_system(string word, string expected)
    {
        using TestBundle bundle = new();
        bundle.AddMount("/a", "tmpfs", "tmpfs", word);
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.MountAt("/a").PropagationType.Should().Be(expected);
        container.Init.MountAt("/").PropagationType.Should().Be("private");
    }

    [Test]
    public void Propagation_words_apply_in_order()
    {
        using TestBundle bundle = new();
        bundle.AddMount("/a", "tmpfs", "tmpfs", "shared", "slave", "shared").AddMount("/b", "tmpfs", "tmpfs", "shared", "private");
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.MountAt("/a").PropagationType.Should().Be("shared");
        container.Init.MountAt("/b").PropagationType.Should().Be("private");
    }

    [Test]
    public void Remount_changes_what_is_there()
    {
        using TestBundle bundle = new();
        bundle.AddMount("/a", "tmpfs", "tmpfs", "ro", "nosuid", "size=1m")
            .AddMount("/a", "tmpfs", "tmpfs", "remount", "suid", "noexec", "size=3m")
            .AddMount("/b", "tmpfs", "tmpfs", "rw", "nodev").AddMount("/b", "none", "none", "remount", "bind", "ro", "dev")
            .AddMount("/sys", "none", "none", "remount", "rw", "nosuid", "shared");
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.MountAt("/a").Options.Should().BeEquivalentTo("ro", "noexec", "relatime");
        container.Init.MountAt("/a").SuperOptions.Should().Contain("size=3072k");
        container.Init.MountAt("/b").Options.Should().BeEquivalentTo("ro", "relatime");
        container.Init.MountAt("/sys").Options.Should().Contain("rw");
        container.Init.MountAt("/sys").PropagationType.Should().Be("shared");
    }

    [Test]
    public void Bad_file_systems_fail_with_the_kernels_own_words()
    {
        using TestBundle bundle = new();
        bundle.AddMount("/a", "tmpfs", "tmpfs", "size=many");
        Observe.Refused(bundle).Should().Contain("/mounts/7").And.Contain("/a").And.Contain("Bad value for 'size'").And.Contain("EINVAL");
        bundle.RemoveMount("/a").AddMount("/a", "nosuchfs", "x");
        Observe.Refused(bundle).Should().Contain("/mounts/7").And.Contain("nosuchfs").And.Contain("ENODEV");
        bundle.RemoveMount("/a").AddMount("/a", "tmpfs", "tmpfs", "nosuchoption");
        Observe.Refused(bundle).Should().Contain("nosuchoption");
        bundle.RemoveMount("/a").AddMount("/etc/passwd", "tmpfs", "tmpfs");
        Observe.Refused(bundle).Should().Contain("/mounts/7").And.Contain("ENOTDIR");
    }

    /// <summary>Newer kernels keep a warning of the option that is out of use, and have it before the error.</summary>
    [TestCase("xfs", "attr2")]
    [TestCase("btrfs", "usebackuproot")]
    public void The_kernels_error_is_told_and_not_its_warning_of_another_option(string type, string outOfUse)
    {
        Requires.FileSystem(type);
        using TestBundle bundle = new();
        bundle.AddMount("/a", type, "none", outOfUse, "nosuchoption");
        Observe.Refused(bundle).Should().Contain($"{type}: Unknown parameter 'nosuchoption'").And.NotContain("Deprecated");
    }

    [Test]
    public void Only_procfs_may_cover_proc_and_real_directories_hold_it()
    {
        using TestBundle bundle = new();
        bundle.AddMount("/proc/self/attr", "tmpfs", "tmpfs");
        Observe.Refused(bundle).Should().Contain("/mounts/7 /proc/self/attr").And.Contain("inside /proc");
        bundle.RemoveMount("/proc/self/attr").RemoveMount("/proc").AddMount("/proc", "tmpfs", "tmpfs");
        Observe.Refused(bundle).Should().Contain("only proc");
        bundle.RemoveMount("/proc").AddMount("/proc", "bind", bundle.Directory, "bind");
        Observe.Refused(bundle).Should().Contain("source is not a procfs");
        bundle.RemoveMount("/proc");
        Directory.Delete(bundle.InRootfs("proc"));
        File.CreateSymbolicLink(bundle.InRootfs("proc"), "/tmp");
        bundle.AddMount("/proc", "proc", "proc");
        Observe.Refused(bundle).Should().Contain("real directory, not a symbolic link");
    }

    /// <summary>The files that container managers fake (lxcfs), and no others: runc's list.</summary>
    [Test]
    public void Files_that_engines_fake_may_cover_their_proc_files()
    {
        string[] allowed = ["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "sys/kernel/ns_last_pid",
            "sys/crypto/fips_enabled"];
        string[] present = [.. allowed.Where(file => File.Exists("/proc/" + file))];
        present.Should().Contain(["cpuinfo", "meminfo", "uptime"]);
        using TestBundle bundle = new();
        string fake = Path.Combine(bundle.Directory, "fake");
        File.WriteAllText(fake, "fake\n");
        foreach (string file in present) bundle.AddMount("/proc/" + file, "bind", fake, "bind", "ro");
        Observe.Run(bundle, "cat " + string.Join(' ', present.Select(file => "/proc/" + file))).Should().Equal(present.Select(_ => "fake"));
        // What this kernel lacks fails for that reason alone.
        foreach (string file in allowed.Except(present))
        {
            using TestBundle other = new();
            other.AddMount("/proc/" + file, "bind", fake, "bind");
            Observe.Refused(other).Should().Contain($"bind {fake} on /proc/{file}: destination").And.Contain("ENOENT");
        }
    }

    [TestCase("/proc/version")]
    [TestCase("/proc/self/uptime")]
    [TestCase("/proc/sys/kernel/hostname")]
    [TestCase("/proc/sys/kernel/../kernel/core_pattern")]
    [TestCase("/proc/uptime/x")]
    public void Other_proc_files_may_not_be_covered(string path)
    {
        using TestBundle bundle = new();
        bundle.AddMount(path, "bind", "/dev/null", "bind");
        Observe.Refused(bundle).Should().Contain($"/mounts/7 {path}: is inside /proc, where only cpuinfo");
    }

    [Test]
    public void Relative_destinations_and_links_stay_inside()
    {
        using TestBundle bundle = new();
        Directory.CreateDirectory(bundle.InRootfs("/real"));
        File.CreateSymbolicLink(bundle.InRootfs("/link"), "/../../../../real");
        bundle.AddMount("relative/../dir", "tmpfs", "one").AddMount("/link/deep", "tmpfs", "two");
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.MountAt("/dir").Source.Should().Be("one");
        container.Init.MountAt("/real/deep").Source.Should().Be("two");
    }
}
