using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>--pidfd-socket (runc) and the annotation run.oci.pidfd_receiver (crun): a handle of the container's first process.</summary>
public sealed class PidFdTests
{
    private const string Annotation = "run.oci.pidfd_receiver";

    [TestCase("create", false)]
    [TestCase("create", true)]
    [TestCase("run", false)]
    public void Option_sends_a_pidfd_of_the_first_process(string verb, bool longPath)
    {
        using TestBundle bundle = new();
        using DescriptorSocket socket = new(longPath);
        using TestContainer container = new(bundle.Args("sleep", "100"));
        string[] options = ["--pidfd-socket", socket.SocketPath];
        (verb == "create" ? container.Create(options) : container.Run([.. options, "--detach"])).ShouldSucceed();
        (int fd, string text) = socket.Receive();
        text.Should().Be("standard", "go-runc reads this word");
        CheckIsInit(container, fd);
    }

    [Test]
    public void Annotation_sends_one_as_well()
    {
        using TestBundle bundle = new();
        using DescriptorSocket annotated = new();
        using DescriptorSocket option = new();
        bundle.Annotations[Annotation] = annotated.SocketPath;
        using TestContainer container = new(bundle.Args("sleep", "100").WithUserNamespace());
        container.Create("--pidfd-socket", option.SocketPath).ShouldSucceed();
        CheckIsInit(container, annotated.Receive().Fd);
        CheckIsInit(container, option.Receive().Fd);
    }

    /// <summary>With a joined user namespace the first process is not the one that was cloned first.</summary>
    [Test]
    public void It_is_the_one_that_becomes_the_program()
    {
        using TestBundle first = new();
        using TestContainer owner = new TestContainer(first.Args("sleep", "100").WithUserNamespace()).Started();
        using TestBundle bundle = new();
        using DescriptorSocket socket = new();
        bundle.AddNamespace("user", $"/proc/{owner.InitPid}/ns/user").Args("sleep", "100");
        using TestContainer container = new(bundle);
        container.Create("--pidfd-socket", socket.SocketPath).ShouldSucceed();
        CheckIsInit(container, socket.Receive().Fd);
    }

    [Test]
    public void Nobody_there_fails_the_launch_and_names_who_asked()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle);
        container.Create("--pidfd-socket", "/nowhere/s").ShouldFail(1, "--pidfd-socket /nowhere/s: no such file or directory (ENOENT)");
        bundle.Annotations[Annotation] = "/nowhere/a";
        container.Create().ShouldFail(1, "/annotations/run.oci.pidfd_receiver /nowhere/a: no such file or directory (ENOENT)");
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
    }

    private static void CheckIsInit(TestContainer container, int fd)
    {
        // proc_pid_fdinfo(5): the pid that a pidfd stands for, as seen from here.
        string info = File.ReadAllText($"/proc/self/fdinfo/{fd}");
        _ = Syscall.close(fd);
        info.Should().Contain($"Pid:\t{container.InitPid}\n");
    }
}
