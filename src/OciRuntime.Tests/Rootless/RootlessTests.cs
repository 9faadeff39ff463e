using System.Text.Json.Nodes;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rootless;

/// <summary>`ocirun spec --rootless` and all that follows from it, for a user without id ranges, cgroups or a session.</summary>
public sealed class RootlessTests
{
    private OrdinaryUser _user = null!;

    [OneTimeSetUp]
    public void MakeUser() => _user = OrdinaryUser.WithoutRanges();

    [TearDown]
    public void CheckRuntimeDirectory() => Directory.GetFileSystemEntries(_user.RuntimeDirectory).Should().BeEmpty();

    [OneTimeTearDown]
    public void RemoveUser() => _user.Dispose();

    /// <summary>docs/rootless.md, literally: an image by hand, `spec --rootless`, and a shell on the user's terminal.</summary>
    [Test]
    public void Specification_runs_out_of_the_box_on_a_terminal()
    {
        _user.Script("""
            mkdir -p box/rootfs/bin
            cp /bin/busybox box/rootfs/bin/
            for applet in sh cat id ls tty; do ln -s busybox box/rootfs/bin/$applet; done
            cd box && ../ocirun spec --rootless
            """).ShouldSucceed();
        using Pty pty = new();
        // No $XDG_RUNTIME_DIR either, as after su.
        string fallback = $"/tmp/ocirun-{_user.Uid}";
        try
        {
            using RunningCommand run = _user.WithoutRuntimeDirectory.Start(["run", "--bundle", $"{_user.Directory}/box", "box"],
                pty.Options with { NewSession = true });
            pty.Master.ReadUntil("# ");
            File.GetUnixFileMode(fallback).Should().Be(UnixFileMode.StickyBit | (UnixFileMode)0b111_000_000);
            pty.Master.Write("id -u; tty; cat /proc/self/uid_map; exit 5\n");
            run.Wait().ExitCode.Should().Be(5, pty.Master.ReadToEnd(TimeSpan.FromSeconds(1)));
            pty.Master.ReadToEnd(TimeSpan.FromSeconds(1)).Should()
                .Contain("\r\n0\r\n/dev/pts/0\r\n").And.MatchRegex($@"0\s+{_user.Uid}\s+1\r\n");
            Directory.GetFileSystemEntries(fallback).Should().BeEmpty();
        }
        finally
        {
            Cleaner.DeleteTree(fallback);
            Cleaner.DeleteTree($"{_user.Directory}/box");
        }
    }

    /// <summary>One container with all that needs no privilege, each effect as the kernel shows it from outside.</summary>
    [Test]
    public void What_needs_no_privilege_works()
    {
        using TestBundle bundle = _user.Bundle();
        string shared = _user.NewDirectory(bundle);
        string unreadable = $"{shared}/roots";
        File.WriteAllText(unreadable, "secret");
        File.SetUnixFileMode(unreadable, UnixFileMode.UserRead);
        bundle.AddMount("/shared", null, shared, "bind").AddMount("/ro", null, shared, "bind", "ro")
            .AddMount("/hostname", null, "/etc/hostname", "rbind", "ro", "nosuid", "nodev");
        bundle.AddMount("/big", "tmpfs", "tmpfs", "size=1m", "uid=0", "mode=700").AddNamespace("network").AddNamespace("time")
            .Capabilities("CAP_NET_BIND_SERVICE");
        bundle.Linux["sysctl"] = new JsonObject { ["net.ipv4.ip_forward"] = "1", ["kernel.shmmni"] = "99" };
        bundle.Linux["timeOffsets"] = new JsonObject { ["boottime"] = new JsonObject { ["secs"] = 1000000 } };
        bundle.Linux["devices"] = new JsonArray(new JsonObject { ["path"] = "/dev/pipe", ["type"] = "p" });
        bundle.Linux["seccomp"] =
            JsonNode.Parse("""{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["sync"],"action":"SCMP_ACT_ERRNO"}]}""");
        bundle.Process["noNewPrivileges"] = false;
        bundle.Process["oomScoreAdj"] = 321;
        bundle.Process["rlimits"] = new JsonArray(new JsonObject { ["type"] = "RLIMIT_NOFILE", ["soft"] = 64, ["hard"] = 77 });
        bundle.Config["hostname"] = "mine";
        bundle.Script("""
            echo written > /shared/own; cat /shared/roots /sys/fs/cgroup/x; touch /ro/x /proc/sys/kernel/shmmni /x; hostname; cat /hostname; cut -d. -f1 /proc/uptime
            cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni; wc -c < /proc/keys; stat -c '%A %u' /dev/pipe /dev/null /big; echo ready; sleep 100
            """);
        using TestContainer container = _user.Container(bundle).Started();
        container.WaitOutput("ready");
        ProcessView init = container.Init;
        init.Proc("uid_map").Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Should().Equal("0", $"{_user.Uid}", "1");
        init.Proc("setgroups").Trim().Should().Be("deny");
        init.Status("Uid").Should().Be($"{_user.Uid}\t{_user.Uid}\t{_user.Uid}\t{_user.Uid}");
        init.Status("CapEff").Should().Be("0000000000000400");
        init.Status("CapBnd").Should().Be("0000000000000400");
        init.Status("Seccomp").Should().Be("2");
        init.Limit("Max open files").Should().Be(("64", "77"));
        init.Proc("oom_score_adj").Trim().Should().Be("321");
        init.MountAt("/ro").Options.Should().Contain("ro");
        init.MountAt("/big").SuperOptions.Should().Contain("size=1024k");
        init.MountAt("/sys/fs/cgroup").Options.Should().Contain("ro", "CVE-2023-25809");
        init.MountAt("/dev/null").Type.Should().Be("devtmpfs");
        File.ReadAllText($"{shared}/own").Should().Be("written\n");
        string[] lines = container.Output.Split('\n');
        lines[0].Should().Be("mine");
        lines[1].Should().Be(File.ReadAllText("/etc/hostname").Trim());
        int.Parse(lines[2]).Should().BeGreaterThan(1000000);
        // /proc/keys is masked.
        lines[^8..].Should().Equal("1", "99", "0", "prw-rw-rw- 0", "crw-rw-rw- 65534", "drwx------ 0", "ready", "");
        container.ErrorOutput.Should()
            .ContainAll("/shared/roots': Permission denied", "/ro/x: Read-only", "/x: Read-only", "/proc/sys/kernel/shmmni: Read-only");
    }

    [Test]
    public void Life_from_create_to_delete()
    {
        using TestBundle bundle = _user.Bundle();
        string log = _user.NewDirectory(bundle);
        string[] kinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
        bundle.AddMount("/log", null, log, "bind");
        foreach (string kind in kinds)
            bundle.AddHook(kind, "/bin/sh", "-c", $"echo {kind} $(id -u) >> {(kind == "startContainer" ? "/log" : log)}/hooks");
        using ConsoleSocket socket = new();
        File.SetUnixFileMode(socket.SocketPath, (UnixFileMode)0b111_111_111);
        using TestContainer container =
            _user.Container(bundle.Terminal().Script("stty size; trap 'exit 3' USR1; echo up; while :; do sleep 0.02; done"));
        container.Create("--console-socket", socket.SocketPath).ShouldSucceed();
        using PtyMaster terminal = socket.Receive();
        container.Status.Should().Be("created");
        container.Start().ShouldSucceed();
        terminal.ReadUntil("up");
        container.Call("list", "--format", "json").ShouldSucceed().Json.AsArray().Single()!["owner"]!.GetValue<string>().Should()
            .BeOneOf($"#{_user.Uid}", $"{_user.Uid}");
        container.Status.Should().Be("running");
        container.InitPid.Should().BePositive();
        container.Kill("USR1").ShouldSucceed();
        container.WaitExit().Code.Should().Be(3);
        container.Status.Should().Be("stopped");
        container.Delete().ShouldSucceed();
        // Outside he is himself, in his namespace root.
        File.ReadAllLines($"{log}/hooks").Should()
            .Equal(kinds.Select(kind => $"{kind} {(kind is "createContainer" or "startContainer" ? 0 : _user.Uid)}"));
    }

    /// <summary>Without privilege groups could not be given up there; with none asked for that is no failure.</summary>
    [Test]
    public void User_namespace_of_another_container_is_joined()
    {
        using TestBundle bundle = _user.Bundle();
        using TestContainer first = _user.Container(bundle.Script("sleep 100")).Started();
        using TestBundle other = _user.Bundle();
        other.AddNamespace("user", $"/proc/{first.InitPid}/ns/user").Script("id -u; cat /proc/self/setgroups; readlink /proc/self/ns/user");
        other.Linux.Remove("uidMappings");
        other.Linux.Remove("gidMappings");
        using TestContainer second = _user.Container(other);
        second.Run().ShouldSucceed().Lines.Should().Equal("0", "deny", $"user:[{first.NamespaceInode("user")}]");
        other.User(0, 0, 0);
        using TestContainer third = _user.Container(other);
        third.Run().ShouldFail(1,
            "/process/user/additionalGids: become uid 0, gid 0, groups 0: setgroups: operation not permitted (EPERM): the user namespace "
            + "may deny it (/proc/self/setgroups)");
    }

    /// <summary>On v1 the places of the cgroups that could not be made stay empty; standard input was once taken for one of them.</summary>
    [Test]
    public void Standard_input_and_preserved_descriptors_arrive()
    {
        using OutputFile third = OutputFile.Containing("third\n"u8.ToArray());
        using TestBundle bundle = _user.Bundle();
        using TestContainer container = _user.Container(bundle.Script("cat; cat <&3"));
        container.Options = new() { Stdin = "hello\n", ExtraFds = [third.Fd] };
        container.Run("--preserve-fds", "1").ShouldSucceed().Stdout.Should().Be("hello\nthird\n");
    }

    [Test]
    public void Readiness_is_reported()
    {
        using NotifySocket manager = new();
        File.SetUnixFileMode(manager.Name, (UnixFileMode)0b111_111_111);
        using TestBundle bundle = _user.Bundle();
        Directory.CreateDirectory(bundle.InRootfs("run/notify"));
        using TestContainer container = _user.Container(bundle.RunProbe("notify", "READY=1", "sleep"), $"NOTIFY_SOCKET={manager.Name}");
        using RunningCommand run = container.StartRun("--detach");
        manager.Receive().Text.Should().Be("READY=1\n");
        manager.Receive().Text.Should().Be($"MAINPID={container.InitPid}\n");
        _ = Syscall.close(manager.Receive().Fd);
        run.Wait().ShouldSucceed();
    }

    /// <summary>The one way to limits: somebody with the right hands a cgroup over, with the user's processes in it.</summary>
    [Test]
    public void Delegated_cgroup_takes_limits()
    {
        Requires.V1Controller("pids");
        string path = $"{TestRun.Token}/{TestRun.NextNumber()}";
        string[] directories = [.. CgroupHost.Mounts.Select(mount => $"{mount.MountPoint}/{path}")];
        try
        {
            Array.ForEach(directories, Delegate);
            using TestBundle bundle = _user.Bundle();
            bundle.Linux["cgroupsPath"] = $"/{path}/box";
            bundle.Resources["pids"] = new JsonObject { ["limit"] = 33 };
            string enter =
                $"for directory in {string.Join(' ', directories)}; do echo $$ > $directory/cgroup.procs; done; exec \"$0\" \"$@\"";
            RuntimeBinary runtime = _user.Runtime with { Launcher = ["sh", "-ec", enter, .. _user.Runtime.Launcher] };
            using (TestContainer container = new TestContainer(bundle.Script("sleep 100"), runtime, _user.NewDirectory(bundle)).Started())
            {
                container.ReadCgroup("pids", "pids.max").Should().Be("33");
                container.Init.Cgroups.Select(entry => entry.Path).Should().AllBe($"/{path}/box");
            }
        }
        finally
        {
            Array.ForEach(directories, directory =>
                Eventually.Becomes(() => !Directory.Exists($"{directory}/box"), TimeSpan.FromSeconds(2)));
            Array.ForEach(directories, Directory.Delete);
        }
    }

    private void Delegate(string directory)
    {
        Directory.CreateDirectory(directory);
        // A new cpuset is empty and takes no process.
        foreach (string file in (string[])["cpuset.cpus", "cpuset.mems"])
        {
            string parent = Path.GetDirectoryName(directory)!, root = Path.GetDirectoryName(parent)!;
            if (!File.Exists($"{directory}/{file}")) continue;
            File.WriteAllText($"{parent}/{file}", File.ReadAllText($"{root}/{file}"));
            File.WriteAllText($"{directory}/{file}", File.ReadAllText($"{root}/{file}"));
        }
        Command.Run("chown", "-R", $"{_user.Uid}", directory).ShouldSucceed();
    }

    /// <summary>Where anybody can write, anybody may have been first.</summary>
    [Test]
    public void State_directory_of_somebody_else_is_refused()
    {
        string fallback = $"/tmp/ocirun-{_user.Uid}";
        try
        {
            Directory.CreateDirectory(fallback);
            _user.WithoutRuntimeDirectory.Run("list")
                .ShouldFail(1,
                $"state directory {fallback} is not uid {_user.Uid}'s alone (owner 0, mode 0755): remove it, or name another with --root");
            _user.WithoutRuntimeDirectory.Run("state", "x").ShouldFail(1, "owner 0");
            _user.Own(fallback);
            File.SetUnixFileMode(fallback, (UnixFileMode)0b111_111_111);
            _user.WithoutRuntimeDirectory.Run("delete", "x").ShouldFail(1, "mode 0777");
            Directory.Delete(fallback);
            File.CreateSymbolicLink(fallback, _user.RuntimeDirectory);
            _user.WithoutRuntimeDirectory.Run("kill", "x").ShouldFail(1, "not a directory (ENOTDIR)");
        }
        finally
        {
            Command.Run("rm", "-rf", fallback);
        }
    }

    [Test]
    public void Explain_shows_the_maps()
    {
        using TestBundle bundle = _user.Bundle();
        _user.Runtime.Run("explain", "--bundle", bundle.Save().Directory).ShouldSucceed().Stdout.Should()
            .ContainAll("runtime: write deny to setgroups", $"runtime: write uid_map: 0 {_user.Uid} 1",
            $"runtime: write gid_map: 0 {_user.Gid} 1");
    }
}
