using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Seccomp;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// /etc/passwd, or what leads to it, on a FUSE file system that takes a request and never answers it. Not even SIGKILL ends a process that
/// waits for such an answer, so the runtime must not be one.
/// </summary>
[LeavesNothing]
public sealed class StalledFileTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    [SetUp]
    public void NeedsFuse()
    {
        Requires.OcirunItself();
        Requires.PathExists("/dev/fuse", "FUSE");
    }

    [MeasuresTime]
    [TestCase("/etc/passwd", "open")]
    [TestCase("/etc/passwd", "read")]
    [TestCase("/etc", "lookup")]
    public void A_launch_goes_on_without(string path, string request)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        // The mount namespace outlives the server, for delete.
        using RunningCommand holder = Command.Start(
            Requires.Tool("unshare"), "--mount", "--propagation", "private", "sh", "-c", "\"$0\" \"$@\"; exec sleep 1000", Probe.HostPath,
            "stalled", bundle.InRootfs(path), request);
        Eventually.True(() => holder.Stdout.Length > 0 || holder.Stderr.Length > 0, "the file system is mounted");
        int server = ProcessTree.ChildrenOf(holder.Pid).Single();
        using TestContainer container =
            new(bundle, Ocirun.Binary with
            {
                Launcher = [Requires.Tool("nsenter"), $"--mount=/proc/{holder.Pid}/ns/mnt", .. Ocirun.Binary.Launcher]
            });
        try
        {
            container.Create().ShouldSucceed().Duration.Should().BeLessThan(Limit);
            container.Start().ShouldSucceed().Duration.Should().BeLessThan(Limit);
            holder.Stdout.Should().Be("mounted\nstalled\n", "it was asked");
            container.Init.CommandLine.Should().Equal("sleep", "1000");
            container.Init.Environ.Should().Contain("HOME=/");
        }
        finally
        {
            // With the server the file system is gone, and whoever waits for it goes on.
            _ = Libc.kill(server, Libc.SIGKILL);
        }
    }

    /// <summary>The container serves itself: who enters it is stalled by it.</summary>
    [MeasuresTime]
    [TestCase("/etc/passwd", "open")]
    [TestCase("/etc/passwd", "read")]
    [TestCase("/etc", "lookup")]
    public void An_exec_goes_on_without(string path, string request)
    {
        using TestBundle bundle = new TestBundle().Capabilities("CAP_SYS_ADMIN", "CAP_KILL").RunStalled(path, request).WithCgroup();
        using TestContainer container = new TestContainer(bundle).Started();
        container.WaitOutput("mounted\n");
        CommandResult exec = container.Exec("sh", "-c", "echo $HOME; tr '\\0' '\\n' </proc/1/cmdline | head -1").ShouldSucceed();
        exec.Duration.Should().BeLessThan(Limit);
        exec.Lines.Should().Equal("/", "/bin/probe");
        container.Output.Should().Be("mounted\nstalled\n", "it was asked");
        container.Kill("KILL").ShouldSucceed();
        container.WaitExit().Signal.Should().Be(Libc.SIGKILL, "with the server ends whoever waits for it");
    }

    /// <summary>
    /// With a filter that is loaded early HOME is looked up with all rights of the runtime; not by a process that the container sees, and
    /// can hold by not answering.
    /// </summary>
    [Test]
    public void Who_waits_in_the_container_has_no_more_rights_than_it()
    {
        using TestBundle bundle =
            LoadingAFilterEarly(new TestBundle().Capabilities("CAP_SYS_ADMIN", "CAP_KILL").RunStalled("/etc/passwd", "open").WithCgroup());
        using TestContainer container = new TestContainer(bundle).Started();
        container.WaitOutput("mounted\n");
        ulong rights = Rights(container.Init);
        using RunningCommand exec = container.StartExec([], "true");
        Eventually.True(() => container.Output == "mounted\nstalled\n", "it is asked");
        ProcessView[] inside = [.. ProcessTree.DescendantsOf(exec.Pid).Select(static pid => new ProcessView(pid))
            .Where(one => one.NamespaceInode("pid") == container.NamespaceInode("pid"))];
        inside.Should().ContainSingle("somebody waits");
        // In a user namespace of its own it has all of them, over nothing that is anybody else's.
        if (inside[0].NamespaceInode("user") == ProcessView.HostNamespaceInode("user")) (Rights(inside[0]) & ~rights).Should().Be(0UL);
        container.Kill("KILL").ShouldSucceed();
        exec.Wait();
    }

    private static ulong Rights(ProcessView process) => Convert.ToUInt64(process.Status("CapPrm"), 16);

    private static TestBundle LoadingAFilterEarly(TestBundle bundle)
    {
        bundle.Process["noNewPrivileges"] = false;
        return bundle.Seccomp("SCMP_ACT_ALLOW").Rule("SCMP_ACT_ERRNO", "acct");
    }

    /// <summary>What answers is read, wherever it is mounted.</summary>
    [Test]
    public void A_mounted_file_that_answers_is_read([Values] bool directory, [Values] bool early)
    {
        using TestBundle bundle = new();
        if (early) LoadingAFilterEarly(bundle);
        string source = Directory.CreateDirectory(Path.Combine(bundle.Directory, "etc")).FullName;
        File.WriteAllText(Path.Combine(source, "passwd"), "root:x:0:0::/root/there:/bin/sh\n");
        if (directory) bundle.AddMount("/etc", "bind", source, "bind", "ro");
        else bundle.AddMount("/etc/passwd", "bind", Path.Combine(source, "passwd"), "bind", "ro");
        using TestContainer container = new(bundle.Script("echo $HOME; set -- /proc/[0-9]*; echo $#"));
        container.Run().ShouldSucceed().Lines.Should().Equal("/root/there", "1");
        using TestContainer other = new TestContainer(bundle.Args("sleep", "1000")).Started();
        other.Exec("sh", "-c", "echo $HOME").ShouldSucceed().Text.Should().Be("/root/there");
        bundle.AddNamespace("pid", $"/proc/{other.InitPid}/ns/pid");
        using TestContainer third = new(bundle.Script("echo $HOME"));
        third.Run().ShouldSucceed().Text.Should().Be("/root/there", "among others, too");
    }
}
