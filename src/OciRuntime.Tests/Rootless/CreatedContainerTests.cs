using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rootless;

/// <summary>A container of an ordinary user that waits for `start`: its first process is not dumpable, and shows itself to its owner on request only.</summary>
public sealed class CreatedContainerTests
{
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
            .Should().Equal($"user:[{container.NamespaceInode("user")}]", $"pid:[{container.NamespaceInode("pid")}]", $"mnt:[{container.NamespaceInode("mnt")}]");
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

    /// <summary>proc(5): the files of one that is not belong to root.</summary>
    private bool IsDumpable(TestContainer container) => Command.Run("stat", "-c", "%u", $"/proc/{container.InitPid}/environ").ShouldSucceed().Text.Trim() == $"{_user.Uid}";
}
