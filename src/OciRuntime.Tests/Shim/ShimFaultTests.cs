using System.Diagnostics;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Protobuf;
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

    [MeasuresTime]
    [Test]
    public void Output_that_nobody_reads_stops_its_writer_alone()
    {
        string fifo = $"{Shim.Directory}/fifo";
        Command.Run("mkfifo", fifo).ShouldSucceed();
        int reader = Syscall.open(fifo, OpenFlags.O_RDONLY | OpenFlags.O_NONBLOCK | OpenFlags.O_CLOEXEC);
        using TestBundle bundle = Shim.Bundle().Args("busybox", "yes");
        string id = Shim.Run(bundle, fifo);
        string stat = $"/proc/{Shim.PidOf(id)}/wchan";
        Eventually.True(() => File.ReadAllText(stat).Contains("pipe"), "the writer waits");
        int memory = Shim.Status("VmRSS");
        long processor = Shim.ProcessorTime;
        Thread.Sleep(500);
        (Shim.ProcessorTime - processor).Should().BeLessThan(5, "nothing is to be done");
        Shim.Status("VmRSS").Should().BeLessThan(memory + 2048);
        Shim.StatusOf(id).Should().Be(Running);
        Shim.Kill(id, 9);
        Shim.Wait(id).Should().Be(137);
        _ = Syscall.close(reader);
        // Nobody reads what is left; it is given up after ten seconds.
        Shim.Call("Delete", id);
    }

    /// <summary>The fifo is full, the shim is to wait for room in it, and the kernel has no memory for that.</summary>
    [Test]
    public void Output_goes_on_when_its_target_could_not_be_waited_for()
    {
        const string ENOMEM = "12";
        const int Bytes = 300_000, SIGUSR1 = 10;
        string fifo = $"{Shim.Directory}/fifo";
        Command.Run("mkfifo", fifo).ShouldSucceed();
        int reader = Syscall.open(fifo, OpenFlags.O_RDONLY | OpenFlags.O_NONBLOCK | OpenFlags.O_CLOEXEC);
        string program = $"trap 'busybox yes | busybox head -c {Bytes}; exit 3' USR1; echo; while :; do sleep 0.1; done";
        string id = Shim.Run(Shim.Bundle().Args("sh", "-c", program), fifo);
        using FileStream output = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(reader, ownsHandle: true), FileAccess.Read, 0);
        byte[] buffer = new byte[Bytes];
        Eventually.True(() => Read() == 1, "the trap is set");
        // The first call ends the wait for the source.
        Meddler.Attach(Shim.Pid, "", ENOMEM, new CallPoint(0, CallPoint.NumberOf("epoll_ctl"), 2), () =>
        {
            Shim.Kill(id, SIGUSR1);
            Eventually.True(() => Array.TrueForAll(Waits(Shim.PidOf(id)), static wait => wait.Contains("pipe_write")), "the fifo is full");
            return new CommandResult("", default, "", "", default);
        }).IsHit.Should().BeTrue();
        int all = 0;
        Eventually.True(() => (all += Read()) == Bytes, "all of the output");
        Shim.Wait(id).Should().Be(3);
        Shim.Call("Delete", id);

        // What each of the shell's children waits for: one for the fifo, and so the other one for it.
        static string[] Waits(int shell)
        {
            string[] waits = [.. File.ReadAllText($"/proc/{shell}/task/{shell}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries)
                .Select(static child => File.ReadAllText($"/proc/{child}/wchan"))];
            return waits.Length == 2 ? waits : [""];
        }

        int Read()
        {
            try
            {
                return output.Read(buffer);
            }
            catch (IOException)
            {
                return 0;
            }
        }
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

    /// <summary>An exec ends with its process, not with what that leaves behind.</summary>
    [MeasuresTime]
    [Test]
    public void Output_that_a_grandchild_holds_ends_with_the_exec()
    {
        string fifo = $"{Shim.Directory}/fifo";
        Command.Run("mkfifo", fifo).ShouldSucceed();
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Run(bundle);
        using RunningCommand reader = Command.Start("cat", fifo);
        long start = Environment.TickCount64;
        Shim.Exec(id, "one", "sleep 1000 & echo out", fifo);
        Shim.Wait(id, "one").Should().Be(0);
        (Environment.TickCount64 - start).Should().BeLessThan(5000);
        Shim.Call("Delete", id, "one");
        (Environment.TickCount64 - start).Should().BeInRange(9000, 20_000);
        reader.Wait().ShouldSucceed().Stdout.Should().Be("out\n");
        Shim.KillAndDelete(id);
    }

    /// <summary>
    /// A logger ends and is reaped by the loop, as the thread that has started it is gone. When its container is deleted, its number is
    /// that of an orphan which goes on.
    /// </summary>
    [Test]
    public void Nobody_is_taken_for_a_logger_whose_number_he_has()
    {
        string logger = $"{Shim.Directory}/logger";
        File.WriteAllText(logger, "#!/bin/sh\necho x >&5\nexec 5>&-\nexec sleep 1000\n");
        File.SetUnixFileMode(logger, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        TestBundle logged = Shim.Bundle().Args("sleep", "1000"), broken = Shim.Bundle().Args("/nope");
        TestBundle bearing = Shim.Bundle().RemoveNamespace("pid").Capabilities("CAP_SYS_ADMIN").RunProbe().Args("sleep", "1000");
        string id = Shim.Run(logged, $"binary://{logger}"), other = Shim.Run(bearing);
        int number = ProcessTree.ChildrenOf(Shim.Pid).Except([Shim.PidOf(id), Shim.PidOf(other)]).Single();
        // A worker that has failed ends, but which one takes this is chance where a busy machine has called for several.
        Eventually.True(
            () =>
            {
                if (ProcessTree.ThreadOf(Shim.Pid, number) == Shim.Pid) return true;
                Refusal(() => Shim.Create(broken)).Code.Should().Be(Unknown);
                return false;
            },
            "the worker that has started the logger is gone");
        _ = Syscall.kill(number, Signum.SIGKILL);
        Eventually.True(() => !ProcessTree.Exists(number), "the loop has reaped it");
        Shim.Exec(other, "one", $"exec /bin/probe bear {number}");
        Shim.Wait(other, "one").Should().Be(0);
        Shim.Call("Delete", other, "one");
        ProcessTree.ChildrenOf(Shim.Pid).Should().Contain(number);
        Shim.KillAndDelete(id);
        Thread.Sleep(300);
        Directory.GetDirectories($"/proc/{Shim.Pid}/task").Select(static task => File.ReadAllText($"{task}/wchan")).Should()
            .NotContain("do_wait");
        ProcessTree.IsAlive(number).Should().BeTrue();
        Shim.KillAndDelete(other);
        Eventually.True(() => !ProcessTree.Exists(number), "it is reaped, too");
    }

    /// <summary>
    /// The last client goes while a create hangs, and that fails then. From there on the shim's clock, which is made to stand still at 0,
    /// says that its five minutes end five minutes after the machine's start: when it goes on, they are over.
    /// </summary>
    [Test]
    public void It_ends_by_itself_when_its_last_client_has_gone_before_its_last_container()
    {
        const string EPERM = "1";
        // Of a machine that has not run for five minutes.
        TimeSpan patience = TimeSpan.FromMilliseconds(Math.Max(10_000, 310_000 - Environment.TickCount64));
        string go = $"{Shim.Directory}/go";
        TestBundle hanging = Shim.Bundle().Args("true");
        hanging.AddHook("createRuntime", "/bin/sh", "-c", $"while [ ! -e {go} ]; do sleep 0.05; done; exit 1");
        string id = $"{TestRun.Token}-hangs";
        _ = Shim.Client.CallAsync("Create", Shim.CreateRequest(id, hanging));
        Eventually.True(
            () => ProcessTree.DescendantsOf(Shim.Pid).Any(static pid => ProcessTree.CommandLine(pid).Contains("-e ")), "the hook");
        Shim.Client.Dispose();
        Meddler.Attach(Shim.Pid, "", EPERM, new CallPoint(0, CallPoint.NumberOf("clock_gettime"), 0), () =>
        {
            File.WriteAllText(go, "");
            Eventually.True(() => !ProcessTree.ChildrenOf(Shim.Pid).Any(), "the end of the create");
            Eventually.True(() => !Directory.Exists(Shim.StateDirectory(id)), "the end of the container");
            // What follows on the work.
            Thread.Sleep(200);
            return new CommandResult("", default, "", "", default);
        }).IsHit.Should().BeTrue();
        // Wakes the loop, which looks at its clock.
        _ = Syscall.kill(Shim.Pid, Signum.SIGCHLD);
        if (Eventually.Becomes(() => !ProcessTree.IsAlive(Shim.Pid), patience)) return;
        Shim.Reconnect();
        Assert.Fail("the shim is still there");
    }

    /// <summary>containerd's verb takes away what a killed shim leaves, and the state's part of it the plain command.</summary>
    [TestCase("Create")]
    [TestCase("Start")]
    [TestCase("Exec")]
    [TestCase("Delete")]
    public void It_may_be_killed_at_any_moment(string method)
    {
        const int Moments = 6, MicrosecondsBetween = 1500;
        for (int i = 0; i < Moments; i++)
        {
            using ShimUnderTest shim = new();
            using TestBundle bundle = shim.Bundle().Args("sleep", "1000");
            string id = Path.GetFileName(bundle.Directory);
            ProtobufWriter mount = new ProtobufWriter().Text(1, "bind").Text(2, bundle.Rootfs).Text(4, "rbind");
            ProtobufWriter create = shim.CreateRequest(id, bundle).Message(3, mount);
            if (method != "Create") shim.Client.Call("Create", create);
            if (method is "Exec" or "Delete") shim.Call("Start", id);
            if (method == "Exec") shim.Exec(id, "one", "sleep 1000", start: false);
            if (method == "Delete") shim.Kill(id, 9);
            if (method == "Delete") shim.Wait(id);
            _ = method switch
            {
                "Create" => shim.Client.CallAsync(method, create),
                "Exec" => shim.Client.CallAsync("Start", ShimUnderTest.Named(id, "one")),
                _ => shim.Client.CallAsync(method, ShimUnderTest.Named(id)),
            };
            long moment = Stopwatch.GetTimestamp();
            SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(moment).TotalMicroseconds > i * MicrosecondsBetween);
            shim.KillItself();
            if (i % 2 == 1) Ocirun.Run("--root", $"{shim.Root}/{TestRun.Token}", "delete", "--force", id).ShouldSucceed();
            File.WriteAllText($"{bundle.Directory}/address", shim.Address);
            shim.Verb("delete", id, bundle.Directory, "-bundle", bundle.Directory).ShouldSucceed();
            Directory.Exists(shim.StateDirectory(id)).Should().BeFalse();
            File.ReadAllText("/proc/self/mountinfo").Should().NotContain(bundle.Directory);
            File.Exists(shim.Socket).Should().BeFalse();
        }
    }

    [Test]
    public void What_a_killed_shim_leaves_is_deleted_by_another()
    {
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        // As containerd has it: the bundle is named after the container.
        string id = Path.GetFileName(bundle.Directory);
        Shim.Client.Call("Create", Shim.CreateRequest(id, bundle));
        Shim.Call("Start", id);
        int pid = Shim.PidOf(id);
        Shim.KillItself();
        File.WriteAllText($"{bundle.Directory}/address", Shim.Address);
        // Where it is not to be known where the state is, there would be none elsewhere.
        string options = $"{bundle.Directory}/options.json";
        File.Move(options, $"{options}.away");
        Directory.CreateDirectory(options);
        Shim.Verb("delete", id, bundle.Directory, "-bundle", bundle.Directory).ShouldFail(1, "options.json: is a directory (EISDIR)");
        ProcessTree.IsAlive(pid).Should().BeTrue();
        Directory.Delete(options);
        File.Move($"{options}.away", options);
        CommandResult deleted = Shim.Verb("delete", id, bundle.Directory, "-bundle", bundle.Directory).ShouldSucceed();
        deleted.Stderr.Should().BeEmpty();
        ShimUnderTest.Number(Shim.Printed, 1).Should().Be(pid);
        ShimUnderTest.Number(Shim.Printed, 2).Should().Be(137);
        ProcessTree.IsAlive(pid).Should().BeFalse();
        Directory.Exists(Shim.StateDirectory(id)).Should().BeFalse();
        File.Exists(Shim.Socket).Should().BeFalse();
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
