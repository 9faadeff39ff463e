using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Exec;

/// <summary>exec into containers of every status, and what is left of one that fails.</summary>
[LeavesNothing]
public sealed class ExecStatusTests
{
    private TestBundle _bundle = null!;

    [SetUp]
    public void Begin() => _bundle = new TestBundle();

    [TearDown]
    public void End() => _bundle.Dispose();

    [TestCase("exit 0", 0)]
    [TestCase("exit 77", 77)]
    [TestCase("exit 255", 255)]
    [TestCase("kill -9 $$", 137)]
    [TestCase("kill -15 $$", 143)]
    public void Exit_code_is_the_programs(string script, int expected)
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        CommandResult result = container.Exec("sh", "-c", script);
        result.ExitCode.Should().Be(expected);
        result.Stderr.Should().BeEmpty();
    }

    [Test]
    public void No_container_and_no_program()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Call("exec", "nobody", "true").ShouldFail(255, "ocirun exec failed: container does not exist");
        container.Exec().ShouldFail(255, "exec args cannot be empty");
        container.Call("exec").ShouldFail(1, "requires at least 1 argument");
    }

    [TestCase("", "exec: \\\"\\\": executable file not found in $PATH: no such file or directory")]
    [TestCase("nope", "exec: \\\"nope\\\": executable file not found in $PATH")]
    [TestCase("/nope", "stat /nope: no such file or directory")]
    [TestCase("/etc/passwd", "permission denied")]
    [TestCase("/etc", "is a directory")]
    public void Failure_leaves_no_process_and_no_pid_file(string program, string message)
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        string pidFile = TestRun.NewPath("pids");
        foreach (string[] options in (string[][])[["--pid-file", pidFile], ["--pid-file", pidFile, "-d"]])
        {
            CommandResult result = container.ExecWith(options, program).ShouldFail(255, "ocirun exec failed: ", message);
            result.Stderr.TrimEnd('\n').Should().NotContain("\n", "one failure is one line");
            File.Exists(pidFile).Should().BeFalse();
            Members(container).Should().Equal(container.InitPid);
        }
    }

    [Test]
    public void A_file_that_the_kernel_cannot_run()
    {
        _bundle.WriteFile("/bin/script", "#!/no/such/interpreter\n", 0b111_101_101).WriteFile("/bin/garbage", "garbage\n", 0b111_101_101);
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Exec("script").ShouldFail(255, "its interpreter or dynamic loader does not exist");
        container.Exec("garbage").ShouldFail(255, "exec format error");
        Members(container).Should().Equal(container.InitPid);
    }

    [Test]
    public void Stopped()
    {
        using TestContainer container = new TestContainer(_bundle.Script("exit 0")).Started();
        container.WaitStatus("stopped");
        container.Exec("true").ShouldFail(255, "cannot exec in a stopped container");
    }

    /// <summary>Between the look at the container and the clone, which is made to wait, somebody deletes it.</summary>
    [Test]
    public void Deleted_meanwhile()
    {
        Requires.OcirunItself();
        using TestContainer container = Observe.Sleeping(_bundle.WithCgroup());
        using RunningCommand exec =
            Meddler.Delaying("clone3", 2000).Start(["--root", container.StateRoot, "exec", container.Id, "true"], new CommandOptions());
        Eventually.True(() => ProcessTree.DescendantsOf(exec.Pid).Any(IsAtClone), "the clone, which waits");
        container.Delete("--force").ShouldSucceed();
        exec.Wait().ShouldFail(255, "cannot exec in a stopped container");

        static bool IsAtClone(int pid) => File.ReadAllText($"/proc/{pid}/syscall")
            .StartsWith($"{CallPoint.NumberOf("clone3")} ", StringComparison.Ordinal);
    }

    /// <summary>As with runc: what is created has all but its program.</summary>
    [Test]
    public void Created()
    {
        using TestContainer container = new(_bundle.Args("sleep", "100"));
        container.Create().ShouldSucceed();
        container.Exec("sh", "-c", "readlink /proc/self/root; hostname").ShouldSucceed().Lines[0].Should().Be("/");
        container.Status.Should().Be("created");
        container.Start().ShouldSucceed();
        container.WaitStatus("running");
    }

    [Test]
    public void Paused()
    {
        Requires.Controller("freezer");
        using TestContainer container = Observe.Sleeping(_bundle.WithCgroup());
        using Freezer freezer = new(container);
        container.Exec("true").ShouldFail(255, "cannot exec in a paused container (use --ignore-paused to override)");
        using RunningCommand waiting = container.StartExec(["--ignore-paused"], "echo", "resumed");
        Eventually.True(() => ProcessTree.ChildrenOf(waiting.Pid).Any(), "the process is there");
        waiting.Stdout.Should().BeEmpty();
        freezer.Thaw();
        waiting.Wait().ShouldSucceed().Text.Should().Be("resumed");
    }

    [Test]
    public void Interrupted_while_the_container_is_paused()
    {
        Requires.Controller("freezer");
        using TestContainer container = Observe.Sleeping(_bundle.WithCgroup());
        using Freezer freezer = new(container);
        using RunningCommand waiting = container.StartExec(["--ignore-paused"], "true");
        Eventually.True(() => ProcessTree.ChildrenOf(waiting.Pid).Any(), "the process is there");
        waiting.Signal(15);
        waiting.Wait().ShouldFail(143, "interrupted by signal 15");
        freezer.Thaw();
        // On v1 what is frozen dies only now.
        Eventually.True(() => Members(container).SequenceEqual([container.InitPid]), "only init is left");
    }

    /// <summary>The container ends while others enter it: each exec either ran or says why not, and nobody is left.</summary>
    [Test]
    public void Dying()
    {
        for (int round = 0; round < 10; round++)
        {
            using TestContainer container = Observe.Sleeping(_bundle.WithCgroup());
            RunningCommand[] execs = [.. Enumerable.Range(0, 6).Select(_ => container.StartExec([], "sleep", "100"))];
            Thread.Sleep(round * 2);
            container.Kill("KILL").ShouldSucceed();
            foreach (RunningCommand exec in execs)
            {
                CommandResult result = exec.Wait();
                if (result.ExitCode == 137) result.Stderr.Should().BeEmpty();
                else result.ShouldFail(255, "container");
            }
            container.WaitStatus("stopped");
        }
    }

    [Test]
    public void Without_memory()
    {
        Requires.Controller("memory");
        _bundle.WithCgroup().Resources["memory"] = new System.Text.Json.Nodes.JsonObject { ["limit"] = 8 << 20 };
        using TestContainer container = Observe.Sleeping(_bundle);
        // What grows is the biggest, so the kernel takes it and not the container's init.
        container.Exec("tail", "/dev/zero").ExitCode.Should().Be(137);
        container.ReadCgroup("memory", CgroupHost.V1MountPoint("memory") is null ? "memory.events" : "memory.oom_control").Should()
            .MatchRegex("oom_kill [1-9]");
        container.Exec("echo", "still there").ShouldSucceed().Text.Should().Be("still there");
    }

    [Test]
    public void Process_limit_is_told()
    {
        Requires.Controller("pids");
        _bundle.WithCgroup().Resources["pids"] = new System.Text.Json.Nodes.JsonObject { ["limit"] = 1 };
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Exec("true").ShouldFail(255, "resource temporarily unavailable");
        Members(container).Should().Equal(container.InitPid);
    }

    [Test]
    public void Twenty_at_once()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        RunningCommand[] execs = [.. Enumerable.Range(0, 20).Select(i => container.StartExec([], "sh", "-c", $"echo {i}; exit {i}"))];
        for (int i = 0; i < execs.Length; i++)
        {
            CommandResult result = execs[i].Wait();
            result.ExitCode.Should().Be(i, "{0}", result);
            result.Text.Should().Be($"{i}");
        }
        Members(container).Should().Equal(container.InitPid);
    }

    [Test]
    public void Detached_process_is_the_callers_child_and_in_the_pid_file()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        using DescriptorSocket socket = new();
        string pidFile = TestRun.NewPath("pids");
        container.ExecWith(["--detach", "--pid-file", pidFile, "--pidfd-socket", socket.SocketPath], "sleep", "100").ShouldSucceed();
        int pid = int.Parse(File.ReadAllText(pidFile));
        File.ReadAllText(pidFile).Should().Be($"{pid}", "no line end");
        (int fd, string text) = socket.Receive();
        text.Should().Be("setns");
        File.ReadAllText($"/proc/self/fdinfo/{fd}").Should().Contain($"Pid:\t{pid}\n");
        _ = Syscall.close(fd);
        ProcessView process = new(pid);
        Eventually.True(() => process.CommandLine[0] == "sleep", "the program runs");
        process.Status("PPid").Should().Be($"{Environment.ProcessId}", "a subreaper gets it, and no process is in the middle");
        Members(container).Should().BeEquivalentTo([container.InitPid, pid]);
        Libc.Check(Syscall.kill(pid, Signum.SIGKILL), "kill");
        Children.Wait(pid, TimeSpan.FromSeconds(5)).Should().NotBeNull();
        File.Delete(pidFile);
        container.ExecWith(["--pid-file", "/nowhere/p", "-d"], "sleep", "100").ShouldFail(255, "--pid-file /nowhere/p");
        container.ExecWith(["--pidfd-socket", "/nowhere/s"], "true").ShouldFail(255, "--pidfd-socket /nowhere/s");
        Members(container).Should().Equal(container.InitPid);
    }

    [Test]
    public void Signals_are_passed_on()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        using RunningCommand exec = container.StartExec([], "sh", "-c",
            "trap 'echo usr1' USR1; trap 'echo term; exit 3' TERM; echo ready; while :; do sleep 0.02; done");
        Eventually.True(() => exec.Stdout.Contains("ready"), "it is ready");
        exec.Signal(10);
        Eventually.True(() => exec.Stdout.Contains("usr1"), "it got the signal");
        exec.Signal(15);
        exec.Wait().ExitCode.Should().Be(3);
        exec.Stdout.Should().EndWith("term\n");
        container.Status.Should().Be("running");
    }

    /// <summary>Processes in the container's pid namespace, by their pids on the host, which may have wrapped.</summary>
    private static int[] Members(TestContainer container)
    {
        ulong ns = container.NamespaceInode("pid");
        return [.. Directory.GetDirectories("/proc").Select(Path.GetFileName).Where(name => int.TryParse(name, out _))
            .Select(name => int.Parse(name!)).Where(pid => IsIn(pid, ns))];
    }

    private static bool IsIn(int pid, ulong ns)
    {
        try
        {
            return new ProcessView(pid).NamespaceInode("pid") == ns;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Freezes a container by its cgroup.</summary>
    private sealed class Freezer : IDisposable
    {
        private readonly string _file, _thawed;

        public Freezer(TestContainer container)
        {
            bool v1 = CgroupHost.V1MountPoint("freezer") is not null;
            _file = Path.Combine(container.Init.CgroupDirectory(v1 ? "freezer" : ""), v1 ? "freezer.state" : "cgroup.freeze");
            _thawed = v1 ? "THAWED" : "0";
            File.WriteAllText(_file, v1 ? "FROZEN" : "1");
            container.WaitStatus("paused");
        }

        public void Thaw() => File.WriteAllText(_file, _thawed);

        public void Dispose() => Thaw();
    }
}
