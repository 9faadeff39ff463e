using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Podman;

/// <summary>`--mount`, `--volume` and `--tmpfs` with what may be said of each.</summary>
public sealed class MountTests : PodmanTest
{
    /// <summary>What the container's mount table has of one point: the options, and how it propagates.</summary>
    private static string Table(string point) =>
        $"grep ' {point} ' /proc/self/mountinfo | while read a b c d e options tag rest; do echo $options $tag; done";

    [TestCase("--volume={0}:/m:ro", "ro,relatime -")]
    [TestCase("--volume={0}:/m:z,ro,nosuid,nodev,noexec", "ro,nosuid,nodev,noexec,relatime -")]
    [TestCase("--volume={0}:/m:rshared", "rw,relatime shared:")]
    [TestCase("--volume={0}:/m:bind,slave", "rw,relatime -")]
    [TestCase("--mount=type=bind,src={0},dst=/m,ro", "ro,relatime -")]
    [TestCase("--mount=type=bind,src={0},dst=/m,bind-propagation=rshared,bind-nonrecursive", "rw,relatime shared:")]
    [TestCase("--mount=type=bind,src={0},dst=/m,relabel=private,consistency=cached", "rw,relatime -")]
    public void Bind_mounts(string option, string expected)
    {
        string[] lines = Shell(string.Format(option, NewVolume()), $"cat /m/file; {Table("/m")}; touch /m/new 2>&1 && ls /m/new").Lines;
        lines[0].Should().Be("from the host");
        lines[1].Should().StartWith(expected);
        lines[2].Should().Be(expected.StartsWith("ro", StringComparison.Ordinal) ? "touch: /m/new: Read-only file system" : "/m/new");
    }

    [Test]
    public void Overlay_of_a_directory_is_not_written_through()
    {
        string volume = NewVolume();
        Shell($"--volume={volume}:/m:O", "echo new >/m/file; cat /m/file").ShouldSucceed().Text.Should().Be("new");
        File.ReadAllText($"{volume}/file").Should().Be("from the host\n");
    }

    [Test]
    public void Tmpfs_options()
    {
        CommandResult result = Shell(
            "--tmpfs=/a:size=1m,mode=700,noexec", "--mount=type=tmpfs,dst=/b,tmpfs-size=2m,tmpfs-mode=0711,ro", "--tmpfs=/etc",
            "--mount=type=tmpfs,dst=/bin/empty,notmpcopyup",
            "grep ' /a ' /proc/mounts; grep ' /b ' /proc/mounts; stat -c %a /a /b; grep -c user /etc/passwd; echo more >>/etc/passwd && "
            + "grep -c more /etc/passwd; ls /bin/empty");
        string[] lines = result.ShouldSucceed().Lines;
        lines[0].Should().StartWith("tmpfs /a tmpfs rw,nosuid,nodev,noexec,relatime,size=1024k,mode=700");
        lines[1].Should().StartWith("tmpfs /b tmpfs ro,nosuid,nodev,relatime,size=2048k,mode=711");
        lines[2..].Should().Equal("700", "711", "1", "1");
    }

    [Test]
    public void Other_types()
    {
        Shell("--mount=type=image,src=bb,dst=/i,rw=true", "--mount=type=image,src=bb,dst=/j",
            "ls /i/bin/busybox && touch /i/x && echo written; touch /j/x 2>&1").ShouldFail(1).Lines
            .Should().Equal("/i/bin/busybox", "written", "touch: /j/x: Read-only file system");
        Shell("--mount=type=devpts,dst=/p,uid=1000,gid=1000,mode=600,max=10", "grep ' /p ' /proc/mounts; ls /p").ShouldSucceed().Stdout
            .Should().MatchRegex("^devpts /p devpts .*uid=1000,gid=1000,mode=600,.*max=10 .*\nptmx\n$");
        Shell("--shm-size=1m", "grep -o ' /dev/shm .*' /proc/mounts").ShouldSucceed().Stdout.Should().Contain("size=1024k");
    }

    [Test]
    public void Named_volumes()
    {
        Shell("--volume=v1:/etc", "--volume=v2:/m:nocopy,noexec", $"grep -c user /etc/passwd; touch /etc/mine; {Table("/m")}")
            .ShouldSucceed().Lines.Should().StartWith("1");
        Shell("--volume=v1:/etc", "--volume=v2:/m:copy", "ls /etc/mine").ShouldSucceed().Text.Should().Be("/etc/mine");
        Shell("--mount=type=volume,src=v1,dst=/m,ro=true", "cat /m/passwd >/dev/null && touch /m/x").ShouldFail(1, "Read-only file system");
        Do("volume", "rm", "v1", "v2");
    }

    /// <summary>A mount that the host makes in a shared volume appears in the container, and the other way round.</summary>
    [Test]
    public void Mounts_propagate_into_a_live_container()
    {
        string volume = NewVolume();
        Directory.CreateDirectory($"{volume}/below");
        string[] host = ["nsenter", $"--target={Podman.NamespacesOf}", "--mount"];
        Command.Run(host[0], [.. host[1..], "sh", "-c", $"mount --bind {volume} {volume} && mount --make-shared {volume}"], new())
            .ShouldSucceed();
        Detached("m1", $"--volume={volume}:/m:rslave", "bb", "sleep", "1000");
        Command.Run(host[0], [.. host[1..], "mount", "-t", "tmpfs", "late", $"{volume}/below"], new()).ShouldSucceed();
        Do("exec", "m1", "grep", "-c", "late /m/below", "/proc/mounts").Text.Should().Be("1");
        Do("rm", "--force", "--time=0", "m1");
        Command.Run(host[0], [.. host[1..], "sh", "-c", $"umount {volume}/below {volume}"], new()).ShouldSucceed();
    }

    [Test]
    public void Root_file_system_of_the_host_with_an_overlay()
    {
        string root = NewPath();
        Busybox.CreateRootfs(root);
        string[] line = [.. Line("run --rm", "--rootfs", $"{root}:O", "bb").SkipLast(1), "sh", "-c", "touch /made && ls /made"];
        Podman.Run(line).ShouldSucceed().Text.Should().Be("/made");
        File.Exists($"{root}/made").Should().BeFalse();
    }
}
