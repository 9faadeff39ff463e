using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;

namespace OciRuntime.Tests.Cli;

public sealed class CommandLineReaderTests
{
    [TestCase("create --bundle /b --pid-file p c1")]
    [TestCase("create --bundle=/b --pid-file=p c1")]
    [TestCase("create -bundle /b -pid-file p c1")]
    [TestCase("create -b /b -pid-file=p c1")]
    [TestCase("create -b=/b --pid-file p c1")]
    [TestCase("create -b/b --pid-file p c1")]
    [TestCase("create c1 -b /b --pid-file p", Description = "runc reorders options behind the ID")]
    [TestCase("create -b /b c1 --pid-file p")]
    [TestCase("create --bundle /a --pid-file q --bundle /b --pid-file=p c1", Description = "the last one wins")]
    [TestCase("create --bundle /b --pid-file p -- c1")]
    [TestCase("create --bun /b --pid-=p c1", Description = "getopt's abbreviations")]
    [TestCase("create --b /b --pid-f=p c1")]
    public void Spellings_of_the_same_command_are_equal(string line) =>
        Verb<CreateOptions>(line).Should().BeEquivalentTo(new CreateOptions { Bundle = "/b", PidFile = "p", Id = "c1" });

    [TestCase("run -d --keep x", true, true)]
    [TestCase("run --detach --keep=true x", true, true)]
    [TestCase("run -detach=false --keep=0 x", false, false)]
    [TestCase("run --detach --detach=F -keep x", false, true)]
    [TestCase("run -d -d --keep --keep x", true, true, Description = "podman repeats switches")]
    public void Switches_take_a_value_only_behind_an_equals_sign(string line, bool detach, bool keep)
    {
        RunOptions run = Verb<RunOptions>(line);
        run.Detach.Should().Be(detach);
        run.Keep.Should().Be(keep);
        run.Id.Should().Be("x");
    }

    [TestCase("run -db /b x")]
    [TestCase("run -db=/b x")]
    [TestCase("run -db/b x")]
    public void Short_options_cluster_and_the_last_may_take_a_value(string line)
    {
        RunOptions run = Verb<RunOptions>(line);
        run.Detach.Should().BeTrue();
        run.Bundle.Should().Be("/b");
    }

    [TestCase("--debug", "--deb")]
    [TestCase("--log-format=json", "--log-f=json")]
    [TestCase("--log /l", "--log /l", Description = "the whole name wins, though others begin so")]
    [TestCase("--rootless=true", "--rootl true")]
    public void Abbreviated_global_options(string line, string abbreviated) =>
        CommandLineReader.Parse([.. abbreviated.Split(' '), "list"]).Globals.Should()
        .BeEquivalentTo(CommandLineReader.Parse([.. line.Split(' '), "list"]).Globals);

    [TestCase("create --no-subreaper -f c.json x")]
    [TestCase("run --no-subreaper x")]
    [TestCase("exec --tty=no x sh")]
    [TestCase("--rootless=true --cgroup-manager=disabled create x")]
    public void Crun_options(string line) => CommandLineReader.Parse(line.Split(' ')).Request.Should().Be(Request.RunVerb);

    [Test]
    public void A_value_may_look_like_an_option_and_an_empty_one_is_none()
    {
        Verb<CreateOptions>("create --bundle --pid-file x").Bundle.Should().Be("--pid-file");
        Verb<CreateOptions>("create --bundle= x").Bundle.Should().BeNull();
    }

    [Test]
    public void After_a_double_dash_and_for_a_lone_dash_everything_is_an_argument()
    {
        Verb<StateOptions>("state -- --help").Id.Should().Be("--help");
        Verb<StateOptions>("state -").Id.Should().Be("-");
        CommandLineReader.Parse(["--", "state", "x"]).Verb.Should().BeOfType<StateOptions>();
    }

    [TestCase("kill x", "SIGTERM", false)]
    [TestCase("kill --all x 15", "15", true)]
    [TestCase("kill -a x KILL", "KILL", true)]
    [TestCase("kill x SIGKILL -a", "SIGKILL", true)]
    public void Kill_has_an_optional_signal(string line, string signal, bool all)
    {
        KillOptions kill = Verb<KillOptions>(line);
        kill.Id.Should().Be("x");
        kill.Signal.Should().Be(signal);
        kill.All.Should().Be(all);
    }

    [Test]
    public void Defaults()
    {
        Verb<CreateOptions>("create x").Config.Should().Be("config.json");
        Verb<CreateOptions>("create x").Bundle.Should().BeNull();
        Verb<ExplainOptions>("explain").Id.Should().Be("explain");
        Verb<ExplainOptions>("explain y").Id.Should().Be("y");
        Verb<ListOptions>("list").Format.Should().Be(ListFormat.Table);
        Verb<SpecOptions>("spec").File.Should().Be("config.json");
        CommandLineReader.Parse(["list"]).Globals.Should().BeEquivalentTo(new GlobalOptions());
    }

    [Test]
    public void Global_options_of_all_clients_are_read()
    {
        string line =
            "--root=/run/r --log /l/a --log=/l/b --log-format=json --log-level debug --debug --systemd-cgroup --rootless=false --criu /c "
            + "--cgroup-manager disabled -debug=false start x";
        ParsedCommandLine parsed = CommandLineReader.Parse(line.Split(' '));
        parsed.Globals.Should().BeEquivalentTo(new GlobalOptions
        {
            Root = "/run/r",
            Log = "/l/b",
            LogFormat = LogFormat.Json,
            LogLevel = LogLevel.Debug,
            SystemdCgroup = true,
            Rootless = RootlessMode.False,
            Criu = "/c",
            CgroupManager = CgroupManager.Disabled,
        });
        parsed.Request.Should().Be(Request.RunVerb);
        parsed.Verb.Should().BeOfType<StartOptions>();
    }

    // Traced: client-contract.md.
    [TestCase("--root /run/containerd/runc/default --log /b/log.json --log-format json create --bundle /b --pid-file /b/init.pid "
        + "--console-socket /tmp/pty1/pty.sock c")]
    [TestCase("--root /r --log /b/log.json --log-format json --systemd-cgroup delete --force c")]
    [TestCase("--log-format=json --log=/u/oci-log create --bundle /u --pid-file /run/pidfile --no-pivot --no-new-keyring --preserve-fds 2 "
        + "c")]
    [TestCase("--cgroup-manager disabled --log=/u/oci-log start c")]
    [TestCase("--root /r kill --all c 9")]
    [TestCase("--root /r run --bundle /b --pid-file /p --detach --keep --no-subreaper c")]
    [TestCase("list --format=json")]
    public void Command_lines_of_clients_are_accepted(string line) =>
        CommandLineReader.Parse(line.Split(' ')).Request.Should().Be(Request.RunVerb);

    [Test]
    public void Root_becomes_absolute()
    {
        CommandLineReader.Parse(["--root", "state", "list"]).Globals.Root.Should().Be(Path.Combine(Environment.CurrentDirectory, "state"));
        CommandLineReader.Parse(["--root", "/a/../b/", "list"]).Globals.Root.Should().Be("/b");
    }

    [TestCase("")]
    [TestCase("--debug")]
    [TestCase("--help")]
    [TestCase("-h")]
    [TestCase("-?")]
    [TestCase("--usage")]
    [TestCase("--he")]
    [TestCase("--help nonsense")]
    public void Help_on_the_program(string line)
    {
        ParsedCommandLine parsed = CommandLineReader.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        parsed.Request.Should().Be(Request.ShowHelp);
        parsed.Verb.Should().BeNull();
    }

    [TestCase("create --help")]
    [TestCase("create -h")]
    [TestCase("create -help")]
    [TestCase("create -?")]
    [TestCase("create --usage")]
    [TestCase("create x --help")]
    [TestCase("create --help --nonsense")]
    public void Help_on_a_command(string line)
    {
        ParsedCommandLine parsed = CommandLineReader.Parse(line.Split(' '));
        parsed.Request.Should().Be(Request.ShowHelp);
        parsed.Verb.Should().BeOfType<CreateOptions>();
    }

    [TestCase("help", null)]
    [TestCase("help create", "create")]
    public void Help_is_a_command(string line, string? topic) => Verb<HelpOptions>(line).Command.Should().Be(topic);

    [TestCase("--vers")]
    [TestCase("-V")]
    [TestCase("--version")]
    [TestCase("-v")]
    [TestCase("-version")]
    [TestCase("--debug -v create")]
    [TestCase("create --version")]
    public void Version(string line) => CommandLineReader.Parse(line.Split(' ')).Request.Should().Be(Request.ShowVersion);

    [Test]
    public void Payload_of_commands_such_as_exec_is_left_alone()
    {
        ExecOptions exec = Verb<ExecOptions>("exec --tty id ls --detach -- -l");
        exec.Tty.Should().BeTrue();
        exec.Detach.Should().BeFalse();
        exec.Id.Should().Be("id");
        exec.Command.Should().Equal("ls", "--detach", "--", "-l");
    }

    private static T Verb<T>(string line)
        where T : VerbOptions =>
        CommandLineReader.Parse(line.Split(' ')).Verb.Should().BeOfType<T>().Subject;
}
