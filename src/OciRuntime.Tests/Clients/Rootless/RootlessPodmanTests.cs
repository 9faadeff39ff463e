using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;
using OciRuntime.Tests.Verify;

namespace OciRuntime.Tests.Clients.Rootless;

/// <summary>
/// Debian's Podman as an ordinary user, without systemd and without a cgroup of his own: the runtime is root of Podman's user namespace
/// then, and is told neither a state directory nor a cgroup. What needs cgroups is in <see cref="RootlessSessionTests"/>.
/// </summary>
[Category("Slow")]
[ForeignDaemon]
public sealed class RootlessPodmanTests
{
    private RootlessHost _host = null!;

    private string Range => $"{_host.User.Ranges.Uids}";

    [OneTimeSetUp]
    public void Prepare() => _host = new RootlessHost();

    [TearDown]
    public void RemoveContainers() => _host.RemoveContainers();

    [OneTimeTearDown]
    public void End() => _host.Dispose();

    [TestCase("--cgroups=disabled")]
    [TestCase("--cgroups=enabled")]
    public void Output_exit_code_and_maps(string cgroups)
    {
        if (cgroups.EndsWith("disabled", StringComparison.Ordinal))
            Requires.NotRuntime("runc", "does not know --cgroup-manager, which Podman gives with it");
        CommandResult result = Run(cgroups, "bb", "sh", "-c", "id -u; cat /proc/self/uid_map; echo err >&2; exit 7");
        result.ExitCode.Should().Be(7, "{0}", result);
        result.Stderr.Should().Be("err\n");
        Numbers(result).Should().Equal(["0", "0", $"{_host.User.Uid}", "1", "1", Range, "65536"], "{0}", result);
    }

    [TestCase("/nope", 127, "no such file or directory")]
    [TestCase("nope", 127, "not found in $PATH")]
    [TestCase("/etc/passwd", 126, "permission denied")]
    public void Program_that_cannot_run_is_told_by_exit_code(string program, int exitCode, string message) =>
        Run("bb", program).ShouldFail(exitCode).Stderr.ToLowerInvariant().Should().Contain(message.ToLowerInvariant());

    /// <summary>Podman knows crun's features by its name; of another one it reads the errors from the runtime's stderr.</summary>
    [TestCase("crun")]
    [TestCase("another")]
    public void The_runtimes_name_decides_what_podman_expects(string name)
    {
        string runtime = Path.Combine(_host.User.Directory, "named", name);
        Directory.CreateDirectory(Path.GetDirectoryName(runtime)!);
        File.Copy(_host.Runtime, runtime, overwrite: true);
        CommandResult Named(params string[] args) => _host.Podman(["--runtime", runtime, .. args]);
        Named("run", "--rm", "--network=none", "bb", "sh", "-c", "exit 7").ExitCode.Should().Be(7);
        Named("run", "--rm", "--network=none", "bb", "/nope").ShouldFail(127);
        if (name == "crun" && Ocirun.Binary.Name != "runc")
            Named("run", "--rm", "--network=none", "--cgroups=disabled", "bb", "true").ShouldSucceed();
        Named("run", "--detach", "--name", "n1", "--network=none", "bb", "sleep", "1000").ShouldSucceed();
        Named("exec", "n1", "sh", "-c", "exit 3").ExitCode.Should().Be(3);
        Named("exec", "n1", "/nope").ExitCode.Should().Be(127);
        Named("rm", "--force", "--time", "0", "n1").ShouldSucceed();
    }

    /// <summary>Asked by the user himself, in Podman's user namespace, where the container was made.</summary>
    [Test]
    public void What_is_promised_is_held()
    {
        Requires.OcirunItself();
        _host.Detached("c1", "--network=none", "--user=1000:1000", "--hostname=inside", "--read-only", "--cap-drop=all",
            $"--volume={_host.NewDirectory("data")}:/data:ro", "--tmpfs=/tmp:size=1m", "bb", "sleep", "1000");
        Verified.AllHeld(_host.Podman("unshare", _host.Runtime, "--root", _host.StateDirectory, "verify", "--format", "json",
            _host.Inspect("c1", "{{.Id}}")));
    }

    [Test]
    public void A_life_in_the_background()
    {
        _host.Detached("c1", "--network=none", "--user=1000:1000", "--health-cmd=test -e /dev/null", "--health-interval=disable", "bb",
            "sh", "-c", "trap 'echo got it' HUP; id; while :; do sleep 0.05; done");
        _host.WaitLog("c1", "uid=1000(user) gid=1000(user)");
        ProcessView init = _host.Init("c1");
        init.Status("Uid").Should().StartWith($"{_host.User.Ranges.Uids + 999}\t");
        _host.Podman("exec", "c1", "sh", "-c", "id -u; exit 3").ExitCode.Should().Be(3);
        _host.Podman("exec", "--user=0", "--workdir=/tmp", "--env=A=b", "c1", "sh", "-c", "id -u; pwd; echo $A")
            .ShouldSucceed().Lines.Should().Equal("0", "/tmp", "b");
        _host.Podman(new CommandOptions { Stdin = "in\n" }, "exec", "-i", "c1", "cat").ShouldSucceed().Stdout.Should().Be("in\n");
        _host.PodmanInTerminal("exec", "-it", "c1", "tty").ShouldSucceed().Stdout.Should().Contain("/dev/pts/0");
        _host.Podman("exec", "c1", "/nope").ExitCode.Should().Be(127);
        _host.Podman("top", "c1", "user", "huser", "capbnd").ShouldSucceed().Lines[1].Should()
            .StartWith("user ").And.Contain($"{_host.User.Ranges.Uids + 999}").And.Contain("SETFCAP");
        _host.Podman("healthcheck", "run", "c1").ShouldSucceed();
        _host.Inspect("c1", "{{.State.Health.Status}}").Should().Be("healthy");
        _host.Podman("kill", "--signal=HUP", "c1").ShouldSucceed();
        _host.WaitLog("c1", "got it");
        _host.Podman("stop", "--time", "0", "c1").ShouldSucceed();
        _host.Inspect("c1", "{{.State.Status}} {{.State.ExitCode}}").Should().Be("exited 137");
        ProcessTree.IsAlive(init.Pid).Should().BeFalse();
        _host.Podman("start", "c1").ShouldSucceed();
        _host.Podman("restart", "--time", "0", "c1").ShouldSucceed();
        _host.Init("c1").Pid.Should().NotBe(init.Pid);
        _host.Podman("rm", "--force", "--time", "0", "c1").ShouldSucceed();
    }

    [Test]
    public void Terminal_in_the_foreground()
    {
        CommandResult result = _host.PodmanInTerminal("run", "--rm", "-it", "--network=none", "bb", "sh", "-c", "tty; sleep 0.5; exit 3");
        result.ExitCode.Should().Be(3, "{0}", result);
        result.Stdout.Should().Contain("/dev/pts/0");
    }

    [Test]
    public void Privileges_and_devices()
    {
        CommandResult result = Run(
            "--read-only", "--init", "--cap-drop=all", "--cap-add=net_raw", "--security-opt=no-new-privileges",
            "--security-opt=mask=/etc/group", "--hostname=box",
            "--device=/dev/fuse", "--device=/dev/null:/dev/zilch", "--ulimit=nofile=100:100", "--umask=0027",
            "--sysctl=net.ipv4.ip_forward=1",
            "bb", "sh", "-c",
            "cat /proc/1/comm; grep -E 'CapBnd|NoNewPrivs|Seccomp:' /proc/self/status; wc -c </etc/group; hostname; echo x >/dev/zilch; "
            + "exec 3<>/dev/fuse; ulimit -n; umask; cat /proc/sys/net/ipv4/ip_forward; touch /x 2>&1; echo ok >/tmp/x && cat /tmp/x");
        result.ShouldSucceed().Stdout.Replace("\t", " ").Split('\n', StringSplitOptions.RemoveEmptyEntries).Should().Equal(
            ["podman-init", "CapBnd: 0000000000002000", "NoNewPrivs: 1", "Seccomp: 2", "0", "box", "100", "0027", "1",
            "touch: /x: Read-only file system", "ok"], "{0}", result);
        Run("--security-opt=seccomp=unconfined", "--security-opt=unmask=all", "bb", "sh", "-c",
            "grep Seccomp: /proc/self/status; grep -c ' /proc/' /proc/mounts || true")
            .ShouldSucceed().Stdout.Should().Be("Seccomp:\t0\n0\n");
        Run("--privileged", "bb", "grep", "CapBnd", "/proc/self/status").ShouldSucceed().Stdout.Should().Contain("ffffffffff");
    }

    /// <summary>A tmpfs where the image has nothing is anybody's, as on every machine.</summary>
    [Test]
    public void Mounts_of_each_kind()
    {
        string shared = _host.NewDirectory("shared");
        File.WriteAllText($"{shared}/file", "from the host\n");
        CommandResult result = Run(
            "--user=1000:1000", $"--volume={shared}:/host:ro,z", "--volume=own:/own:U", "--mount=type=volume,src=plain,dst=/plain",
            $"--mount=type=bind,src={shared},dst=/bound,ro,bind-propagation=rslave", "--mount=type=tmpfs,dst=/scratch,tmpfs-size=1m",
            "--tmpfs=/etc/more", "--tmpfs=/root",
            "--mount=type=image,src=bb,dst=/img,rw=true", "--mount=type=devpts,dst=/dev/pts",
            "bb", "sh", "-c",
            "cat /host/file /bound/file; touch /host/x /bound/x 2>&1; touch /own/mine && ls -ln /own | grep -c ' 1000  *1000 '; touch "
            + "/scratch/x /etc/more/x && echo anybody; ls /img/bin/busybox; grep -c -E ' "
            + "/(own|plain|img|scratch|root|bound|host|etc/more) ' /proc/mounts");
        result.ShouldSucceed().Lines.Should().Equal(
            ["from the host", "from the host", "touch: /host/x: Read-only file system", "touch: /bound/x: Read-only file system", "1",
            "anybody", "/img/bin/busybox", "8"], "{0}", result);
        _host.Podman("volume", "rm", "own", "plain").ShouldSucceed();
    }

    [Test]
    public void Tmpfs_over_a_directory_of_the_image_has_its_mode_and_content()
    {
        Requires.NotRuntime("crun", "Debian's gives every such tmpfs mode 1777");
        Run("--user=1000:1000", "--tmpfs=/etc", "bb", "sh", "-c", "grep -c user /etc/passwd; touch /etc/x 2>&1; true")
            .ShouldSucceed().Lines.Should().Equal("1", "touch: /etc/x: Permission denied");
    }

    [Test]
    public void Files_of_keep_id_are_the_users()
    {
        string shared = _host.NewDirectory("kept");
        Run("--userns=keep-id", $"--volume={shared}:/mnt", "bb", "sh", "-c", "id -u; touch /mnt/file").ShouldSucceed().Text.Should()
            .Be($"{_host.User.Uid}");
        Command.Run("stat", "-c", "%u:%g", $"{shared}/file").Text.Should().Be($"{_host.User.Uid}:{_host.User.Gid}");
    }

    [TestCase("--userns=auto:size=1000", "0 1 1000")]
    [TestCase("--userns=nomap", "0 1 65536")]
    [TestCase("--uidmap=0:1:100", "0 1 100")]
    public void User_namespaces_below_podmans(string option, string map) =>
        string.Join(' ', Numbers(Run(option, "bb", "cat", "/proc/self/uid_map").ShouldSucceed())).Should().Be(map);

    [Test]
    public void Secrets_and_descriptors()
    {
        File.WriteAllText($"{_host.Home}/secret", "hush\n");
        _host.Podman("secret", "create", "s1", $"{_host.Home}/secret").ShouldSucceed();
        Run("--secret=s1", "--secret=s1,type=env,target=SECRET", "--secret=s1,target=/x,uid=1000,mode=0400", "bb", "sh", "-c",
            "cat /run/secrets/s1; echo $SECRET; ls -ln /x | grep -c '^-r--------.* 1000 '")
            .ShouldSucceed().Lines.Should().Equal("hush", "hush", "1");
        _host.Podman("secret", "rm", "s1").ShouldSucceed();
        _host.Run(["sh", "-c", "exec podman --storage-driver vfs run --rm --network=none --preserve-fds=1 bb cat /proc/self/fd/3 3<secret"],
            new CommandOptions())
            .ShouldSucceed().Stdout.Should().Be("hush\n");
    }

    [Test]
    public void Readiness_is_passed_on()
    {
        // Root's; the user's monitor writes to it.
        using NotifySocket socket = new();
        File.SetUnixFileMode(socket.Name, (UnixFileMode)0b110_110_110);
        _host.Podman(socket.Options, "run", "--detach", "--name=n1", "--network=none", "--sdnotify=conmon", "bb", "sleep", "1000")
            .ShouldSucceed();
        List<string> messages = [];
        while (!messages.Any(text => text.Contains("READY=1"))) messages.Add(socket.Receive().Text);
        string.Join('\n', messages).Should().Contain("MAINPID=");
    }

    [Test]
    public void Containers_share_namespaces()
    {
        _host.Detached("c1", "--network=none", "--hostname=first", "bb", "sleep", "1001");
        _host.Podman("run", "--rm", "--network=container:c1", "--pid=container:c1", "--uts=container:c1", "--ipc=container:c1", "bb", "sh",
            "-c", "hostname; cat /proc/1/cmdline").ShouldSucceed().Stdout.Should().Be("first\nsleep\01001\0");
        Run("--pid=host", "bb", "sh", "-c", $"cat /proc/{_host.Init("c1").Pid}/cmdline").ShouldSucceed().Stdout.Should()
            .Be("sleep\01001\0");
    }

    [Test]
    public void Pods_share_theirs_and_go_to_kubernetes_and_back()
    {
        _host.Podman("pod", "create", "--name=p1", "--infra-image=bb", "--infra-command=/bin/sleep 1000", "--network=none",
            "--share=net,ipc,uts,pid").ShouldSucceed();
        _host.Detached("c2", "--pod=p1", "bb", "/bin/sleep", "1001");
        _host.Podman("exec", "c2", "sh", "-c", "hostname; cat /proc/1/cmdline").ShouldSucceed().Stdout.Should()
            .Be("p1\n/bin/sleep\01000\0");
        ProcessView infra = _host.Init(_host.Inspect("p1", "{{.InfraContainerID}}")), member = _host.Init("c2");
        foreach (string shared in (string[])["net", "ipc", "uts", "pid"])
            member.NamespaceInode(shared).Should().Be(infra.NamespaceInode(shared));
        member.NamespaceInode("mnt").Should().NotBe(infra.NamespaceInode("mnt"));
        _host.Podman("pod", "top", "p1").ShouldSucceed().Stdout.Should().ContainAll("sleep 1000", "sleep 1001");
        File.WriteAllText($"{_host.Home}/pod.yaml", _host.Podman("generate", "kube", "p1").ShouldSucceed().Stdout);
        _host.Podman("pod", "stop", "--time=0", "p1").ShouldSucceed();
        ProcessTree.IsAlive(member.Pid).Should().BeFalse();
        _host.Podman("pod", "rm", "--force", "p1").ShouldSucceed();

        _host.Podman("play", "kube", "--network=none", $"{_host.Home}/pod.yaml").ShouldSucceed();
        _host.Podman("exec", "p1-c2", "hostname").ShouldSucceed().Text.Should().Be("p1");
        _host.Podman("play", "kube", "--down", $"{_host.Home}/pod.yaml").ShouldSucceed();
        _host.Podman("pod", "ps", "--quiet").ShouldSucceed().Text.Should().BeEmpty();
    }

    [TestCase("overlay", "")]
    [TestCase("overlay", "/usr/bin/fuse-overlayfs")]
    public void Storage_drivers(string driver, string mountProgram)
    {
        string root = _host.NewDirectory($"storage{mountProgram.Length}");
        string[] storage = ["podman", "--root", root, "--storage-driver", driver, .. mountProgram.Length > 0
            ? (string[])["--storage-opt", $"mount_program={mountProgram}"] : []];
        CommandResult Podman(params string[] args) => _host.Run([.. storage, .. args], new CommandOptions());
        Podman("import", "-q", $"{_host.Home}/bb.tar", "bb").ShouldSucceed();
        Podman("run", "--rm", "--network=none", "bb", "/bin/sh", "-c",
            "echo x >/etc/new && cat /etc/new && grep -c '^[^ ]* / .*overlay' /proc/mounts").ShouldSucceed().Lines.Should().Equal("x", "1");
        Podman("rmi", "bb").ShouldSucceed();
    }

    private static string[] Numbers(CommandResult result) =>
        result.Stdout.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private CommandResult Run(params string[] args) => _host.Podman(["run", "--rm", "--network=none", .. args]);
}
