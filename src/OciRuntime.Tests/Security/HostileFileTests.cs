using System.Globalization;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// /etc/passwd is the image's file, and HOME is looked up in it: other runtimes hang on a FIFO there and read without bound. A create
/// takes no time worth mentioning, and its init stays small and reads little, whatever the file is.
/// </summary>
public sealed class HostileFileTests
{
    // Far above what it takes on a busy machine.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    // The plan and the runtime itself take about 20 MiB; what counts is that a file of gigabytes adds nothing.
    private const long MaxKibibytes = 48 * 1024;

    private static IEnumerable<string> Kinds() =>
        ["fifo", "zero", "sparse", "endless-line", "million-lines", "kmsg-link", "host-link", "loop", "directory", "missing",
        "socket-name"];

    [MeasuresTime]
    [TestCaseSource(nameof(Kinds))]
    public void Passwd_is_not_what_it_should_be(string kind)
    {
        using Canary canary = new();
        using TestBundle bundle = new TestBundle().Writable().Args("sleep", "100");
        Place(bundle.InRootfs("etc/passwd"), kind, canary);
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed().Duration.Should().BeLessThan(Limit);
        long peak = long.Parse(container.Init.Status("VmHWM").Split(' ')[0], CultureInfo.InvariantCulture);
        peak.Should().BeLessThan(MaxKibibytes, "KiB at most in init");
        // proc_pid_io(5): all that it has read, the file's mebibyte and what else there is.
        long read = long.Parse(container.Proc("io").Split('\n')[0]["rchar: ".Length..], CultureInfo.InvariantCulture);
        read.Should().BeLessThan((1 << 20) + (64 << 10));
        container.Start().ShouldSucceed();
        Eventually.True(() => container.Init.CommandLine[0] == "sleep", "the program runs");
        container.Init.Environ.Should().Contain("HOME=/");
    }

    /// <summary>
    /// A filter that is loaded early has the look-up come while the runtime has all its rights: nothing of the kernel's is opened with
    /// them.
    /// </summary>
    [TestCase("/proc/kmsg")]
    [TestCase("/proc/sysrq-trigger")]
    [TestCase("/proc/self/environ")]
    [TestCase("/sys/kernel/uevent_seqnum")]
    [TestCase("/sys/fs/cgroup/memory/memory.stat")]
    public void Passwd_is_a_link_into_the_kernel(string target)
    {
        using TestBundle bundle = new TestBundle().Writable().Args("sleep", "100");
        File.Delete(bundle.InRootfs("etc/passwd"));
        File.CreateSymbolicLink(bundle.InRootfs("etc/passwd"), target);
        bundle.Process["noNewPrivileges"] = false;
        bundle.Linux["seccomp"] =
            new System.Text.Json.Nodes.JsonObject
            {
                ["defaultAction"] = "SCMP_ACT_ALLOW",
                ["syscalls"] =
            new System.Text.Json.Nodes.JsonArray(
            new System.Text.Json.Nodes.JsonObject { ["names"] = TestBundle.Strings("vhangup"), ["action"] = "SCMP_ACT_ERRNO" })
            };
        // Nothing hides it: what counts is that it is not opened.
        bundle.Linux["maskedPaths"] = new System.Text.Json.Nodes.JsonArray();
        using TestContainer container = new(bundle);
        bundle.Save();
        string log =
            Faults.Strace.Record([Ocirun.Binary.Path, "--root", container.StateRoot, "create", "--bundle", bundle.Directory, container.Id],
            "openat2");
        string[] opened = [.. log.Split('\n').Where(line => line.Contains("\"etc/passwd\"", StringComparison.Ordinal))];
        opened.Should().NotBeEmpty().And.OnlyContain(line => line.Contains("O_PATH", StringComparison.Ordinal)
            || line.Contains(" = -1 ", StringComparison.Ordinal));
    }

    [Test]
    public void Home_of_a_last_line_without_an_end()
    {
        using TestBundle bundle = new TestBundle().WriteFile("/etc/passwd", "other:x:1:1::/wrong:\nme:x:0:0::/home/user:/bin/sh")
            .Script("echo $HOME");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed().Text.Should().Be("/home/user");
    }

    [MeasuresTime]
    [Test]
    public void Group_file_is_not_read()
    {
        using TestBundle bundle = new TestBundle().Writable().Args("true");
        File.Delete(bundle.InRootfs("etc/group"));
        Libc.Check(Syscall.mkfifo(bundle.InRootfs("etc/group"), FilePermissions.DEFFILEMODE), "mkfifo");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed().Duration.Should().BeLessThan(Limit);
    }

    /// <summary>A program that is a FIFO, or a directory, or an endless file, is an error and not a wait.</summary>
    [TestCase("fifo")]
    [TestCase("directory")]
    public void Program_is_not_a_file(string kind)
    {
        using TestBundle bundle = new TestBundle().Writable().Args("/program");
        if (kind == "fifo")
        {
            Libc.Check(Syscall.mkfifo(bundle.InRootfs("program"), FilePermissions.ACCESSPERMS), "mkfifo");
        }
        else
        {
            Directory.CreateDirectory(bundle.InRootfs("program"));
        }
        using TestContainer container = new(bundle) { Options = new CommandOptions { Timeout = TimeSpan.FromSeconds(5) } };
        container.Run().ShouldFail(1, "/program");
    }

    private static void Place(string passwd, string kind, Canary canary)
    {
        File.Delete(passwd);
        switch (kind)
        {
            case "fifo": Libc.Check(Syscall.mkfifo(passwd, FilePermissions.DEFFILEMODE), "mkfifo"); break;
            case "zero": Libc.Check(Syscall.mknod(passwd, FilePermissions.S_IFCHR | FilePermissions.DEFFILEMODE, 0x105), "mknod"); break;
            case "sparse":
                using (FileStream file = File.Create(passwd))
                {
                    file.SetLength(10L << 30);
                }
                break;
            case "endless-line": File.WriteAllText(passwd, new string('x', 8 << 20)); break;
            case "million-lines":
                File.WriteAllText(passwd, string.Concat(Enumerable.Repeat("u:x:7:7::/u:/u\n", 200_000))
                    + "root:x:0:0::/root:/bin/sh\n"); break;
            case "kmsg-link": File.CreateSymbolicLink(passwd, "/proc/kmsg"); break;
            case "host-link": File.CreateSymbolicLink(passwd, canary["passwd"]); break;
            case "loop": File.CreateSymbolicLink(passwd, "passwd"); break;
            case "directory": Directory.CreateDirectory(passwd); break;
            case "socket-name": File.WriteAllText(passwd, $"root:x:0:0::{new string('h', 5000)}:/bin/sh\n"); break;
            default: break;
        }
    }
}
