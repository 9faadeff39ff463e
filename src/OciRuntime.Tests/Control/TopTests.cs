using System.Diagnostics;
using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>`top` over containers that do what it should show.</summary>
[LeavesNothing]
public sealed class TopTests
{
    private const int SigInt = 2, SigTerm = 15, SigCont = 18, SigTstp = 20, SigWinch = 28;
    private string _root = null!;

    [SetUp]
    public void Begin()
    {
        Requires.OcirunItself();
        _root = TestRun.NewDirectory("state");
    }

    [TearDown]
    public void End() => Cleaner.DeleteTree(_root);

    /// <summary>A busy loop that gets a fifth of a processor, and one that holds 30 MiB of 64.</summary>
    [Test]
    public void What_containers_use()
    {
        Requires.Controller("cpu");
        Requires.Controller("memory");
        Requires.Controller("pids");
        using TestBundle busyBundle = new TestBundle().WithCgroup().Script("while :; do :; done");
        busyBundle.Resources["cpu"] = new JsonObject { ["quota"] = 20000, ["period"] = 100000 };
        using TestContainer busy = new TestContainer(busyBundle, root: _root).Started();
        using TestBundle fatBundle = new TestBundle().WithCgroup().AddMount("/fill", "tmpfs", "tmpfs", "size=40m")
            .Script("dd if=/dev/zero of=/fill/x bs=1M count=30 2>/dev/null; sleep 1000 & sleep 1000 & echo ready; wait");
        fatBundle.Resources["memory"] = new JsonObject { ["limit"] = 64 << 20 };
        fatBundle.Resources["pids"] = new JsonObject { ["limit"] = 17 };
        using TestContainer fat = new TestContainer(fatBundle, root: _root).Started();
        fat.WaitOutput("ready");

        JsonArray rows = Top("--json", "--interval", "1s", "--once").ShouldSucceed().Json.AsArray();
        rows.Select(static r => r!["id"]!.GetValue<string>()).Should().Equal([busy.Id, fat.Id], "most processor time first");
        rows[0]!["status"]!.GetValue<string>().Should().Be("running");
        rows[0]!["cpuPercent"]!.GetValue<double>().Should().BeInRange(12, 28);
        rows[0]!["memoryLimitBytes"].Should().BeNull();
        rows[1]!["cpuPercent"]!.GetValue<double>().Should().BeInRange(0, 5);
        rows[1]!["memoryBytes"]!.GetValue<long>().Should().BeInRange(30 << 20, 36 << 20);
        rows[1]!["memoryLimitBytes"]!.GetValue<long>().Should().Be(64 << 20);
        rows[1]!["pids"]!.GetValue<int>().Should().Be(3);
        rows[1]!["pidsLimit"]!.GetValue<int>().Should().Be(17);

        string[] lines = Top("--sort", "memory").ShouldSucceed().Lines;
        lines[0].Should().Be("2 containers: 2 running");
        lines[1].Should().MatchRegex("^ +CPU% +MEMORY +LIMIT +PIDS +READ/s +WRITE/s STATE +NAME$");
        lines[2].Should().MatchRegex($@"^ +[0-9.]+ +3[0-9]\.[0-9]M \[\|\|\|\|\|\|? +\] +64\.0M +3/17 +\S+ +\S+ running +{fat.Id}$");
        lines[3].Should().MatchRegex($@"^ +[12][0-9]\.[0-9] +\S+ +- +1 +\S+ +\S+ running +{busy.Id}$");
    }

    [Test]
    public void Containers_in_every_state()
    {
        using TestBundle bundle = new TestBundle().WithCgroup().Args("sleep", "1000");
        using TestContainer created = new(bundle, root: _root);
        created.Create().ShouldSucceed();
        using TestBundle otherBundle = new TestBundle().WithCgroup().Args("sleep", "1000");
        using TestContainer paused = new TestContainer(otherBundle, root: _root).Started();
        paused.Invoke("pause").ShouldSucceed();
        using TestBundle thirdBundle = new TestBundle().Args("true");
        using TestContainer stopped = new TestContainer(thirdBundle, root: _root).Started();
        stopped.WaitStatus("stopped");
        JsonArray rows = Top("--json", "--sort", "name").ShouldSucceed().Json.AsArray();
        rows.ToDictionary(static r => r!["id"]!.GetValue<string>(), static r => r!["status"]!.GetValue<string>()).Should().BeEquivalentTo(
            new Dictionary<string, string> { [created.Id] = "created", [paused.Id] = "paused", [stopped.Id] = "stopped" });
        JsonNode gone = rows.Single(r => r!["id"]!.GetValue<string>() == stopped.Id)!;
        foreach (string key in (string[])["cpuPercent", "memoryBytes", "pids", "readBytesPerSecond"]) gone[key].Should().BeNull();
        Top("--once").ShouldSucceed().Stdout.Should().StartWith("3 containers: 1 created, 1 paused, 1 stopped\n");
        paused.Invoke("resume").ShouldSucceed();
    }

    /// <summary>A damaged journal is told; what is on disk under a name that no container can have is not shown.</summary>
    [Test]
    public void A_container_that_cannot_be_read_hides_no_other()
    {
        Directory.CreateDirectory($"{_root}/broken");
        File.WriteAllText($"{_root}/broken/state.json", "{ \"id\": \x1b[31m");
        Directory.CreateDirectory($"{_root}/\x1b[31mred");
        using TestBundle bundle = new TestBundle().WithCgroup().Args("sleep", "1000");
        using TestContainer container = new TestContainer(bundle, root: _root).Started();
        string text = Top("--once", "--sort", "name").ShouldSucceed().Stdout;
        text.Should().StartWith("2 containers: 1 running, 1 unreadable\n").And.Contain("unreadable broken\n").And.NotContain("\x1b");
    }

    [Test]
    public void No_container_at_all()
    {
        Top("--json").ShouldSucceed().Stdout.Should().Be("[]\n");
        Top().ShouldSucceed().Lines[0].Should().Be("0 containers");
        Ocirun.Binary.Run(["--root", $"{_root}/missing", "top"], new CommandOptions()).ShouldFail(1, "no such file or directory");
    }

    /// <summary>A stream, one array per line, in which a container that ends is stopped and one that is deleted is gone.</summary>
    [Test]
    public void A_container_that_ends_between_two_samples()
    {
        using TestBundle bundle = new TestBundle().WithCgroup().Args("sleep", "1000");
        using TestContainer container = new TestContainer(bundle, root: _root).Started();
        using RunningCommand top = Ocirun.Binary.Start(["--root", _root, "top", "--json", "--interval", "100ms"], new CommandOptions());
        Wait("\"status\":\"running\"");
        container.Kill("KILL").ShouldSucceed();
        Wait("\"status\":\"stopped\"");
        container.Delete().ShouldSucceed();
        Wait("\n[]\n");
        top.Signal(SigTerm);
        top.Wait().ExitCode.Should().Be(128 + SigTerm);
        foreach (string line in top.Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            JsonNode.Parse(line).Should().BeOfType<JsonArray>();
        void Wait(string text) =>
            Eventually.True(() => top.Stdout.Contains(text, StringComparison.Ordinal), $"{text} in {top.Stdout} {top.Stderr}");
    }

    [Test]
    public void Containers_that_come_and_go_all_the_time()
    {
        using TestBundle bundle = new TestBundle().Args("true").Save();
        using RunningCommand top = Ocirun.Binary.Start(["--root", _root, "top", "--json", "--interval", "1ms"], new CommandOptions());
        for (int i = 0; i < 40; i++)
        {
            Ocirun.Binary.Run(["--root", _root, "run", "--bundle", bundle.Directory, $"{TestRun.Token}-brief-{i}"], new CommandOptions())
                .ShouldSucceed();
        }
        top.IsRunning.Should().BeTrue(top.Stderr);
        top.Signal(SigInt);
        top.Wait().ExitCode.Should().Be(130);
        top.Stdout.Should().Contain("brief").And.NotContain("unreadable");
    }

    [TestCase(SigInt, 130)]
    [TestCase(SigTerm, 143)]
    [TestCase(0, 0)]
    public void On_a_terminal_it_is_renewed_and_the_terminal_is_given_back(int signal, int exitCode)
    {
        using TestBundle bundle = new TestBundle().WithCgroup().Args("sleep", "1000");
        using TestContainer container = new TestContainer(bundle, root: _root).Started();
        using Pty pty = new();
        pty.Master.Size = (10, 200);
        string modes = pty.Modes;
        using RunningCommand top =
            Ocirun.Binary.Start(["--root", _root, "top", "--interval", "100ms"], pty.Options with { NewSession = true });
        pty.Master.ReadUntil(container.Id).Should().StartWith("\x1b[?25l\x1b[H\x1b[J").And.Contain("WRITE/s");
        pty.Modes.Should().Contain("-icanon").And.Contain("-echo ").And.NotContain("-isig", "Ctrl-C is still a signal");
        container.Invoke("pause").ShouldSucceed();
        pty.Master.ReadUntil("paused ");
        pty.Master.Size = (10, 40);
        top.Signal(SigWinch);
        pty.Master.ReadUntil($"\x1b[H1 container: 1 paused\x1b[K\r\n   CPU%  MEMORY STATE      NAME\x1b[K");
        container.Invoke("resume").ShouldSucceed();
        if (signal != 0) top.Signal(signal);
        else pty.Master.Write("q");
        top.Wait().ExitCode.Should().Be(exitCode);
        pty.Master.ReadUntil("\x1b[?25h").Should().EndWith("\x1b[J\x1b[?25h\r\n");
        pty.Modes.Should().Be(modes.Replace("columns 200", "columns 40"));
    }

    [Test]
    public void Suspended_it_gives_the_terminal_back_for_the_time()
    {
        using Pty pty = new();
        string modes = pty.Modes;
        using RunningCommand top = Ocirun.Binary.Start(["--root", _root, "top"], pty.Options);
        pty.Master.ReadUntil("NAME");
        top.Signal(SigTstp);
        pty.Master.ReadUntil("\x1b[?25h");
        Eventually.True(() => File.ReadAllText($"/proc/{top.Pid}/stat").Contains(") T "), "it stops");
        pty.Modes.Should().Be(modes);
        top.Signal(SigCont);
        pty.Master.ReadUntil("\x1b[?25h\r\n\x1b[?25l\x1b[H\x1b[J\x1b[H0 containers");
        pty.Master.Write("q");
        top.Wait().ExitCode.Should().Be(0);
        pty.Modes.Should().Be(modes);
        pty.Master.ReadUntil("\x1b[J\x1b[?25h\r\n");
    }

    [Test]
    public void What_does_not_fit_is_counted()
    {
        for (int i = 0; i < 30; i++)
        {
            Directory.CreateDirectory($"{_root}/c{i:d2}");
            File.WriteAllText($"{_root}/c{i:d2}/state.json", "?");
        }
        using Pty pty = new();
        pty.Master.Size = (12, 60);
        using RunningCommand top = Ocirun.Binary.Start(["--root", _root, "top", "--sort", "name"], pty.Options with { NewSession = true });
        pty.Master.ReadUntil("… and 21 more\x1b[K\x1b[J").Should().Contain("c08").And.NotContain("c09");
        pty.Master.Write("q");
        top.Wait().ExitCode.Should().Be(0);
        pty.Master.ReadUntil("\x1b[?25h");
    }

    /// <summary>
    /// Linear, and with a thousand containers still a small part of the interval: all of them the same, under different names.
    /// </summary>
    [MeasuresTime]
    [Test]
    public void A_thousand_containers()
    {
        using TestBundle bundle = new TestBundle().WithCgroup().Args("sleep", "1000");
        using TestContainer container = new TestContainer(bundle, root: TestRun.NewDirectory("state")).Started();
        string journal = File.ReadAllText($"{container.StateRoot}/{container.Id}/state.json");
        for (int i = 0; i < 1000; i++)
        {
            Directory.CreateDirectory($"{_root}/n{i}");
            File.WriteAllText($"{_root}/n{i}/state.json", journal.Replace($"\"{container.Id}\"", $"\"n{i}\""));
        }
        Stopwatch watch = Stopwatch.StartNew();
        CommandResult result = Top("--json", "--once", "--interval", "1ms").ShouldSucceed();
        TestContext.Out.WriteLine($"two samples of 1000 containers: {watch.ElapsedMilliseconds} ms");
        result.Json.AsArray().Should()
            .HaveCount(1000).And.OnlyContain(static r => r!["status"]!.GetValue<string>() == "running" && r["pids"]!.GetValue<int>() == 1);
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(3), "on a machine that does other things, too");
    }

    [TestCase("--sort", "size", "expected cpu, memory, pids, io or name")]
    [TestCase("--interval", "soon", "expected a duration such as 5s")]
    [TestCase("--interval", "0", "duration interval must be greater than 0")]
    public void Mistakes(string option, string value, string message) => Top(option, value).ShouldFail(1, message);

    private CommandResult Top(params string[] options) => Ocirun.Binary.Run(["--root", _root, "top", .. options], new CommandOptions());
}
