using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>The container's process is born last in a pid namespace that it joins; all that was set before arrives there.</summary>
public sealed class PidNamespaceJoinTests
{
    private TestBundle _firstBundle = null!, _bundle = null!;
    private TestContainer _first = null!;

    [SetUp]
    public void Begin()
    {
        _firstBundle = new TestBundle();
        _first = Observe.Sleeping(_firstBundle);
        _bundle = new TestBundle().AddNamespace("pid", $"/proc/{_first.InitPid}/ns/pid");
    }

    [TearDown]
    public void End()
    {
        _bundle.Dispose();
        _first.Dispose();
        _firstBundle.Dispose();
    }

    [Test]
    public void Proc_is_that_of_the_namespace()
    {
        _bundle.AddMount("/mnt", "proc", "proc", "hidepid=2");
        Directory.CreateDirectory(_bundle.InRootfs("mnt"));
        string[] lines = Observe.Run(_bundle,
            "cat /proc/1/comm /mnt/1/comm; readlink /proc/self; echo $$; ls /mnt | grep -x $$; readlink /proc/self/ns/pid");
        lines[..2].Should().Equal("sleep", "sleep");
        int.Parse(lines[2]).Should().BeGreaterThan(int.Parse(lines[3]), "readlink is younger than its shell");
        lines[4].Should().Be(lines[3]);
        lines[5].Should().Be($"pid:[{_first.NamespaceInode("pid")}]");
    }

    [Test]
    public void The_terminal_is_that_of_its_session()
    {
        using ConsoleSocket socket = new();
        using TestContainer container = new(_bundle.Terminal()
            .Script("tty; ps -o pid,sid,tty,args; trap 'echo int' INT; echo ready; while :; do sleep 0.02; done"));
        container.Create("--console-socket", socket.SocketPath).ShouldSucceed();
        using PtyMaster terminal = socket.Receive();
        container.Start().ShouldSucceed();
        terminal.ReadUntil("ready").Should().StartWith("/dev/pts/0");
        terminal.Write("\x03");
        terminal.ReadUntil("int");
        container.Init.Proc("stat").Split(' ')[5].Should().Be($"{container.InitPid}", "it leads its session");
    }

    [Test]
    public void Descriptors_are_announced_to_the_pid_that_it_has()
    {
        using OutputFile third = OutputFile.Containing("third\n"u8.ToArray());
        using TestContainer container = new(_bundle.Script("cat <&3; echo $LISTEN_FDS $LISTEN_PID $$"));
        string command =
            $"LISTEN_FDS=1 LISTEN_PID=$$ exec {Ocirun.Binary.Path} --root {container.StateRoot} run --bundle "
            + $"{_bundle.Save().Directory} {container.Id}";
        string[] lines = Command.Run("/bin/sh", ["-c", command], new CommandOptions { ExtraFds = [third.Fd] }).ShouldSucceed().Lines;
        lines[0].Should().Be("third");
        string[] words = lines[1].Split(' ');
        words[0].Should().Be("1");
        words[1].Should().Be(words[2]).And.NotBe("1");
    }

    [Test]
    public void Limits_label_scheduling_and_filter_arrive()
    {
        _bundle.Process["oomScoreAdj"] = 321;
        _bundle.Process["scheduler"] = JsonNode.Parse("""{"policy":"SCHED_BATCH","nice":5,"flags":["SCHED_FLAG_RESET_ON_FORK"]}""");
        _bundle.Process["ioPriority"] = JsonNode.Parse("""{"class":"IOPRIO_CLASS_BE","priority":6}""");
        _bundle.Linux["seccomp"] =
            JsonNode.Parse("""{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["sync"],"action":"SCMP_ACT_ERRNO"}]}""");
        _bundle.WithCgroup().Linux["personality"] = JsonNode.Parse("""{"domain":"LINUX32"}""");
        using TestContainer container = Observe.Sleeping(_bundle);
        ProcessView init = container.Init;
        init.Proc("oom_score_adj").Trim().Should().Be("321");
        init.Proc("personality").Trim().Should().Be("00000008");
        init.Limit("Max open files").Should().Be(("1024", "1024"));
        init.Status("Seccomp").Should().Be("2");
        init.Status("CapPrm").Should().Be("0000000020000420");
        Command.Run(Requires.Tool("chrt"), "-p", $"{init.Pid}").ShouldSucceed().Text.Should().Contain("SCHED_BATCH|SCHED_RESET_ON_FORK");
        Command.Run(Requires.Tool("ionice"), "-p", $"{init.Pid}").ShouldSucceed().Text.Trim().Should().Be("best-effort: prio 6");
        init.Cgroups.Should().Contain(entry => entry.Path == _bundle.CgroupsPath);
    }

    /// <summary>
    /// Before the switch hooks have the host's tree, and whoever is in the namespace could look at it through them: they are not there.
    /// </summary>
    [Test]
    public void Hooks_of_the_hosts_side_are_not_born_there_and_those_of_the_containers_are()
    {
        string log = TestRun.NewPath("hooks");
        _bundle.AddMount("/log", null, Path.GetDirectoryName(log), "bind").Args("true");
        Directory.CreateDirectory(_bundle.InRootfs("log"));
        string name = Path.GetFileName(log);
        foreach (string kind in (string[])["createRuntime", "createContainer", "startContainer"])
        {
            string target = kind == "startContainer" ? $"/log/{name}" : log;
            // The pid of the state is one that the hook can look at; in the container it is undumpable.
            _bundle.AddHook(kind, "/bin/sh", "-c",
                $"pid=$(grep -o '\"pid\": *[0-9]*' | grep -o '[0-9]*$'); echo {kind} $(readlink /proc/self/ns/pid) $(readlink "
                + $"/proc/$pid/ns/uts || echo $(($pid == $PPID))) >> {target}");
        }
        using (TestContainer container = new(_bundle)) container.Run().ShouldSucceed();
        string[][] lines = [.. File.ReadAllLines(log).Select(static line => line.Split(' '))];
        File.Delete(log);
        string host = $"pid:[{ProcessView.HostNamespaceInode("pid")}]";
        lines.Select(static line => line[0]).Should().Equal("createRuntime", "createContainer", "startContainer");
        lines.Select(static line => line[1]).Should().Equal(host, host, $"pid:[{_first.NamespaceInode("pid")}]");
        lines[0][2].Should().Be(lines[1][2]).And.StartWith("uts:").And.NotBe($"uts:[{ProcessView.HostNamespaceInode("uts")}]");
        lines[2][2].Should().Be("1", "its parent");
    }

    [Test]
    public void A_namespace_whose_first_process_has_ended_is_named()
    {
        string path = TestRun.NewPath("pidns");
        File.WriteAllText(path, "");
        Command.Run("mount", "--bind", $"/proc/{_first.InitPid}/ns/pid", path).ShouldSucceed();
        try
        {
            _first.Kill("KILL").ShouldSucceed();
            _first.WaitExit();
            Observe.Refused(_bundle.AddNamespace("pid", path)).Should()
                .Contain($"/linux/namespaces/4/path: clone once more, into the pid namespace {path}: cannot allocate memory (ENOMEM): it "
                + $"takes no more processes, as its first one has ended");
        }
        finally
        {
            Command.Run("umount", path).ShouldSucceed();
            File.Delete(path);
        }
    }

    /// <summary>The pid namespace belongs to the host's user namespace, over which the joined one has no power.</summary>
    [Test]
    public void User_namespace_of_one_container_and_pid_namespace_of_another()
    {
        using TestBundle users = new();
        using TestContainer second = Observe.Sleeping(users.WithUserNamespace());
        _bundle.AddNamespace("user", $"/proc/{second.InitPid}/ns/user");
        Observe.Refused(_bundle).Should().Contain("/mounts/0: mount proc on /proc: create file system: operation not permitted (EPERM)");
        _bundle.RemoveMount("/proc").AddMount("/proc", "bind", "/proc", "rbind");
        _bundle.Linux.Remove("maskedPaths");
        _bundle.Linux.Remove("readonlyPaths");
        using TestContainer third = Observe.Sleeping(_bundle);
        third.NamespaceInode("pid").Should().Be(_first.NamespaceInode("pid"));
        third.NamespaceInode("user").Should().Be(second.NamespaceInode("user"));
    }
}
