using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Protobuf;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>Of descriptors a shim has all that it may have, and what it makes has what whoever started the shim has.</summary>
[LeavesNothing]
public sealed class ShimDescriptorTests : ShimFixture
{
    private const int Soft = 256, Hard = 4096;
    private const string Files = "Max open files";

    private protected override ShimUnderTest Start() => new(launcher: [Requires.Tool("prlimit"), $"--nofile={Soft}:{Hard}"]);

    [Test]
    public void What_it_makes_has_the_limit_of_whoever_started_it()
    {
        string hooks = $"{Shim.Directory}/hooks", logger = $"{Shim.Directory}/logger", log = $"{Shim.Directory}/log";
        File.WriteAllText(logger, $"""
            #!/bin/sh
            grep '{Files}' /proc/self/limits >{log}
            echo x >&5
            exec 5>&-
            cat <&3

            """);
        File.SetUnixFileMode(logger, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000"), limited = Shim.Bundle().Args("sleep", "1000");
        bundle.Process.Remove("rlimits");
        string[] kinds = ["createRuntime", "createContainer", "poststart", "poststop"];
        foreach (string kind in kinds) bundle.AddHook(kind, "/bin/sh", "-c", $"grep '{Files}' /proc/self/limits >>{hooks}");
        string id = Shim.Create(bundle, $"binary://{logger}");
        LimitOf(Shim.Pid).Should().Be((Hard, Hard));
        LimitOf(Shim.PidOf(id)).Should().Be((Soft, Hard));
        Shim.Call("Start", id);
        LimitOf(Shim.PidOf(id)).Should().Be((Soft, Hard));
        Shim.Exec(id, "one", "exec sleep 1000", start: false);
        LimitOf((int)ShimUnderTest.Number(Shim.Call("Start", id, "one"), 1)).Should().Be((Soft, Hard));
        // As before it is the configuration's that counts, if there is one.
        string other = Shim.Run(limited);
        LimitOf(Shim.PidOf(other)).Should().Be((1024, 1024));
        Shim.KillAndDelete(other);
        Shim.KillAndDelete(id);
        string[] told = [.. File.ReadAllLines(hooks), .. File.ReadAllLines(log)];
        told.Should().HaveCount(kinds.Length + 1);
        told.Select(static line => string.Join(':', line[Files.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[..2])).Should()
            .AllBe($"{Soft}:{Hard}");
    }

    [Test]
    public void Processes_may_have_more_than_its_starter_could()
    {
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Run(bundle);
        string[] names = [.. Enumerable.Range(0, 100).Select(static index => $"x{index}")];
        foreach (string name in names) Shim.Exec(id, name, "exec sleep 1000", $"file://{Shim.Directory}/out", start: false);
        Task<byte[]>[] starting = [.. names.Select(name => Shim.Client.CallAsync("Start", ShimUnderTest.Named(id, name)))];
        Task.WaitAll(starting, TimeSpan.FromSeconds(60)).Should().BeTrue();
        Shim.Descriptors.Should().BeGreaterThan(Soft);
        Shim.KillAndDelete(id);
    }

    /// <summary>The socket says all the time that somebody is there.</summary>
    [MeasuresTime]
    [Test]
    public void Who_comes_when_there_is_no_descriptor_for_him_waits_and_costs_nothing()
    {
        Limit(3);
        using TaskClient late = Shim.Connect();
        Task<byte[]> asked = late.CallAsync("Connect", new ProtobufWriter().Text(1, "nobody"));
        long processor = Shim.ProcessorTime;
        Thread.Sleep(500);
        (Shim.ProcessorTime - processor).Should().BeLessThan(5, "nothing can be done");
        asked.IsCompleted.Should().BeFalse();
        Shim.Call("Connect", "nobody").Should().NotBeEmpty();
        Limit(Hard);
        ShimUnderTest.Number(asked.WaitAsync(TimeSpan.FromSeconds(10)).Result, 1).Should().Be(Shim.Pid);
    }

    private void Limit(int files) =>
        Command.Run(Requires.Tool("prlimit"), "--pid", $"{Shim.Pid}", $"--nofile={files}:{Hard}").ShouldSucceed();

    private static (int Soft, int Hard) LimitOf(int pid)
    {
        (string soft, string hard) = new ProcessView(pid).Limit(Files);
        return (int.Parse(soft), int.Parse(hard));
    }
}
