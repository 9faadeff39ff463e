using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>What a process writes goes where containerd wants it, whatever happens there.</summary>
[LeavesNothing]
public sealed class ShimStreamTests : ShimFixture
{
    [MeasuresTime]
    [Category("Waits")]
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

    /// <summary>An exec ends with its process, not with what that leaves behind.</summary>
    [MeasuresTime]
    [Category("Waits")]
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
}
