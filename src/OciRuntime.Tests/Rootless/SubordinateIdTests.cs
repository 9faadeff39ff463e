using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rootless;

/// <summary>Id ranges from /etc/subuid and /etc/subgid, through the real newuidmap and newgidmap and through worse ones.</summary>
public sealed class SubordinateIdTests
{
    private OrdinaryUser _user = null!;

    [OneTimeSetUp]
    public void MakeUser() => _user = OrdinaryUser.WithRanges();

    [TearDown]
    public void CheckRuntimeDirectory() => Directory.GetFileSystemEntries(_user.RuntimeDirectory).Should().BeEmpty();

    [OneTimeTearDown]
    public void RemoveUser() => _user.Dispose();

    [Test]
    public void Ranges_are_mapped_and_groups_are_set()
    {
        using TestBundle bundle = Bundle();
        bundle.Mounts[2]!["options"]!.AsArray().Add("gid=5");
        bundle.User(7, 8, 9, 10).Script("id; stat -c %g /dev/pts; exec sleep 100");
        bundle.Process["rlimits"] = new JsonArray(new JsonObject { ["type"] = "RLIMIT_NOFILE", ["soft"] = 64, ["hard"] = 77 });
        using TestContainer container = _user.Container(bundle).Started();
        container.WaitOutput("groups=9,10");
        ProcessView init = container.Init;
        Numbers(init.Proc("uid_map")).Should().Equal(0, _user.Uid, 1, 1, _user.Ranges.Uids, 65535);
        Numbers(init.Proc("gid_map")).Should().Equal(0, _user.Gid, 1, 1, _user.Ranges.Gids, 65535);
        init.Proc("setgroups").Trim().Should().Be("allow");
        Numbers(init.Status("Uid")).Should().AllBeEquivalentTo(_user.Ranges.Uids + 6);
        Numbers(init.Status("Groups")).Should().Equal(_user.Ranges.Gids + 8, _user.Ranges.Gids + 9);
        init.Limit("Max open files").Should().Be(("64", "77"));
        init.MountAt("/dev/pts").SuperOptions.Should().Contain($"gid={_user.Ranges.Gids + 4}");
        // The process is not the user's, but it is in a namespace of his.
        container.Kill("KILL").ShouldSucceed();
        container.WaitExit().Signal.Should().Be(9);
    }

    /// <summary>The user himself has no id in the container: nothing of his is the container's.</summary>
    [Test]
    public void Root_of_the_container_can_be_one_of_the_range()
    {
        using TestBundle bundle = Bundle();
        Map(bundle, "uidMappings", (0, _user.Ranges.Uids, 65536));
        Map(bundle, "gidMappings", (0, _user.Ranges.Gids, 65536));
        using TestContainer container = _user.Container(bundle.Script("id -u; stat -c %u /; touch /etc/x"));
        container.Run().ShouldFail(1, "touch: /etc/x: Read-only").Stdout.Should().Be("0\n65534\n");
    }

    /// <summary>Either map by itself can be one's own id alone, which the runtime writes without help.</summary>
    [Test]
    public void One_map_is_written_directly_and_the_other_by_its_helper()
    {
        using TestBundle bundle = Bundle();
        Map(bundle, "gidMappings", (0, _user.Gid, 1));
        _user.Runtime.Run("explain", "--bundle", bundle.Save().Directory).ShouldSucceed().Stdout.Should()
            .ContainAll("write deny to setgroups", $"/newuidmap PID 0 {_user.Uid} 1 1 {_user.Ranges.Uids} 65535",
            $"write gid_map: 0 {_user.Gid} 1").And.NotContain("newgidmap");
        using TestContainer container = _user.Container(bundle.User(5, 0).Script("id -u; cat /proc/self/setgroups"));
        container.Run().ShouldSucceed().Stdout.Should().Be("5\ndeny\n");
    }

    [TestCase("uidMappings", "newuidmap", "/etc/subuid")]
    [TestCase("gidMappings", "newgidmap", "/etc/subgid")]
    public void Range_of_somebody_else_is_refused(string map, string helper, string file)
    {
        using TestBundle bundle = Bundle();
        (uint id, uint range) = map == "uidMappings" ? (_user.Uid, _user.Ranges.Uids) : (_user.Gid, _user.Ranges.Gids);
        Map(bundle, map, (0, id, 1), (1, range + 1, 65536));
        using TestContainer container = _user.Container(bundle);
        container.Run().ShouldFail(1, $"/linux/{map}: ", helper, $"1 {range + 1} 65536: exit status 1: ", "not allowed",
            $"may map only his ranges in {file}: {range}:65536");
    }

    [Test]
    public void Missing_helper_is_told_before_anything_is_made()
    {
        using TestBundle bundle = Bundle();
        RuntimeBinary runtime = _user.With("PATH=/nonexistent:.");
        runtime.Run("create", "--bundle", bundle.Save().Directory, "x").ShouldFail(
            1, $"/linux/uidMappings: without privilege only the caller's own uid, {_user.Uid}, can be mapped, alone (size 1); anything "
            + $"else takes the program newuidmap, which is not in PATH: install it (Debian: uidmap");
        runtime.Run("explain", "--bundle", bundle.Directory).ShouldFail(1, "newuidmap, which is not in PATH");
    }

    /// <summary>One that hangs is killed with its children, when the user loses patience or when the runtime does.</summary>
    [Test]
    public void Hanging_helper_ends_with_the_runtime_or_after_ten_seconds()
    {
        using TestBundle bundle = Bundle();
        string programs = _user.NewDirectory(bundle);
        File.WriteAllText($"{programs}/newuidmap", $"#!/bin/sh\necho $$ >> {programs}/pids\necho thinking\nsleep 1000\n");
        File.SetUnixFileMode($"{programs}/newuidmap", (UnixFileMode)0b111_101_101);
        using TestContainer patient = _user.Container(bundle, $"PATH={programs}:/usr/sbin:/usr/bin:/sbin:/bin");
        using TestContainer impatient = _user.Container(bundle, $"PATH={programs}:/usr/sbin:/usr/bin:/sbin:/bin");
        using RunningCommand waits = patient.StartRun();
        using RunningCommand stopped = impatient.StartRun();
        Eventually.True(() => File.Exists($"{programs}/pids") && File.ReadAllLines($"{programs}/pids").Length == 2, "both helpers run");
        stopped.Signal(15);
        stopped.Wait().ExitCode.Should().Be(143);
        waits.Wait().ShouldFail(1, $"/linux/uidMappings: {programs}/newuidmap ", ": killed after 10 s");
        File.ReadAllLines($"{programs}/pids").Select(int.Parse).Should().OnlyContain(pid => !ProcessTree.IsAlive(pid));
    }

    private TestBundle Bundle()
    {
        TestBundle bundle = _user.Bundle();
        Map(bundle, "uidMappings", (0, _user.Uid, 1), (1, _user.Ranges.Uids, 65535));
        Map(bundle, "gidMappings", (0, _user.Gid, 1), (1, _user.Ranges.Gids, 65535));
        return bundle;
    }

    private static void Map(TestBundle bundle, string map, params (uint Inside, uint Outside, uint Size)[] lines) =>
        bundle.Linux[map] =
        new JsonArray([
        .. lines.Select(line => new JsonObject { ["containerID"] = line.Inside, ["hostID"] = line.Outside, ["size"] = line.Size })]);

    private static uint[] Numbers(string text) =>
        [.. text.Split((char[])[' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries).Select(uint.Parse)];
}
