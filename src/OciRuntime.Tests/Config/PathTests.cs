using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>`linux.maskedPaths` and `linux.readonlyPaths`.</summary>
public sealed class PathTests
{
    [Test]
    public void Masked_files_and_directories_are_empty_and_missing_ones_ignored()
    {
        using TestBundle bundle = new();
        bundle.WriteFile("/secret/dir/file", "secret").WriteFile("/secret/file", "secret")
            .Capabilities("CAP_DAC_OVERRIDE", "CAP_SYS_ADMIN").Writable();
        File.CreateSymbolicLink(bundle.InRootfs("/link"), "secret/file");
        bundle.Linux["maskedPaths"] = TestBundle.Strings("/secret/dir", "/secret/file", "/proc/uptime", "/proc/scsi", "/secret/file",
            "/secret/dir", "/no/such/path", "/secret/file/below", "/sys/firmware");
        string[] lines =
            Observe.Run(bundle,
            "stat -c %t:%T /secret/file /proc/uptime; cat /secret/file /proc/uptime /link | wc -c; ls -A /secret/dir | wc -l; touch "
            + "/secret/dir/x 2>&1 | grep -o 'Read-only.*'; grep -c ' /secret/' /proc/self/mountinfo; ls /sys/firmware | wc -l; : "
            + ">/secret/file; : >/no 2>/dev/null && echo end");
        lines.Should().Equal("1:3", "1:3", "0", "0", "Read-only file system", "2", "0", "end");
        File.ReadAllText(bundle.InRootfs("/secret/file")).Should().Be("secret");
    }

    [Test]
    public void Default_masked_and_read_only_paths_are_covered()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle);
        foreach (string path in (string[])["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"])
        {
            if (!Path.Exists(path)) continue;
            container.Init.MountAt(path).Should().BeEquivalentTo(new { Type = "proc" });
            container.Init.MountAt(path).Options.Should().Contain("ro");
        }
        foreach (string path in (string[])["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"])
        {
            if (!Path.Exists(path)) continue;
            MountInfo mount = container.Init.MountAt(path);
            if (Directory.Exists(path)) mount.Options.Should().Contain("ro");
            else mount.Root.Should().Be("/null", path);
        }
    }

    [Test]
    public void Read_only_paths_refuse_writes_with_everything_below_them()
    {
        using TestBundle bundle = new();
        bundle.WriteFile("/data/ro/file", "old").WriteFile("/data/rw/file", "old").WriteFile("/single", "old").Writable()
            .AddMount("/data/ro/below", "tmpfs", "tmpfs", "nosuid", "noexec");
        bundle.Linux["readonlyPaths"] = TestBundle.Strings("/data/ro", "/single", "/missing", "/data/ro");
        string[] lines = Observe.Run(bundle, """
            for f in /data/ro/file /data/ro/below/new /single /data/rw/file; do (echo new >$f) 2>/dev/null && echo wrote $f; done
            cat /data/ro/file; echo; grep ' /data/ro/below ' /proc/self/mountinfo | tail -1
            """);
        lines[..2].Should().Equal("wrote /data/rw/file", "old");
        MountInfo.Parse(lines[2]).Options.Should().Contain(["ro", "nosuid", "noexec"]);
    }

    [Test]
    public void Both_must_be_absolute()
    {
        using TestBundle bundle = new();
        bundle.Linux["readonlyPaths"] = TestBundle.Strings("/ok", "relative");
        bundle.Linux["maskedPaths"] = TestBundle.Strings("");
        Observe.Refused(bundle).Should()
            .Contain("/linux/readonlyPaths/1").And.Contain("/linux/maskedPaths/0").And.Contain("must be an absolute path");
    }

    [Test]
    public void Masks_hold_in_a_user_namespace()
    {
        using TestBundle bundle = new();
        bundle.WithUserNamespace().WriteFile("/secret/file", "secret").Linux["maskedPaths"] = TestBundle.Strings("/secret", "/proc/uptime");
        Observe.Run(bundle, "ls -A /secret | wc -l; stat -c %t:%T /proc/uptime; umount /proc/uptime 2>/dev/null || echo locked").Should()
            .Equal("0", "1:3", "locked");
    }
}
