using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Verify;

/// <summary>What a mount is promised beside its attributes: parameters of its file system, ids, propagation.</summary>
public sealed class MountPromiseTests
{
    private static readonly string[] MapKinds = ["uidMappings", "gidMappings"];

    [SetUp]
    public void SetUp() => Requires.OcirunItself();

    /// <summary>From outside, by whoever has all rights in the container's mount namespace.</summary>
    [TestCase("/mounts/0", "mount -o remount,hidepid=0 /proc", "it has no hidepid, not hidepid=2")]
    [TestCase("/mounts/2", "mount -o remount,ptmxmode=0777 /dev/pts", "it has ptmxmode=777, not ptmxmode=0666")]
    [TestCase("/mounts/2", "mount -o remount,gid=6 /dev/pts", "it has gid=6, not gid=5")]
    [TestCase("/mounts/3", "mount -o remount,size=128m /dev/shm", "it has size=131072k, not size=65536k")]
    [TestCase("/mounts/3", "mount -o remount,nr_inodes=2000 /dev/shm", "it has nr_inodes=2000, not nr_inodes=1000")]
    [TestCase("/mounts/3", "umount /dev/shm; mount -t tmpfs -o nosuid,noexec,nodev,size=64m,nr_inodes=10,mode=777 shm /dev/shm",
        "it has mode=777, not mode=1777")]
    public void A_parameter_that_is_changed_is_named(string pointer, string command, string found)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.Mounts[0]!["options"] = TestBundle.Strings("nosuid", "noexec", "nodev", "hidepid=2");
        bundle.Mounts[3]!["options"]!.AsArray().Add("nr_inodes=1000");
        using TestContainer container = new TestContainer(bundle).Started();
        Verified.AllHeld(Report(container));
        InMountNamespace(container, command);
        Verified.One(Report(container), pointer).Should().Be(("broken", found));
    }

    /// <summary>A user namespace's group 5 is another one to the kernel, which shows the latter.</summary>
    [Test]
    public void Ids_in_parameters_are_the_containers()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup().WithUserNamespace();
        bundle.Mounts[3]!["options"] = TestBundle.Strings("nosuid", "noexec", "nodev", "mode=0700", "uid=7", "gid=8", "size=1m");
        using TestContainer container = new TestContainer(bundle).Started();
        Verified.Worst(container, "/mounts/2").Should().Be("held");
        Verified.Worst(container, "/mounts/3").Should().Be("held");
        Verified.Promise(container, new JsonObject { ["mounts"] = Changed(bundle, 3, "uid=9") }.ToJsonString());
        Verified.One(Report(container), "/mounts/3").Should().Be(("broken", "it has uid=100007, not uid=9"));
    }

    [TestCase("private")]
    [TestCase("unbindable")]
    public void Propagation_is_compared_as_the_kernel_shows_it(string word)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.Linux["rootfsPropagation"] = word;
        bundle.AddMount("/data", "bind", bundle.Directory, "bind", word);
        using TestContainer container = new TestContainer(bundle).Started();
        Verified.AllHeld(Report(container));
        if (word == "unbindable")
        {
            InMountNamespace(container, "mount --make-private /; mount --make-private /data");
            Verified.One(Report(container), "/linux/rootfsPropagation").Should().Be(("broken", "it can be bound"));
            Verified.One(Report(container), "/mounts/7").Should().Be(("broken", "it can be bound"));
        }
        // What is bound elsewhere is a peer, and the master of what becomes a slave.
        InMountNamespace(container, "mount --make-shared /; mount --make-shared /data; mount --bind / /tmp; mount --bind /data /home");
        Verified.One(Report(container), "/linux/rootfsPropagation").Should().Be(("broken", "it is shared"));
        InMountNamespace(container, "mount --make-slave /; mount --make-slave /data");
        (string, string) slave = ("broken", "it is a slave: what is mounted on its master is on it, too");
        Verified.One(Report(container), "/linux/rootfsPropagation").Should().Be(slave);
        Verified.One(Report(container), "/mounts/7").Should().Be(slave);
    }

    /// <summary>It was promised of all that is below the source, too.</summary>
    [Test]
    public void Propagation_below_a_mount_is_compared()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        string source = Directory.CreateDirectory(Path.Combine(bundle.Directory, "volume")).FullName;
        Directory.CreateDirectory(Path.Combine(source, "sub"));
        bundle.AddMount("/data", "bind", source, "rbind", "rprivate");
        using RunningCommand holder = Command.Start(Requires.Tool("unshare"), "--mount", "--propagation", "private", "sh", "-ec",
            $"mount -t tmpfs none {source}/sub; echo ready; exec sleep 1000");
        Eventually.True(() => holder.Stdout == "ready\n", "the volume is mounted");
        using TestContainer container = new(bundle,
            Ocirun.Binary with { Launcher = [Requires.Tool("nsenter"), $"--mount=/proc/{holder.Pid}/ns/mnt"] });
        container.Create().ShouldSucceed();
        container.Start().ShouldSucceed();
        Verified.Worst(container, "/mounts/7").Should().Be("held");
        InMountNamespace(container, "mount --make-shared /data/sub");
        Verified.One(Report(container), "/mounts/7").Should().Be(("drifted", "/data/sub below it: it is shared"));
    }

    [Test]
    public void The_ids_of_a_mount_are_compared([Values] bool ofContainer)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        if (ofContainer) bundle.WithUserNamespace();
        string source = Directory.CreateDirectory(Path.Combine(bundle.Directory, "volume")).FullName;
        foreach (string place in (string[])["/data", "/plain"]) Directory.CreateDirectory(bundle.InRootfs(place));
        bundle.AddMount("/data", "bind", source, "bind", "idmap").AddMount("/plain", "bind", source, "bind");
        if (!ofContainer) Map(bundle.Mounts[7]!, size: 10);
        using TestContainer container = new TestContainer(bundle).Started();
        string shown = Verified.Worst(container, "/mounts/7");
        shown.Should().Be(new Version(Environment.OSVersion.Version.Major, Environment.OSVersion.Version.Minor) >= new Version(6, 15)
            ? "held" : "unchecked");
        JsonArray mounts = bundle.Mounts.DeepClone().AsArray();
        Map(mounts[7]!, size: 11);
        Map(mounts[8]!, size: 10);
        Verified.Promise(container, new JsonObject { ["mounts"] = mounts }.ToJsonString());
        Verified.One(Report(container), "/mounts/8").Should().Be(("broken", "it is not id-mapped"));
        (string outcome, string found) = Verified.One(Report(container), "/mounts/7");
        outcome.Should().Be(shown == "held" ? "broken" : "unchecked");
        if (shown == "held") found.Should().Be(ofContainer ? "its uid map is 0 100000 65536" : "its uid map is 0 1000 10");
    }

    private static void Map(JsonNode mount, int size)
    {
        foreach (string kind in MapKinds)
            mount[kind] = new JsonArray(new JsonObject { ["containerID"] = 0, ["hostID"] = 1000, ["size"] = size });
    }

    private static JsonArray Changed(TestBundle bundle, int index, string option)
    {
        JsonArray mounts = bundle.Mounts.DeepClone().AsArray();
        mounts[index]!["options"]!.AsArray().Add(option);
        return mounts;
    }

    private static CommandResult Report(TestContainer container) => container.Invoke("verify", "--format", "json");

    private static void InMountNamespace(TestContainer container, string command) => Command.Run(
        Requires.Tool("nsenter"), "-t", container.InitPid.ToString(), "--mount", "--pid", "--root", "/bin/sh", "-ec", command)
        .ShouldSucceed();
}
