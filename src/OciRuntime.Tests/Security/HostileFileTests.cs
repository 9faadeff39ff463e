using System.Globalization;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// /etc/passwd is the image's file, and HOME is looked up in it: other runtimes hang on a FIFO there and read without bound. A create
/// takes less than a second and its init stays small, whatever the file is.
/// </summary>
public sealed class HostileFileTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(1);

    // The plan and the runtime itself take about 20 MiB; what counts is that a file of gigabytes adds nothing.
    private const long MaxKibibytes = 48 * 1024;

    private static IEnumerable<string> Kinds() => ["fifo", "zero", "sparse", "endless-line", "million-lines", "kmsg-link", "host-link", "loop", "directory", "missing", "socket-name"];

    [TestCaseSource(nameof(Kinds))]
    public void PasswdIsNotWhatItShouldBe(string kind)
    {
        using var canary = new Canary();
        using var bundle = new TestBundle().Writable().Args("sleep", "100");
        Place(bundle.InRootfs("etc/passwd"), kind, canary);
        using var container = new TestContainer(bundle);
        container.Create().ShouldSucceed().Duration.Should().BeLessThan(Limit);
        long peak = long.Parse(container.Init.Status("VmHWM").Split(' ')[0], CultureInfo.InvariantCulture);
        peak.Should().BeLessThan(MaxKibibytes, "KiB at most in init");
        container.Start().ShouldSucceed();
        Eventually.True(() => container.Init.CommandLine[0] == "sleep", "the program runs");
        container.Init.Environ.Should().Contain("HOME=/");
    }

    [Test]
    public void HomeOfALastLineWithoutAnEnd()
    {
        using var bundle = new TestBundle().WriteFile("/etc/passwd", "other:x:1:1::/wrong:\nme:x:0:0::/home/user:/bin/sh").Script("echo $HOME");
        using var container = new TestContainer(bundle);
        container.Run().ShouldSucceed().Text.Should().Be("/home/user");
    }

    [Test]
    public void GroupFileIsNotRead()
    {
        using var bundle = new TestBundle().Writable().Args("true");
        File.Delete(bundle.InRootfs("etc/group"));
        Libc.Check(Syscall.mkfifo(bundle.InRootfs("etc/group"), FilePermissions.DEFFILEMODE), "mkfifo");
        using var container = new TestContainer(bundle);
        container.Run().ShouldSucceed().Duration.Should().BeLessThan(Limit);
    }

    /// <summary>A program that is a FIFO, or a directory, or an endless file, is an error and not a wait.</summary>
    [TestCase("fifo")]
    [TestCase("directory")]
    public void ProgramIsNotAFile(string kind)
    {
        using var bundle = new TestBundle().Writable().Args("/program");
        if (kind == "fifo")
        {
            Libc.Check(Syscall.mkfifo(bundle.InRootfs("program"), FilePermissions.ACCESSPERMS), "mkfifo");
        }
        else
        {
            Directory.CreateDirectory(bundle.InRootfs("program"));
        }
        using var container = new TestContainer(bundle) { Options = new CommandOptions { Timeout = TimeSpan.FromSeconds(5) } };
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
            case "million-lines": File.WriteAllText(passwd, string.Concat(Enumerable.Repeat("u:x:7:7::/u:/u\n", 200_000)) + "root:x:0:0::/root:/bin/sh\n"); break;
            case "kmsg-link": File.CreateSymbolicLink(passwd, "/proc/kmsg"); break;
            case "host-link": File.CreateSymbolicLink(passwd, canary["passwd"]); break;
            case "loop": File.CreateSymbolicLink(passwd, "passwd"); break;
            case "directory": Directory.CreateDirectory(passwd); break;
            case "socket-name": File.WriteAllText(passwd, $"root:x:0:0::{new string('h', 5000)}:/bin/sh\n"); break;
            default: break;
        }
    }
}
