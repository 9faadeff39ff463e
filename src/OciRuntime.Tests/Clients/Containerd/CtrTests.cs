using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Containerd;

/// <summary>Programs in containers of ctr's: their streams, exit codes, terminals and surroundings.</summary>
[ThisMachinesEngines]
public sealed class CtrTests(ShimKind shim) : CtrFixture(shim)
{
    [Test]
    public void Output_and_exit_code_come_back()
    {
        CommandResult result = Run([], "sh", "-c", "echo out; echo err >&2; exit 7");
        result.ExitCode.Should().Be(7, "{0}", result);
        result.Stdout.Should().Be("out\n");
        // ctr 2.2 itself has a word on cgroup v1.
        Regex.Replace(result.Stderr, "^time=.*DEPRECATION: The support for cgroup v1.*\n", "").Should().Be("err\n");
    }

    [TestCase("/nope", "exec: \"/nope\": stat /nope: no such file or directory")]
    [TestCase("nope", "exec: \"nope\": executable file not found in $PATH")]
    public void Missing_program_is_told_by_the_runtimes_own_message(string program, string message) =>
        // crun has words of its own for both.
        Run([], program)
        .ShouldFail(1, "OCI runtime create failed: ", Ocirun.Binary.Name == "crun" ? $"`{program}` not found in $PATH" : message);

    [Test]
    public void Seccomp_is_not_ignored() =>
    Run(["--seccomp"], "grep", "Seccomp:", "/proc/self/status").ShouldSucceed().Stdout.Should().Contain("2");

    [Test]
    public void Terminal()
    {
        CommandResult result = Ctr.RunInTerminal(RunArguments(["--tty"], NewId(), "sh", "-c", "tty; exit 3"));
        result.ExitCode.Should().Be(3, "{0}", result);
        // One \r of the container's terminal, one of ctr's own.
        result.Stdout.Should().Contain("/dev/pts/0\r\r\n");
    }

    [Test]
    public void One_more_process_runs_in_a_task()
    {
        string id = Detached();
        CommandResult result = Exec(id, ["--cwd", "/tmp"], "sh", "-c", "pwd; echo err >&2; exit 7");
        result.ShouldFail(7, "err").Stdout.Should().Be("/tmp\n");
        Ctr.RunInTerminal(["task", "exec", .. Pipes, "--exec-id", "two", "--tty", id, "sh", "-c", "tty; exit 3"]).Stdout.Should()
            .Contain("/dev/pts/0\r\r\n");
        Exec(id, [], "/nope").ShouldFail(1, "OCI runtime exec failed", Ocirun.Binary.Name == "crun" ? "`/nope` not found in $PATH"
            : "stat /nope: no such file or directory");
        Ctr.Run(["task", "exec", .. Pipes, "--exec-id", "four", "--detach", id, "sleep", "777"]).ShouldSucceed();
        Processes(id).Should().HaveCount(2);
        // The shim has the process's pid from the pid file, and kills it by that.
        Ctr.Run("task", "kill", "--exec-id", "four", "--signal", "KILL", id).ShouldSucceed();
        Eventually.True(() => Processes(id).Count() == 1, "the end of the second process");
    }

    [Test]
    public void Attach_takes_over_the_streams()
    {
        string id = WithStreams([], "while read line; do echo got $line; [ $line != end ] || exit 5; done");
        Ctr.RunWithInput("hello\nend\n", "task", "attach", id).ShouldFail(5).Stdout.Should().Be("got hello\ngot end\n");
    }

    [Test]
    public void Attach_takes_over_the_terminal()
    {
        // `ctr` goes when the task ends, whatever it has not copied yet.
        string id = WithStreams(["--tty"], "read line; echo got $line; tty; sleep 1; exit 6");
        CommandResult result = Ctr.RunInTerminalWithInput("hello\n", "task", "attach", id);
        result.ExitCode.Should().Be(6, "{0}", result);
        result.Stdout.Should().ContainAll("got hello", "/dev/pts/0");
    }

    [Test]
    public void Common_options_work_together()
    {
        Directory.CreateDirectory($"{Ctr.Directory}/data");
        File.WriteAllText($"{Ctr.Directory}/data/file", "from the host\n");
        CommandResult result = Run(
            ["--memory-limit", "67108864", "--cpus", "0.5", "--env", "A=b", "--cwd", "/mnt", "--read-only", "--net-host",
                "--mount", $"type=bind,src={Ctr.Directory}/data,dst=/mnt,options=rbind:ro", "--label", "x=y", "--allow-new-privs"],
            "sh", "-c", "pwd; echo $A; cat file; (touch /x) 2>&1");
        result.Stdout.Should().ContainAll("/mnt\nb\nfrom the host\n", "Read-only file system");
    }

    [Test]
    public void Root_file_system_without_an_image()
    {
        string rootfs = $"{Ctr.Directory}/rootfs";
        Busybox.CreateRootfs(rootfs);
        string id = NewId();
        Ctr.Run(["run", "--rm", .. Pipes, .. Runtime, "--cgroup", Cgroup(id), "--rootfs", rootfs, id, "/bin/echo", "hi"])
            .ShouldSucceed().Stdout.Should().Be("hi\n");
        Cleaner.DeleteTree(rootfs);
    }

    private static CommandResult Exec(string id, string[] options, params string[] command) =>
        Ctr.Run(["task", "exec", .. Pipes, "--exec-id", $"exec{TestRun.NextNumber()}", .. options, id, .. command]);

    /// <summary>A shell in the background, whose streams wait for somebody.</summary>
    private static string WithStreams(string[] options, string script)
    {
        string id = NewId();
        Ctr.RunInTerminal(["run", "--detach", .. Pipes, .. Container(id, options, "sh", "-c", script)]).ShouldSucceed();
        return id;
    }
}
