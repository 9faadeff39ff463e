using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Launch;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Seccomp;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Exec;

/// <summary>Each flag of exec about the process, read back in the container or from the kernel outside.</summary>
[LeavesNothing]
public sealed class ExecFlagTests
{
    private const string Status = "/proc/self/status";
    private TestBundle _bundle = null!;
    private TestContainer? _container;

    [SetUp]
    public void Begin() => _bundle = new TestBundle();

    [TearDown]
    public void End()
    {
        _container?.Dispose();
        _container = null;
        _bundle.Dispose();
    }

    private TestContainer Container => _container ??= Observe.Sleeping(_bundle);

    private string Exec(string[] options, params string[] args)
    {
        CommandResult result = Container.ExecWith(options, args).ShouldSucceed();
        result.Stderr.Should().BeEmpty();
        return result.Text;
    }

    private string Field(string name, params string[] options) => Exec(options, "grep", $"^{name}:", Status)[(name.Length + 1)..].Trim();

    private string[] ProcessFile(Action<JsonObject> change)
    {
        JsonObject process =
            new() { ["cwd"] = "/", ["args"] = TestBundle.Strings("cat", Status), ["env"] = TestBundle.Strings("PATH=/bin") };
        change(process);
        string path = Path.Combine(_bundle.Directory, "process.json");
        File.WriteAllText(path, process.ToJsonString());
        return ["--process", path];
    }

    [Test]
    public void Without_flags_it_is_like_the_containers_own_process()
    {
        _bundle.User(1000, 1001, 7).Env("FROM=config").NoNewPrivs().Capabilities("CAP_KILL", "CAP_CHOWN");
        _bundle.Process["cwd"] = "/tmp";
        _bundle.Process["user"]!["umask"] = 0x3f;
        _bundle.Process["rlimits"] = new JsonArray(new JsonObject { ["type"] = "RLIMIT_NOFILE", ["soft"] = 64, ["hard"] = 77 });
        _bundle.Process["oomScoreAdj"] = 321;
        string[] lines =
            Exec([], "sh", "-c",
            "id -u; id -g; id -G; pwd; umask; ulimit -Sn; ulimit -Hn; echo $FROM $HOME; cat /proc/self/oom_score_adj; grep -E "
            + "'^(Cap|NoNew|Sig)' /proc/self/status").Split('\n');
        lines[..10].Should().Equal("1000", "1001", "1001 7", "/tmp", "0077", "64", "77", "config /home/user", "321", lines[9]);
        foreach (string field in (string[])["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "SigBlk", "SigIgn"])
            Field(field).Should().Be(Container.Init.Status(field), field);
    }

    [Test]
    public void Environment_is_added_and_the_last_one_wins()
    {
        _bundle.Env("A=config").Env("B=config");
        Exec(["-e", "A=flag", "--env", "C=one", "--env=C=two"], "sh", "-c", "echo $A $B $C").Should().Be("flag config two");
        Container.ExecWith(["-e", "nothing"], "true").ShouldFail(255, "--env \\\"nothing\\\": must have the form NAME=VALUE");
    }

    [Test]
    public void Working_directory()
    {
        Exec(["--cwd", "/home/user"], "pwd").Should().Be("/home/user");
        Container.ExecWith(["--cwd", "home"], "pwd").ShouldFail(255, "--cwd home: Cwd must be an absolute path");
        Container.ExecWith(["--cwd", "/nowhere"], "pwd").ShouldFail(255, "failed: --cwd: enter /nowhere", "no such file or directory");
        Container.ExecWith(["--cwd", "/proc/1/cwd/../../../../../proc/self/cwd"], "pwd").ShouldFail(255);
    }

    [Test]
    public void User_and_groups()
    {
        _bundle.User(0, 5);
        Exec(["-u", "1000"], "sh", "-c", "id -u; id -g; echo $HOME").Should().Be("1000\n5\n/home/user", "the group stays without one");
        Exec(["--user", "1000:1001", "-g", "7", "--additional-gids", "8"], "sh", "-c", "id -u; id -g; id -G").Should()
            .Be("1000\n1001\n1001 7 8");
        foreach (string user in (string[])["user", "-1", "1:2:3", "1:x", "4294967295"])
            Container.ExecWith(["-u", user], "true").ShouldFail(255, "--user");
        Container.ExecWith(["-g", "x"], "true").ShouldFail(255, "--additional-gids x");
    }

    /// <summary>Each by the option that asked for it, and by the place in config.json where none did.</summary>
    [Test]
    public void What_is_refused_is_told_by_its_option()
    {
        _bundle.WithUserNamespace(size: 10).User(0, 0, 5);
        string[] refused = ["groups 5 99: setgroups: invalid argument (EINVAL)", "an id has no mapping in the user namespace"];
        foreach (string[] options in (string[][])[["-g", "99"], ["-u", "0", "-g", "99"]])
            Container.ExecWith(options, "true").ShouldFail(255, ["failed: --additional-gids: become uid 0, gid 0, ", .. refused]);
        Container.ExecWith(["-u", "0:99", "-g", "6"], "true").ShouldFail(255, "failed: --user: become uid 0, gid 99, ", "setgid");
        ExecProcess process = new() { Args = [], Env = [], Terminal = false, AdditionalGids = [], Capabilities = ["CAP_KILL"] };
        process.PlaceOf("capabilities").Should().Be("--cap");
        process.PlaceOf("capabilities/bounding").Should().Be("--cap");
        process.PlaceOf("user/additionalGids").Should().BeNull();
    }

    [Test]
    public void Capabilities_are_added()
    {
        _bundle.Capabilities("CAP_KILL");
        foreach (string set in (string[])["CapBnd", "CapEff", "CapPrm"])
            Field(set, "-c", "CAP_CHOWN", "--cap", "net_raw").Should().Be("0000000000002021", set);
        Field("CapAmb", "-c", "CAP_CHOWN").Should().Be("0000000000000000");
        Container.ExecWith(["--cap", "CAP_NOPE"], "true").ShouldFail(255, "--cap CAP_NOPE: not a known capability");
    }

    [Test]
    public void No_new_privileges()
    {
        _bundle.Process["noNewPrivileges"] = false;
        Field("NoNewPrivs").Should().Be("0");
        Field("NoNewPrivs", "--no-new-privs").Should().Be("1");
    }

    [TestCase("--apparmor", "profile", "`/proc/self/attr/exec`: AppArmor is not enabled on this host")]
    [TestCase("--process-label", "a:b:c", "selinux label is specified in config, but selinux is disabled or not supported")]
    public void Labels_are_refused_where_no_module_obeys_them(string flag, string label, string message)
    {
        if (File.Exists("/sys/module/apparmor/parameters/enabled") || Directory.Exists("/sys/fs/selinux/class"))
            Assert.Ignore("missing: a kernel without AppArmor and SELinux");
        Container.ExecWith([flag, label], "true").ShouldFail(255, message);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Seccomp_filter_is_the_containers(bool noNewPrivileges)
    {
        _bundle.Process["noNewPrivileges"] = noNewPrivileges;
        _bundle.Linux["seccomp"] =
            JsonNode.Parse(
            """{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat","clone3"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}""");
        Field("Seccomp").Should().Be("2");
        Container.Exec("mkdir", "/tmp/x").ShouldFail(1, "Function not implemented");
    }

    /// <summary>
    /// Without no_new_privs the filter is loaded before privileges are dropped, with it at the end; the agent is told the program's pid.
    /// </summary>
    [TestCase(true)]
    [TestCase(false)]
    public void Seccomp_agent_gets_a_listener_of_its_own(bool noNewPrivileges)
    {
        const int Edquot = 122;
        using AgentSocket first = new(static _ => 0), second = new(static _ => Edquot);
        _bundle.NoNewPrivileges(noNewPrivileges).Writable().Seccomp("SCMP_ACT_ALLOW").Rule("SCMP_ACT_NOTIFY", "mkdir", "mkdirat");
        _container = new TestContainer(_bundle.Args("sleep", "1000")) { Options = Receiver(first) };
        _container.Started();
        _container.Options = Receiver(second);
        string pidFile = TestRun.NewPath("pids");
        CommandResult result = _container.ExecWith(["--pid-file", pidFile], "mkdir", "/tmp/x").ShouldFail(1, "Disk quota exceeded");
        second.State!["pid"]!.GetValue<int>().Should().Be(int.Parse(File.ReadAllText(pidFile)), "{0}", result);
        second.State!["state"]!["status"]!.GetValue<string>().Should().Be("running");
        second.State!["state"]!["pid"]!.GetValue<int>().Should().Be(_container.InitPid);
        File.Delete(pidFile);
    }

    private static CommandOptions Receiver(AgentSocket agent) =>
        new() { Env = new Dictionary<string, string?> { ["RUN_OCI_SECCOMP_RECEIVER"] = agent.Path } };

    /// <summary>What a clone does not inherit.</summary>
    [Test]
    public void Scheduling_policy_that_is_reset_on_fork()
    {
        string[] options = ProcessFile(static p =>
        {
            p["scheduler"] =
                new JsonObject { ["policy"] = "SCHED_BATCH", ["nice"] = 5, ["flags"] = TestBundle.Strings("SCHED_FLAG_RESET_ON_FORK") };
            p["args"] = TestBundle.Strings("sh", "-c", "cut -d' ' -f19,41 /proc/$$/stat");
        });
        Exec(options).Should().Be("5 3");
    }

    [Test]
    public void Process_file_says_it_all_but_what_it_leaves_out()
    {
        _bundle.Capabilities("CAP_KILL").Env("A=config");
        _bundle.Process["rlimits"] = new JsonArray(new JsonObject { ["type"] = "RLIMIT_NOFILE", ["soft"] = 64, ["hard"] = 77 });
        string[] options = ProcessFile(static p =>
        {
            p["user"] = new JsonObject { ["uid"] = 1000, ["gid"] = 2 };
            p["cwd"] = "/tmp";
            p["args"] = TestBundle.Strings("sh", "-c", "id -u; id -g; pwd; echo ${A-unset}; ulimit -Hn; grep CapBnd /proc/self/status");
        });
        Exec(options).Split('\n').Should().Equal("1000", "2", "/tmp", "unset", "77", "CapBnd:\t0000000000000020");
    }

    [Test]
    public void Scheduling_comes_from_the_process_file()
    {
        string[] options = ProcessFile(static p =>
        {
            p["scheduler"] = new JsonObject { ["policy"] = "SCHED_BATCH", ["nice"] = 5 };
            p["ioPriority"] = new JsonObject { ["class"] = "IOPRIO_CLASS_IDLE", ["priority"] = 0 };
            p["args"] = TestBundle.Strings("sh", "-c", "ionice -p $$; cut -d' ' -f19,41 /proc/self/stat");
        });
        Exec(options).Split('\n').Should().Equal("idle", "5 3");
    }

    [TestCase("{", "is not valid JSON")]
    [TestCase("""{"cwd":"/","args":[]}""", "/args: must have at least one entry")]
    [TestCase("""{"cwd":"x","args":["true"]}""", "/cwd: \\\"x\\\" must be an absolute path")]
    [TestCase("""{"cwd":"/","args":["true"],"env":["x"]}""", "/env/0: \\\"x\\\" must have the form NAME=VALUE")]
    [TestCase("""{"cwd":"/","args":"true"}""", "/args")]
    public void Process_file_that_is_wrong_is_refused_by_pointer(string json, string message)
    {
        string path = Path.Combine(_bundle.Directory, "process.json");
        File.WriteAllText(path, json);
        Container.ExecWith(["-p", path]).ShouldFail(255, $"--process {path}: ", message);
        Container.ExecWith(["-p", "/nowhere"]).ShouldFail(255, "--process /nowhere: open: no such file or directory");
    }

    /// <summary>config.json has another one, or none, and nothing is wrong with it.</summary>
    [Test]
    public void A_failing_step_names_where_its_property_is_from()
    {
        _bundle.Process["execCPUAffinity"] = new JsonObject { ["final"] = "60000" };
        string[] file = ProcessFile(static process =>
        {
            process["cwd"] = "/nowhere";
            process["execCPUAffinity"] = new JsonObject { ["final"] = "0" };
        });
        Container.ExecWith(file).ShouldFail(255, $"failed: {file[0]} {file[1]}: /cwd: enter /nowhere");
        file = ProcessFile(static process => process["execCPUAffinity"] = new JsonObject { ["final"] = "60001" });
        Container.ExecWith(file).ShouldFail(255, $"failed: {file[0]} {file[1]}: /execCPUAffinity/final: run on the CPUs 60001");
        Container.ExecWith(ProcessFile(static _ => { })).ShouldFail(255, "failed: /process/execCPUAffinity/final: run on the CPUs 60000");
    }

    [Test]
    public void A_program_that_cannot_be_executed_is_that_of_the_command()
    {
        _bundle.WriteFile("/script", "#!/nowhere\n", 0b111_101_101);
        Container.Exec("/script").ShouldFail(255, "failed: command: execute /script: no such file or directory");
        string[] file = ProcessFile(static process => process["args"] = TestBundle.Strings("/script"));
        Container.ExecWith(file).ShouldFail(255, $"failed: {file[0]} {file[1]}: /args: execute /script: no such file or directory");
    }

    [TestCase("1", null, "1")]
    [TestCase(null, "0", "0")]
    [TestCase("1", "0", "0")]
    [TestCase(null, null, null)]
    public void Cpu_affinity(string? initial, string? final, string? expected)
    {
        string all = new ProcessView(1).Status("Cpus_allowed_list");
        if (all == "0") Assert.Ignore("missing: a second CPU");
        JsonObject affinity = [];
        if (initial is not null) affinity["initial"] = initial;
        if (final is not null) affinity["final"] = final;
        _bundle.Process["execCPUAffinity"] = affinity;
        string path = Container.Call("--version").Succeeded ? Ocirun.Binary.Path : "";
        string[] command = ["-c", "0", path, "--root", Container.StateRoot, "exec", Container.Id, "grep", "Cpus_allowed_list", Status];
        Command.Run("taskset", command).ShouldSucceed().Text.Split('\t')[1].Should()
            .Be(expected ?? all, "the caller was tied to the first CPU");
        Container.Init.Status("Cpus_allowed_list").Should().Be(all, "it is about exec only");
    }

    [Test]
    public void Cpu_that_is_not_there()
    {
        _bundle.Process["execCPUAffinity"] = new JsonObject { ["final"] = "60000" };
        Container.Exec("true").ShouldFail(255, "/process/execCPUAffinity/final: run on the CPUs 60000: invalid argument (EINVAL)");
    }

    [Test]
    public void Preserved_descriptors_and_no_others()
    {
        using OutputFile a = OutputFile.Containing("a\n"u8.ToArray()), b = OutputFile.Containing("b\n"u8.ToArray());
        Container.Options = new() { ExtraFds = [a.Fd, b.Fd] };
        Exec(["--preserve-fds", "1"], "sh", "-c", "cat <&3; ls /proc/self/fd | tr '\\n' ' '").Should()
            .Be("a\n0 1 2 3 4 ", "4 is the directory that ls reads");
    }

    [Test]
    public void Socket_activation_names_the_programs_own_pid()
    {
        using OutputFile file = OutputFile.Containing("listen\n"u8.ToArray());
        string command =
            $"LISTEN_FDS=1 LISTEN_PID=$$ exec {Ocirun.Binary.Path} --root {Container.StateRoot} exec "
            + $"{Container.Id} sh -c 'cat <&3; echo $LISTEN_FDS; echo $LISTEN_PID; echo $$'";
        string[] lines = Command.Run("sh", ["-c", command], new CommandOptions { ExtraFds = [file.Fd] }).ShouldSucceed().Lines;
        lines[..2].Should().Equal("listen", "1");
        lines[2].Should().Be(lines[3]);
    }

    [Test]
    public void What_follows_the_container_is_the_programs() =>
        Exec([], "echo", "-e", "--user", "--", "-t").Should().Be("--user -- -t");

    [Test]
    public void The_configuration_is_the_one_the_container_was_made_from()
    {
        _bundle.Env("WHEN=then");
        _ = Container.InitPid;
        File.WriteAllText(_bundle.ConfigPath, "{ no longer");
        Exec([], "sh", "-c", "echo $WHEN").Should().Be("then");
    }

    [TestCase(true)]
    [TestCase(false)]
    public void Session_keyring_is_the_containers(bool own)
    {
        Requires.PathExists("/proc/keys", "kernel key management");
        _bundle.RunProbe("keyring");
        _container = Observe.Sleeping(_bundle, own ? [] : ["--no-new-keyring"]);
        string[] exec = ["keyring-of", $"caller-{_container.Id}", Ocirun.Binary.Path, "--root", _container.StateRoot, "exec", _container.Id,
            "/bin/probe", "keyring"];
        string first = Command.Run(Probe.HostPath, exec).ShouldSucceed().Text;
        first.Split(';')[^1].Should().Be(own ? $"_ses.{_container.Id}" : $"caller-{_container.Id}");
        if (own) Exec([], "/bin/probe", "keyring").Should().Be(first, "all have the same");
    }
}

/// <summary>What the bundle helper lacks.</summary>
internal static class ExecBundle
{
    public static TestBundle NoNewPrivs(this TestBundle bundle)
    {
        bundle.Process["noNewPrivileges"] = true;
        return bundle;
    }
}
