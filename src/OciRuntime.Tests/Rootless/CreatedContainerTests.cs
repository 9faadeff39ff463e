using System.Net.Sockets;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rootless;

/// <summary>
/// A container of an ordinary user that waits for `start`: its first process is not dumpable, and shows itself to its owner on request
/// only.
/// </summary>
public sealed class CreatedContainerTests
{
    private const int SIGCONT = 18;

    private OrdinaryUser _user = null!;

    [OneTimeSetUp]
    public void MakeUser() => _user = OrdinaryUser.WithoutRanges();

    [OneTimeTearDown]
    public void RemoveUser() => _user.Dispose();

    [Test]
    public void Exec_goes_in_before_start()
    {
        using TestBundle bundle = _user.Bundle();
        using TestContainer container = _user.Container(bundle.Script("echo started; sleep 100"));
        container.Create().ShouldSucceed();
        IsDumpable(container).Should().BeFalse();
        container.Exec("sh", "-c", "for kind in user pid mnt; do readlink /proc/self/ns/$kind; done").ShouldSucceed().Lines
            .Should().Equal($"user:[{container.NamespaceInode("user")}]", $"pid:[{container.NamespaceInode("pid")}]",
            $"mnt:[{container.NamespaceInode("mnt")}]");
        RunningCommand[] several = [.. Enumerable.Range(0, 3).Select(n => container.StartExec([], "sh", "-c", $"exit {n}"))];
        several.Select(static one => one.Wait().ExitCode).Should().Equal(0, 1, 2);
        container.Status.Should().Be("created");
        Eventually.True(() => !IsDumpable(container), "it is hidden again");
        container.Start().ShouldSucceed();
        container.WaitOutput("started");
    }

    /// <summary>It has gone in; the one that waits is not held up by it, and others there are none of its business.</summary>
    [Test]
    public void A_process_that_stays_does_not_keep_it_dumpable_or_from_starting()
    {
        using TestBundle bundle = _user.Bundle();
        using TestContainer container = _user.Container(bundle.Script("echo started; sleep 100"));
        container.Create().ShouldSucceed();
        using RunningCommand inside = container.StartExec([], "sh", "-c", "echo in; sleep 100");
        Eventually.True(() => inside.Stdout == "in\n", "it runs");
        Eventually.True(() => !IsDumpable(container), "it is hidden again");
        container.Start().ShouldSucceed();
        container.WaitOutput("started");
    }

    [Test]
    public void Mounts_are_added_before_start()
    {
        using TestBundle bundle = _user.Bundle();
        Directory.CreateDirectory(bundle.InRootfs("added"));
        using TestContainer container = _user.Container(bundle.Script("sleep 100"));
        container.Create().ShouldSucceed();
        LiveMount.Add(container, LiveMount.Of("/added", "tmpfs", "tmpfs")).ShouldSucceed();
        container.Init.MountAt("/added").Type.Should().Be("tmpfs");
        LiveMount.Remove(container, LiveMount.At("/added")).ShouldSucceed();
        container.Start().ShouldSucceed();
    }

    /// <summary>
    /// Held by somebody in a pid namespace that it shares, say. Others need the lock that the one verb has, and the other one leaves it to
    /// the next.
    /// </summary>
    [Test]
    public void One_that_does_not_answer_is_given_up()
    {
        using TestBundle lookedAt = _user.Bundle(), started = _user.Bundle();
        using TestContainer first = _user.Container(lookedAt.Args("sleep", "100")), second = _user.Container(started.Args("sleep", "100"));
        first.Create().ShouldSucceed();
        second.Create().ShouldSucceed();
        foreach (ProcessView init in (ProcessView[])[first.Init, second.Init])
        {
            Libc.Check(Libc.kill(init.Pid, Libc.SIGSTOP), "kill");
            // Or it would take a connection first.
            Eventually.True(() => init.Status("State").StartsWith('T'), "it is stopped");
        }
        // With two clients the queue of length 1 is full (unix(7)): the kernel takes one more than it is told.
        Socket[] queue = [.. Enumerable.Range(0, 2)
            .Select(static _ => new Socket(AddressFamily.Unix, SocketType.Seqpacket, ProtocolType.Unspecified))];
        try
        {
            foreach (Socket one in queue)
                one.Connect(new UnixDomainSocketEndPoint(Path.Combine(second.StateRoot, second.Id, "start.sock")));
            Task<CommandResult> mounts = OwnThread.Run(() => LiveMount.Add(first, LiveMount.Of("/tmp", "tmpfs", "tmpfs")));
            second.Start().ShouldFail(1, "connect to the container's init: connection timed out (ETIMEDOUT)");
            mounts.Result.ShouldFail(1, "the container's init has been silent for 10 s");
        }
        finally
        {
            foreach (Socket one in queue) one.Dispose();
        }
        foreach (TestContainer container in (TestContainer[])[first, second])
        {
            Libc.Check(Libc.kill(container.InitPid, SIGCONT), "kill");
            container.Status.Should().Be("created");
            container.Start().ShouldSucceed();
            Eventually.True(() => container.Init.CommandLine[0] == "sleep", "its program runs");
        }
    }

    /// <summary>proc(5): the files of one that is not belong to root.</summary>
    private bool IsDumpable(TestContainer container) =>
        Command.Run("stat", "-c", "%u", $"/proc/{container.InitPid}/environ").ShouldSucceed().Text.Trim() == $"{_user.Uid}";
}
