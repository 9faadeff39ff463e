using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// Mounts onto a procfs: any but the container's own /proc may be covered. Monitoring agents, Metricbeat and Telegraf for example, are run
/// with the host's root at /hostfs and its /proc at /hostfs/proc.
/// </summary>
public sealed class HostProcTests
{
    private TestBundle _bundle = null!;

    [SetUp]
    public void Begin() => _bundle = new TestBundle();

    [TearDown]
    public void End() => _bundle.Dispose();

    [Test]
    public void The_hosts_root_and_its_proc_upon_it([Values] bool readOnly, [Values] bool userNamespace)
    {
        if (userNamespace) LiveMount.Own(_bundle.WithUserNamespace());
        string[] words = readOnly ? ["rbind", "ro", "rprivate"] : ["rbind", "rslave"];
        _bundle.Writable().AddMount("/hostfs", "bind", "/", words).AddMount("/hostfs/proc", "bind", "/proc", words);
        Observe.Run(_bundle,
            "cat /hostfs/proc/1/comm; grep -c ' /hostfs/proc proc\\| /hostfs/proc .* - proc ' /proc/self/mountinfo; cat /proc/1/comm; true")
            .Should().Equal(File.ReadAllText("/proc/1/comm").Trim(), "2", "sh");
    }

    /// <summary>
    /// An ordinary user who shares the host's pid namespace has its /proc bound on /proc: it is one file system then, in two places.
    /// </summary>
    [Test]
    public void Where_the_containers_own_proc_is_the_hosts_too()
    {
        _bundle.Writable().RemoveNamespace("pid").RemoveMount("/proc").AddMount("/proc", "bind", "/proc", "rbind");
        // First of all, as the masks of /proc need it.
        _bundle.AddMount("/hostfs", "bind", "/", "rbind").AddMount("/hostfs/proc", "bind", "/proc", "rbind", "ro");
        Observe.Run(_bundle, "cat /hostfs/proc/1/comm").Should().Equal(File.ReadAllText("/proc/1/comm").Trim());
    }

    [Test]
    public void What_is_in_another_procfs_can_be_covered_and_proc_by_another_proc()
    {
        string file = Path.Combine(_bundle.Directory, "file");
        File.WriteAllText(file, "covered\n");
        _bundle.Writable().AddMount("/other", "proc", "proc").AddMount("/other/uptime", "bind", file, "bind")
            .AddMount("/other/sys", "tmpfs", "tmpfs").AddMount("/proc", "proc", "again");
        Observe.Run(_bundle,
            "cat /other/uptime; ls /other/sys | wc -l; grep -c ' /proc .* - proc ' /proc/self/mountinfo; cat /proc/self/comm").Should()
            .Equal("covered", "0", "2", "cat");
    }

    /// <summary>
    /// By links in the image; as what is covered is a file, a directory, /proc itself, and after the mount of the host's procfs elsewhere.
    /// </summary>
    [TestCase("/proc/self/attr", false)]
    [TestCase("/proc/version", true)]
    [TestCase("/proc", false)]
    [TestCase("/hostfs/link", false)]
    public void The_containers_own_proc_stays_out_of_reach(string target, bool isFile)
    {
        string source = Path.Combine(_bundle.Directory, "source");
        if (isFile) File.WriteAllText(source, "");
        else Directory.CreateDirectory(source);
        string hostfs = Directory.CreateDirectory(Path.Combine(_bundle.Directory, "hostfs/proc")).Parent!.FullName;
        File.CreateSymbolicLink(Path.Combine(hostfs, "link"), "/proc/self");
        File.CreateSymbolicLink(_bundle.InRootfs("data"), target);
        _bundle.Writable().AddMount("/hostfs", "bind", hostfs, "rbind").AddMount("/hostfs/proc", "bind", "/proc", "rbind")
            .AddMount("/data", "bind", source, "bind");
        Observe.Refused(_bundle).Should().Contain("/mounts/9").And.Contain("destination leads into the container's /proc");
    }

    /// <summary>
    /// In a container, parts of the host's /proc are mounts of their own. Bound as a whole they are still the container's /proc.
    /// </summary>
    [TestCase("/proc/sys/kernel", "tmpfs")]
    [TestCase("/proc/sys/kernel/ostype", "bind")]
    public void What_is_mounted_on_the_containers_proc_belongs_to_it(string target, string type)
    {
        string script = Path.Combine(_bundle.Directory, "nested");
        File.WriteAllText(script,
            $"#!/bin/sh\nexec unshare --mount --propagation private sh -c 'mount --bind /proc/sys /proc/sys && exec \"$@\"' -- "
            + $"{Ocirun.Binary.Path} \"$@\"\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        File.CreateSymbolicLink(_bundle.InRootfs("data"), target);
        _bundle.Writable().RemoveNamespace("pid").RemoveMount("/proc").AddMount("/proc", "bind", "/proc", "rbind")
            .AddMount("/data", type, "/etc/hostname", type == "bind" ? ["bind"] : []);
        Observe.Refused(_bundle, new RuntimeBinary(script)).Should().Contain("destination leads into the container's /proc");
    }
}
