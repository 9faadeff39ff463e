using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients;

/// <summary>Debian's containerd and its shim, driven by ctr.</summary>
public sealed class ContainerdTests
{
    private ClientHost _ctr = null!;
    private Server? _containerd;

    private string RuntimeRoot => $"{_ctr.Directory}/rc";

    [OneTimeSetUp]
    public void Prepare()
    {
        _ctr = new ClientHost("ctr");
        string directory = _ctr.Directory;
        File.WriteAllText($"{directory}/config.toml", $"""
            version = 2
            root = "{directory}/root"
            state = "{directory}/state"
            disabled_plugins = ["io.containerd.grpc.v1.cri"]
            [grpc]
            address = "{directory}/c.sock"
            [ttrpc]
            address = "{directory}/t.sock"
            """);
        _ctr.GlobalOptions.AddRange(["--address", $"{directory}/c.sock"]);
        _containerd = new Server("containerd", "--config", $"{directory}/config.toml");
        _containerd.WaitUntil(() => _ctr.Run("version").Succeeded);
        ClientImage.WriteOciLayout($"{directory}/image.tar");
        _ctr.Run("image", "import", $"{directory}/image.tar").ShouldSucceed();
    }

    [TearDown]
    public void RemoveTasks()
    {
        foreach (string id in _ctr.Run("containers", "list", "--quiet").ShouldSucceed().Lines)
        {
            _ctr.Run("task", "rm", "--force", id);
            _ctr.Run("container", "rm", id);
        }
        // The shim deletes once more by force after its last answer.
        string[] left = [];
        if (!Eventually.Becomes(() => (left = StateLeft()).Length == 0, TimeSpan.FromSeconds(5))) Leaks.Report($"state left: {string.Join(' ', left)}");
        _ctr.CheckNothingLeft();
    }

    [OneTimeTearDown]
    public void End()
    {
        _containerd?.Dispose();
        _ctr.Dispose();
    }

    [Test]
    public void Output_and_exit_code_come_back()
    {
        CommandResult result = Run([], "sh", "-c", "echo out; echo err >&2; exit 7");
        result.ExitCode.Should().Be(7, "{0}", result);
        result.Stdout.Should().Be("out\n");
        result.Stderr.Should().Be("err\n");
    }

    [TestCase("/nope", "exec: \"/nope\": stat /nope: no such file or directory")]
    [TestCase("nope", "exec: \"nope\": executable file not found in $PATH")]
    public void Missing_program_is_told_by_the_runtimes_own_message(string program, string message) =>
        Run([], program).ShouldFail(1, $"OCI runtime create failed: ocirun create failed: {message}");

    [Test]
    public void Seccomp_is_not_ignored()
    {
        CommandResult result = Run(["--seccomp"], "grep", "Seccomp:", "/proc/self/status");
        if (Ocirun.Run("features").Json["linux"]!["seccomp"]!["enabled"]!.GetValue<bool>())
        {
            result.ShouldSucceed().Stdout.Should().Contain("2");
            return;
        }
        result.ShouldFail(1, "/linux/seccomp: is not supported by this version of ocirun");
    }

    [Test]
    public void Terminal()
    {
        CommandResult result = _ctr.RunInTerminal(RunArguments(["--tty"], NewId(), "sh", "-c", "tty; exit 3"));
        result.ExitCode.Should().Be(3, "{0}", result);
        result.Stdout.Should().Contain("/dev/pts/0");
    }

    [Test]
    public void Task_is_killed_and_deleted()
    {
        string id = Detached();
        Tasks().Should().Contain($"{id} RUNNING");
        _ctr.Run("task", "kill", "--signal", "KILL", id).ShouldSucceed();
        Eventually.True(() => Tasks().Contains($"{id} STOPPED"), $"{id} stopped");
        // The shim knows the end of a container by these words of the runtime alone.
        _ctr.Run("task", "kill", "--signal", "KILL", id).ShouldFail(1, "process already finished");
        _ctr.Run("task", "delete", id).ShouldSucceed().Stderr.Should().Contain("exit code 137");
        _ctr.Run("container", "rm", id).ShouldSucceed();
    }

    [Test]
    public void One_more_process_runs_in_a_task()
    {
        string id = Detached();
        CommandResult result = _ctr.Run("task", "exec", "--exec-id", "one", "--cwd", "/tmp", id, "sh", "-c", "pwd; echo err >&2; exit 7");
        result.ShouldFail(7, "err").Stdout.Should().Be("/tmp\n");
        _ctr.RunInTerminal(["task", "exec", "--exec-id", "two", "--tty", id, "sh", "-c", "tty; exit 3"]).Stdout.Should().Contain("/dev/pts/0");
        _ctr.Run("task", "exec", "--exec-id", "three", id, "/nope").ShouldFail(1, "stat /nope: no such file or directory");
        _ctr.Run("task", "exec", "--exec-id", "four", "--detach", id, "sleep", "777").ShouldSucceed();
        _ctr.Run("task", "ps", id).ShouldSucceed().Lines.Skip(1).Should().HaveCount(2);
        // The shim has the process's pid from the pid file, and kills it by that.
        _ctr.Run("task", "kill", "--exec-id", "four", "--signal", "KILL", id).ShouldSucceed();
        Eventually.True(() => _ctr.Run("task", "ps", id).ShouldSucceed().Lines.Skip(1).Count() == 1, "the end of the second process");
    }

    [Test]
    public void Task_is_paused_resumed_and_looked_into()
    {
        string id = Detached();
        _ctr.Run("task", "pause", id).ShouldSucceed();
        Tasks().Should().Contain($"{id} PAUSED");
        _ctr.Run("task", "resume", id).ShouldSucceed();
        Tasks().Should().Contain($"{id} RUNNING");
        _ctr.Run("task", "ps", id).ShouldSucceed().Lines.Skip(1).Should().ContainSingle().Which.Should().MatchRegex("^[0-9]+ ");
        _ctr.Run("task", "metrics", id).ShouldSucceed().Stdout.Should().Contain("pids.current");
        // A paused one, too, is removed by force.
        _ctr.Run("task", "pause", id).ShouldSucceed();
        _ctr.Run("task", "rm", "--force", id).ShouldSucceed();
        _ctr.Run("container", "rm", id).ShouldSucceed();
    }

    [Test]
    public void Running_task_is_deleted_by_force()
    {
        string id = Detached();
        _ctr.Run("task", "rm", "--force", id).ShouldSucceed().Stderr.Should().Contain("exit code 137");
        _ctr.Run("container", "rm", id).ShouldSucceed();
    }

    [Test]
    public void Dead_shims_container_is_deleted_by_containerd()
    {
        string id = Detached();
        int shim = ProcessTree.DescendantsOf(Environment.ProcessId).Single(pid => ProcessTree.CommandLine(pid) is var line && line.Contains("containerd-shim") && line.Contains(_ctr.Directory));
        int init = ProcessTree.ChildrenOf(shim).Single();
        _ = Libc.kill(shim, Libc.SIGKILL);
        Eventually.True(() => !ProcessTree.IsAlive(init) && StateLeft().Length == 0, "the end of the container");
        Eventually.True(() => _ctr.Run("container", "rm", id).Succeeded, "removal of the container's record");
        // A killed shim cannot remove its socket, and containerd does not either (SocketAddress() in its runtime/v2/shim).
        byte[] address = System.Text.Encoding.UTF8.GetBytes($"{_ctr.Directory}/c.sock/default/{id}");
        File.Delete($"/run/containerd/s/{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(address))}");
    }

    [Test]
    public void Common_options_work_together()
    {
        Directory.CreateDirectory($"{_ctr.Directory}/data");
        File.WriteAllText($"{_ctr.Directory}/data/file", "from the host\n");
        CommandResult result = Run(
            ["--memory-limit", "67108864", "--cpus", "0.5", "--env", "A=b", "--cwd", "/mnt", "--read-only", "--net-host",
                "--mount", $"type=bind,src={_ctr.Directory}/data,dst=/mnt,options=rbind:ro", "--label", "x=y", "--allow-new-privs"],
            "sh", "-c", "pwd; echo $A; cat file; (touch /x) 2>&1");
        result.Stdout.Should().ContainAll("/mnt\nb\nfrom the host\n", "Read-only file system");
    }

    [Test]
    public void Root_file_system_without_an_image()
    {
        string rootfs = $"{_ctr.Directory}/rootfs";
        Busybox.CreateRootfs(rootfs);
        string id = NewId();
        _ctr.Run(["run", "--rm", .. Runtime, "--cgroup", Cgroup(id), "--rootfs", rootfs, id, "/bin/echo", "hi"]).ShouldSucceed().Stdout.Should().Be("hi\n");
        Cleaner.DeleteTree(rootfs);
    }

    private string[] Runtime => ["--runtime", "io.containerd.runc.v2", "--runc-binary", Ocirun.Binary.Path, "--runc-root", RuntimeRoot];

    private static string NewId() => $"{TestRun.Token}-{TestRun.NextNumber()}";

    /// <summary>The default's parent, named after the client's namespace, would stay: runtimes leave parents alone.</summary>
    private static string Cgroup(string id) => $"/{TestRun.Token}/{id}";

    private string[] StateLeft() => Directory.Exists(RuntimeRoot) ? Directory.GetFileSystemEntries(RuntimeRoot, TestRun.Token + "*", SearchOption.AllDirectories) : [];

    private string[] RunArguments(string[] options, string id, params string[] command) =>
        ["run", "--rm", "--snapshotter", "native", .. Runtime, "--cgroup", Cgroup(id), .. options, ClientImage.Name, id, .. command];

    private CommandResult Run(string[] options, params string[] command) => _ctr.Run(RunArguments(options, NewId(), command));

    private string Detached()
    {
        string id = NewId();
        string[] args = [.. RunArguments(["--detach", "--null-io"], id, "sleep", "1000").Where(word => word != "--rm")];
        _ctr.Run(args).ShouldSucceed();
        return id;
    }

    /// <summary>Lines of an ID and a status.</summary>
    private string[] Tasks() =>
        [.. _ctr.Run("task", "list").ShouldSucceed().Lines.Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Select(words => $"{words[0]} {words[^1]}")];
}
