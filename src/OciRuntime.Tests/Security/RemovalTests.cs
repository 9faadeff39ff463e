using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// `mounts remove` in a container that leads its paths elsewhere: what hides a path or makes it read-only stays, wherever the container has
/// moved the directories above it.
/// </summary>
public sealed class RemovalTests
{
    private const string Refusal = "it leads to what hides or protects a path of the container, or has that on it";
    private TestBundle _bundle = null!;
    private string _source = null!;

    [SetUp]
    public void Begin()
    {
        Requires.OcirunItself();
        _bundle = new TestBundle().Writable().WriteFile("/etc/keep/secret", "secret\n").WriteFile("/etc/keep/fixed", "")
            .WriteFile("/etc/keep/dir/secret", "secret\n");
        _bundle.Linux["maskedPaths"]!.AsArray().Add("/etc/keep/secret");
        _bundle.Linux["maskedPaths"]!.AsArray().Add("/etc/keep/dir");
        _bundle.Linux["readonlyPaths"]!.AsArray().Add("/etc/keep/fixed");
        _source = Directory.CreateDirectory(Path.Combine(_bundle.Directory, "source/keep")).Parent!.FullName;
    }

    [TearDown]
    public void End() => _bundle.Dispose();

    /// <summary>The directory above is renamed, and what the operator knows as his volume is a link to it.</summary>
    [TestCase("secret")]
    [TestCase("dir")]
    [TestCase("fixed")]
    public void The_directory_above_is_renamed_and_linked_to(string name)
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(container, LiveMount.Of("/vol/data", "bind", _source, "bind")).ShouldSucceed();
        container.Exec("sh", "-c", $"mv /etc/keep /etc/moved; mv /vol /gone; ln -s /etc/moved /vol; ln -s {name} /etc/moved/data")
            .ShouldSucceed();
        ShouldStay(container, "/vol/data", "/etc/moved/" + name);
        container.Exec("sh", "-c", $"rm /vol; mv /etc/moved /vol; ln -s /vol /etc/moved").ShouldSucceed();
        ShouldStay(container, "/vol/data", "/vol/" + name, "/etc/moved/data");
        container.Exec("cat", "/vol/secret", "/vol/dir/secret").Stdout.Should().BeEmpty();
        LiveMount.Remove(container, LiveMount.At("/gone/data")).ShouldSucceed();
    }

    /// <summary>A directory above is swapped all the time: each removal takes the volume or nothing.</summary>
    [Test]
    public void The_directories_are_swapped_all_the_time()
    {
        using TestContainer container =
            new TestContainer(
            _bundle.Script(
            "mkdir -p /vol/secret; ln /etc/keep/fixed /etc/keep/x; echo ready; while :; do mv -T /vol /c; mv -T /etc/keep /vol; mv -T "
            + "/vol /etc/keep; mv -T /c /vol; done")).Started();
        container.WaitOutput("ready");
        int[] before = Ids(container);
        for (int i = 0; i < 40; i++)
        {
            LiveMount.Add(container, LiveMount.Of("/vol/secret", "tmpfs", null));
            LiveMount.Remove(container, LiveMount.At("/vol/secret"));
        }
        Ids(container).Should().Contain(before);
    }

    /// <summary>Not under its own name, but with the volume that it is on.</summary>
    [Test]
    public void What_has_such_a_mount_on_it_stays_too()
    {
        File.WriteAllText(Path.Combine(_source, "keep/hidden"), "hidden\n");
        _bundle.AddMount("/config", "bind", _source, "bind").AddMount("/config/keep", "bind", Path.Combine(_source, "keep"), "bind");
        _bundle.Linux["maskedPaths"]!.AsArray().Add("/config/keep/hidden");
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(container, LiveMount.Of("/vol", "bind", _source, "bind")).ShouldSucceed();
        container.Exec("sh", "-c", "mkdir /links; ln -s /config /links/a; ln -s /config/keep /links/b; ln -s /proc /links/c")
            .ShouldSucceed();
        ShouldStay(container, "/links/a", "/links/b", "/links/c", "/config", "/config/keep");
        LiveMount.Remove(container, LiveMount.At("/vol")).ShouldSucceed();
    }

    /// <summary>What is mounted in /proc is not for a link to take away, masked or not.</summary>
    [Test]
    public void What_is_mounted_in_proc()
    {
        File.WriteAllText(Path.Combine(_source, "uptime"), "1 1\n");
        _bundle.Linux["maskedPaths"] = new JsonArray();
        _bundle.Linux["readonlyPaths"] = new JsonArray();
        _bundle.AddMount("/proc/uptime", "bind", Path.Combine(_source, "uptime"), "bind");
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Exec("sh", "-c", "ln -s /proc/uptime /a; ln -s /proc /b").ShouldSucceed();
        ShouldStay(container, "/a", "/b");
        LiveMount.Remove(container, LiveMount.At("/proc/uptime")).ShouldSucceed();
        LiveMount.Remove(container, LiveMount.At("/proc")).ShouldSucceed();
    }

    /// <summary>A container of an earlier version, or a restored one: nobody knows which mounts are its masks.</summary>
    [Test]
    public void Nothing_is_removed_where_the_masks_are_not_known()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(container, LiveMount.Of("/vol", "bind", _source, "bind")).ShouldSucceed();
        string journal = Path.Combine(container.StateRoot, container.Id, "state.json");
        JsonObject state = JsonNode.Parse(File.ReadAllText(journal))!.AsObject();
        int[] noted = [.. state["protectiveMounts"]!.AsArray().Select(static id => (int)id!)];
        container.Init.Mounts.Where(mount => noted.Contains(mount.Id)).Select(static mount => mount.MountPoint).Should()
            .Contain(["/etc/keep/secret", "/etc/keep/dir", "/etc/keep/fixed"]).And.HaveCount(noted.Length);
        state.Remove("protectiveMounts");
        File.WriteAllText(journal, state.ToJsonString());
        LiveMount.Remove(container, LiveMount.At("/vol")).ShouldFail(1, "none can be removed");
        container.Init.MountAt("/vol");
    }

    private static void ShouldStay(TestContainer container, params string[] paths)
    {
        int[] before = Ids(container);
        foreach (string path in paths) LiveMount.Remove(container, LiveMount.At(path)).ShouldFail(1, Refusal);
        Ids(container).Should().Equal(before);
    }

    private static int[] Ids(TestContainer container) => [.. container.Init.Mounts.Select(static mount => mount.Id)];
}
