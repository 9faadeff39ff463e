using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Verify;

/// <summary>
/// What somebody had the right to change is not broken, and what cannot be seen from where `verify` runs is not held.
/// </summary>
public sealed class FalseAlarmTests
{
    [SetUp]
    public void SetUp() => Requires.OcirunItself();

    /// <summary>Root owns its /dev. To move what is there takes no right to make devices, and gives none.</summary>
    [Test]
    public void What_root_does_with_its_own_devices_is_a_drift()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        string zero = container.Init.InRoot("/dev/zero"), linked = container.Init.InRoot("/dev/linked");
        Command.Run("ln", zero, linked).ShouldSucceed();
        Verified.One(Verify(container), "/linux/devices").Should().Be(("broken", "/dev/linked is the character device 1:5"));
        container.Start().ShouldSucceed();
        Verified.One(Verify(container), "/linux/devices").Should().Be(("drifted", "/dev/linked is the character device 1:5"));
        container.Exec("sh", "-ec", """
            cd /dev
            rm linked null random
            touch null
            ln zero random
            mv full moved
            """).ShouldSucceed();
        CommandResult report = Verify(container);
        report.ExitCode.Should().Be(0, "{0}", report);
        (string Promise, string Found)[] drifts = [.. Verified.About(report, "devices")
            .Where(static one => (string?)one["outcome"] == "drifted")
            .Select(static one => ((string)one["promise"]!, (string)one["found"]!))];
        drifts.Should().BeEquivalentTo(
        [
            ("/dev/null, the character device", "it is no device"), ("/dev/random, the character device", "it is the character device 1:5"),
            ("/dev/full, the character device", "it is not there"), ("no other devices in /dev", "/dev/moved is the character device 1:7"),
        ]);
        container.Exec("sh", "-ec", "rm /dev/moved; mknod /dev/whiteout c 0 0").ShouldSucceed();
        Verified.One(Verify(container), "/linux/devices").Should().Be(("drifted", "/dev/whiteout is the character device 0:0"));
    }

    /// <summary>The host unmounts what was bound: the container still has it, and nothing on the host tells that it was there.</summary>
    [TestCase("-t tmpfs none")]
    [TestCase("--bind /etc")]
    public void A_source_that_was_unmounted_is_not_broken(string mounted)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        string source = Directory.CreateDirectory(Path.Combine(bundle.Directory, "volume")).FullName;
        bundle.AddMount("/data", "bind", source, "rbind");
        using RunningCommand holder = Command.Start(Requires.Tool("unshare"), "--mount", "--propagation", "private", "sh", "-ec",
            $"mount {mounted} {source}; echo ready; exec sleep 1000");
        Eventually.True(() => holder.Stdout == "ready\n", "the volume is mounted");
        string[] enter = [Requires.Tool("nsenter"), $"--mount=/proc/{holder.Pid}/ns/mnt"];
        using TestContainer container = new(bundle, Ocirun.Binary with { Launcher = enter });
        container.Create().ShouldSucceed();
        Verified.AllHeld(Verify(container));
        Command.Run(enter[0], enter[1], "umount", source).ShouldSucceed();
        // Of what the host has, another part than was promised.
        if (mounted.StartsWith("--bind", StringComparison.Ordinal))
            Verified.One(Verify(container), "/mounts/7").Outcome.Should().Be("broken");
        container.Start().ShouldSucceed();
        CommandResult report = Verify(container);
        report.ExitCode.Should().Be(0, "{0}", report);
        (string outcome, string found) = Verified.One(report, "/mounts/7");
        outcome.Should().Be("unchecked");
        found.Should().EndWith($", and something else is at {source} now, as seen from here");
    }

    /// <summary>An engine may have a mount namespace of its own, whose directories have numbers that are not the host's.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public void A_directory_of_a_mount_namespace_that_nobody_knows_is_not_held(bool ofAnother)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new TestContainer(bundle).Started();
        string[] opens = ["sh", "-c", $"exec 9</; exec nsenter --target {container.InitPid} --mount sleep 1000"];
        if (ofAnother) opens = ["unshare", "--mount", "--propagation", "private", .. opens];
        using RunningCommand stranger = Command.Start(Requires.Tool(opens[0]), opens[1..]);
        Eventually.True(() => new ProcessView(stranger.Pid).CommandLine[0] == "sleep", "it is inside");
        JsonNode journal = JsonNode.Parse(File.ReadAllText($"{container.StateRoot}/{container.Id}/state.json"))!;
        foreach (JsonNode? directory in journal["cgroupDirectories"]!.AsArray())
            File.WriteAllText($"{directory}/cgroup.procs", $"{stranger.Pid}");
        JsonNode finding = Verified.About(Verify(container), "descriptors").Single(one => (int?)one["pid"] == stranger.Pid);
        ((string?)finding["outcome"], (string?)finding["found"]).Should().Be(ofAnother
            ? ("unchecked", "descriptor 9 is on a mount that neither the container nor the host has, as seen from here")
            : ("broken", "descriptor 9 is a directory of the host"));
    }

    /// <summary>It has descriptors of its own, also while the first process waits for its start.</summary>
    [Test]
    public void A_program_in_a_created_container_may_open_files()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        container.StartExec([], "sh", "-c", "exec 5</; sleep 1000 & wait");
        Eventually.True(() => (int)Verify(container).Json["processes"]! == 3, "three processes");
        Verified.About(Verify(container), "descriptors").Should().OnlyContain(static one => (string?)one["outcome"] == "held");
    }

    /// <summary>Mounts go with the directories that they are on, and each mount is compared with each source then.</summary>
    [Test]
    public void The_hosts_mount_table_is_read_once()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        foreach (string name in (string[])["one", "two", "three"]) bundle.AddMount($"/dev/shm/a/{name}", "bind", bundle.Directory, "bind");
        using TestContainer container = new TestContainer(bundle).Started();
        container.Exec("mv", "/dev/shm/a", "/dev/shm/b").ShouldSucceed();
        Verified.One(Verify(container), "/mounts/7").Should().Be(("drifted", "it is at /dev/shm/b/one"));
        string log = Faults.Strace.Record([Ocirun.Binary.Path, "--root", container.StateRoot, "verify", container.Id], "openat");
        log.Split('\n').Count(static line => line.Contains("mountinfo\"", StringComparison.Ordinal)).Should().BeInRange(2, 6);
    }

    private static CommandResult Verify(TestContainer container) => container.Invoke("verify", "--format", "json");
}
