using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;
using OciRuntime.Tests.Verify;

namespace OciRuntime.Tests.Clients.Podman;

/// <summary>What keeps a container in: Podman's options and what the kernel then says.</summary>
public sealed class SecurityTests : PodmanTest
{
    // The user namespace's containers get a pipe as input: of /dev/null crun would give the host's file to their root.
    private static readonly string[] Mapped = ["--interactive", "--userns=auto:size=2000"];

    [Test]
    public void Seccomp_profiles()
    {
        string profile =
            NewFile("""{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":95}]}""");
        Shell("grep Seccomp: /proc/self/status").ShouldSucceed().Text.Should().EndWith("2");
        Shell("--security-opt=seccomp=unconfined", "grep Seccomp: /proc/self/status").ShouldSucceed().Text.Should().EndWith("0");
        Shell($"--security-opt=seccomp={profile}", "mkdir /tmp/x").ShouldFail(1, "Operation not supported");
    }

    [TestCase("", "00000000a80425fb", "00000000a80425fb")]
    [TestCase("--cap-drop=all --cap-add=chown,net_raw", "0000000000002001", "0000000000002001")]
    [TestCase("--cap-add=sys_admin --user=1000", "0000000000200000", "00000000a82425fb")]
    [TestCase("--cap-drop=setuid --security-opt=no-new-privileges --user=1000", "0000000000000000", "00000000a804257b")]
    public void Capabilities(string options, string effective, string bounding)
    {
        string[] words = options.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string status = Shell([.. words, "grep -E 'Cap|NoNew' /proc/self/status"]).ShouldSucceed().Stdout.Replace("\t", " ");
        Field(status, "CapBnd").Should().Be(Convert.ToUInt64(bounding, 16), status);
        Field(status, "CapEff").Should().Be(Convert.ToUInt64(effective, 16), status);
        Field(status, "NoNewPrivs").Should().Be(options.Contains("no-new") ? 1UL : 0);
    }

    private static ulong Field(string status, string name) =>
        Convert.ToUInt64(status.Split('\n').First(line => line.StartsWith(name + ":", StringComparison.Ordinal))[(name.Length + 2)..], 16);

    /// <summary>Limits, mounts, ids and devices of every kind.</summary>
    [TestCase("--read-only --cap-drop=all --cap-add=chown --security-opt=no-new-privileges --user=1000:1000 --memory=64m --pids-limit=50 "
        + "--tmpfs=/tmp:size=1m --shm-size=4m --ulimit=nofile=512:512 --ulimit=nproc=512:512 "
        + "--sysctl=kernel.msgmax=4096 --device=/dev/null:/dev/more")]
    [TestCase("--userns=auto:size=2000 --hostname=inside --group-add=5 --oom-score-adj=900")]
    [TestCase("--privileged")]
    public void What_is_promised_is_held(string options)
    {
        Requires.OcirunItself();
        Detached("c1", [.. options.Split(' '), $"--volume={NewVolume()}:/data:ro", "bb", "sleep", "1000"]);
        Verified.AllHeld($"/run/{Ocirun.Binary.Name}", Inspect("c1", "{{.Id}}"), Podman.NamespacesOf);
    }

    [Test]
    public void Privileged_container_has_everything()
    {
        string[] lines =
            Shell("--privileged",
            "grep CapEff /proc/self/status; grep -c ' /sys sysfs rw' /proc/mounts; grep -c ' /proc/' /proc/mounts; [ -c /dev/kmsg ] && "
            + "echo device").Lines;
        lines[0].Should().EndWith(new ProcessView(Environment.ProcessId).Status("CapBnd"));
        lines[1..].Should().Equal("1", "0", "device");
    }

    [Test]
    public void Masked_and_unmasked_paths()
    {
        const string Mounts =
            "for f in /proc/kcore /proc/keys /proc/sys /sys/firmware /etc/group; do grep -q \" $f \" /proc/mounts && echo $f; done; true";
        Shell(Mounts).ShouldSucceed().Lines.Should().BeEquivalentTo(Present("/proc/kcore", "/proc/keys", "/proc/sys", "/sys/firmware"));
        Shell("--security-opt=mask=/etc/group:/proc/uptime", $"{Mounts}; cat /etc/group /proc/uptime").ShouldSucceed().Lines
            .Should().BeEquivalentTo(Present("/proc/kcore", "/proc/keys", "/proc/sys", "/sys/firmware", "/etc/group"));
        Shell("--security-opt=unmask=/proc/kcore:/sys/firmware", Mounts).ShouldSucceed().Lines.Should()
            .BeEquivalentTo(Present("/proc/keys", "/proc/sys"));
        Shell("--security-opt=unmask=ALL", $"{Mounts}").ShouldSucceed().Lines.Should().BeEmpty();
        Shell("--security-opt=proc-opts=hidepid=2,nosuid", "grep '^proc /proc ' /proc/mounts").ShouldSucceed().Stdout.Should()
            .MatchRegex("nosuid.*hidepid=(2|invisible)");
        Run("--security-opt=label=disable", "--security-opt=apparmor=unconfined", "bb", "true").ShouldSucceed();
    }

    private static string[] Present(params string[] paths) => [.. paths.Where(Path.Exists)];

    /// <summary>
    /// A container's root owns the host's null device, where files are hidden behind that; what is tried here changes nothing.
    /// </summary>
    [Test]
    public void Masks_do_not_let_the_hosts_null_device_be_changed()
    {
        Requires.NotRuntime("runc", "the mask is the container's own null device");
        Shell("chmod 666 /proc/keys; chown 0:0 /proc/keys").ShouldFail(1, "Read-only file system");
    }

    [Test]
    public void Devices()
    {
        Requires.PathExists("/dev/fuse", "fuse");
        CommandResult result = Shell("--device=/dev/null:/dev/x:r", "--device=/dev/zero:/dev/y:rw", "--device=/dev/net",
            "--device-cgroup-rule=c 10:229 rw", """
            stat -c '%n %t:%T' /dev/x /dev/y /dev/net/tun
            mknod /dev/fuse c 10 229; (exec 3<>/dev/fuse) && echo fuse
            mknod /dev/port c 1 4; (exec 3</dev/port) || echo no port
            """);
        result.Lines.Should().Equal(["/dev/x 1:3", "/dev/y 1:5", "/dev/net/tun a:c8", "fuse", "no port"], "{0}", result);
        result.Stderr.Should().Contain("Operation not permitted");
    }

    [Test]
    public void Read_only_container_writes_where_podman_lets_it()
    {
        Shell("--read-only", "touch /x 2>&1; for d in /tmp /run /var/tmp /dev/shm; do echo ok >$d/x && cat $d/x; done")
            .ShouldSucceed().Lines.Should().Equal("touch: /x: Read-only file system", "ok", "ok", "ok", "ok");
        Shell("--read-only", "--read-only-tmpfs=false", "touch /x /tmp/x").ShouldFail(1, "/x: Read-only", "/tmp/x: Read-only");
    }

    [TestCase("--uidmap=0:100000:65536", "0 100000 65536")]
    [TestCase("--userns=auto", "0 2000000 ")]
    [TestCase("--userns=auto:size=2000", "0 2000000 2000")]
    [TestCase("--subuidname=containers --subgidname=containers", "0 2000000 65536")]
    [TestCase("--userns=host", "0 0 4294967295")]
    public void User_namespaces(string options, string map) =>
        string.Join(' ', Shell([.. options.Split(' '), "--interactive", "cat /proc/self/uid_map"])
        .ShouldSucceed().Text.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Should().StartWith(map);

    /// <summary>Volumes of a container with a user namespace: as they are, with their files given to it, and mapped.</summary>
    [Test]
    public void Volumes_in_a_user_namespace()
    {
        string plain = NewVolume(), given = NewVolume();
        Shell([.. Mapped, $"--volume={plain}:/plain", $"--volume={given}:/given:U",
            "stat -c '%u' /plain/file /given/file; echo x >/given/new; cat /plain/file"])
            .ShouldSucceed().Lines.Should().Equal("65534", "0", "from the host");
        Owner($"{given}/new").Should().Be((2000000u, 2000000u));
        Owner($"{plain}/file").Should().Be((0u, 0u));
        Requires.NotRuntime("runc", "1.1 knows no id-mapped mounts");
        Shell([.. Mapped, $"--volume={plain}:/mapped:idmap", $"--mount=type=bind,src={plain},dst=/other,idmap",
            "stat -c '%u' /mapped/file /other/file; echo x >/mapped/new"])
            .ShouldSucceed().Lines.Should().Equal("0", "0");
        Owner($"{plain}/new").Should().Be((0u, 0u));
    }

    [Test]
    public void Id_mapped_volume_with_a_mapping_of_its_own()
    {
        Requires.NotRuntime("runc", "1.1 knows no id-mapped mounts");
        Shell($"--mount=type=bind,src={NewVolume()},dst=/m,idmap=uids=0-1-10;gids=0-2-10", "stat -c '%u %g' /m/file")
            .ShouldSucceed().Text.Should().Be("1 2");
    }
}
