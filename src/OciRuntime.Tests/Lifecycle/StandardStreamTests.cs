using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>
/// Pipes and sockets as stdio in a user namespace: the program can reopen them as /dev/stdout. What has a name on the host stays as it is.
/// </summary>
[LeavesNothing]
public sealed unsafe class StandardStreamTests
{
    private const int HostRoot = 100000;

    [TestCase("run", 0)]
    [TestCase("run", 1000)]
    [TestCase("exec", 0)]
    [TestCase("exec", 1000)]
    public void A_pipe_can_be_reopened(string verb, int uid)
    {
        (int read, int write) = Pipe();
        using TestBundle bundle = LiveMount.Own(new TestBundle().WithUserNamespace()).User(uid, uid);
        using (TestContainer container = new(bundle))
        {
            string[] program = ["sh", "-c", "echo hi >/dev/stdout && echo there >>/dev/stderr"];
            CommandOptions options = new() { StdoutFd = write, StderrFd = write };
            if (verb == "exec")
            {
                bundle.Args("sleep", "1000");
                container.Started();
                container.Call(["exec", container.Id, .. program], options).ExitCode.Should().Be(0);
            }
            else
            {
                bundle.Args(program).Save();
                container.Call(["run", "--bundle", bundle.Directory, container.Id], options).ExitCode.Should().Be(0);
            }
        }
        Stat($"/proc/self/fd/{write}").Should().Be($"{HostRoot + uid} 600");
        _ = Syscall.close(write);
        using FileStream text = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(read, true), FileAccess.Read);
        new StreamReader(text).ReadToEnd().Should().Be("hi\nthere\n");
    }

    /// <summary>A named pipe and a file are on disk; the null device is everybody's.</summary>
    [TestCase("fifo")]
    [TestCase("file")]
    [TestCase("null")]
    public void What_has_a_name_keeps_its_owner(string what)
    {
        string path = what == "null" ? "/dev/null" : TestRun.NewPath("streams");
        if (what == "fifo") Command.Run("mkfifo", path).ShouldSucceed();
        if (what == "file") File.WriteAllText(path, "");
        string before = Stat(path);
        int fd = Libc.Check(Syscall.open(path, OpenFlags.O_RDWR | OpenFlags.O_CLOEXEC), path);
        using (TestBundle bundle = LiveMount.Own(new TestBundle().WithUserNamespace()).Args("true"))
        using (TestContainer container = new(bundle))
        {
            container.Options = new() { StdoutFd = fd, StderrFd = fd, StdinFd = fd };
            container.Run().ExitCode.Should().Be(0);
        }
        _ = Syscall.close(fd);
        string after = Stat(path);
        if (what != "null") File.Delete(path);
        after.Should().Be(before);
    }

    private static string Stat(string path) =>
        Command.Run("stat", "-Lc", "%u %a", path.Replace("/self/", $"/{Environment.ProcessId}/")).ShouldSucceed().Text;

    private static (int Read, int Write) Pipe()
    {
        int* fds = stackalloc int[2];
        OciRuntime.Linux.OciException.Check(OciRuntime.Linux.Files.Pipe(fds, 0), "pipe");
        return (fds[0], fds[1]);
    }
}
