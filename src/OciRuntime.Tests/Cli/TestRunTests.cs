using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>
/// `./build.sh test` with tests of a few lines: its last line is the result, and nothing goes on after it, however it ends.
/// </summary>
[Category("Waits")]
public sealed class TestRunTests
{
    private const int SIGINT = 2, SIGTERM = 15;
    private const string Failed = "0 passed, 1 failed, 0 skipped";

    private ScratchCheckout _checkout = null!;

    [SetUp]
    public void Begin()
    {
        _checkout = new();
        Directory.CreateDirectory($"{_checkout.Directory}/src/OciRuntime.Tests");
        Directory.CreateDirectory($"{_checkout.Directory}/out");
        foreach (string file in (string[])["ocirun", "ocirun.assets.json"]) Touch($"out/{file}");
        // There for longer than any of this takes.
        _checkout.AddProgram("stay", """echo $$ >>"$HERE/started"; exec sleep 1000""");
        _checkout.AddProgram("dpkg-query", "printf installed");
        _checkout.AddProgram("apt-get", "");
        _checkout.AddProgram("apt-cache", "exit 1");
        // Of which there is no virtual machine.
        _checkout.AddProgram("uname", "echo riscv64");
        _checkout.AddProgram("mmdebstrap", """[ -e "$HERE/quick" ] || exec stay; mkdir -p "${@: -2:1}/etc" """);
        AddDotnet(test: """[ -e "$HERE/quick" ] && [[ "$*" == *unit.trx* ]] && exit; stay & exec stay""");
    }

    [TearDown]
    public void End() => _checkout.Dispose();

    /// <summary>
    /// ^C reaches all that is in the foreground, a request of a service manager's only the script; in the beginning it prepares what the
    /// others need, later three processes test.
    /// </summary>
    [Test]
    public void An_interrupt_ends_all_of_it([Values] bool isEarly, [Values(SIGINT, SIGTERM)] int signal)
    {
        if (!isEarly) Touch("quick");
        // Each of the processes with tests has a child.
        int expected = isEarly ? 3 : 6;
        using RunningCommand run = Command.Start(_checkout.Script, ["test"], _checkout.Options with { NewSession = true });
        Eventually.True(() => _checkout.LinesOf("started").Length == expected, "all are at work");
        Libc.Check(Libc.kill(signal == SIGINT ? -run.Pid : run.Pid, signal), "kill");
        CommandResult result = run.Wait();
        result.ShouldFail(128 + signal).Lines[^1].Should().Be(Failed);
        NothingGoesOn(result);
    }

    [Test]
    public void A_part_that_hangs_is_ended_in_time()
    {
        Touch("quick");
        CommandResult result = Run("test", seconds: 70);
        result.Stdout.Should().Contain("The part \"tests\" was ended: the 70 s of the run are nearly over")
            .And.Contain("The part \"slow\" was ended")
            .And.Contain("There is no time left for the part \"engines-trixie\"").And.Contain("Nothing is tried once more");
        result.ShouldFail(1).Lines[^1].Should().Be(Failed);
        NothingGoesOn(result);
    }

    [Test]
    public void A_test_that_is_not_compiled_is_the_last_that_is_heard()
    {
        AddDotnet(test: "", build: """until [ -e "$HERE/started" ]; do sleep 0.1; done; exit 1""");
        CommandResult result = Run("test");
        result.ShouldFail(1).Lines[^1].Should().Be(Failed);
        NothingGoesOn(result);
    }

    /// <summary>What does not end is ended by those who end the whole machine.</summary>
    [Test]
    public void A_compiler_that_hangs_does_not_keep_the_result_back()
    {
        AddDotnet(test: "", build: """echo $$ >>"$HERE/started"; until [ -e "$HERE/over" ]; do sleep 0.1; done""");
        CommandResult result = Run("test", seconds: 3);
        Touch("over");
        result.ShouldFail(128 + SIGTERM).Lines[^1].Should().Be(Failed);
        NothingGoesOn(result);
    }

    /// <summary>A machine that did not boot is one mishap, whatever was to be tested in it; so many others are no accident.</summary>
    [TestCase("OneTimeSetUp: System.TimeoutException : no end", 10, 0)]
    [TestCase("Expected 1, but found 2", 1, 9)]
    public void A_class_that_could_not_be_set_up_is_tried_once_more(string message, int passed, int failed)
    {
        string[] cases = [.. Enumerable.Range(0, 9).Select(static i => $"Case{i}")];
        WriteResults("unit", [("Other", null), .. cases.Select(one => (one, (string?)message))]);
        WriteResults("unit-again", [.. cases.Select(static one => (one, (string?)null))]);
        AddDotnet(test: """
            while [ "$1" != --results-directory ]; do shift; done
            case "$*" in
              *unit-again.trx*) cp "$HERE/unit-again.trx" "$2" ;;
              *) cp "$HERE/unit.trx" "$2"; exit 1 ;;
            esac
            """);
        CommandResult result = Run("test", argument: "unit");
        result.Lines[^1].Should().Be($"{passed} passed, {failed} failed, 0 skipped", "{0}", result);
        result.Lines.Count(static line => line.StartsWith("Tried once more: Some.Class.Case", StringComparison.Ordinal)).Should()
            .Be(failed == 0 ? 9 : 0);
    }

    private void AddDotnet(string test, string build = "") => _checkout.AddProgram("dotnet", $$"""
        if [ "$1" = --list-sdks ]; then echo '10.0.401 [here]'; exit; fi
        if [ "$1" = build ]; then {{build}}
          exit; fi
        {{test}}
        """);

    private CommandResult Run(string command, string? argument = null, int? seconds = null)
    {
        CommandOptions options = _checkout.Options;
        Dictionary<string, string?> variables = new(options.Env) { ["OCIRUN_TEST_SECONDS"] = seconds?.ToString() };
        return Command.Run(_checkout.Script, argument is null ? [command] : [command, argument], options with { Env = variables });
    }

    private void NothingGoesOn(CommandResult result)
    {
        foreach (string pid in _checkout.LinesOf("started"))
            Eventually.True(() => !ProcessTree.IsAlive(int.Parse(pid)), $"process {pid} has ended: {result}");
    }

    // Newer than the sources, and to be run.
    private void Touch(string name)
    {
        File.WriteAllText($"{_checkout.Directory}/{name}", "");
        File.SetUnixFileMode($"{_checkout.Directory}/{name}", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    // As the runner does: the results first, and then what has been run.
    private void WriteResults(string part, (string Name, string? Message)[] cases)
    {
        IEnumerable<string> results = cases.Select(static one => $"""
            <UnitTestResult testId="{one.Name}" outcome="{(one.Message is null ? "Passed" : "Failed")}">
            <Output><ErrorInfo>
            <Message>{one.Message}</Message>
            </ErrorInfo></Output></UnitTestResult>

            """);
        IEnumerable<string> tests = cases.Select(static one => $"""
            <UnitTest name="{one.Name}" id="{one.Name}">
            <TestMethod className="Some.Class" name="{one.Name}" />
            </UnitTest>

            """);
        int all = cases.Length, passed = cases.Count(static one => one.Message is null);
        string counters = $"""<Counters total="{all}" executed="{all}" passed="{passed}" failed="{all - passed}" />""";
        File.WriteAllText($"{_checkout.Directory}/{part}.trx", string.Concat([.. results, .. tests, counters, "\n"]));
    }
}
