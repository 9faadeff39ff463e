using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Tracing;

/// <summary>--trace, and `trace`, with the published binary.</summary>
public sealed class TraceTests
{
    private TestBundle _bundle = null!;
    private string _directory = null!;

    [SetUp]
    public void SetUp()
    {
        Requires.OcirunItself();
        _bundle = new TestBundle();
        _directory = TestRun.NewDirectory("traces");
    }

    [TearDown]
    public void TearDown()
    {
        _bundle.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    /// <summary>An event, in microseconds.</summary>
    private sealed record Event(string Name, string Kind, double Start, double Duration, int Process, JsonObject Args)
    {
        public double End => Start + Duration;
        public string? Pointer => (string?)Args["pointer"];
        public int Number => (int?)Args["number"] ?? 0;
    }

    /// <summary>All that `explain` prints is there, in its words and its order, with times that fit into each other.</summary>
    [Test]
    public void Create_and_delete_do_what_explain_prints()
    {
        _bundle.WithCgroup().AddHook("createRuntime", "/bin/true").AddHook("createContainer", "/bin/true");
        _bundle.Resources["pids"] = new JsonObject { ["limit"] = 100 };
        using TestContainer container = new(_bundle.Args("sleep", "1000"));
        _bundle.Save();
        JsonObject plan = container.Call("explain", "--format", "json", "--bundle", _bundle.Directory, container.Id).ShouldSucceed().Json
            .AsObject();
        Event[] created = Traced(container, () => container.Create());
        int init = container.InitPid;
        Event[] steps = [.. created.Where(static e => e.Kind == "step")];
        JsonNode[] planned = [.. plan["steps"]!.AsArray()!];
        // Init takes the others when `create` is no more.
        int waits = Array.FindIndex(planned, static step => (string)step["op"]! == "awaitStart") + 1;
        steps.Select(static e => (e.Number, e.Name, e.Pointer)).Should()
            .Equal(planned[..waits].Select(static step => ((int)step["number"]!, (string)step["text"]!, (string?)step["pointer"])));
        steps.Should().OnlyContain(e => e.Process == init);
        steps.Zip(steps.Skip(1)).Should().OnlyContain(static pair => pair.First.End <= pair.Second.Start);
        steps.Sum(static e => (int?)e.Args["calls"] ?? 0).Should().BeGreaterThan(100);

        // In the parent: before the clone, the clone, and what answers steps, each within the time of its step.
        Event[] work = [.. created.Where(static e => e.Kind == "work")];
        string[] Lines(JsonNode? actions) => [.. actions!.AsArray().Select(static action => (string)action!["text"]!)];
        string clone = "clone3 with " + string.Join(", ", plan["clone"]!["flags"]!.AsArray());
        string[] told = [.. work.SelectMany(static e => More(e).Prepend(e.Name))];
        told.Should().ContainInOrder([.. Lines(plan["prepare"]), clone]);
        foreach (JsonNode step in planned.Where(static step => step["runtime"] is not null))
        {
            Event asking = steps.Single(e => e.Number == (int)step["number"]!);
            foreach (string line in Lines(step["runtime"]).Where(told.Contains))
                work.Should().Contain(e => e.Name == line && e.Start >= asking.Start && e.End <= asking.End, line);
        }
        told.Should().Contain("record the container as created").And.Contain("run the createRuntime hook /bin/true");
        HasWhole(created, "start the .NET runtime",
            "read the command line", "read the configuration", "validate it", "plan the steps", clone, "answer init until it is done");
        created.Where(static e => e.Kind == "call").Should().OnlyContain(static e => e.Duration >= 50)
            .And.Contain(static e => e.Name == "ppoll");

        HasWhole(Traced(container, () => container.Start()), "start the .NET runtime", "read the command line", "tell init to go on");
        Event[] deleted = Traced(container, () => container.Delete("--force"));
        deleted.Select(static e => e.Name).Should().ContainInOrder(Lines(plan["delete"]));
    }

    [Test]
    public void Run_and_exec_show_the_whole_of_init()
    {
        using TestContainer container = new(_bundle.Args("sleep", "1000"));
        Event[] run = Traced(container, () => container.Run("--detach"));
        Event last = run.Last(static e => e.Kind == "step");
        last.Name.Should().StartWith("execute ");
        last.Duration.Should().BePositive("it ended when the runtime saw the end of the connection");
        Event[] exec = Traced(container, () => container.Exec("true"));
        exec.Where(static e => e.Kind == "step").Select(static e => e.Number).Should()
            .Equal(Enumerable.Range(1, exec.Count(static e => e.Kind == "step")));
        exec.Last(static e => e.Kind == "step").Name.Should().StartWith("execute ");
        HasWhole(exec, "start the .NET runtime", "read the configuration",
            "wait for the program's end");
    }

    [Test]
    public void A_failure_shows_where()
    {
        _bundle.AddMount("/x", "tmpfs", "tmpfs", "size=nonsense");
        using TestContainer container = new(_bundle);
        CommandResult result = null!;
        Event[] events = Traced(container, () => result = container.Create(), succeeds: false);
        Event step = events.Last(static e => e.Kind == "step");
        (step.Pointer, (string?)step.Args["errno"]).Should().Be(($"/mounts/{_bundle.Mounts.Count - 1}", "EINVAL"));
        Event failure = events.Single(static e => e.Kind == "failure");
        result.Stderr.Should().Contain(failure.Name[..80]);
        failure.Start.Should().BeGreaterThanOrEqualTo(step.End);
        // A mistake of the command line is one, too, and so is a configuration that cannot be read.
        File.Delete(_bundle.ConfigPath);
        Traced(container, () => container.Call("run", "--bundle", _bundle.Directory, container.Id), succeeds: false)
            .Should().Contain(static e => e.Kind == "failure").And.NotContain(static e => e.Kind == "step");
    }

    [Test]
    public void It_is_a_new_file_and_no_link_says_where()
    {
        string taken = Path.Combine(_directory, "taken"), link = Path.Combine(_directory, "link");
        string target = Path.Combine(_directory, "target");
        File.WriteAllText(taken, "mine");
        File.CreateSymbolicLink(link, target);
        using TestContainer container = new(_bundle);
        foreach (string path in (string[])[taken, link])
        {
            container.GlobalOptions.Clear();
            container.GlobalOptions.AddRange(["--trace", path]);
            container.Create().ShouldFail(1, $"--trace {path}: file exists (EEXIST)");
        }
        container.GlobalOptions.Clear();
        File.ReadAllText(taken).Should().Be("mine");
        File.Exists(target).Should().BeFalse();
        container.State().ShouldFail(1, "does not exist");
        string made = Path.Combine(_directory, "made");
        container.GlobalOptions.AddRange(["--trace", made]);
        container.Run().ShouldSucceed();
        container.GlobalOptions.Clear();
        File.GetUnixFileMode(made).Should().Be(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    /// <summary>Neither the file, also where a place among the caller's descriptors is free, nor the memory in which init notes.</summary>
    [Test]
    public void Nothing_of_it_is_in_the_container()
    {
        using TestContainer container = new(_bundle.Args("sleep", "1000"));
        string path = Path.Combine(_directory, "trace");
        string create = $"{Ocirun.Binary.Path} --root {container.StateRoot} --trace {path} create --preserve-fds 38 --bundle "
            + $"{_bundle.Save().Directory} {container.Id}";
        Command.Run("bash", ["-c", $"exec 9</dev/null </dev/null >/dev/null 2>&1; exec {create}"], new CommandOptions()).ShouldSucceed();
        File.ReadAllText(path).Should().NotBeEmpty();
        container.Init.Descriptors.Values.Should().NotContain(path);
        container.Start().ShouldSucceed();
        Eventually.True(() => container.Init.CommandLine[0] == "sleep", "the program runs");
        container.Init.Descriptors.Keys.Should().BeEquivalentTo([0, 1, 2, 9]);
        container.Proc("maps").Should().NotContain("/dev/zero", "that would be shared memory without a name");
    }

    [Test]
    public void Trace_shows_it()
    {
        string path = Path.Combine(_directory, "trace");
        Ocirun.Run("--trace", path, "features").ShouldSucceed();
        string[] lines = Ocirun.Run("trace", path).ShouldSucceed().Lines;
        lines[0].Should().MatchRegex(@"^ocirun \S+: features, \d+\.\d{3} ms$");
        lines.Should().Contain(static line => line.EndsWith("  start the .NET runtime", StringComparison.Ordinal));
        string[] largest = Ocirun.Run("trace", "--largest", path).ShouldSucceed().Lines;
        double[] took = [.. largest[2..].Select(static line => double.Parse(line[10..19]))];
        took.Should().BeInDescendingOrder().And.HaveCount(lines.Length - 2);
    }

    [TestCase("", "it is empty")]
    [TestCase("\u001b[2J garbage", "it is no JSON from line 1 on")]
    [TestCase("{\"traceEvents\":[{\"ts\":\"soon\"}]}", "ts\\\" is no number")]
    public void What_is_no_trace_is_refused(string content, string reason)
    {
        string path = Path.Combine(_directory, "other");
        File.WriteAllText(path, content);
        CommandResult result = Ocirun.Run("trace", path).ShouldFail(1, $"{path}: is not a trace of ocirun: ", reason);
        (result.Stdout, result.Stderr.Contains('\u001b')).Should().Be(("", false));
        Ocirun.Run("trace", "/no/such/file").ShouldFail(1, "no such file");
    }

    /// <summary>Names come from the configuration, or from whoever has made the file.</summary>
    [Test]
    public void Names_are_shown_and_not_obeyed()
    {
        string path = Path.Combine(_directory, "hostile");
        const string One = """{"ph":"X","name":"\u001b[2J\u202e","ts":0,"dur":1,"pid":1,"args":{"pointer":"\u0007"}}""";
        File.WriteAllText(path, $$"""{"traceEvents":[{{One}}]}""");
        Ocirun.Run("trace", path).ShouldSucceed().Stdout.Should().EndWith(@"\x1b[2J\u202e  \x07" + "\n");
    }

    /// <summary>Runs a command of the container's with --trace, and reads what it wrote.</summary>
    private Event[] Traced(TestContainer container, Func<CommandResult> command, bool succeeds = true)
    {
        string path = Path.Combine(_directory, Path.GetRandomFileName());
        container.GlobalOptions.AddRange(["--trace", path]);
        CommandResult result = command();
        container.GlobalOptions.Clear();
        result.Succeeded.Should().Be(succeeds, "{0}", result);
        return [.. JsonNode.Parse(File.ReadAllText(path))!["traceEvents"]!.AsArray().Where(static e => (string)e!["ph"]! != "M")
            .Select(static e => new Event((string)e!["name"]!, (string)e["cat"]!, (double)e["ts"]!, (double?)e["dur"] ?? 0, (int)e["pid"]!,
                e["args"]!.AsObject()))];
    }

    private static IEnumerable<string> More(Event e) => e.Args["more"]?.AsArray().Select(static line => (string)line!) ?? [];

    /// <summary>These parts of the work are there in this order, and all events lie within the whole, which begins at 0.</summary>
    private static void HasWhole(Event[] events, params string[] parts)
    {
        events.Where(static e => e.Kind == "work").Select(static e => e.Name).Should().ContainInOrder(parts);
        events.Min(static e => e.Start).Should().Be(0);
        double[] ends = [.. parts.Select(part => events.First(e => e.Name == part).End)];
        ends.Should().BeInAscendingOrder();
    }
}
