using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Podman;

/// <summary>`podman run`: what goes in, what comes back, and what the program finds.</summary>
[ThisMachinesEngines]
public sealed class RunTests : PodmanTest
{
    [Test]
    public void Output_input_and_exit_code()
    {
        CommandResult result = Shell("echo out; echo err >&2; exit 7");
        result.ExitCode.Should().Be(7, "{0}", result);
        result.Stdout.Should().Be("out\n");
        result.Stderr.Should().Be("err\n");
        Podman.RunWithInput("in\n", Line("run --rm", "-i", "bb", "cat")).ShouldSucceed().Stdout.Should().Be("in\n");
    }

    /// <summary>Podman finds 126 and 127 in the runtime's message.</summary>
    [TestCase("/nope", 127)]
    [TestCase("nope", 127)]
    [TestCase("/etc/passwd", 126)]
    [TestCase("/bin", 126)]
    public void Program_that_cannot_run_is_told_by_exit_code(string program, int exitCode)
    {
        if (program == "/bin") Requires.NotRuntime("crun", "1.8 says nothing of a directory");
        Run(program).ShouldFail(exitCode);
    }

    /// <summary>A failing runtime must not sound like a missing program.</summary>
    [Test]
    public void Limit_that_the_kernel_refuses_is_not_a_missing_program()
    {
        Requires.V1Controller("blkio");
        Requires.NotRuntime("crun", "its message has the errno of the file it tries last");
        string? disk = Directory.GetDirectories("/sys/block")
            .Where(path => File.Exists($"/dev/{Path.GetFileName(path)}") && File.Exists($"{path}/queue/scheduler")
            && !File.ReadAllText($"{path}/queue/scheduler").Contains("[bfq]")).Select(Path.GetFileName).FirstOrDefault();
        Requires.PathExists($"/dev/{disk ?? "disk"}", "a disk without the BFQ scheduler");
        Run($"--blkio-weight-device=/dev/{disk}:300", "bb", "true").ShouldFail(126);
    }

    [Test]
    public void Terminal()
    {
        CommandResult result = Podman.RunInTerminal(Line("run --rm", "-it", "bb", "sh", "-c", "tty; sleep 0.3; exit 3"));
        result.ExitCode.Should().Be(3, "{0}", result);
        result.Stdout.Should().Contain("/dev/pts/0");
    }

    [Test]
    public void Descriptors_and_the_callers_own_streams()
    {
        using OutputFile file = OutputFile.Containing("third\n"u8.ToArray());
        Podman.Run(new CommandOptions { ExtraFds = [file.Fd] }, Line("run --rm", "--preserve-fds=1", "bb", "sh", "-c", "cat <&3"))
            .ShouldSucceed().Text.Should().Be("third");
        using OutputFile output = new("passthrough");
        Podman.Run(new CommandOptions { StdoutFd = output.Fd },
            Line("run --rm", "--log-driver=passthrough", "bb", "readlink", "/proc/self/fd/1")).ShouldSucceed();
        output.Text.Should().NotContain("pipe:", "the file itself is the container's standard output");
    }

    [Test]
    public void Common_options_work_together()
    {
        CommandResult result = Shell(
            "--user=1000:1000", "--group-add=44,55", "--workdir=/mnt", "--hostname=box", "--env=A=b", "--cap-drop=all", "--cap-add=net_raw",
            "--security-opt=no-new-privileges",
            "--sysctl=net.ipv4.ip_forward=1", "--sysctl=kernel.msgmax=65000", $"--volume={NewVolume()}:/mnt:ro",
            "--device=/dev/null:/dev/zilch", "--shm-size=1m", "--ulimit=nofile=100:200",
            "--ulimit=nproc=100:100", "--umask=0027", "--tz=Etc/GMT+5", "--oom-score-adj=300", """
            id; pwd; hostname; echo $A; cat file /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax /proc/self/oom_score_adj; umask; ulimit -n; ulimit -Hn; date +%Z
            grep -E 'CapBnd|NoNewPrivs' /proc/self/status; ls /dev/zilch; touch x 2>&1 || true
            """);
        string text = result.ShouldSucceed().Stdout.Replace("\t", " ");
        text.Should()
            .StartWith("uid=1000(user) gid=1000(user) groups=44,55,1000(user)\n/mnt\nbox\nb\nfrom the "
            + "host\n1\n65000\n300\n0027\n100\n200\n-05\n");
        text.Should().ContainAll("CapBnd: 0000000000002000", "NoNewPrivs: 1", "/dev/zilch\n", "Read-only file system");
    }

    [Test]
    public void Init_reaps_and_passes_signals_on()
    {
        Shell("--init", "cat /proc/1/cmdline").ShouldSucceed().Stdout.Should().StartWith("/run/podman-init\0");
        Detached("i1", "--init", $"--init-path={Requires.Tool("tini-static")}", "bb", "sh", "-c",
            "trap 'exit 4' TERM; (sleep 0.1 &); echo ready; while :; do sleep 0.05; done");
        WaitLog("i1", "ready");
        Eventually.True(() => Do("top", "i1", "state").Lines.All(static line => !line.StartsWith('Z')), "the orphan is reaped");
        Do("stop", "--time=9", "i1");
        Inspect("i1", "{{.State.ExitCode}}").Should().Be("4");
    }

    [Test]
    public void Secrets()
    {
        Do("secret", "create", "s1", NewFile("secret\n"));
        Shell("--secret=s1", "--secret=s1,type=env,target=SECRET", "--secret=s1,target=/x/y,mode=0440,uid=5",
            "cat /run/secrets/s1; echo $SECRET; stat -c '%a %u' /x/y")
            .ShouldSucceed().Lines.Should().Equal("secret", "secret", "440 5");
        Do("secret", "rm", "s1");
    }

    [Test]
    public void Hooks_of_the_engine()
    {
        string hooks = Directory.CreateDirectory(NewPath()).FullName, output = $"{hooks}/state";
        void Hook(string stage, string script) => File.WriteAllText($"{hooks}/hook.json",
            $$"""{"version":"1.0.0","hook":{"path":"/bin/sh","args":["sh","-c","{{script}}"]},"when":{"always":true},"stages":["{{stage}}"]}""");
        Hook("prestart", $"cat >{output}");
        Podman.Run(["--hooks-dir", hooks, .. Line("run --rm", "true")]).ShouldSucceed();
        File.ReadAllText(output).Should().Contain("\"pid\":").And.Contain("\"bundle\":");
        Hook("createContainer", "exit 3");
        Podman.Run(["--hooks-dir", hooks, .. Line("run --rm", "true")]).ShouldFail(126);
    }

    [Test]
    public void Container_says_when_it_is_ready()
    {
        using NotifySocket socket = new();
        Podman.Run(socket.Options, Line("run --detach --name n1", "--sdnotify=conmon", "bb", "sleep", "1000")).ShouldSucceed();
        socket.Receive().Text.Should().Contain("READY=1").And.Contain("MAINPID=");
        Podman.Run(socket.Options,
            Line("run --detach --name n2", "--sdnotify=container", "bb", "sh", "-c",
            "echo -n READY=1 | nc -u -w 1 local:$NOTIFY_SOCKET; sleep 1000")).ShouldSucceed();
        socket.Receive().Text.Should().StartWith("MAINPID=");
        Podman.Run(socket.Options,
            Line("run --detach --name n3", "--sdnotify=ignore", "bb", "sh", "-c", "echo ${NOTIFY_SOCKET-none}; sleep 1000"))
            .ShouldSucceed();
        socket.IsQuiet.Should().BeTrue();
        WaitLog("n3", "none");
    }
}
