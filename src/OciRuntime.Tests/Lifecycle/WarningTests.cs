using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>
/// What the specification has logged as a warning is logged by default, where and in the form that container engines expect.
/// </summary>
[LeavesNothing]
public sealed class WarningTests
{
    private TestBundle _bundle = null!;

    [SetUp]
    public void Begin()
    {
        Requires.OcirunItself();
        _bundle = new TestBundle().WithCgroup().Args("sleep", "1000");
    }

    [TearDown]
    public void End() => _bundle.Dispose();

    [TestCase("run")]
    [TestCase("delete")]
    [TestCase("delete --force")]
    public void A_failing_poststop_hook(string line)
    {
        _bundle.AddHook("poststop", "/bin/false");
        using TestContainer container = new(line == "run" ? _bundle.Args("true") : _bundle);
        CommandResult result;
        if (line == "run")
        {
            result = container.Run();
        }
        else
        {
            container.Started();
            _ = container.InitPid;
            container.Kill("KILL").ShouldSucceed();
            container.WaitExit();
            result = container.Invoke("delete", line.Split(' ')[1..]);
        }
        result.ShouldSucceed().Stderr.Should()
            .MatchRegex("^time=\"[^\"]+\" level=warning msg=\"error running poststop hook #0: /bin/false: exit status 1\"\n$");
    }

    [Test]
    public void An_unknown_and_an_ungrantable_capability_by_name([Values("create", "run", "exec")] string verb)
    {
        // Out of the bounding set nobody can give it.
        RuntimeBinary runtime = Ocirun.Binary with { Launcher = [Requires.Tool("setpriv"), "--bounding-set", "-sys_time"] };
        _bundle.Capabilities("CAP_KILL", "CAP_FUTURE", "CAP_SYS_TIME");
        using TestContainer container = new(_bundle.Args(verb == "run" ? "true" : "sleep", "1000"), runtime);
        CommandResult result = verb == "run" ? container.Run() : container.Create().ShouldSucceed();
        if (verb == "exec")
        {
            container.Start().ShouldSucceed();
            result = container.Exec("true");
        }
        result.ShouldSucceed().Stderr.Should().Contain(" level=warning msg=\"/process/capabilities: left out: ")
            .And.Contain("CAP_FUTURE\\\" (not a known capability)").And.Contain("CAP_SYS_TIME\\\" (not available to the runtime)");
        result.Stderr.Count(static c => c == '\n').Should().Be(1, "one line, however many sets have it: {0}", result);
    }

    /// <summary>With a log of its own an engine has stderr for itself: it is the container's.</summary>
    [Test]
    public void A_log_gets_them_and_the_streams_stay_clean([Values(LogFormat.Text, LogFormat.Json)] LogFormat format)
    {
        string log = Path.Combine(_bundle.Directory, "log");
        using TestContainer container = new(_bundle.Capabilities("CAP_KILL", "CAP_FUTURE").AddHook("poststop", "/bin/false"));
        container.GlobalOptions.AddRange(["--log", log, "--log-format", $"{format}".ToLowerInvariant()]);
        container.Create().ShouldSucceed();
        container.Start().ShouldSucceed();
        // Of these engines read both streams as one (client by client: state BuildKit, ps containerd, features and version CRI-O).
        foreach (string[] line in (string[][])[["state", container.Id], ["ps", "--format", "json", container.Id], ["features"],
            ["list", "--format", "json"]])
        {
            CommandResult read = container.Call(line).ShouldSucceed();
            read.Stderr.Should().BeEmpty();
            read.Json.Should().NotBeNull();
        }
        container.Exec("true").ShouldSucceed().Stderr.Should().BeEmpty();
        container.Invoke("delete", "--force").ShouldSucceed().Stderr.Should().BeEmpty();
        container.ErrorOutput.Should().BeEmpty();
        string[] records = File.ReadAllLines(log);
        records.Should().HaveCount(3, "one of create, of exec and of delete");
        records[..2].Should().OnlyContain(static record => record.Contains("CAP_FUTURE") && record.Contains("warning"));
        records[2].Should().Contain("poststop hook #0").And.Contain("warning");
    }

    /// <summary>
    /// containerd takes the last record of the level error, Podman the stderr of the command when the log is more than one record.
    /// </summary>
    [Test]
    public void A_failure_after_a_warning_is_told_as_ever([Values("create", "exec")] string verb)
    {
        string log = Path.Combine(_bundle.Directory, "log");
        _bundle.Capabilities("CAP_KILL", "CAP_FUTURE");
        if (verb == "create") _bundle.Args("nope");
        using TestContainer container = new(_bundle);
        if (verb == "exec") container.Started();
        container.GlobalOptions.AddRange(["--log", log, "--log-format", "json"]);
        CommandResult result = verb == "create" ? container.Create() : container.Exec("nope");
        string message = $"ocirun {verb} failed: exec: \"nope\": executable file not found in $PATH";
        result.ShouldFail().Stderr.Should().Be($"{message}\n");
        JsonNode[] records = [.. File.ReadAllLines(log).Select(static line => JsonNode.Parse(line)!)];
        records.Select(static record => record["level"]!.GetValue<string>()).Should().Equal("warning", "error");
        records[1]["msg"]!.GetValue<string>().Should().Be(message);
    }

    /// <summary>conmon reads the pipe only when `create` is over: what does not fit would have the two wait for each other.</summary>
    [Test]
    public void However_many_there_are_a_pipe_holds_them()
    {
        string[] names = [.. Enumerable.Range(0, 5000).Select(static i => $"CAP_{i}_{new string('x', 100)}")];
        _bundle.Capabilities(names).Linux["seccomp"] = new JsonObject
        {
            ["defaultAction"] = "SCMP_ACT_ALLOW",
            ["syscalls"] = new JsonArray(new JsonObject { ["names"] = TestBundle.Strings(names), ["action"] = "SCMP_ACT_ERRNO" }),
        };
        using TestContainer container = new(_bundle);
        CommandResult result = container.Create().ShouldSucceed();
        result.Stderr.Split('\n').Should().HaveCount(2 + 1);
        result.Stderr.Length.Should().BeInRange(2 * 100 * 64, 65536 / 2);
    }

    [Test]
    public void Whoever_wants_errors_only_says_so()
    {
        using TestContainer container = new TestContainer(_bundle.AddHook("poststop", "/bin/false")).Started();
        container.GlobalOptions.AddRange(["--log-level", "error"]);
        container.Delete("--force").ShouldSucceed().Stderr.Should().BeEmpty();
    }

    public enum LogFormat
    {
        Text,
        Json,
    }
}
