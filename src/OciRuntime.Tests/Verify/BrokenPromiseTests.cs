using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Verify;

/// <summary>Each kind of promise, broken by what was never done, or from outside, and what the container may do itself.</summary>
public sealed class BrokenPromiseTests
{
    [SetUp]
    public void SetUp() => Requires.OcirunItself();

    /// <summary>The record promises what the container was not made with. A program may have changed some of that since.</summary>
    [TestCase("/process/user", """{ "process": { "user": { "uid": 1000, "gid": 1000 } } }""", "drifted")]
    [TestCase("/process/user", """{ "process": { "user": { "uid": 0, "gid": 5 } } }""", "drifted")]
    [TestCase("/process/user/umask", """{ "process": { "user": { "uid": 0, "gid": 0, "umask": 63 } } }""", "unchecked")]
    [TestCase("/process/capabilities",
        """
        { "process": { "user": { "uid": 1000, "gid": 1000 },
            "capabilities": { "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"] } } }
        """,
        "drifted")]
    [TestCase("/process/capabilities",
        """{ "process": { "capabilities": { "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"] } } }""", "unchecked")]
    [TestCase("/process/rlimits/0", """{ "process": { "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 64 }] } }""",
        "unchecked")]
    [TestCase("/process/rlimits/0", """{ "process": { "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 512, "soft": 64 }] } }""", "broken")]
    [TestCase("/process/scheduler", """{ "process": { "scheduler": { "policy": "SCHED_BATCH", "nice": 5 } } }""", "drifted")]
    [TestCase("/process/ioPriority", """{ "process": { "ioPriority": { "class": "IOPRIO_CLASS_IDLE", "priority": 0 } } }""", "drifted")]
    [TestCase("/linux/personality", """{ "linux": { "personality": { "domain": "LINUX32" } } }""", "drifted")]
    public void What_was_never_done_is_broken_before_the_start(string pointer, string promised, string afterwards)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.Process["noNewPrivileges"] = false;
        using TestContainer container = new(bundle);
        IsBroken(container, pointer, promised, afterwards);
    }

    /// <summary>What no program can have changed.</summary>
    [TestCase("/process/user/additionalGids", """{ "process": { "user": { "uid": 0, "gid": 0, "additionalGids": [7] } } }""")]
    [TestCase("/linux/uidMappings",
        """{ "linux": { "uidMappings": [{ "containerID": 0, "hostID": 200000, "size": 65536 }] } }""")]
    [TestCase("/linux/gidMappings",
        """{ "linux": { "gidMappings": [{ "containerID": 0, "hostID": 100000, "size": 65535 }] } }""")]
    [TestCase("/linux/timeOffsets", """{ "linux": { "timeOffsets": { "boottime": { "secs": 7, "nanosecs": 5 } } } }""")]
    [TestCase("/linux/rootfsPropagation", """{ "linux": { "rootfsPropagation": "unbindable" } }""")]
    public void What_no_program_can_change_stays_broken(string pointer, string promised)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup().WithUserNamespace().User(0, 0, 6, 7);
        Requires.Namespace("time");
        bundle.AddNamespace("time");
        bundle.Linux["timeOffsets"] = JsonNode.Parse("""{ "boottime": { "secs": 100, "nanosecs": 5 } }""");
        using TestContainer container = new(bundle);
        IsBroken(container, pointer, promised, "broken");
    }

    [Test]
    public void A_namespace_that_is_another_one_than_that_to_be_joined_is_named()
    {
        string[] sleeps = ["--net", "sleep", "1000"];
        using RunningCommand one = Command.Start("unshare", sleeps), two = Command.Start("unshare", sleeps);
        foreach (RunningCommand owner in (RunningCommand[])[one, two])
            Eventually.True(() => ProcessTree.CommandLine(owner.Pid) == "sleep 1000", "a network namespace");
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup().AddNamespace("network", $"/proc/{one.Pid}/ns/net");
        using TestContainer container = new TestContainer(bundle).Started();
        string pointer = $"/linux/namespaces/{bundle.Namespaces.Count - 1}";
        Verified.Worst(container, pointer).Should().Be("held");
        JsonArray namespaces = bundle.Namespaces.DeepClone().AsArray();
        namespaces[^1]!["path"] = $"/proc/{two.Pid}/ns/net";
        Verified.Promise(container, new JsonObject { ["linux"] = new JsonObject { ["namespaces"] = namespaces } }.ToJsonString());
        Verified.Worst(container, pointer).Should().Be("drifted", "the path may lead elsewhere by now");
    }

    [Test]
    public void The_mode_and_the_owner_of_a_device_are_compared()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.Linux["devices"] = JsonNode.Parse("""
            [ { "path": "/dev/one", "type": "c", "major": 1, "minor": 3, "fileMode": 384, "uid": 5, "gid": 6 },
              { "path": "/dev/two", "type": "c", "major": 1, "minor": 3, "fileMode": 384, "uid": 5, "gid": 6 } ]
            """);
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        Verified.AllHeld(Report(container));
        Command.Run("chmod", "666", container.Init.InRoot("/dev/one")).ShouldSucceed();
        Command.Run("chown", "7:7", container.Init.InRoot("/dev/two")).ShouldSucceed();
        Verified.Worst(container, "/linux/devices/0").Should().Be("broken");
        Verified.Worst(container, "/linux/devices/1").Should().Be("broken");
    }

    [Test]
    public void The_variables_of_the_first_process_are_compared()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup().Env("A=1");
        using TestContainer container = new TestContainer(bundle).Started();
        Verified.Worst(container, "/process/env").Should().Be("held");
        Verified.Promise(container, """{ "process": { "env": ["PATH=/bin", "TERM=xterm", "B=2"] } }""");
        (string outcome, string found) = Verified.One(Report(container), "/process/env");
        outcome.Should().Be("drifted");
        found.Should().Contain("without PATH, B").And.Contain("A").And.NotContain("1");
    }

    /// <summary>The first process and the record have the limit, and it has not.</summary>
    [Test]
    public void A_descendant_with_a_higher_hard_limit_is_named()
    {
        using TestBundle bundle = new TestBundle().Script("sleep 1000 & wait").WithCgroup();
        using TestContainer container = new TestContainer(bundle).Started();
        int child = Child(container);
        Command.Run(Requires.Tool("prlimit"), $"--pid={container.InitPid}", "--nofile=512:512").ShouldSucceed();
        Verified.Promise(container, """{ "process": { "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 512, "soft": 512 }] } }""");
        JsonNode finding = Verified.About(Report(container), "/process/rlimits/0").Single();
        ((string)finding["outcome"]!, (string)finding["found"]!, (int)finding["pid"]!).Should().Be(("broken", "it may be 1024", child));
    }

    /// <summary>The promise is of every process, not of the first one.</summary>
    [Test]
    public void A_descendant_that_may_gain_privileges_is_named()
    {
        using TestBundle bundle = new TestBundle().Script("sleep 1000 & wait").WithCgroup();
        bundle.Process["noNewPrivileges"] = false;
        using TestContainer container = new TestContainer(bundle).Started();
        int child = Child(container);
        Verified.Promise(container, """{ "process": { "noNewPrivileges": true } }""");
        ((string)Verified.One(container, "/process/noNewPrivileges", child)["outcome"]!).Should().Be("broken");
    }

    /// <summary>The record says that a process of the host is the one that waits for the start.</summary>
    [Test]
    public void What_the_host_would_give_the_program_is_named()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        Verified.Worst(container, "/root/path").Should().Be("held");
        using RunningCommand other = Command.Start("sh", "-c", "exec 5</etc/passwd; exec sleep 1000");
        Eventually.True(() => ProcessTree.CommandLine(other.Pid) == "sleep 1000", "a process of the host");
        string journal = $"{container.StateRoot}/{container.Id}/state.json", text = File.ReadAllText(journal);
        JsonObject changed = JsonNode.Parse(text)!.AsObject();
        changed["pid"] = other.Pid;
        changed["startTime"] = ProcessTree.StartTime(other.Pid);
        File.WriteAllText(journal, changed.ToJsonString());
        try
        {
            CommandResult report = Report(container);
            Verified.One(report, "/root/path").Should().Be(("broken", "it is the host's"));
            Verified.About(report, "descriptors").Select(static one => ((string)one["outcome"]!, (string?)one["found"], (int?)one["pid"]))
                .Should().Contain(("broken", "descriptor 5 is kept by execve", other.Pid));
            Verified.About(report, "/linux/cgroupsPath").Select(static one => ((string)one["outcome"]!, (string?)one["found"]))
                .Should().Contain(("broken", "the first process is not in it"));
        }
        finally
        {
            File.WriteAllText(journal, text);
        }
    }

    /// <summary>It is without limits and device rules then, and still the container's.</summary>
    [Test]
    public void A_process_that_was_moved_out_of_the_cgroups_is_looked_at([Values] bool ofAll, [Values] bool mayMount)
    {
        using TestBundle bundle = new TestBundle().Script("sleep 1000 & wait").WithCgroup();
        if (mayMount) bundle.Capabilities("CAP_SYS_ADMIN");
        using TestContainer container = new TestContainer(bundle).Started();
        int child = Child(container);
        using Elsewhere elsewhere = new(container, child, ofAll ? "" : "/memory/");
        JsonNode report = Report(container).Json;
        ((int)report["processes"]!).Should().Be(2);
        JsonNode finding = Verified.One(container, "/linux/cgroupsPath", child);
        ((string)finding["outcome"]!).Should().Be(mayMount ? "drifted" : "broken");
        ((string)finding["found"]!).Should().Contain("/sys/fs/cgroup/memory/");
        // What else it was promised counts, too.
        Verified.Promise(container, """{ "process": { "capabilities": { "bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"] } } }""");
        ((string)Verified.One(container, "/process/capabilities", child)["outcome"]!).Should().Be("broken");
    }

    /// <summary>By an exec, whose process no chain of parents connects with the container.</summary>
    [Test]
    public void A_process_that_has_entered_and_was_moved_is_looked_at()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new TestContainer(bundle).Started();
        container.StartExec([], "sleep", "1001");
        Eventually.True(() => (int)Report(container).Json["processes"]! == 2, "two processes");
        int entered = container.Invoke("ps", "--format", "json").Json.AsArray().Select(static pid => (int)pid!)
            .Single(pid => pid != container.InitPid);
        using Elsewhere elsewhere = new(container, entered, "");
        ((int)Report(container).Json["processes"]!).Should().Be(2);
        ((string)Verified.One(container, "/linux/cgroupsPath", entered)["outcome"]!).Should().Be("drifted");
    }

    /// <summary>As the containers of a pod are in the pid namespace of the first one, which adopts what they leave behind.</summary>
    [Test]
    public void Guests_of_the_pid_namespace_are_not_the_containers()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new TestContainer(bundle).Started();
        string[] enter = ["--target", container.InitPid.ToString(), "--pid", "sh", "-c"];
        using RunningCommand guest = Command.Start(Requires.Tool("nsenter"), [.. enter, "sleep 1001"]);
        Eventually.True(() => ProcessTree.DescendantsOf(guest.Pid).Count > 0, "a guest");
        JsonNode report = Verified.AllHeld(Report(container));
        ((int)report["processes"]!).Should().Be(1);
        Command.Run(Requires.Tool("nsenter"), [.. enter, "setsid sleep 1002 >/dev/null 2>&1 </dev/null &"]).ShouldSucceed();
        Eventually.True(() => ProcessTree.ChildrenOf(container.InitPid).Count == 1, "what a guest has left behind");
        int left = Child(container);
        report = Verified.AllHeld(Report(container));
        ((int)report["processes"]!).Should().Be(1);
        ((string)Verified.One(container, "/linux/cgroupsPath", left)["outcome"]!).Should().Be("unchecked");
    }

    /// <summary>gosu, su-exec, and the servers that begin as root.</summary>
    [Test]
    public void Who_gives_up_being_root_is_not_broken()
    {
        using TestBundle bundle = new TestBundle().WithCgroup().Capabilities("CAP_SETUID", "CAP_SETGID").User(0, 0, 0, 5)
            .Script("su user -s /bin/sh -c 'sleep 1000' & exec su user -s /bin/sh -c 'umask 0; ulimit -n 1024; exec sleep 1001'");
        bundle.Process["noNewPrivileges"] = false;
        bundle.Process["rlimits"] = JsonNode.Parse("""[{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 512 }]""");
        using TestContainer container = new TestContainer(bundle).Started();
        Eventually.True(() => ProcessTree.CommandLine(container.InitPid) == "sleep 1001", "the program");
        container.Init.Status("Uid").Should().StartWith("1000");
        // Its shell has set variables.
        Report(container).Json["findings"]!.AsArray().Where(static one => (string?)one!["outcome"] is "broken" or "drifted")
            .Select(static one => (string?)one!["subject"]).Should().Equal("environment");
        foreach (string pointer in (string[])["/process/user", "/process/user/additionalGids", "/process/rlimits/0"])
            Verified.Worst(container, pointer).Should().Be("unchecked", pointer);
    }

    /// <summary>Which is what the kernel gives a new cgroup.</summary>
    [Test]
    public void A_limit_that_was_never_applied_is_broken_and_one_that_was_updated_is_a_drift([Values] bool isStarted)
    {
        foreach (string controller in (string[])["cpu", "memory"]) Requires.V1Controller(controller);
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        if (isStarted) container.Start().ShouldSucceed();
        Verified.Promise(container, """
            { "linux": { "resources": { "cpu": { "shares": 512, "period": 50000 }, "memory": { "swappiness": 1, "limit": 67108864 } } } }
            """);
        string[] pointers =
        [
            "/linux/resources/cpu/shares", "/linux/resources/cpu/period", "/linux/resources/memory/swappiness",
            "/linux/resources/memory/limit",
        ];
        foreach (string pointer in pointers) Verified.Worst(container, pointer).Should().Be("broken", pointer);
        File.WriteAllText($"{container.Init.CgroupDirectory("cpu")}/cpu.shares", "600");
        Verified.Worst(container, "/linux/resources/cpu/shares").Should().Be("drifted", "that is no new cgroup's");
        container.Invoke("update", "--cpu-share", "1024", "--memory", "-1").ShouldSucceed();
        Verified.Worst(container, "/linux/resources/cpu/shares").Should().Be("drifted");
        Verified.Worst(container, "/linux/resources/memory/limit").Should().Be("drifted");
        Verified.Worst(container, "/linux/resources/cpu/period").Should().Be("broken", "nobody has updated that");
    }

    /// <summary>The process in cgroups of the test's own, beside the container's.</summary>
    private sealed class Elsewhere : IDisposable
    {
        private readonly List<string> _made = [];
        private readonly int _pid;

        public Elsewhere(TestContainer container, int pid, string hierarchy)
        {
            _pid = pid;
            JsonNode journal = JsonNode.Parse(File.ReadAllText($"{container.StateRoot}/{container.Id}/state.json"))!;
            foreach (JsonNode? directory in journal["cgroupDirectories"]!.AsArray())
            {
                string place = (string)directory!;
                if (!place.Contains(hierarchy, StringComparison.Ordinal) && hierarchy.Length > 0) continue;
                _made.Add(Directory.CreateDirectory(place + "-elsewhere").FullName);
                foreach (string file in (string[])["cpuset.cpus", "cpuset.mems"])
                    if (File.Exists($"{place}/{file}")) File.WriteAllText($"{_made[^1]}/{file}", File.ReadAllText($"{place}/{file}"));
                File.WriteAllText($"{_made[^1]}/cgroup.procs", $"{pid}");
            }
        }

        public void Dispose()
        {
            Command.Run("kill", "-9", $"{_pid}");
            Eventually.True(() => !ProcessTree.IsAlive(_pid), "its end");
            foreach (string directory in _made) Eventually.True(() => Remove(directory), "an empty cgroup");
        }

        private static bool Remove(string directory)
        {
            try
            {
                Directory.Delete(directory);
                return true;
            }
            catch (IOException)
            {
                return false;
            }
        }
    }

    /// <summary>All is held; of a promise that was never made true the container is told to lack it, before its start and after.</summary>
    private static void IsBroken(TestContainer container, string pointer, string promised, string afterwards)
    {
        container.Create().ShouldSucceed();
        Verified.AllHeld(Report(container));
        Verified.Promise(container, promised);
        Verified.Worst(container, pointer).Should().Be("broken");
        container.Start().ShouldSucceed();
        Verified.Worst(container, pointer).Should().Be(afterwards);
    }

    private static CommandResult Report(TestContainer container) => container.Invoke("verify", "--format", "json");

    private static int Child(TestContainer container)
    {
        Eventually.True(() => ProcessTree.ChildrenOf(container.InitPid).Count == 1, "a child");
        return ProcessTree.ChildrenOf(container.InitPid)[0];
    }
}
