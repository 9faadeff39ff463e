using System.Runtime.CompilerServices;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Shim;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>Work that hangs, and what is behind it.</summary>
public sealed class WorkersTests
{
    [Test]
    public void Work_waits_for_its_turn_neither_for_ever_nor_without_bound()
    {
        const int Most = 2, PatienceMilliseconds = 300;
        using EventLoop loop = new(static e => throw e);
        Workers workers = new(loop, Most, kept: 0, PatienceMilliseconds);
        using ManualResetEventSlim hangs = new();
        List<string> told = [];
        int done = 0;
        for (int i = 0; i < Most; i++) workers.Run(hangs.Wait, Tell);
        long start = Environment.TickCount64;
        for (int i = 0; i < Workers.MostWaiting; i++) workers.Run(() => Interlocked.Increment(ref done), Tell);
        workers.Run(() => Interlocked.Increment(ref done), Tell);
        // Of what nobody waits for nobody can be told that it is not done.
        workers.RunAnyway(() => Interlocked.Increment(ref done), Tell);
        string[] atFirst = [];
        loop.Post(() => atFirst = [.. told]);
        loop.After(2 * PatienceMilliseconds, loop.End);
        OwnThread.Run(loop.Run).Wait();
        (Environment.TickCount64 - start).Should().BeLessThan(10_000);
        atFirst.Should().Equal("the shim is busy: 2 requests are under way, and 1024 wait for their turn");
        told.Should().HaveCount(Workers.MostWaiting + 1).And.Subject.Skip(1).Distinct().Should()
            .Equal($"the shim is busy: 2 requests are under way, and this one has waited {PatienceMilliseconds} ms for its turn");
        // Those that hung go on, and so does what comes then; what was given up is not done any more.
        told.Clear();
        hangs.Set();
        Eventually.True(() => workers.IsIdle, "the end of those that hung");
        workers.Run(() => Interlocked.Increment(ref done), Tell);
        Eventually.True(() => workers.IsIdle, "the end of what came then");
        done.Should().Be(2);

        void Tell(Exception? thrown) => told.Add(thrown?.Message ?? "done");
    }

    /// <summary>A request may have four megabytes, and what hangs may hang for ever.</summary>
    [Test]
    public void What_was_given_up_is_kept_by_nobody()
    {
        using EventLoop loop = new(static e => throw e);
        Workers workers = new(loop, most: 1, kept: 0, patience: 50);
        using ManualResetEventSlim hangs = new();
        workers.Run(hangs.Wait, static _ => { });
        WeakReference payload = RunWithPayload(workers);
        loop.After(200, loop.End);
        Thread thread = new(loop.Run);
        thread.Start();
        thread.Join();
        Eventually.True(
            () =>
            {
                GC.Collect();
                return !payload.IsAlive;
            }, "the end of the payload");
        hangs.Set();
        Eventually.True(() => workers.IsIdle, "the end of what hung");
    }

    /// <summary>In a frame of its own, which holds nothing when it is gone.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference RunWithPayload(Workers workers)
    {
        byte[] payload = new byte[1000];
        workers.Run(() => payload[0]++, _ => payload[0]++);
        return new WeakReference(payload);
    }
}
