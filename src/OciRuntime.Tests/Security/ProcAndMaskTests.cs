using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>What may lie over /proc, what masks and read-only paths are made of, and where writes to procfs go.</summary>
public sealed class ProcAndMaskTests
{
    /// <summary>CVE-2019-16884: a fake /proc/self/attr swallows security labels.</summary>
    [TestCase("/proc/self", "tmpfs")]
    [TestCase("/proc/self/attr", "tmpfs")]
    [TestCase("/proc/1/attr", "tmpfs")]
    [TestCase("/proc/sys/net", "tmpfs")]
    [TestCase("/proc/net/dev", null)]
    [TestCase("//proc/./sys/../sys/kernel", "tmpfs")]
    [TestCase("/x/../proc/sysrq-trigger", null)]
    public void Nothing_may_be_mounted_inside_proc(string destination, string? type)
    {
        using TestBundle bundle = new TestBundle().Writable();
        bundle.AddMount(destination, type, type is null ? "/etc/hostname" : "tmpfs", type is null ? ["bind"] : []);
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1, "is inside /proc");
    }

    [Test]
    public void Nothing_but_proc_may_be_mounted_on_proc()
    {
        using TestBundle bundle = new TestBundle().RemoveMount("/proc").AddMount("/proc", "tmpfs", "tmpfs");
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1, "only proc");
    }

    [Test]
    public void A_bind_on_proc_must_be_of_a_procfs()
    {
        string fake = TestRun.NewDirectory("fake-proc");
        Directory.CreateDirectory(Path.Combine(fake, "self/attr"));
        File.WriteAllText(Path.Combine(fake, "self/attr/exec"), "");
        using TestBundle bundle = new TestBundle().RemoveMount("/proc").AddMount("/proc", null, fake, "rbind");
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1, "source is not a procfs");
        Directory.Delete(fake, recursive: true);
    }

    /// <summary>By a link in the image, which the configuration does not show.</summary>
    [TestCase("/proc/self/attr")]
    [TestCase("/proc")]
    [TestCase("/proc/sys/kernel")]
    public void A_link_into_proc_is_no_destination(string target)
    {
        using TestBundle bundle = new TestBundle().Writable().AddMount("/data", "tmpfs", "tmpfs");
        File.CreateSymbolicLink(bundle.InRootfs("data"), target);
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1, "destination leads into the container's /proc");
    }

    [TestCase("/proc/cpuinfo")]
    [TestCase("/proc/meminfo")]
    [TestCase("/proc/uptime")]
    [TestCase("/proc/loadavg")]
    public void The_files_of_lxcfs_may_be_covered(string file)
    {
        string fake = TestRun.NewPath("lxcfs");
        File.WriteAllText(fake, "fake\n");
        using TestBundle bundle = new TestBundle().AddMount(file, null, fake, "bind", "ro").Args("cat", file);
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed().Text.Should().Be("fake");
        File.Delete(fake);
    }

    /// <summary>CVE-2025-31133: masked files are covered with the host's null device, not with what the image has at /dev/null.</summary>
    [TestCase("link")]
    [TestCase("file")]
    [TestCase("missing")]
    [TestCase("directory")]
    public void Masks_do_not_depend_on_the_images_null(string kind)
    {
        using Canary canary = new();
        using TestBundle bundle = new TestBundle().RemoveMount("/dev/pts").RemoveMount("/dev/shm").RemoveMount("/dev/mqueue")
            .RemoveMount("/dev").Writable();
        bundle.Linux["maskedPaths"] = TestBundle.Strings("/proc/keys", "/etc/passwd");
        bundle.Script("stat -c %t:%T /proc/keys /etc/passwd; wc -c < /proc/keys");
        string image = bundle.InRootfs("dev/null");
        switch (kind)
        {
            case "link": File.CreateSymbolicLink(image, canary["null"]); break;
            case "file": File.WriteAllText(image, "secret"); break;
            case "directory": Directory.CreateDirectory(image); break;
            default: break;
        }
        using TestContainer container = new(bundle);
        CommandResult result = container.Run();
        if (result.Succeeded)
        {
            result.Lines.Should().Equal("1:3", "1:3", "0");
        }
        else
        {
            // A different thing where the plan makes the null device is an error that names it.
            result.ShouldFail(1, "/dev/null", "a different file is there already");
        }
        canary.ShouldBeUntouched(kind);
    }

    /// <summary>
    /// The mode of the host's null device is not a container's to change, although its root owns the file. (What is tried here changes
    /// nothing.)
    /// </summary>
    [TestCase("chmod 666 /proc/keys")]
    [TestCase("chmod 666 /etc/passwd")]
    [TestCase("chown 0:0 /proc/keys")]
    [TestCase("chown 0:0 /etc/passwd")]
    public void Masks_are_read_only(string attack)
    {
        using TestBundle bundle = new TestBundle().Capabilities("CAP_CHOWN", "CAP_FOWNER", "CAP_DAC_OVERRIDE");
        bundle.Linux["maskedPaths"] = TestBundle.Strings("/proc/keys", "/etc/passwd");
        using TestContainer container =
            new(
            bundle.Script($"{attack} 2>&1; echo x >/proc/keys && echo x >/etc/passwd && cat /proc/keys /etc/passwd && echo discarded"));
        container.Run().ShouldSucceed().Stdout.Should().Contain("Read-only file system\n").And.EndWith("discarded\n");
    }

    /// <summary>
    /// CVE-2026-88265: standard streams are not exchanged for what the image calls /dev/null, and no host file changes hands.
    /// </summary>
    [Test]
    public void Standard_streams_stay_what_they_are()
    {
        using Canary canary = new();
        using TestBundle bundle = new TestBundle().AddMount("/canary", null, canary["null"], "bind").Script("echo output").User(1000, 1000);
        bundle.RemoveMount("/dev/pts").RemoveMount("/dev/shm").RemoveMount("/dev/mqueue").RemoveMount("/dev");
        bundle.AddMount("/dev/null", null, canary["null"], "bind");
        using TestContainer container = new(bundle);
        CommandResult result = container.Run();
        if (result.Succeeded) result.Text.Should().Be("output");
        canary.ShouldBeUntouched();
    }

    /// <summary>CVE-2026-115521: the root is made read-only by descriptor; a fake /proc in the image has no say.</summary>
    [Test]
    public void Read_only_root_with_a_fake_proc()
    {
        using TestBundle bundle = new TestBundle().RemoveMount("/proc").Script("echo x > /file");
        bundle.Linux["maskedPaths"] = new JsonArray();
        bundle.Linux["readonlyPaths"] = new JsonArray();
        Directory.CreateDirectory(bundle.InRootfs("proc/self/fd"));
        for (int fd = 0; fd < 30; fd++) File.CreateSymbolicLink(bundle.InRootfs($"proc/self/fd/{fd}"), "/tmp");
        Directory.CreateDirectory(bundle.InRootfs("proc/thread-self"));
        File.CreateSymbolicLink(bundle.InRootfs("proc/thread-self/fd"), "/proc/self/fd");
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1, "Read-only file system");
        File.Exists(bundle.InRootfs("file")).Should().BeFalse();
    }

    /// <summary>
    /// CVE-2025-52881: sysctls go through the host's procfs, which nothing of the image can cover, and past the read-only /proc/sys.
    /// </summary>
    [Test]
    public void Sysctls_reach_the_namespace_whatever_the_image_has_at_proc([Values("proc", "none", "link", "files")] string proc)
    {
        using TestBundle bundle = new TestBundle().Script("cat /sys/class/net/lo/mtu; true");
        bundle.Linux["sysctl"] = new JsonObject { ["net.ipv4.ip_forward"] = "1", ["kernel.msgmax"] = "12345" };
        if (proc != "proc")
        {
            bundle.RemoveMount("/proc");
            bundle.Linux["maskedPaths"] = new JsonArray();
            bundle.Linux["readonlyPaths"] = new JsonArray();
        }
        if (proc == "link")
        {
            Directory.Delete(bundle.InRootfs("proc"));
            File.CreateSymbolicLink(bundle.InRootfs("proc"), "/etc");
        }
        // Where whoever writes to "/proc" in the container would write.
        string[] fakes = proc == "files" ? ["/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/msgmax"] : [];
        foreach (string fake in fakes) bundle.Writable().WriteFile(fake, "of the image");
        string forward = File.ReadAllText("/proc/sys/net/ipv4/ip_forward");
        bundle.Args("sleep", "100");
        using TestContainer container = new(bundle);
        CommandResult created = container.Create();
        foreach (string fake in fakes) File.ReadAllText(bundle.InRootfs(fake)).Should().Be("of the image");
        created.ShouldSucceed();
        container.Start().ShouldSucceed();
        Command.Run("nsenter", "-t", $"{container.InitPid}", "-n", "-i", "cat", "/proc/sys/net/ipv4/ip_forward",
            "/proc/sys/kernel/msgmax").Lines.Should().Equal("1", "12345");
        File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Should().Be(forward);
    }
}
