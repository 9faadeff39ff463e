using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>Id-mapped bind mounts: who owns the files, as the container sees them and as they are stored.</summary>
public sealed class IdMappedMountTests
{
    private const string Owners = "stat -c '%u:%g' /data/root /data/five /data/far";

    private TestBundle _bundle = null!;
    private string _source = null!;

    /// <summary>
    /// A source with files of 0:0, 5:6 and 70000:70000, that everybody may write to, and a tmpfs in it with a file of 5:6.
    /// </summary>
    [SetUp]
    public void Begin()
    {
        _bundle = new TestBundle();
        Directory.CreateDirectory(_bundle.InRootfs("/data"));
        _source = Path.Combine(_bundle.Directory, "source");
        Directory.CreateDirectory(Path.Combine(_source, "sub"));
        string script =
            "touch root five far; chown 5:6 five; chown 70000:70000 far; chmod 777 .; mount -t tmpfs below sub; touch sub/five; chown 5:6 "
            + "sub/five; chmod 777 sub";
        Command.Run("sh", "-c", $"cd {_source} && {{ {script}; }}").ShouldSucceed();
    }

    [TearDown]
    public void End()
    {
        Command.Run("umount", Path.Combine(_source, "sub"));
        _bundle.Dispose();
    }

    [Test]
    public void Mappings_of_a_mount_show_stored_ids_as_others_and_store_them_back()
    {
        Map(Bind("bind", "idmap"), "uidMappings", (0, 1000, 10));
        Map(Last, "gidMappings", (0, 2000, 5), (6, 3000, 1));
        _bundle.User(1005, 3000);
        Observe.Run(_bundle, $"{Owners}; touch /data/new; grep ' /data ' /proc/self/mountinfo").Should().SatisfyRespectively(
            root => root.Should().Be("1000:2000"),
            five => five.Should().Be("1005:3000"),
            far => far.Should().Be("65534:65534", "70000 is not mapped"),
            mount => mount.Split(' ')[5].Split(',').Should().Contain("idmapped"));
        OwnerOnHost("new").Should().Be("5:6", "uid 1005 of the container is stored as 5");
    }

    [TestCase("idmap")]
    [TestCase("ridmap")]
    public void Without_mappings_those_of_the_container_are_used(string word)
    {
        _bundle.WithUserNamespace();
        Bind("rbind", word);
        Observe.Run(_bundle, $"{Owners}; touch /data/new; stat -c '%u:%g' /data/sub/five").Should().Equal(
            "0:0", "5:6", "65534:65534", word == "ridmap" ? "5:6" : "65534:65534");
        OwnerOnHost("new").Should().Be("0:0", "not the 100000 that the container's root is on the host");
    }

    [Test]
    public void Mappings_may_differ_from_those_of_the_container()
    {
        _bundle.WithUserNamespace();
        // 100005 is the container's 5.
        Map(Bind("bind", "ro", "noexec"), "uidMappings", (0, 100005, 6));
        Map(Last, "gidMappings", (0, 100005, 7));
        Observe.Run(_bundle, $"{Owners}; touch /data/new 2>&1 | sed 's/.*: //'").Should()
            .Equal("5:5", "10:11", "65534:65534", "Read-only file system");
    }

    [Test]
    public void Mappings_that_repeat_those_of_the_container_are_the_same_mapping()
    {
        _bundle.WithUserNamespace();
        foreach (string kind in (string[])["uidMappings", "gidMappings"])
            Map(kind == "uidMappings" ? Bind("bind", "idmap") : Last, kind, (0, 100000, 65536));
        Observe.Run(_bundle, $"{Owners}; touch /data/new").Should().Equal("0:0", "5:6", "65534:65534");
        OwnerOnHost("new").Should().Be("0:0");
    }

    [Test]
    public void A_joined_user_namespace_lends_its_mapping()
    {
        using TestBundle owner = new();
        using TestContainer other = Observe.Sleeping(owner.WithUserNamespace(300000));
        _bundle.AddNamespace("user", $"/proc/{other.Init.Pid}/ns/user");
        Bind("bind", "idmap");
        Observe.Run(_bundle, $"{Owners}; touch /data/new").Should().Equal("0:0", "5:6", "65534:65534");
        OwnerOnHost("new").Should().Be("0:0");
    }

    [Test]
    public void Single_files_and_several_mounts_of_one_source_have_each_their_own_mapping()
    {
        foreach (int shift in (int[])[0, 100, 200])
        {
            _bundle.AddMount($"/file{shift}", "bind", Path.Combine(_source, "five"), "bind", "idmap");
            foreach (string kind in (string[])["uidMappings", "gidMappings"]) Map(Last, kind, (0, 1000 + shift, 100));
        }
        _bundle.AddMount("/plain", "bind", Path.Combine(_source, "five"), "bind");
        Observe.Run(_bundle, "stat -c '%u:%g' /file0 /file100 /file200 /plain").Should()
            .Equal("1005:1006", "1105:1106", "1205:1206", "5:6");
    }

    [Test]
    public void Recursive_mapping_reaches_the_mounts_below()
    {
        foreach (string word in (string[])["idmap", "ridmap"])
        {
            _bundle.AddMount($"/{word}", "bind", _source, "rbind", word);
            foreach (string kind in (string[])["uidMappings", "gidMappings"]) Map(Last, kind, (0, 1000, 100));
        }
        Observe.Run(_bundle, "stat -c '%u:%g' /idmap/five /idmap/sub/five /ridmap/five /ridmap/sub/five").Should()
            .Equal("1005:1006", "5:6", "1005:1006", "1005:1006");
    }

    [Test]
    public void Inline_mapping_of_crun()
    {
        Bind("bind", "idmap=uids=0-1000-5#5-5000-1;gids=0-2000-10");
        Observe.Run(_bundle, Owners).Should().Equal("1000:2000", "5000:2006", "65534:65534");
    }

    [Test]
    public void Inline_mapping_relative_to_the_container()
    {
        _bundle.WithUserNamespace();
        // Seen by the container as its ids 20 and 25, whatever those are on the host.
        Bind("bind", "idmap=uids=@0-20-10;gids=@0-20-10");
        Observe.Run(_bundle, Owners).Should().Equal("20:20", "25:26", "65534:65534");
    }

    [Test]
    public void What_cannot_be_mapped_says_why()
    {
        _bundle.AddMount("/data", "bind", "/proc/sys", "bind", "idmap");
        foreach (string kind in (string[])["uidMappings", "gidMappings"]) Map(Last, kind, (0, 1000, 10));
        Observe.Refused(_bundle).Should()
            .Contain("/mounts/7: bind /proc/sys on /data, ids mapped: uid 0-9 as 1000-1009, gid 0-9 as 1000-1009: map ids: invalid "
            + "argument (EINVAL)")
            .And.Contain(": a file system of type proc cannot be id-mapped by this kernel");
    }

    [TestCase("idmap", "option \"idmap\": needs uidMappings and gidMappings, as the container has no user namespace")]
    [TestCase("idmap=uids=0-0-1", "option \"idmap=uids=0-0-1\": needs both uids= and gids=")]
    [TestCase("idmap=uids=0-0-1;gids=0-0", "\"0-0\": must be three numbers")]
    [TestCase("ridmap=uids=0-0-0;gids=0-0-1", "\"0-0-0\": must be three numbers")]
    [TestCase("idmap=uids=0-4294967295-2;gids=0-0-1", "\"0-4294967295-2\": must be three numbers")]
    [TestCase("idmap=users=1", "\"users=1\": must be uids=")]
    [TestCase("idmap=uids=@0-0-1;gids=0-0-1", "\"@0-0-1\": id 0 is not mapped in the container")]
    public void Bad_options_are_refused(string option, string error)
    {
        Bind("bind", option);
        Observe.Refused(_bundle).Should().Contain("/mounts/7 /data: ").And.Contain(error);
    }

    [Test]
    public void File_systems_of_the_containers_own_and_remounts_have_no_mapping()
    {
        _bundle.WithUserNamespace().AddMount("/data", "tmpfs", "tmpfs", "idmap");
        Observe.Refused(_bundle).Should().Contain("/mounts/7 /data: option \"idmap\": only bind mounts can be id-mapped");
        Last["options"] = TestBundle.Strings("remount", "bind", "idmap");
        Observe.Refused(_bundle).Should().Contain("only bind mounts can be id-mapped");
    }

    private JsonObject Last => _bundle.Mounts[^1]!.AsObject();

    private JsonObject Bind(params string[] options)
    {
        _bundle.AddMount("/data", "bind", _source, options);
        return Last;
    }

    private static void Map(JsonObject mount, string kind, params (int Stored, int Seen, int Size)[] ranges) =>
        mount[kind] =
        new JsonArray([
        .. ranges.Select(range => new JsonObject { ["containerID"] = range.Stored, ["hostID"] = range.Seen, ["size"] = range.Size })]);

    private string OwnerOnHost(string file) =>
        Command.Run("stat", "-c", "%u:%g", Path.Combine(_source, file)).ShouldSucceed().Stdout.Trim();
}
