using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Plan;

/// <summary>The published binary: structure and pointers of what it prints, not the whole text, which depends on the machine.</summary>
public sealed class ExplainTests
{
    private TestBundle _bundle = null!;
    private string _root = null!;

    [SetUp]
    public void SetUp()
    {
        Requires.OcirunItself();
        _bundle = new TestBundle();
        _root = TestRun.NewPath("state");
    }

    [TearDown]
    public void TearDown() => _bundle?.Dispose();

    [Test]
    public void Text_has_chapters_in_the_order_of_events()
    {
        _bundle.AddHook("poststart", "/bin/true").AddHook("createRuntime", "/bin/true");
        string text = Explain().ShouldSucceed().Stdout;
        string[] headings = [.. text.Split('\n').Where(line => Regex.IsMatch(line, "^[A-Z]")).Skip(1)];
        headings.Where(heading => !heading.StartsWith("Device rules", StringComparison.Ordinal)).Should().Equal(
            "Preparation", "Clone", "Cgroups and namespaces", "File systems", "Devices", "The root file system", "Kernel settings",
            "Limits and privileges",
            "The program", "Arguments", "Environment", "After \"ocirun start\"", "On \"ocirun delete\"");
        text.Should().MatchRegex(@"(?m)^ +\d+  mount proc on /proc +/mounts/0$")
            .And.MatchRegex(@"(?m)^ +\d+  set the hostname to ocirun +/hostname$")
            .And.MatchRegex(@"(?m)^         runtime: run the createRuntime hook /bin/true +/hooks/createRuntime/0$")
            .And.MatchRegex(@"(?m)^ +\d+  wait for ""ocirun start""$")
            .And.Contain("HOME=<from /etc/passwd of the image>");
    }

    [Test]
    public void Text_fits_120_columns_and_is_numbered_without_gaps()
    {
        string[] lines = Explain().ShouldSucceed().Lines;
        lines.Where(line => line.Contains(' ', StringComparison.Ordinal) && line.Length > 120).Should().BeEmpty();
        lines.Should().OnlyContain(line => line == line.TrimEnd());
        int[] numbers = [.. lines.Select(line => Regex.Match(line, @"^ {0,4}(\d+)  \S")).Where(match => match.Success)
            .Select(match => int.Parse(match.Groups[1].Value))];
        numbers.Should().Equal(Enumerable.Range(1, numbers.Length)).And.HaveCountGreaterThan(40);
    }

    [Test]
    public void Long_lines_are_broken_between_words()
    {
        _bundle.AddMount("/x", "tmpfs", "tmpfs", [.. Enumerable.Range(0, 40).Select(i => $"option{i}={i}")]);
        string text = Explain().ShouldSucceed().Stdout;
        string[] words = text.Split([' ', ',', '(', ')', '\n']);
        words.Should().Contain(Enumerable.Range(0, 40).Select(i => $"option{i}={i}"), "none of them is torn");
        text.Split('\n').Where(line => line.Length > 120).Should().BeEmpty();
    }

    [Test]
    public void Json_has_the_documented_members()
    {
        JsonObject plan = ExplainJson();
        plan.Select(member => member.Key).Should()
            .Equal("version", "id", "bundle", "config", "rootfs", "warnings", "prepare", "deviceRules", "deviceProgram", "clone", "steps",
            "process", "start", "delete");
        ((int)plan["version"]!, (string)plan["id"]!, (string)plan["bundle"]!).Should().Be((1, "explain", _bundle.Directory));
        Texts(plan["clone"]!["flags"]).Should().Equal("CLONE_NEWPID", "CLONE_NEWNS", "CLONE_NEWIPC", "CLONE_NEWUTS");
        Texts(plan["process"]!["args"]).Should().Equal("true");
        ((bool)plan["process"]!["homeFromImage"]!).Should().BeTrue();
        Texts(plan["deviceRules"]).Should().StartWith("deny a *:* rwm").And.Contain("allow c 1:3 rwm");
        HashSet<string> known = [.. Enum.GetNames<InitOp>().Select(name => char.ToLowerInvariant(name[0]) + name[1..])];
        int number = 0;
        foreach (JsonNode? step in plan["steps"]!.AsArray())
        {
            ((int)step!["number"]!).Should().Be(++number);
            known.Should().Contain((string)step["op"]!);
            ((string)step["text"]!).Should().NotBeEmpty();
            step.AsObject().ContainsKey("pointer").Should().BeTrue();
        }
    }

    /// <summary>The promise of the right-hand column: each pointer leads to something in config.json.</summary>
    [Test]
    public void Every_pointer_leads_to_the_configuration()
    {
        Everything();
        HashSet<string> pointers = [.. Pointers(ExplainJson("--console-socket", "/nowhere"))];
        pointers.Where(pointer => Resolve(_bundle.Config, pointer) is null).Should().BeEmpty();
        pointers.Should()
            .Contain(["/process/terminal", "/process/oomScoreAdj", "/linux/uidMappings", "/hooks/startContainer/0", "/hooks/poststop/0",
            "/mounts/0", "/linux/sysctl/kernel.msgmax",
            "/linux/timeOffsets", "/process/capabilities/bounding", "/process/rlimits/0", "/root/readonly", "/linux/maskedPaths/0",
            "/linux/cgroupsPath", "/linux/resources/devices/1"]);
    }

    [Test]
    public void What_only_the_parent_does_is_told_too()
    {
        _bundle.Linux["netDevices"] = Plans.Json("""{"eth7":{"name":"data%d"}}""");
        _bundle.Annotations["run.oci.pidfd_receiver"] = "/run/receiver";
        _bundle.Annotations["run.oci.hooks.stderr"] = "/run/hooks.log";
        JsonObject plan = ExplainJson();
        Pointers(plan).Should()
            .Contain(["/linux/netDevices", "/linux/netDevices/eth7", "/annotations/run.oci.pidfd_receiver",
            "/annotations/run.oci.hooks.stderr"]);
        plan.ToJsonString().Should().Contain("move the network device eth7 into the container as data%d");
    }

    [Test]
    public void What_the_runtime_does_on_its_own_has_no_pointer()
    {
        JsonObject minimal =
            Plans.Json("""{"ociVersion":"1.0.2","root":{"path":"rootfs"},"process":{"cwd":"/","args":["true"],"user":{}}}""");
        _bundle.Config = minimal;
        HashSet<string> pointers = [.. Pointers(ExplainJson())];
        pointers.Where(pointer => Resolve(minimal, pointer) is null).Should().BeEmpty();
        pointers.Should().BeEquivalentTo("/root/path", "/process/cwd", "/process/user", "/process/args/0", "/process/args");
    }

    [Test]
    public void Nothing_is_made_and_no_state_directory_needed()
    {
        _bundle.WithCgroup();
        Explain().ShouldSucceed();
        Explain("--format", "json").ShouldSucceed();
        Directory.Exists(_root).Should().BeFalse();
        CgroupHost.Find(_bundle.CgroupsPath!).Should().BeEmpty();
    }

    [Test]
    public void Terminal_without_a_console_socket_is_a_warning()
    {
        _bundle.Terminal();
        CommandResult result = Explain();
        result.ShouldSucceed();
        result.Stdout.Should()
            .Contain("\nWarnings\n       /process/terminal: true: cannot allocate tty if ocirun will detach without setting console "
            + "socket");
        Texts(ExplainJson("--console-socket", "/nowhere")["warnings"]).Should().BeEmpty();
    }

    [Test]
    public void Invalid_configuration_is_refused_as_create_refuses_it()
    {
        using TestContainer container = new(_bundle);
        foreach (Action change in (Action[])[() => _bundle.Process["cwd"] = "relative",
            () => _bundle.AddMount("/proc/self", "tmpfs", "tmpfs"), () => _bundle.Config["root"]!["path"] = "missing"])
        {
            JsonObject before = _bundle.Config.DeepClone().AsObject();
            change();
            string create = container.Create().ShouldFail(1).Stderr, explain = Explain().ShouldFail(1).Stderr;
            explain.Should().Contain("ocirun explain failed: ");
            Message(explain).Should().Be(Message(create));
            _bundle.Config = before;
        }
        Explain("bad id").ShouldFail(1, "invalid container ID format");
    }

    [Test]
    public void Warnings_of_the_specification_and_of_the_plan_are_shown()
    {
        _bundle.Capabilities("CAP_KILL", "CAP_FUTURE").AddMount("data", "tmpfs", "tmpfs");
        Texts(ExplainJson()["warnings"]).Should()
            .Contain(warning => warning.StartsWith("/process/capabilities: left out: \"CAP_FUTURE\"", StringComparison.Ordinal))
            .And.Contain(warning => warning.StartsWith("/mounts/7/destination", StringComparison.Ordinal));
    }

    [Test]
    public void Error_of_a_step_has_the_words_of_the_explanation()
    {
        _bundle.AddMount("/x", "tmpfs", "tmpfs", "nosuch=1");
        string step = (string)ExplainJson()["steps"]!.AsArray().Single(s => (string?)s!["pointer"] == "/mounts/7")!["text"]!;
        using TestContainer container = new(_bundle);
        container.Create().ShouldFail(1, $"ocirun create failed: /mounts/7: {step}: option: invalid argument (EINVAL)");
    }

    private void Everything()
    {
        _bundle.Terminal().WithCgroup().WithUserNamespace();
        _bundle.AddNamespace("time").AddNamespace("cgroup").RemoveNamespace("network");
        _bundle.Linux["timeOffsets"] = Plans.Json("""{"boottime":{"secs":5}}""");
        _bundle.Linux["sysctl"] = Plans.Json("""{"kernel.msgmax":"1"}""");
        _bundle.Linux["rootfsPropagation"] = "rshared";
        _bundle.Resources["devices"]!.AsArray().Add(Plans.Json("""{"allow":true,"type":"c","major":10,"minor":229,"access":"rw"}"""));
        _bundle.Process["oomScoreAdj"] = 10;
        _bundle.Process["user"]!["umask"] = 18;
        foreach (string kind in (string[])["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"])
            _bundle.AddHook(kind, "/bin/true");
    }

    private CommandResult Explain(params string[] options)
    {
        _bundle.Save();
        return Ocirun.Run(["--root", _root, "explain", "--bundle", _bundle.Directory, .. options]);
    }

    private JsonObject ExplainJson(params string[] options) => Explain(["--format", "json", .. options]).ShouldSucceed().Json.AsObject();

    private static string Message(string stderr) => stderr[(stderr.IndexOf(" failed: ", StringComparison.Ordinal) + 9)..];

    private static IEnumerable<string> Texts(JsonNode? list) => list!.AsArray().Select(item => (string)item!);

    private static IEnumerable<string> Pointers(JsonNode? node) => node switch
    {
        JsonArray list => list.SelectMany(Pointers),
        JsonObject o =>
            o.SelectMany(member => member.Key == "pointer" ? (member.Value is { } pointer ? [(string)pointer!] : [])
            : Pointers(member.Value)),
        _ => [],
    };

    private static JsonNode? Resolve(JsonNode? node, string pointer)
    {
        foreach (string part in pointer.Split('/').Skip(1))
        {
            string name = part.Replace("~1", "/").Replace("~0", "~");
            node = node switch
            {
                JsonArray list => int.TryParse(name, out int index) && index < list.Count ? list[index] : null,
                JsonObject o => o[name],
                _ => null,
            };
        }
        return node;
    }
}
