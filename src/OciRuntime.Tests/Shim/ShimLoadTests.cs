using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>Many at once, or one after the other: nothing of it stays.</summary>
[LeavesNothing]
public sealed class ShimLoadTests : ShimFixture
{
    [TestCase(300)]
    [TestCase(10_000, Category = "ByHand")]
    public void Many_execs_leave_nothing_behind(int count)
    {
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Run(bundle);
        Cycle(100);
        // Those of the threads, which the first ones have brought to life.
        (int fds, int memory, int threads) = (Shim.Descriptors, Shim.Status("VmRSS"), Shim.Status("Threads"));
        Cycle(count);
        Shim.Descriptors.Should().Be(fds);
        Shim.Status("VmRSS").Should().BeLessThan(memory + 2048);
        Shim.Status("Threads").Should().BeLessThanOrEqualTo(threads + 1);
        ProcessTree.DescendantsOf(Shim.Pid).Should().HaveCount(1);
        Shim.KillAndDelete(id);

        void Cycle(int count)
        {
            for (int i = 0; i < count; i++)
            {
                Shim.Exec(id, "x", $"exit {i % 100}", $"file://{Shim.Directory}/out");
                Shim.Wait(id, "x").Should().Be(i % 100);
                Shim.Call("Delete", id, "x");
            }
        }
    }

    /// <summary>Launches clone while other threads of the shim collect garbage.</summary>
    [Test]
    public void Many_execs_at_once_run_while_others_ask()
    {
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Run(bundle);
        bool ends = false;
        Task[] asking = [.. Enumerable.Range(0, 4).Select(_ => OwnThread.Run(() =>
        {
            while (!Volatile.Read(ref ends)) Shim.Call("Stats", id);
        }))];
        Task[] running = [.. Enumerable.Range(0, 8).Select(thread => OwnThread.Run(() =>
        {
            for (int i = 0; i < 25; i++)
            {
                string name = $"x{thread}-{i}";
                Shim.Exec(id, name, $"exit {i}");
                Shim.Wait(id, name).Should().Be(i);
                Shim.Call("Delete", id, name);
            }
        }))];
        Task.WaitAll(running, TimeSpan.FromSeconds(60)).Should().BeTrue();
        Volatile.Write(ref ends, true);
        Task.WaitAll(asking, TimeSpan.FromSeconds(30)).Should().BeTrue();
        Shim.KillAndDelete(id);
    }

    [Test]
    public void Two_hundred_execs_are_started_at_once()
    {
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        // The first one brings the connection for events to life.
        Shim.KillAndDelete(Shim.Run(bundle));
        int fds = Shim.Descriptors, told = Shim.Events.Length;
        string id = Shim.Run(bundle);
        string[] names = [.. Enumerable.Range(0, 200).Select(static index => $"x{index}")];
        foreach (string name in names) Shim.Exec(id, name, "exec sleep 1000", start: false);
        Task<byte[]>[] starting = [.. names.Select(name => Shim.Client.CallAsync("Start", ShimUnderTest.Named(id, name)))];
        Task.WaitAll(starting, TimeSpan.FromSeconds(60)).Should().BeTrue();
        int[] pids = [.. starting.Select(static one => (int)ShimUnderTest.Number(one.Result, 1))];
        ProcessTree.ChildrenOf(Shim.Pid).Should().BeEquivalentTo([.. pids, Shim.PidOf(id)]);
        Shim.KillAndDelete(id);
        Eventually.True(() => Shim.Events[told..].LastOrDefault() == "delete", "all events");
        Shim.Events.Count(static one => one.StartsWith("exit x")).Should().Be(names.Length);
        Shim.Descriptors.Should().Be(fds);
    }

    /// <summary>containerd starts anew while the containers of a pod go on and end.</summary>
    [Test]
    public void Fifty_containers_outlive_their_engine()
    {
        const int Count = 50, Ended = 10;
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string[] ids = [.. Enumerable.Range(0, Count).Select(_ => Shim.Run(bundle.WithCgroup()))];
        int[] pids = [.. ids.Select(Shim.PidOf)];
        foreach (string id in ids) _ = Shim.Client.CallAsync("Wait", ShimUnderTest.Named(id));
        Shim.StopEvents();
        Shim.Reconnect();
        foreach (int pid in pids[..Ended]) _ = Syscall.kill(pid, Signum.SIGKILL);
        for (int i = 0; i < Count; i++)
        {
            // What containerd asks of each.
            (ShimUnderTest.Number(Shim.Call("Connect", ids[i]), 2), Shim.PidOf(ids[i])).Should().Be(((long)pids[i], pids[i]));
            Shim.Call("Pids", ids[i]).Should().NotBeEmpty();
        }
        foreach (string id in ids[..Ended]) Shim.Wait(id).Should().Be(137);
        foreach (string id in ids[Ended..]) Shim.StatusOf(id).Should().Be(Running);
        Shim.StartEvents();
        Eventually.True(() => Shim.Events.Count(static told => told == "exit") == Ended, "the events of meanwhile");
        foreach (string id in ids[..Ended]) Shim.Call("Delete", id);
        foreach (string id in ids[Ended..]) Shim.KillAndDelete(id);
    }
}
