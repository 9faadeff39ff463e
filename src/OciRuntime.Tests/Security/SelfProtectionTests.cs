using System.Security.Cryptography;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>CVE-2019-5736: a process that enters a container carries /proc/PID/exe, a way to the host's binary, with it.</summary>
public sealed class SelfProtectionTests
{
    private const int F_SEAL_SEAL = 1, F_SEAL_SHRINK = 2, F_SEAL_GROW = 4, F_SEAL_WRITE = 8;
    private string _before = "";

    [SetUp]
    public void Remember()
    {
        Requires.OcirunItself();
        _before = Identity();
    }

    [TearDown]
    public void BinaryIsUnchanged() => Identity().Should().Be(_before, "no container may change the host's binary");

    [TestCase("/proc/self/exe")]
    [TestCase("/proc/1/exe")]
    [TestCase("/proc/thread-self/exe")]
    public void Program_is_the_runtime_itself(string program)
    {
        using TestBundle bundle = new TestBundle().Writable().Args(program, "--version");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed().Stdout.Should().StartWith("ocirun version ", "it really runs in there");
    }

    [Test]
    public void Script_whose_interpreter_is_the_runtime_itself()
    {
        using TestBundle bundle = new TestBundle().Writable().WriteFile("/bin/trap", "#!/proc/self/exe\n", 0b111_101_101).Args("/bin/trap");
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1, "unknown command \"/bin/trap\"");
    }

    [Test]
    public void Created_container_holds_no_writable_binary()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "100");
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        ShouldNotBecomeWritable(container);
    }

    /// <summary>No overlay can be found when the binary's name is gone, as after an upgrade; then it is a sealed memfd.</summary>
    [Test]
    public void Fallback_is_a_sealed_memfd()
    {
        string copy = TestRun.NewPath("binary", "-ocirun");
        File.Copy(Ocirun.Binary.Path, copy);
        int fd = Libc.Check(Syscall.open(copy, OpenFlags.O_RDONLY | OpenFlags.O_CLOEXEC), copy);
        File.Delete(copy);
        try
        {
            using TestBundle bundle = new TestBundle().Args("sleep", "100");
            using TestContainer container = new(bundle, new RuntimeBinary($"/proc/{Environment.ProcessId}/fd/{fd}"));
            container.Create().ShouldSucceed();
            new FileInfo($"/proc/{container.InitPid}/exe").LinkTarget.Should().StartWith("/memfd:ocirun");
            int exe = Libc.Check(Syscall.open($"/proc/{container.InitPid}/exe", OpenFlags.O_RDONLY | OpenFlags.O_CLOEXEC), "exe");
            int seals = Libc.fcntl(exe, Libc.F_GET_SEALS, 0);
            _ = Syscall.close(exe);
            (seals & (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)).Should()
                .Be(F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
            ShouldNotBecomeWritable(container);
        }
        finally
        {
            _ = Syscall.close(fd);
        }
    }

    /// <summary>A user namespace without a mount namespace of its own may not mount: no overlay for an ordinary user either.</summary>
    [Test]
    public void Fallback_without_the_privilege_to_mount()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "100");
        bundle.Save();
        CommandResult version =
            Command.Run("unshare", "-Ur", "strace", "-f", "-qq", "-e", "trace=memfd_create,execveat", Ocirun.Binary.Path, "run", "--help");
        version.Stderr.Should().Contain("memfd_create(\"ocirun\"").And.Contain("AT_EMPTY_PATH");
        version.ExitCode.Should().Be(0, "{0}", version);
    }

    /// <summary>The second start is known by its name, a descriptor's, but only after a look: others may start us so, too.</summary>
    [Test]
    public void The_name_of_the_second_start_alone_is_not_believed()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "100");
        string caller = $"{bundle.Directory}/caller";
        File.WriteAllText(caller, $"#!/bin/sh\nexec 9<{Ocirun.Binary.Path}\nexec /dev/fd/9 \"$@\"\n");
        File.SetUnixFileMode(caller, (UnixFileMode)0b111_101_101);
        using TestContainer container = new(bundle, new RuntimeBinary(caller));
        container.Create().ShouldSucceed();
        new FileInfo($"/proc/{container.InitPid}/exe").LinkTarget.Should().NotBe(Ocirun.Binary.Path);
        ShouldNotBecomeWritable(container);
    }

    /// <summary>
    /// The attack in full: keep a descriptor of the executable, wait until nobody runs it any more (until then it is ETXTBSY anyway), and
    /// open it anew for writing.
    /// </summary>
    private static void ShouldNotBecomeWritable(TestContainer container)
    {
        int held = Libc.Check(Syscall.open($"/proc/{container.InitPid}/exe", OpenFlags.O_RDONLY | OpenFlags.O_CLOEXEC), "open exe");
        try
        {
            container.Delete("--force").ShouldSucceed();
            int writable = Syscall.open($"/proc/self/fd/{held}", OpenFlags.O_WRONLY | OpenFlags.O_CLOEXEC);
            int errno = Libc.LastErrno;
            if (writable < 0)
            {
                errno.Should().BeOneOf(Libc.EROFS, Libc.EPERM);
                return;
            }
            // A memfd opens, but its seals refuse every change.
            byte one = 0;
            long written;
            unsafe
            {
                written = Syscall.write(writable, &one, 1);
            }
            errno = Libc.LastErrno;
            int truncated = Syscall.ftruncate(writable, 0);
            _ = Syscall.close(writable);
            written.Should().Be(-1);
            errno.Should().Be(Libc.EPERM);
            truncated.Should().Be(-1);
        }
        finally
        {
            _ = Syscall.close(held);
        }
    }

    private static string Identity()
    {
        string path = Ocirun.Binary.Path;
        string stat = Command.Run("stat", "-c", "%d %i %s %Y %f", path).ShouldSucceed().Text;
        return $"{stat} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(path)))}";
    }
}
