using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Commands;
using OciRuntime.Linux;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>`ps`: all processes of the container's cgroup and no others.</summary>
public sealed class PsTests
{
    private static TestContainer Family(TestBundle bundle)
    {
        TestContainer container = new TestContainer(bundle.Script("sleep 1000 & (sleep 1000; true) & wait").WithCgroup()).Started();
        Eventually.True(() => ProcessTree.DescendantsOf(container.InitPid).Count == 3, "three processes beside the first");
        return container;
    }

    private static int[] Everyone(TestContainer container) =>
        [.. ProcessTree.DescendantsOf(container.InitPid).Append(container.InitPid).Order()];

    [Test]
    public void Json_is_an_array_of_host_pids()
    {
        using TestBundle bundle = new();
        using TestContainer container = Family(bundle);
        CommandResult result = container.Invoke("ps", "--format", "json").ShouldSucceed();
        result.Stdout.Should().Be($"[{string.Join(',', Everyone(container))}]\n", "Go's encoder, and so runc, writes it like this");
    }

    [Test]
    public void Processes_in_cgroups_below_and_beside_the_pid_namespace_are_listed()
    {
        Requires.V1Controller("pids");
        using TestBundle bundle = new();
        using TestContainer container = Family(bundle);
        int moved = ProcessTree.ChildrenOf(container.InitPid)[0];
        string below = Directory.CreateDirectory($"{container.Init.CgroupDirectory("pids")}/below").FullName;
        File.WriteAllText($"{below}/cgroup.procs", $"{moved}");
        container.Invoke("ps", "-f", "json").ShouldSucceed().Json.AsArray().Select(pid => pid!.GetValue<int>()).Should()
            .Equal(Everyone(container));
    }

    /// <summary>As head(1) and grep -q do; and a reader is not woken for each line.</summary>
    [Test]
    public void A_reader_that_goes_is_no_failure()
    {
        using TestBundle bundle = new();
        using TestContainer container = Family(bundle);
        string[] command = [Ocirun.Binary.Path, "--root", container.StateRoot, "ps", container.Id];
        Command.Run("sh", "-c", $"{{ sleep 0.3; {string.Join(' ', command)}; echo $? >&2; }} | true").Stderr.Should().Be("0\n");
        string[] lines = Faults.Strace.Record(command, "execve,write").Split('\n');
        string runtime = lines[0].Split(' ', 2)[0] + " ";
        lines.Count(line => line.StartsWith(runtime, StringComparison.Ordinal) && line.Contains(" write(1,", StringComparison.Ordinal))
            .Should().Be(1);
        Command.Run("sh", "-c", $"{string.Join(' ', command)} >/dev/full").ShouldFail(1, "write standard output: no space left on device");
    }

    [Test]
    public void Table_is_the_hosts_ps_with_its_columns()
    {
        using TestBundle bundle = new();
        using TestContainer container = Family(bundle);
        string[] lines = container.Invoke("ps").ShouldSucceed().Lines;
        lines[0].Should().MatchRegex("^UID +PID +PPID ");
        lines.Skip(1).Select(line => int.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1])).Order().Should()
            .Equal(Everyone(container));
        lines = container.Call("ps", container.Id, "-eo", "args,pid").ShouldSucceed().Lines;
        lines[0].Should().MatchRegex("^COMMAND +PID$");
        // Columns are found by counting words, as runc does: "sleep 1000" has one word too many.
        container.Call("ps", container.Id, "-eo", "pid,args").ShouldSucceed().Stdout.Should()
            .Contain("sleep 1000").And.NotContain("dotnet");
    }

    [Test]
    public void Options_after_the_id_are_ps_options_and_no_shell_sees_them()
    {
        using TestBundle bundle = new();
        using TestContainer container = Family(bundle);
        container.Call("ps", container.Id, "-o", "comm").ShouldFail(1).Stderr.Should().Contain("couldn't find PID field in ps output");
        CommandResult refused = container.Call("ps", container.Id, "--bogus;touch /tmp/x").ShouldFail(1);
        refused.Stderr.Should().Contain("exit status 1").And.Contain("unknown gnu long option");
        container.Call(["ps", container.Id], new CommandOptions { Env = new Dictionary<string, string?> { ["PATH"] = "/nonexistent" } })
            .ShouldFail(1)
            .Stderr.Should().Contain("executable file not found in $PATH");
    }

    /// <summary>More than the runtime's heap has room for: 200 MB of the host's processes, and as long a line of the container's.</summary>
    [Test]
    public void Table_of_a_host_full_of_long_command_lines()
    {
        using TestBundle bundle = new();
        using TestContainer container = Family(bundle);
        string programs = Directory.CreateDirectory($"{bundle.Directory}/bin").FullName;
        File.WriteAllText($"{programs}/ps", $"""
            #!/bin/sh
            echo '  PID CMD'
            yes "    1 $(printf %0100000d 0)" | head -n 2000
            printf '{container.InitPid} %0100000d\n' 7
            """);
        File.SetUnixFileMode($"{programs}/ps", UnixFileMode.UserRead | UnixFileMode.UserExecute);
        Dictionary<string, string?> environment = new() { ["PATH"] = $"{programs}:/usr/bin:/bin" };
        string[] lines = container.Call(["ps", container.Id], new CommandOptions { Env = environment }).ShouldSucceed().Lines;
        lines.Should().HaveCount(2).And.Contain($"{container.InitPid} {new string('0', 99_999)}7");
    }

    [Test]
    public void A_stopped_container_has_no_processes()
    {
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle.WithCgroup());
        _ = container.InitPid;
        container.Kill("KILL").ShouldSucceed();
        container.WaitExit();
        container.Invoke("ps", "--format", "json").ShouldSucceed().Stdout.Should().Be("null\n", "runc's encoding of no slice");
        container.Invoke("ps").ShouldSucceed().Lines.Should().ContainSingle();
        container.Call("ps", "nobody").ShouldFail(1).Stderr.Should().Contain("container does not exist");
    }

    [Test]
    public void Runc_prints_the_same_shape()
    {
        using TestBundle bundle = new();
        using TestContainer ours = Observe.Sleeping(bundle.WithCgroup());
        using TestContainer theirs = new(bundle.WithCgroup(), new RuntimeBinary(Requires.Tool("runc")));
        theirs.Create().ShouldSucceed();
        foreach (string[] options in (string[][])[["--format", "json"], ["-f=json"], ["-f", "table"]])
            Shape(ours, options).Should().Be(Shape(theirs, options));
        static string Shape(TestContainer container, string[] options) =>
            System.Text.RegularExpressions.Regex.Replace(container.Invoke("ps", options).ShouldSucceed().Stdout.Split('\n')[0],
            "[0-9]+", "N");
    }

    [Test]
    public void A_line_that_hides_its_pid_does_not_hide_the_others()
    {
        PsCommand.Filter(["COMMAND  PID", "evil 12 12", "good 13", "other 14", ""], [12, 13]).Should()
            .Equal("COMMAND  PID", "evil 12 12", "good 13");
        PsCommand.Filter(["COMMAND  PID", "e vil 12", "good 13"], [12, 13]).Should().Equal("COMMAND  PID", "good 13");
        FluentActions.Invoking(() => PsCommand.Filter([""], [1]).ToArray()).Should().Throw<OciException>();
    }
}
