using System.Diagnostics;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Tests.State;

public sealed class ContainerLockTests
{
    [Test]
    public void Waits_no_longer_than_told_and_names_the_holder()
    {
        using TemporaryRoot root = new();
        using ContainerEntry holder = root.Claim("x");
        using ContainerEntry other = root.Store.Open("x");
        Stopwatch watch = Stopwatch.StartNew();
        FluentActions.Invoking(() => other.Acquire("delete", 200)).Should().Throw<OciException>()
            .WithMessage($"container x is busy: held by pid {Environment.ProcessId} (create)").Which.Errno.Should().Be(Errno.EBUSY);
        // The clock of the wait is the kernel's coarse one: it may be a tick (up to 10 ms) behind when the wait begins.
        watch.ElapsedMilliseconds.Should().BeInRange(180, 2000);
        other.Lock.Should().BeNull();
    }

    [Test]
    public void Names_the_latest_holder()
    {
        using TemporaryRoot root = new();
        root.Claim("x").Dispose();
        using ContainerEntry holder = root.Store.Open("x");
        holder.Acquire("start");
        using ContainerEntry other = root.Store.Open("x");
        FluentActions.Invoking(() => other.Acquire("delete", 0)).Should().Throw<OciException>().WithMessage("*(start)");
    }

    [Test]
    public void Is_taken_as_soon_as_it_is_free()
    {
        using TemporaryRoot root = new();
        ContainerEntry holder = root.Claim("x");
        using ContainerEntry other = root.Store.Open("x");
        using Timer release = new(_ => holder.Dispose(), null, 150, Timeout.Infinite);
        other.Acquire("delete", 5000);
        other.Lock!.Number.Should().BePositive();
    }

    [Test]
    public void Is_free_when_its_holder_was_killed()
    {
        using TemporaryRoot root = new();
        root.Claim("x").Dispose();
        Process holder = root.Start("flock", root.FileOf("x", "lock"), "-c", "echo held; exec sleep 1000");
        holder.StandardOutput.ReadLine().Should().Be("held");
        using ContainerEntry entry = root.Store.Open("x");
        FluentActions.Invoking(() => entry.Acquire("delete", 0)).Should().Throw<OciException>().WithMessage("container x is busy:*");
        holder.Kill(entireProcessTree: true);
        entry.Acquire("delete", 5000);
    }

    [Test]
    public void Is_worth_nothing_once_the_container_is_gone()
    {
        using TemporaryRoot root = new();
        using ContainerEntry holder = root.Claim("x");
        using ContainerEntry late = root.Store.Open("x");
        using Timer remove = new(_ => holder.Remove(), null, 100, Timeout.Infinite);
        FluentActions.Invoking(() => late.Acquire("delete", 5000)).Should().Throw<OciException>().WithMessage("container does not exist");
    }

    /// <summary>What another verb left in the directory before delete's last step would keep it there.</summary>
    [Test]
    public void Is_not_made_again_where_delete_has_taken_it_away()
    {
        using TemporaryRoot root = new();
        root.Claim("x").Dispose();
        File.Delete(root.FileOf("x", "lock"));
        using ContainerEntry late = root.Store.Open("x");
        FluentActions.Invoking(() => late.Acquire("pause")).Should().Throw<OciException>().WithMessage("container does not exist");
        Directory.GetFileSystemEntries(late.Path).Should().BeEmpty();
        late.TryAcquire("delete", 0, mayMake: true).Should().BeTrue("a delete that was killed there is finished by the next");
    }

    [Test]
    public void Of_a_removed_container_does_not_pass_to_its_successor()
    {
        using TemporaryRoot root = new();
        ContainerEntry first = root.Claim("x");
        using ContainerEntry late = root.Store.Open("x");
        first.Remove();
        using ContainerEntry second = root.Claim("x");
        late.TryAcquire("delete", 0).Should().BeFalse();
    }

    [Test]
    public void Is_not_inherited()
    {
        using TemporaryRoot root = new();
        using ContainerEntry entry = root.Claim("x");
        Files.Fcntl(entry.Lock!.Number, Files.F_GETFD).Should().Be(Files.FD_CLOEXEC);
    }
}
