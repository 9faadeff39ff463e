using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>What goes wrong around a shim, and must not go wrong in it.</summary>
[LeavesNothing]
public sealed class ShimFaultTests : ShimFixture
{
    [MeasuresTime]
    [Test]
    public void A_hook_that_hangs_keeps_nobody_else_waiting()
    {
        using TestBundle good = Shim.Bundle().Args("sleep", "1000"), hanging = Shim.Bundle().Args("true");
        hanging.AddHook("createRuntime", "/bin/sleep", "1000");
        string id = Shim.Run(good);
        Task<byte[]> creating = Shim.Client.CallAsync("Create", Shim.CreateRequest($"{TestRun.Token}-hangs", hanging));
        Eventually.True(
            () => ProcessTree.DescendantsOf(Shim.Pid).Any(static pid => ProcessTree.CommandLine(pid).Contains("/bin/sleep")), "the hook");
        long start = Environment.TickCount64;
        Shim.StatusOf(id).Should().Be(Running);
        Shim.Exec(id, "one", "exit 4");
        Shim.Wait(id, "one").Should().Be(4);
        Shim.Call("Stats", id);
        Shim.KillAndDelete(id);
        (Environment.TickCount64 - start).Should().BeLessThan(5000);
        creating.IsCompleted.Should().BeFalse();
        // Asked to end it takes back what it has begun.
        _ = Syscall.kill(Shim.Pid, Signum.SIGTERM);
        Eventually.True(() => !ProcessTree.IsAlive(Shim.Pid), "the shim's end");
        Directory.Exists(Shim.StateDirectory($"{TestRun.Token}-hangs")).Should().BeFalse();
        ((Func<Task>)(() => creating)).Should().ThrowAsync<Exception>().Wait();
    }

    /// <summary>As many as there are threads for what may hang: what the kernel answers soon has threads of its own.</summary>
    [MeasuresTime]
    [Test]
    public void Many_hooks_that_hang_keep_nobody_else_waiting()
    {
        string id = Shim.Run(Shim.Bundle().Args("sleep", "1000"));
        Task<byte[]>[] creating = [.. Enumerable.Range(0, 40).Select(index =>
        {
            TestBundle hanging = Shim.Bundle().Args("true");
            hanging.AddHook("createRuntime", "/bin/sleep", "1000");
            return Shim.Client.CallAsync("Create", Shim.CreateRequest($"{TestRun.Token}-hangs{index}", hanging));
        })];
        Eventually.True(
            () => ProcessTree.DescendantsOf(Shim.Pid).Count(static pid => ProcessTree.CommandLine(pid).StartsWith("/bin/sleep")) >= 32,
            "the hooks");
        long start = Environment.TickCount64;
        Shim.StatusOf(id).Should().Be(Running);
        Shim.Call("Stats", id).Should().NotBeEmpty();
        Shim.Call("Pids", id).Should().NotBeEmpty();
        Shim.Call("Pause", id);
        Shim.Call("Resume", id);
        Shim.Kill(id, 9);
        Shim.Wait(id).Should().Be(137);
        (Environment.TickCount64 - start).Should().BeLessThan(5000);
        creating.Count(static one => one.IsCompleted).Should().Be(0);
        // Asked to end it takes back what it has begun; and what it has not begun by then, it does not.
        _ = Syscall.kill(Shim.Pid, Signum.SIGTERM);
        Eventually.True(() => !ProcessTree.IsAlive(Shim.Pid), "the shim's end");
        Directory.GetDirectories(Path.GetDirectoryName(Shim.StateDirectory(id))!).Should().Equal(Shim.StateDirectory(id));
        Ocirun.Run("--root", $"{Shim.Root}/{TestRun.Token}", "delete", "--force", id).ShouldSucceed();
        ((Func<Task>)(() => Task.WhenAll(creating))).Should().ThrowAsync<Exception>().Wait();
    }

    [Test]
    public void Where_no_thread_can_be_made_a_request_is_refused()
    {
        const string EAGAIN = "11";
        string id = Shim.Run(Shim.Bundle().Args("sleep", "1000"));
        CallRefused refusal = null!;
        Meddler.Attach(Shim.Pid, "", EAGAIN, new CallPoint(0, CallPoint.NumberOf("clone3"), 1), () =>
        {
            refusal = Refusal(() => Shim.Call("Stats", id));
            return new CommandResult("", default, "", "", default);
        }).IsHit.Should().BeTrue();
        refusal.Message.Should().Be("8: the shim is busy: 0 requests are under way, and no thread can be made");
        Shim.Call("Stats", id).Should().NotBeEmpty();
        Shim.KillAndDelete(id);
    }

    [Test]
    public void Garbage_ends_a_connection_at_most()
    {
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Run(bundle);
        int before = Shim.Status("VmRSS");
        Random random = new(1);
        byte[] bytes = new byte[1 << 16];
        for (int i = 0; i < 50; i++)
        {
            using TaskClient client = Shim.Connect();
            random.NextBytes(bytes);
            // A length that is believed in every second one.
            if (i % 2 == 0) bytes[0] = bytes[1] = 0;
            try
            {
                for (int k = 0; k < 16; k++) client.Send(bytes);
            }
            catch (System.Net.Sockets.SocketException)
            {
            }
        }
        Shim.StatusOf(id).Should().Be(Running);
        Shim.Status("VmRSS").Should().BeLessThan(before + (24 << 10));
        Shim.KillAndDelete(id);
    }

    [Test]
    public void Events_wait_for_containerd()
    {
        using TestBundle bundle = Shim.Bundle().Args("true");
        Shim.StopEvents();
        string id = Shim.Run(bundle);
        Shim.Wait(id).Should().Be(0);
        Shim.Call("Delete", id);
        Shim.Events.Should().BeEmpty();
        Shim.StartEvents();
        Eventually.True(() => Shim.Events.Length == 4, "the events");
        Shim.Events.Should().Equal("create", "start", "exit", "delete");
    }

    [Test]
    public void An_end_is_told_when_there_is_no_descriptor_for_its_event()
    {
        const string EMFILE = "24";
        string id = Shim.Run(Shim.Bundle().Args("sleep", "1000"));
        Eventually.True(() => Shim.Events.Length == 2, "the first events");
        // It has to connect anew.
        Shim.StopEvents();
        Shim.StartEvents();
        int told = Shim.Events.Length;
        Meddler.Attach(Shim.Pid, "", EMFILE, new CallPoint(0, CallPoint.NumberOf("socket"), 1), () =>
        {
            Shim.Kill(id, 9);
            Shim.Wait(id).Should().Be(137);
            return new CommandResult("", default, "", "", default);
        }).IsHit.Should().BeTrue();
        Shim.Call("Delete", id);
        Eventually.True(() => Shim.Events[told..].Length == 2, "the last events");
        Shim.Events[told..].Should().Equal("exit", "delete");
    }

    /// <summary>With a connection goes what was asked over it.</summary>
    [Test]
    public void Those_who_wait_are_forgotten_with_their_connection()
    {
        const int Padding = 2 << 20, Nobodys = 100;
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Run(bundle);
        int before = Shim.Status("VmRSS");
        for (int i = 0; i < 40; i++)
        {
            using TaskClient client = Shim.Connect();
            _ = client.CallAsync("Wait", ShimUnderTest.Named(id).Bytes(Nobodys, new byte[Padding]));
            client.Call("State", ShimUnderTest.Named(id));
        }
        // Each of them would keep two megabytes.
        Shim.Status("VmRSS").Should().BeLessThan(before + (40 << 10));
        Shim.KillAndDelete(id);
    }

    [Test]
    public void Nothing_is_half_made_on_a_full_disk()
    {
        using ShimUnderTest shim = new(hasSmallDisk: true);
        string disk = $"/proc/{shim.Pid}/root{shim.Root}", filling = $"{disk}/filling", output = $"{shim.Directory}/out";
        using TestBundle bundle = shim.Bundle().Args("sleep", "1000"), other = shim.Bundle().Args("true");
        string id = shim.Run(bundle);
        Fill(filling);
        Refusal(() => shim.Create(other)).Message.Should().Contain("no space left on device");
        Directory.GetDirectories($"{disk}/{TestRun.Token}").Should().Equal($"{disk}/{TestRun.Token}/{id}");
        // What is there already goes on, and can be removed.
        shim.Exec(id, "one", "echo out; exit 3", $"file://{output}");
        shim.Wait(id, "one").Should().Be(3);
        shim.Call("Pause", id);
        shim.Call("Resume", id);
        shim.KillAndDelete(id);
        File.ReadAllText(output).Should().Be("out\n");
        File.Delete(filling);
        shim.KillAndDelete(shim.Create(other));
        Directory.GetDirectories($"{disk}/{TestRun.Token}").Should().BeEmpty();

        static void Fill(string path)
        {
            using FileStream file = File.Create(path);
            byte[] bytes = new byte[4096];
            try
            {
                while (true)
                {
                    file.Write(bytes);
                    file.Flush();
                }
            }
            catch (IOException)
            {
            }
        }
    }

    /// <summary>A container's root, who may follow /proc/PID/exe of whatever enters, does not come to the program.</summary>
    [Test]
    public void It_runs_from_a_sealed_copy()
    {
        Syscall.stat($"/proc/{Shim.Pid}/exe", out Stat running).Should().Be(0);
        Syscall.stat(Ocirun.Binary.Path, out Stat installed).Should().Be(0);
        running.st_dev.Should().NotBe(installed.st_dev);
        new ProcessView(Shim.Pid).Status("Name").Should().Be("containerd-shim");
    }
}
