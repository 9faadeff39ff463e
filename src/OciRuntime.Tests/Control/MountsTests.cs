using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Rootless;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>
/// `mounts add` and `mounts remove` on containers that are there: what the kernel's mount table of the first process says then.
/// </summary>
[LeavesNothing]
public sealed class MountsTests
{
    private TestBundle _bundle = null!;
    private SourceTree _tree = null!;

    private string Source => _tree.Directory;

    [SetUp]
    public void Begin()
    {
        Requires.OcirunItself();
        _bundle = new TestBundle().Writable();
        _tree = new SourceTree(_bundle);
    }

    [TearDown]
    public void End()
    {
        _tree.Dispose();
        _bundle.Dispose();
    }

    [Test]
    public void A_directory_a_file_and_a_tmpfs_come_and_go()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        int[] before = Ids(container);
        JsonObject[] mounts =
        [
            LiveMount.Of("/data/deep", "bind", Source, "rbind", "ro"), LiveMount.Of("/etc/one", null, $"{Source}/file", "bind"),
            LiveMount.Of("/scratch", "tmpfs", "tmpfs", "size=4k", "mode=1750", "uid=7", "noexec"),
        ];
        LiveMount.Add(container, mounts).ShouldSucceed().Stderr.Should().BeEmpty();
        container.Init.MountAt("/data/deep").Options.Should().BeEquivalentTo("ro", "relatime");
        container.Init.MountAt("/data/deep/sub").Options.Should().BeEquivalentTo("rw", "nosuid", "relatime");
        container.Init.MountAt("/scratch").Options.Should().Contain("noexec");
        container.Init.MountAt("/scratch").SuperOptions.Should().Contain("size=4k").And.Contain("uid=7");
        container.Exec("sh", "-c", "cat /data/deep/file /etc/one; stat -c %a:%u /scratch; echo more >>/etc/one")
            .ShouldSucceed().Stdout.Should().Be("content\ncontent\n1750:7\n");
        File.ReadAllText($"{Source}/file").Should().Be("content\nmore\n");
        container.Proc("mountinfo").Should()
            .NotContain(container.Bundle.Directory + "/rootfs/data", "they are mounts of the container, not of the host");
        MountInfo.Of().Should().NotContain(mount => mount.MountPoint.StartsWith(_bundle.Rootfs, StringComparison.Ordinal));

        LiveMount.Remove(container, mounts).ShouldSucceed();
        Ids(container).Should().Equal(before);
        Directory.Exists(_bundle.InRootfs("/data/deep")).Should().BeTrue("mount points stay, as runtimes leave them");
    }

    [Test]
    public void A_file_of_mounts_is_read_too_and_relative_sources_are_below_the_bundle()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        string file = Path.Combine(_bundle.Directory, "mounts.json");
        File.WriteAllText(file, LiveMount.Json(LiveMount.Of("/data", null, "source", "bind")));
        container.Call("mounts", "add", container.Id, file).ShouldSucceed();
        container.Exec("cat", "/data/file").ShouldSucceed().Stdout.Should().Be("content\n");
        container.Call("mounts", "remove", container.Id, file).ShouldSucceed();
        container.Exec("ls", "/data").ShouldSucceed().Stdout.Should().BeEmpty();
        container.Call(["mounts", "add", container.Id, "-"], new CommandOptions { Stdin = "[]" }).ShouldSucceed();
    }

    [TestCase("rro", "ro", "ro")]
    [TestCase("rnosuid,rnodev,rnoexec", "nosuid,nodev,noexec", "nosuid,nodev,noexec")]
    [TestCase("noatime,nodiratime,nosymfollow", "noatime,nodiratime,nosymfollow", "relatime")]
    public void Attributes_of_a_bind_and_of_its_tree(string words, string top, string below)
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(container, LiveMount.Of("/data", "bind", Source, ["rbind", .. words.Split(',')])).ShouldSucceed();
        container.Init.MountAt("/data").Options.Should().Contain(top.Split(','));
        container.Init.MountAt("/data/sub").Options.Should().Contain(below.Split(','));
        MountInfo.Of().Single(mount => mount.MountPoint == $"{Source}/sub").Options.Should().BeEquivalentTo("rw", "nosuid", "relatime");
    }

    [TestCase("rshared", "shared")]
    [TestCase("private", "private")]
    [TestCase("unbindable", "unbindable")]
    public void Propagation(string word, string type)
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(container, LiveMount.Of("/data", "bind", Source, "rbind", word), LiveMount.Of("/scratch", "tmpfs", null, word))
            .ShouldSucceed();
        container.Init.MountAt("/data").PropagationType.Split(',').Should().Contain(type);
        container.Init.MountAt("/scratch").PropagationType.Split(',').Should().Contain(type);
    }

    /// <summary>The host's tree is shared on most machines: a bind of it must not be its peer.</summary>
    [Test]
    public void What_the_container_mounts_in_a_shared_source_does_not_reach_the_host()
    {
        Command.Run("mount", "--make-shared", $"{Source}/sub").ShouldSucceed();
        _bundle.Capabilities("CAP_SYS_ADMIN");
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(container, LiveMount.Of("/data", "bind", $"{Source}/sub", "bind")).ShouldSucceed();
        container.Exec("sh", "-c", "mkdir /data/m && mount -t tmpfs none /data/m").ShouldSucceed();
        MountInfo.Of().Should().NotContain(mount => mount.MountPoint == $"{Source}/sub/m");
        container.Init.MountAt("/data").PropagationType.Should().Be("slave");
    }

    [Test]
    public void An_id_mapped_bind()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(container, LiveMount.Of("/data", "bind", Source, "bind", "idmap=uids=0-1000-1;gids=0-2000-1")).ShouldSucceed();
        container.Exec("stat", "-c", "%u:%g", "/data/file").ShouldSucceed().Text.Should().Be("1000:2000");
    }

    /// <summary>As at create: without mode= a tmpfs looks like what it covers. A read-only one has to be writable until then.</summary>
    [Test]
    public void A_tmpfs_takes_the_mode_of_what_it_covers()
    {
        Directory.CreateDirectory(_bundle.InRootfs("/mode"), (UnixFileMode)0b111_101_000 | UnixFileMode.SetGroup);
        File.SetUnixFileMode(_bundle.InRootfs("/mode"), (UnixFileMode)0b111_101_000);
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(container, LiveMount.Of("/mode", "tmpfs", null, "ro")).ShouldSucceed();
        container.Init.MountAt("/mode").Options.Should().Contain("ro");
        container.Exec("stat", "-c", "%a", "/mode").ShouldSucceed().Text.Should().Be("750");
    }

    [Test]
    public void In_a_user_namespace_they_belong_to_it()
    {
        LiveMount.Own(_bundle.WithUserNamespace());
        string hidden = Path.Combine(_bundle.Directory, "hidden");
        Directory.CreateDirectory($"{hidden}/volume");
        File.WriteAllText($"{hidden}/volume/file", "hidden\n");
        File.SetUnixFileMode(hidden, (UnixFileMode)0b111_000_000);
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(
            container, LiveMount.Of("/scratch", "tmpfs", null, "size=64k"), LiveMount.Of("/data", "bind", Source, "rbind", "ro"),
            LiveMount.Of("/volume", "bind", $"{hidden}/volume", "bind"),
            LiveMount.Of("/mapped", "bind", Source, "rbind", "idmap=uids=0-100005-1;gids=0-100006-1")).ShouldSucceed();
        container.Init.MountAt("/data").Options.Should().Contain("ro");
        container.Exec("stat", "-c", "%u:%g", "/scratch", "/mapped/file").ShouldSucceed().Lines.Should().Equal("0:0", "5:6");
        container.Exec("cat", "/volume/file").ShouldSucceed().Stdout.Should().Be("hidden\n");
        container.Exec("sh", "-c", "touch /scratch/x").ShouldSucceed();
        LiveMount.Add(container, LiveMount.Of("/suid", "bind", $"{Source}/sub", "bind", "suid"))
            .ShouldFail(1, "/0: bind", "the mount is nosuid on the host, which is locked");
        LiveMount.Remove(container, LiveMount.At("/scratch"), LiveMount.At("/mapped"), LiveMount.At("/data"), LiveMount.At("/volume"))
            .ShouldSucceed();
        container.Init.Mounts.Should()
            .NotContain(mount => mount.MountPoint == "/scratch" || mount.MountPoint.StartsWith("/data", StringComparison.Ordinal));
    }

    /// <summary>Until it executes, the init of a created container is the host's user namespace's, as far as looking at it goes.</summary>
    [Test]
    public void Created_and_paused_containers_take_mounts_stopped_ones_do_not([Values] bool userNamespace)
    {
        if (userNamespace) LiveMount.Own(_bundle.WithUserNamespace());
        using TestContainer container = new(_bundle.WithCgroup().Args("sleep", "1000"));
        container.Create().ShouldSucceed();
        LiveMount.Add(container, LiveMount.Of("/first", "bind", Source, "bind")).ShouldSucceed();
        container.Start().ShouldSucceed();
        container.Invoke("pause").ShouldSucceed();
        LiveMount.Add(container, LiveMount.Of("/second", "bind", Source, "bind")).ShouldSucceed();
        container.Init.MountAt("/first");
        container.Init.MountAt("/second");
        LiveMount.Remove(container, LiveMount.At("/second")).ShouldSucceed();
        container.Invoke("resume").ShouldSucceed();
        container.Kill("KILL").ShouldSucceed();
        container.WaitStatus("stopped");
        LiveMount.Add(container, LiveMount.Of("/third", "bind", Source, "bind")).ShouldFail(1, "container not running");
        LiveMount.Remove(container, LiveMount.At("/first")).ShouldFail(1, "container not running");
        container.Call(["mounts", "add", "no-such", "-"], new CommandOptions { Stdin = "[]" }).ShouldFail(1, "container does not exist");
    }

    [TestCase("source")]
    [TestCase("destination")]
    [TestCase("option")]
    public void When_one_fails_the_others_are_taken_away_again(string failure)
    {
        using TestContainer container = Observe.Sleeping(_bundle.WriteFile("/plain", ""));
        int[] before = Ids(container);
        (JsonObject bad, string message) = failure switch
        {
            "source" => (LiveMount.Of("/c", "bind", "/no/such/source", "bind"),
                "/2: bind /no/such/source on /c: source: no such file or directory (ENOENT)"),
            "destination" => (LiveMount.Of("/plain/c", "bind", Source, "bind"), "/2: attach "),
            _ => (LiveMount.Of("/c", "tmpfs", null, "size=much"), "Bad value for 'size'"),
        };
        LiveMount.Add(container, LiveMount.Of("/a", "bind", Source, "rbind"), LiveMount.Of("/b", null, $"{Source}/file", "bind"), bad,
            LiveMount.Of("/d", "tmpfs", null)).ShouldFail(1, message);
        Ids(container).Should().Equal(before);
        container.Exec("ls", "/proc/1/fd").ShouldSucceed();
    }

    [Test]
    public void A_read_only_root_needs_the_mount_point()
    {
        using TestBundle bundle = new();
        Directory.CreateDirectory(bundle.InRootfs("/there"));
        using TestContainer container = Observe.Sleeping(bundle);
        LiveMount.Add(container, LiveMount.Of("/missing", "bind", Source, "bind"))
            .ShouldFail(1, "/0: attach ",
            "to /missing: destination: read-only file system (EROFS): it does not exist, and where it would have to be made is read-only");
        LiveMount.Add(container, LiveMount.Of("/there", "bind", Source, "bind")).ShouldSucceed();
        container.Exec("cat", "/there/file").ShouldSucceed().Stdout.Should().Be("content\n");
    }

    [Test]
    public void Removal_takes_the_topmost_in_the_reverse_order_and_all_or_none()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        int[] before = Ids(container);
        LiveMount.Add(container, LiveMount.Of("/a", "tmpfs", null), LiveMount.Of("/a/b", "tmpfs", null)).ShouldSucceed();
        LiveMount.Add(container, LiveMount.Of("/a", "bind", Source, "bind")).ShouldSucceed();
        LiveMount.Remove(container, LiveMount.At("/a"), LiveMount.At("/bin"))
            .ShouldFail(1, "/1: look for a mount on /bin: nothing is mounted there");
        container.Init.Mounts.Count(mount => mount.MountPoint == "/a").Should().Be(2);
        LiveMount.Remove(container, LiveMount.At("/a")).ShouldSucceed();
        container.Init.Mounts.Count(mount => mount.MountPoint == "/a").Should().Be(1);
        LiveMount.Remove(container, LiveMount.At("/a"), LiveMount.At("/a/b")).ShouldSucceed();
        Ids(container).Should().Equal(before);
        LiveMount.Remove(container, LiveMount.At("/nowhere"))
            .ShouldFail(1, "/0: look for a mount on /nowhere: destination: no such file or directory (ENOENT)");
    }

    [Test]
    public void What_lies_one_on_the_other_is_removed_as_often_as_it_is_listed()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        int[] before = Ids(container);
        LiveMount.Add(container, LiveMount.Of("/a", "tmpfs", null)).ShouldSucceed();
        LiveMount.Add(container, LiveMount.Of("/a", "tmpfs", null)).ShouldSucceed();
        LiveMount.Remove(container, LiveMount.At("/a"), LiveMount.At("/a")).ShouldSucceed();
        Ids(container).Should().Equal(before);
    }

    /// <summary>The container can have taken it away since it was looked for (EINVAL); what it left there is not what was meant.</summary>
    [Test]
    public void Nothing_else_is_removed_instead_of_what_is_gone()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(container, LiveMount.Of("/a", "tmpfs", null)).ShouldSucceed();
        string file = Path.Combine(_bundle.Directory, "one.json");
        File.WriteAllText(file, """[ { "destination": "/a" } ]""");
        const string EINVAL = "22";
        string[] command = [Ocirun.Binary.Path, "--root", container.StateRoot, "mounts", "remove", container.Id, file];
        Meddler.Run(command, "state.json", EINVAL, new CallPoint(1, CallPoint.NumberOf("umount2"), 1)).Result
            .ShouldFail(1, "/0: detach what is mounted on /a: detach: invalid argument (EINVAL): it is gone by now, or came with");
        container.Init.Mounts.Select(static mount => mount.MountPoint).Should().Contain("/a");
    }

    /// <summary>What was detached cannot be brought back as it was; so whoever asked is told what is gone.</summary>
    [Test]
    public void Removal_that_fails_half_way_says_what_is_gone()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        LiveMount.Add(container, LiveMount.Of("/a", "tmpfs", null), LiveMount.Of("/b", "tmpfs", null)).ShouldSucceed();
        string file = Path.Combine(_bundle.Directory, "two.json");
        File.WriteAllText(file, """[ { "destination": "/a" }, { "destination": "/b" } ]""");
        const string EBUSY = "16";
        string[] command = [Ocirun.Binary.Path, "--root", container.StateRoot, "mounts", "remove", container.Id, file];
        Meddler.Run(command, "state.json", EBUSY, new CallPoint(1, CallPoint.NumberOf("umount2"), 2)).Result
            .ShouldFail(1, "/0: detach what is mounted on /a: detach: device or resource busy (EBUSY); detached by then: /b");
        container.Init.Mounts.Select(static mount => mount.MountPoint).Should().Contain("/a").And.NotContain("/b");
        LiveMount.Remove(container, LiveMount.At("/a")).ShouldSucceed();
    }

    [TestCase("{}", "must be an array")]
    [TestCase("null", "must be an array")]
    [TestCase("[{\"destination\":7}]", "/0/destination: 7")]
    [TestCase("[{\"destination\":\"/a\",\"type\":\"tmpfs\"},{\"type\":\"tmpfs\"}]", "/1/destination: is required")]
    [TestCase("[{\"destination\":\"/\",\"type\":\"tmpfs\"}]", "/0/destination: \"/\" must not be the root directory")]
    [TestCase("[{\"destination\":\"/a\",\"options\":[\"bind\"]}]", "/0/source: is required for a bind mount")]
    [TestCase("[{\"destination\":\"/a\"}]", "/0 /a: needs a type")]
    [TestCase("[{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"ro\",\"nodev\",\"remount\"]}]",
        "/0/options/2: \"remount\" is not possible")]
    [TestCase("[{\"destination\":\"/a\",\"type\":\"tmpfs\",\"options\":[\"tmpcopyup\"]}]", "/0/options/0: \"tmpcopyup\" is not possible")]
    [TestCase("[{\"destination\":\"/a\",\"source\":\"/b\",\"options\":[\"bind\",\"copy-symlink\"]}]",
        "/0/options/1: \"copy-symlink\" is not possible")]
    [TestCase("[{\"destination\":\"/a\",\"type\":\"sysfs\"}]", "/0/type: \"sysfs\" is not possible")]
    [TestCase("[{\"destination\":\"/proc\",\"type\":\"proc\"}]", "/0/type: \"proc\" is not possible")]
    [TestCase("[{\"destination\":\"/proc/sys\",\"type\":\"tmpfs\"}]", "/0 /proc/sys: is inside /proc")]
    [TestCase("[{\"destination\":\"/a\",\"type\":\"nofs\"}]", "/0: mount nofs on /a: file system type: no such device (ENODEV)")]
    [TestCase("[{\"destination\":\"/a\",\"source\":\"/b\",\"options\":[\"bind\",\"size=1\"]}]",
        "bind mounts cannot have any filesystem-specific options applied: size")]
    [TestCase("[{\"destination\":\"/a\",\"source\":\"/bin\",\"options\":[\"bind\",\"idmap\"]}]",
        "option \"idmap\": needs uidMappings and gidMappings")]
    [TestCase("[", "is not valid JSON: it ends in the middle")]
    [TestCase("", "-: is empty")]
    public void Mistakes_are_told(string json, string message)
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        int[] before = Ids(container);
        container.Call(["mounts", "add", container.Id, "-"], new CommandOptions { Stdin = json }).ShouldFail(1, InLog(message));
        Ids(container).Should().Equal(before);
    }

    [Test]
    public void Command_line_mistakes()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Call("mounts", "move", container.Id, "x").ShouldFail(1, "unknown action \"move\": expected add or remove");
        container.Call("mounts", "add", container.Id).ShouldFail(1, "mounts");
        container.Call("mounts", "add", container.Id, "/no/such/file").ShouldFail(1, "read /no/such/file: no such file or directory");
    }

    /// <summary>
    /// Signals are blocked in this program from its first moment on, for the launch code; whoever waits for input must be stoppable all the
    /// same.
    /// </summary>
    [Test]
    public void It_can_be_interrupted_while_it_waits_for_its_input()
    {
        using TestContainer container = Observe.Sleeping(_bundle);
        using Pty pty = new();
        using RunningCommand add = Ocirun.Binary.Start(["--root", container.StateRoot, "mounts", "add", container.Id, "-"],
            new CommandOptions { StdinFd = pty.Slave });
        // Before the program is sealed, and runs from a file of another name, no signal is blocked either.
        Eventually.True(() => new FileInfo($"/proc/{add.Pid}/exe").LinkTarget != Ocirun.Binary.Path
            && new ProcessView(add.Pid).Status("SigBlk").EndsWith("0000", StringComparison.Ordinal), "signals unblocked");
        add.Signal(2);
        add.Wait().ExitCode.Should().Be(130);
    }

    [Test]
    public void A_container_without_a_mount_namespace()
    {
        using TestBundle bundle = new();
        bundle.RemoveNamespace("mount");
        bundle.Mounts.Clear();
        foreach (string section in (string[])["maskedPaths", "readonlyPaths"]) bundle.Linux.Remove(section);
        bundle.Config["root"]!["readonly"] = false;
        using TestContainer container = Observe.Sleeping(bundle);
        LiveMount.Add(container, LiveMount.Of("/a", "tmpfs", null)).ShouldFail(1, "the container has no mount namespace of its own");
        MountInfo.Of().Should().NotContain(mount => mount.MountPoint.StartsWith(bundle.Rootfs, StringComparison.Ordinal));
    }

    [Test]
    public void The_process_that_mounts_allocates_nothing()
    {
        using TestContainer container = Observe.Sleeping(LiveMount.Own(_bundle.WithUserNamespace()));
        string log = Path.Combine(_bundle.Directory, "log");
        container.GlobalOptions.AddRange(["--debug", "--log", log]);
        LiveMount.Add(container, LiveMount.Of("/a", "tmpfs", null), LiveMount.Of("/b", "bind", Source, "rbind", "ro", "rshared"))
            .ShouldSucceed();
        LiveMount.Remove(container, LiveMount.At("/a"), LiveMount.At("/b")).ShouldSucceed();
        container.GlobalOptions.Clear();
        File.ReadAllLines(log).Where(static line => line.Contains("allocated")).Should()
            .HaveCount(2).And.OnlyContain(static line => line.Contains("allocated 0 bytes"));
    }

    [Test]
    public void An_ordinary_user_mounts_into_his_own_container()
    {
        Requires.UserNamespacesForAll();
        using OrdinaryUser user = OrdinaryUser.WithoutRanges();
        using TestBundle bundle = user.Bundle();
        string shared = user.NewDirectory(bundle);
        File.WriteAllText($"{shared}/file", "his\n");
        using TestContainer container = user.Container(bundle.Writable().Args("sleep", "1000")).Started();
        LiveMount.Add(container, LiveMount.Of("/data", "bind", shared, "bind", "ro"), LiveMount.Of("/scratch", "tmpfs", null))
            .ShouldSucceed();
        container.Init.MountAt("/data").Options.Should().Contain("ro");
        container.Exec("cat", "/data/file").ShouldSucceed().Stdout.Should().Be("his\n");
        LiveMount.Add(container, LiveMount.Of("/roots", "bind", "/root", "bind")).ShouldSucceed();
        container.Exec("ls", "/roots").ShouldFail();
        LiveMount.Remove(container, LiveMount.At("/data"), LiveMount.At("/scratch"), LiveMount.At("/roots")).ShouldSucceed();
        container.Init.Mounts.Should().NotContain(static mount => mount.MountPoint == "/data" || mount.MountPoint == "/scratch");
    }

    private static string InLog(string message) => message.Replace("\"", "\\\"");

    private static int[] Ids(TestContainer container) => [.. container.Init.Mounts.Select(static mount => mount.Id)];
}
