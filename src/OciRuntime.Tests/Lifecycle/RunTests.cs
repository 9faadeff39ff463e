using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>`run` in the foreground and detached, `spec`, and how commands fail.</summary>
public sealed class RunTests
{
    [TestCase("exit 0", 0)]
    [TestCase("exit 7", 7)]
    [TestCase("exit 255", 255)]
    [TestCase("sleep 1000 & kill -9 $!; wait $!", 137)]
    public void Exit_code_of_the_program_is_that_of_run(string script, int code)
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script(script));
        CommandResult result = container.Run();
        result.ExitCode.Should().Be(code, "{0}", result);
        container.State().ShouldFail(1, "container does not exist");
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
    }

    [Test]
    public void A_program_that_a_signal_ends_gives_128_more()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        RunningCommand run = container.StartRun();
        container.WaitStatus("running");
        container.Kill("KILL").ShouldSucceed();
        CommandResult result = run.Wait();
        result.ExitCode.Should().Be(128 + 9);
        result.Stderr.Should().BeEmpty();
    }

    [Test]
    public void Signals_to_run_are_passed_on()
    {
        using TestBundle bundle = new();
        using TestContainer container =
            new(bundle.Script("trap 'echo got; exit 9' USR1; echo up; while :; do sleep 0.05; done"));
        RunningCommand run = container.StartRun();
        container.WaitOutput("up");
        run.Signal(10);
        CommandResult result = run.Wait();
        result.ExitCode.Should().Be(9);
        result.Stdout.Should().Be("up\ngot\n");
    }

    [Test]
    public void Stdin_stdout_and_stderr_are_the_callers()
    {
        using TestBundle bundle = new();
        using TestContainer container =
            new(bundle.Script("cat; echo err >&2")) { Options = new CommandOptions { Stdin = "in\n" } };
        CommandResult result = container.Run().ShouldSucceed();
        result.Stdout.Should().Be("in\n");
        result.Stderr.Should().Be("err\n");
    }

    [Test]
    public void Keep_keeps_the_stopped_container_and_detach_returns_at_once()
    {
        using TestBundle bundle = new();
        using TestContainer kept = new(bundle.Script("exit 3"));
        kept.Run("--keep").ExitCode.Should().Be(3);
        kept.Status.Should().Be("stopped");
        kept.Delete().ShouldSucceed();

        using TestContainer detached = new(bundle.Args("sleep", "1000"));
        string pidFile = Path.Combine(bundle.Directory, "pid");
        detached.Run("--detach", "--pid-file", pidFile).ShouldSucceed().Stderr.Should().BeEmpty();
        detached.Status.Should().Be("running");
        File.ReadAllText(pidFile).Should().Be(detached.InitPid.ToString());
        detached.Init.Status("PPid").Should().Be(Environment.ProcessId.ToString(), "nobody stays between");
        detached.Init.CommandLine.Should().Equal("sleep", "1000");
    }

    [Test]
    public void Orphans_of_a_shared_pid_namespace_are_reaped_by_run()
    {
        using TestBundle bundle = new();
        bundle.RemoveNamespace("pid").WithCgroup();
        using TestContainer container =
            new(bundle.Script("trap 'exit 4' TERM; (sleep 1000 & echo $!); while :; do sleep 0.05; done"));
        using RunningCommand run = container.StartRun();
        container.WaitOutput("\n");
        int orphan = int.Parse(container.Output);
        Eventually.True(() => ProcessTree.ChildrenOf(run.Pid).Contains(orphan), "the runtime has adopted it");
        Libc.Check(Libc.kill(orphan, Libc.SIGKILL), "kill");
        Eventually.True(() => !ProcessTree.Exists(orphan), "it is reaped");
        container.Kill("TERM").ShouldSucceed();
        run.Wait().ExitCode.Should().Be(4);
    }

    [Test]
    public void Spec_makes_a_config_that_runs()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle);
        container.Call("spec", "--bundle", bundle.Directory).ShouldSucceed().Stdout.Should().BeEmpty();
        container.Call("spec", "--bundle", bundle.Directory).ShouldFail(1, "File config.json exists. Remove it first");
        bundle.Config = JsonNode.Parse(File.ReadAllText(bundle.ConfigPath))!.AsObject();
        bundle.Process["terminal"]!.GetValue<bool>().Should().BeTrue();
        bundle.Process["terminal"] = false;
        container.Bundle.Args("hostname");
        container.Run().ShouldSucceed().Text.Should().Be("ocirun");
    }

    [Test]
    public void Spec_rootless_makes_a_config_with_a_user_namespace_that_runs()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle);
        container.Call("spec", "--rootless", "--bundle", bundle.Directory).ShouldSucceed();
        bundle.Config = JsonNode.Parse(File.ReadAllText(bundle.ConfigPath))!.AsObject();
        bundle.Process["terminal"] = false;
        bundle.Namespaces.Select(node => node!["type"]!.GetValue<string>()).Should().Contain("user").And.NotContain("network");
        container.Bundle.Script("id -u; cat /proc/self/uid_map | wc -l; stat -f -c %T /sys");
        container.Run().ShouldSucceed().Lines.Should().StartWith(["0", "1"]);
    }

    [Test]
    public void A_failure_is_exactly_one_json_line_in_the_log()
    {
        using TestBundle bundle = new();
        bundle.Args("no-such-program");
        using TestContainer container = new(bundle);
        string log = Path.Combine(bundle.Directory, "log.json");
        container.GlobalOptions.AddRange(["--log", log, "--log-format", "json"]);
        container.Create().ShouldFail(1, "executable file not found in $PATH");
        string line = File.ReadAllText(log);
        line.Should().EndWith("}\n").And.Subject.Count(c => c == '\n').Should().Be(1);
        JsonNode record = JsonNode.Parse(line)!;
        record["level"]!.GetValue<string>().Should().Be("error");
        record["msg"]!.GetValue<string>().Should()
            .Be("ocirun create failed: exec: \"no-such-program\": executable file not found in $PATH");
        DateTime.Parse(record["time"]!.GetValue<string>(), System.Globalization.CultureInfo.InvariantCulture).Should()
            .BeCloseTo(DateTime.Now, TimeSpan.FromMinutes(1));
    }

    [Test]
    public void Success_leaves_stderr_and_log_empty()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Args("true"));
        string log = Path.Combine(bundle.Directory, "log.json");
        container.GlobalOptions.AddRange(["--log", log, "--log-format", "json"]);
        container.Create().ShouldSucceed().Stderr.Should().BeEmpty();
        container.State().ShouldSucceed().Stderr.Should().BeEmpty();
        container.Start().ShouldSucceed().Stderr.Should().BeEmpty();
        container.WaitStatus("stopped");
        container.Delete().ShouldSucceed().Stderr.Should().BeEmpty();
        (File.Exists(log) ? File.ReadAllText(log) : "").Should().BeEmpty();
    }

    [Test]
    public void Bad_configurations_name_every_pointer_and_leave_nothing()
    {
        using TestBundle bundle = new();
        bundle.Config["ociVersion"] = "2.0.0";
        bundle.Process["args"] = new JsonArray();
        bundle.Process["cwd"] = "x";
        bundle.Env("NOEQUALS").AddNamespace("nonsense");
        Observe.Refused(bundle).Should()
            .ContainAll("/ociVersion", "/process/args", "/process/cwd", "/process/env/2", "/linux/namespaces/5/type", "nonsense");

        using TestContainer container = new(bundle);
        foreach ((string content, string words) in ((string, string)[])[("{", "config.json"), ("[]", "config.json"),
            ("{\"process\":{\"args\":[1]}}", "/process/args/0"), ("{\"process\":{\"user\":{\"uid\":-1}}}", "/process/user/uid"),
            ("", "config.json")])
        {
            File.WriteAllText(bundle.ConfigPath, content);
            container.Call("create", "--bundle", bundle.Directory, container.Id).ShouldFail(1, words);
        }
        File.Delete(bundle.ConfigPath);
        container.Call("create", "--bundle", bundle.Directory, container.Id).ShouldFail(1, "JSON specification file config.json not found");
        container.Call("create", "--bundle", "/no/such/bundle", container.Id).ShouldFail(1, "/no/such/bundle");
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
    }
}
