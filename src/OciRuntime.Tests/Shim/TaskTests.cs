using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Protobuf;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>The task API, asked directly: the life of processes, the order of events, the codes of refusals.</summary>
public sealed class TaskTests : ShimFixture
{
    [Test]
    public void A_container_goes_through_its_life()
    {
        string output = $"{Shim.Directory}/out";
        using TestBundle bundle = Shim.Bundle().Script("echo out; exit 7");
        string id = Shim.Create(bundle, $"file://{output}");
        Shim.StatusOf(id).Should().Be(Created);
        ProcessTree.ChildrenOf(Shim.Pid).Should().Equal(Shim.PidOf(id));
        // The runtime's own commands know it.
        Ocirun.Run("--root", $"{Shim.Root}/{TestRun.Token}", "state", id).ShouldSucceed().Stdout.Should().Contain("\"created\"");
        Task<byte[]> waiting = Shim.Client.CallAsync("Wait", ShimUnderTest.Named(id));
        waiting.IsCompleted.Should().BeFalse();
        Shim.Call("Start", id);
        ShimUnderTest.Number(waiting.WaitAsync(TimeSpan.FromSeconds(10)).Result, 1).Should().Be(7);
        Shim.StatusOf(id).Should().Be(Stopped);
        ShimUnderTest.Number(Shim.Call("Delete", id), 2).Should().Be(7);
        File.ReadAllText(output).Should().Be("out\n");
        Eventually.True(() => Shim.Events.Length == 4, "all events");
        Shim.Events.Should().Equal("create", "start", "exit", "delete");
        Directory.Exists(Shim.StateDirectory(id)).Should().BeFalse();
    }

    [Test]
    public void Ends_of_execs_are_told_before_that_of_the_container()
    {
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Run(bundle);
        Shim.Exec(id, "one", "sleep 1000");
        Shim.Exec(id, "two", "exit 3");
        Shim.Wait(id, "two").Should().Be(3);
        Shim.StatusOf(id, "one").Should().Be(Running);
        Shim.Exec(id, "three", "true", start: false);
        Shim.StatusOf(id, "three").Should().Be(Created);
        Shim.Kill(id, 9);
        Shim.Wait(id).Should().Be(137);
        Shim.Wait(id, "one").Should().Be(137);
        Refusal(() => Shim.Call("Start", id, "three")).Code.Should().Be(FailedPrecondition);
        Shim.Call("Delete", id);
        Eventually.True(() => Shim.Events.LastOrDefault() == "delete", "all events");
        Shim.Events.Should().Equal("create", "start", "exec-added one", "exec-started one", "exec-added two", "exec-started two",
            "exit two", "exec-added three", "exit one", "exit", "delete");
    }

    /// <summary>
    /// A thread ends after what has failed on it, and the first processes that it has made come to the loop, which reaps them with the
    /// orphans.
    /// </summary>
    [Test]
    public void An_end_is_told_after_the_start_also_when_the_thread_is_gone_that_made_the_container()
    {
        using TestBundle bundle = Shim.Bundle().Script("exit 7"), broken = Shim.Bundle().Args("/nope");
        bundle.AddHook("poststart", "/bin/sleep", "1");
        string id = Shim.Create(bundle), pid = $"{Shim.PidOf(id)}";
        Refusal(() => Shim.Create(broken)).Code.Should().Be(Unknown);
        Eventually.True(() => File.ReadAllText($"/proc/{Shim.Pid}/task/{Shim.Pid}/children").Split(' ').Contains(pid), "the loop has it");
        Task<byte[]> waiting = Shim.Client.CallAsync("Wait", ShimUnderTest.Named(id));
        Task<byte[]> starting = Shim.Client.CallAsync("Start", ShimUnderTest.Named(id));
        Eventually.True(() => !Directory.Exists($"/proc/{pid}"), "it is reaped");
        waiting.IsCompleted.Should().BeFalse();
        starting.WaitAsync(TimeSpan.FromSeconds(10)).Wait();
        ShimUnderTest.Number(waiting.WaitAsync(TimeSpan.FromSeconds(10)).Result, 1).Should().Be(7);
        Shim.Call("Delete", id);
        Eventually.True(() => Shim.Events.Length == 4, "all events");
        Shim.Events.Should().Equal("create", "start", "exit", "delete");
    }

    [Test]
    public void What_is_being_deleted_is_not_started()
    {
        using TestBundle bundle = Shim.Bundle().Args("true");
        bundle.AddHook("poststop", "/bin/sleep", "1");
        string id = Shim.Create(bundle);
        Task<byte[]> deleting = Shim.Client.CallAsync("Delete", ShimUnderTest.Named(id));
        Task<byte[]> starting = Shim.Client.CallAsync("Start", ShimUnderTest.Named(id));
        Refusal(() => Shim.Exec(id, "one", "true", start: false)).Code.Should().Be(Unknown);
        Refusal(() => starting.WaitAsync(TimeSpan.FromSeconds(10)).GetAwaiter().GetResult()).Code.Should().Be(Unknown);
        byte[] deleted = deleting.WaitAsync(TimeSpan.FromSeconds(10)).Result;
        ShimUnderTest.Number(deleted, 2).Should().Be(137);
        ShimUnderTest.Number(Find(deleted, 3), 1).Should().BeGreaterThan(0, "the time of its end");
        Eventually.True(() => Shim.Events.Length == 3, "all events");
        Shim.Events.Should().Equal("create", "exit", "delete");
    }

    /// <summary>They end with the container, whose own end waits for theirs.</summary>
    [Test]
    public void Execs_of_a_created_container_end_before_it_when_it_is_deleted()
    {
        using TestBundle bundle = Shim.Bundle().RemoveNamespace("pid").Args("true");
        string id = Shim.Create(bundle);
        Shim.Exec(id, "one", "sleep 1000");
        Task<byte[]> waiting = Shim.Client.CallAsync("Wait", ShimUnderTest.Named(id, "one"));
        ShimUnderTest.Number(Shim.Call("Delete", id), 2).Should().Be(137);
        ShimUnderTest.Number(waiting.WaitAsync(TimeSpan.FromSeconds(10)).Result, 1).Should().Be(137);
        Eventually.True(() => Shim.Events.Length == 6, "all events");
        Shim.Events.Should().Equal("create", "exec-added one", "exec-started one", "exit one", "exit", "delete");
    }

    [Test]
    public void Who_waits_for_what_is_removed_unstarted_is_told()
    {
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Run(bundle);
        Shim.Exec(id, "one", "true", start: false);
        Task<byte[]> waiting = Shim.Client.CallAsync("Wait", ShimUnderTest.Named(id, "one"));
        Shim.Call("Delete", id, "one");
        Refusal(() => waiting.WaitAsync(TimeSpan.FromSeconds(10)).GetAwaiter().GetResult()).Message.Should()
            .Be($"{NotFound}: process does not exist one");
        Shim.KillAndDelete(id);
    }

    [Test]
    public void Who_waits_for_a_while_is_told_when_it_is_over()
    {
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Run(bundle);
        // The second one is less than a millisecond.
        foreach (long nanoseconds in (long[])[100_000_000, 1])
        {
            Task<byte[]> waiting = Shim.Client.CallAsync("Wait", ShimUnderTest.Named(id), nanoseconds: nanoseconds);
            Refusal(() => waiting.WaitAsync(TimeSpan.FromSeconds(10)).GetAwaiter().GetResult()).Code.Should().Be(DeadlineExceeded);
        }
        Shim.StatusOf(id).Should().Be(Running);
        Task<byte[]> patient = Shim.Client.CallAsync("Wait", ShimUnderTest.Named(id), nanoseconds: 60_000_000_000);
        Shim.Kill(id, 9);
        ShimUnderTest.Number(patient.WaitAsync(TimeSpan.FromSeconds(10)).Result, 1).Should().Be(137);
        Shim.Call("Delete", id);
    }

    [Test]
    public void What_cannot_be_is_refused_with_the_code_that_clients_expect()
    {
        Refusal(() => Shim.Call("State", "nobody")).Message.Should().Be($"{NotFound}: container not created");
        Refusal(() => Shim.Client.CallAsync("Start", ShimUnderTest.Named("x"), "containerd.task.v9.Task").GetAwaiter().GetResult())
            .Code.Should().Be(Unimplemented);
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Create(bundle);
        Refusal(() => Shim.Client.Call("Create", Shim.CreateRequest(id, bundle))).Code.Should().Be(AlreadyExists);
        Refusal(() => Shim.Call("Pause", id)).Code.Should().Be(Unknown);
        Shim.Call("Start", id);
        Refusal(() => Shim.Call("Start", id)).Code.Should().Be(Unknown);
        Refusal(() => Shim.Call("Delete", id)).Code.Should().Be(Unknown);
        Refusal(() => Shim.Call("State", id, "nobody")).Code.Should().Be(NotFound);
        Shim.Exec(id, "one", "true", start: false);
        Refusal(() => Shim.Exec(id, "one", "true")).Code.Should().Be(AlreadyExists);
        Refusal(() => Shim.Kill(id, 9, "one")).Code.Should().Be(FailedPrecondition);
        Shim.Call("Pause", id);
        Shim.StatusOf(id).Should().Be(Paused);
        Refusal(() => Shim.Exec(id, "two", "true")).Code.Should().Be(Unknown);
        Shim.Call("Resume", id);
        Shim.Kill(id, 0);
        Shim.Kill(id, 9);
        Shim.Wait(id).Should().Be(137);
        Refusal(() => Shim.Kill(id, 9)).Message.Should().Be($"{NotFound}: process already finished");
        Shim.Call("Delete", id);
        Refusal(() => Shim.Call("Delete", id)).Code.Should().Be(NotFound);
    }

    [Test]
    public void A_created_container_can_be_killed_and_deleted()
    {
        using TestBundle bundle = Shim.Bundle().Args("true");
        string killed = Shim.Create(bundle);
        Shim.Kill(killed, 15);
        Shim.Wait(killed).Should().Be(143);
        Shim.StatusOf(killed).Should().Be(Stopped);
        Shim.Call("Delete", killed);
        using TestBundle other = Shim.Bundle().Args("true");
        Shim.Call("Delete", Shim.Create(other));
        Eventually.True(() => Shim.Events.Length == 6, "all events");
        Shim.Events.Should().Equal("create", "exit", "delete", "create", "exit", "delete");
    }

    [Test]
    public void A_failed_create_leaves_nothing_and_says_why()
    {
        using TestBundle bundle = Shim.Bundle().Args("/nope");
        string id = $"{TestRun.Token}-{TestRun.NextNumber()}", fifo = $"{Shim.Directory}/fifo";
        Command.Run("mkfifo", fifo).ShouldSucceed();
        using RunningCommand reader = Command.Start("cat", fifo);
        Refusal(() => Shim.Client.Call("Create", Shim.CreateRequest(id, bundle, fifo))).Message.Should()
            .Contain("OCI runtime create failed: exec: \"/nope\": stat /nope: no such file or directory");
        // The client sees the end of the output.
        reader.Wait().ShouldSucceed();
        Shim.Events.Should().BeEmpty();
        Refusal(() => Shim.Call("State", id)).Code.Should().Be(NotFound);
        Directory.Exists(Shim.StateDirectory(id)).Should().BeFalse();
    }

    [Test]
    public void Limits_are_changed_and_use_is_told()
    {
        Requires.Controller("memory");
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Run(bundle);
        Shim.Client.Call("Update", ShimUnderTest.Named(id).Message(2, OciRuntime.Shim.AnyMessage.Write(
            "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources", """{"memory": {"limit": 33554432}}"""u8)));
        bool v1 = CgroupHost.V1MountPoint("memory") is not null;
        string file = $"{new ProcessView(Shim.PidOf(id)).CgroupDirectory("memory")}/{(v1 ? "memory.limit_in_bytes" : "memory.max")}";
        File.ReadAllText(file).Trim().Should().Be("33554432");
        byte[] metrics = Find(Find(Shim.Call("Stats", id), 1), 2), memory = Find(metrics, 4);
        (v1 ? ShimUnderTest.Number(Find(memory, 33), 1) : ShimUnderTest.Number(memory, 33)).Should().Be(33554432);
        Shim.KillAndDelete(id);
    }

    [Test]
    public void Input_ends_when_the_client_says_so()
    {
        string stdin = $"{Shim.Directory}/in", output = $"{Shim.Directory}/out";
        Command.Run("mkfifo", stdin).ShouldSucceed();
        using TestBundle bundle = Shim.Bundle().Script("cat; echo end");
        string id = Shim.Run(bundle, $"file://{output}", stdin);
        File.AppendAllText(stdin, "hello\n");
        Eventually.True(() => File.ReadAllText(output) == "hello\n", "the input");
        // The client's end was closed by that, and yet it was not the end.
        Shim.StatusOf(id).Should().Be(Running);
        Shim.Client.Call("CloseIO", ShimUnderTest.Named(id).Number(3, 1L));
        Shim.Wait(id).Should().Be(0);
        Shim.Call("Delete", id);
        File.ReadAllText(output).Should().Be("hello\nend\n");
    }

    /// <summary>As systemd does with /dev/console.</summary>
    [Test]
    public void A_terminal_may_be_closed_for_a_while()
    {
        string output = $"{Shim.Directory}/out", id = $"{TestRun.Token}-{TestRun.NextNumber()}";
        using TestBundle bundle = Shim.Bundle().Terminal()
            .Script("echo one; exec <&- >&- 2>&-; sleep 0.3; echo two >/dev/console; sleep 0.1; echo three >/dev/console");
        Shim.Client.Call("Create", Shim.CreateRequest(id, bundle, $"file://{output}").Number(4, 1L));
        Shim.Call("Start", id);
        Shim.Wait(id).Should().Be(0);
        Shim.Call("Delete", id);
        File.ReadAllLines(output).Should().Equal("one", "two", "three");
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Streams_may_be_called_fifos(bool terminal)
    {
        string stdin = $"{Shim.Directory}/in", output = $"{Shim.Directory}/out", id = $"{TestRun.Token}-{TestRun.NextNumber()}";
        Command.Run("mkfifo", stdin, output).ShouldSucceed();
        using RunningCommand reader = Command.Start("cat", output);
        using TestBundle bundle = Shim.Bundle().Script("read line; echo got $line");
        if (terminal) bundle.Terminal();
        Shim.Client.Call("Create", Shim.CreateRequest(id, bundle, $"fifo://{output}", $"fifo://{stdin}").Number(4, terminal ? 1L : 0));
        Shim.Call("Start", id);
        File.AppendAllText(stdin, "hello\n");
        Shim.Wait(id).Should().Be(0);
        Shim.Call("Delete", id);
        reader.Wait().ShouldSucceed().Stdout.Should().Contain("got hello");
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Output_goes_to_a_program(bool terminal)
    {
        string logger = $"{Shim.Directory}/logger", log = $"{Shim.Directory}/log";
        File.WriteAllText(logger, $"""
            #!/bin/sh
            exec >{log}
            echo $CONTAINER_NAMESPACE $CONTAINER_ID "$@"
            echo x >&5
            exec 5>&-
            cat <&3
            cat <&4

            """);
        File.SetUnixFileMode(logger, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        using TestBundle bundle = Shim.Bundle().Script("echo out");
        if (terminal) bundle.Terminal();
        string id = $"{TestRun.Token}-{TestRun.NextNumber()}", name = $"binary://{logger}?key=a%20b";
        Shim.Client.Call("Create", Shim.CreateRequest(id, bundle, name).Number(4, terminal ? 1L : 0));
        Shim.Call("Start", id);
        Shim.Wait(id).Should().Be(0);
        Shim.Call("Delete", id);
        Eventually.True(() => File.ReadAllLines(log).Length == 2, "the program's output");
        File.ReadAllLines(log).Should().Equal($"{TestRun.Token} {id} key a b", "out");
        Eventually.True(() => !ProcessTree.ChildrenOf(Shim.Pid).Any(), "the program's end");
    }

    [Test]
    public void Orphans_are_reaped()
    {
        using TestBundle bundle = Shim.Bundle().RemoveNamespace("pid").Script("(sleep 0.2; exit 3) & exit 0");
        string id = Shim.Run(bundle);
        Shim.Wait(id).Should().Be(0);
        Shim.Call("Delete", id);
        Eventually.True(() => !ProcessTree.ChildrenOf(Shim.Pid).Any(), "no zombie");
    }

    private static byte[] Find(byte[] message, int field)
    {
        for (ProtobufReader reader = new(message); reader.Next();) if (reader.Field == field) return reader.Bytes.ToArray();
        throw new AssertionException($"no field {field} in {Encoding.Latin1.GetString(message)}");
    }
}
