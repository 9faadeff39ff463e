using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>CVE-2025-52565, CVE-2026-88264: /dev/console and /dev/pts are places where an image can put something else.</summary>
public sealed class ConsoleTests
{
    [Test]
    public void Console_is_the_containers_own_terminal([Values] bool devMount)
    {
        using TestBundle bundle = new TestBundle().Terminal().Args("sleep", "100");
        if (!devMount) bundle.RemoveMount("/dev/shm").RemoveMount("/dev/mqueue").RemoveMount("/dev").Writable();
        using ConsoleSocket socket = new();
        using TestContainer container = new(bundle);
        container.Started("--console-socket", socket.SocketPath);
        using PtyMaster master = socket.Receive();
        string console = Command.Run("stat", "-c", "%F %t", container.Init.InRoot("/dev/console")).ShouldSucceed().Text;
        console.Should().Be("character special file 88", "a slave has major number 136");
        container.Init.MountAt("/dev/console").Type.Should().Be("devpts");
    }

    [TestCase("canary", false)]
    [TestCase("canary", true)]
    [TestCase("missing", false)]
    [TestCase("relative", false)]
    public void Console_is_a_link(string kind, bool readOnly)
    {
        using Canary canary = new();
        using TestBundle bundle = WithoutDev();
        bundle.Config["root"]!["readonly"] = readOnly;
        string up = string.Concat(Enumerable.Repeat("../", 20));
        File.CreateSymbolicLink(bundle.InRootfs("dev/console"), kind switch
        {
            "canary" => canary["console"],
            "missing" => canary["new-file"],
            _ => up + canary["console"].TrimStart('/'),
        });
        using ConsoleSocket socket = new();
        using TestContainer container = new(bundle);
        container.Create("--console-socket", socket.SocketPath).ShouldFail(1, "/dev/console");
        canary.ShouldBeUntouched(kind);
    }

    /// <summary>What lies at /dev/pts/ptmx is looked at before it is opened: a FIFO would hang, a device might do something.</summary>
    [TestCase("fifo")]
    [TestCase("file")]
    [TestCase("link")]
    [TestCase("zero")]
    public void The_multiplexer_is_not_one(string kind)
    {
        using Canary canary = new();
        using TestBundle bundle = WithoutDev().RemoveMount("/dev/pts");
        Directory.CreateDirectory(bundle.InRootfs("dev/pts"));
        string ptmx = bundle.InRootfs("dev/pts/ptmx");
        switch (kind)
        {
            case "fifo": Libc.Check(Syscall.mkfifo(ptmx, FilePermissions.DEFFILEMODE), "mkfifo"); break;
            case "file": File.WriteAllText(ptmx, ""); break;
            case "zero": Libc.Check(Syscall.mknod(ptmx, FilePermissions.S_IFCHR | FilePermissions.DEFFILEMODE, 0x105), "mknod"); break;
            default: File.CreateSymbolicLink(ptmx, canary["ptmx"]); break;
        }
        using ConsoleSocket socket = new();
        using TestContainer container = new(bundle) { Options = new CommandOptions { Timeout = TimeSpan.FromSeconds(5) } };
        container.Create("--console-socket", socket.SocketPath).ShouldFail(1, "process/terminal",
            kind == "link" ? "too many levels of symbolic links (ELOOP)" : "not the device it should be");
        canary.ShouldBeUntouched(kind);
    }

    private static TestBundle WithoutDev() =>
        new TestBundle().Terminal().Writable().RemoveMount("/dev/shm").RemoveMount("/dev/mqueue").RemoveMount("/dev").Args("true");
}
