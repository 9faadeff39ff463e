using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// Each word of runtime-spec's table "Linux mount options", on a new file system and on a bind with a mount below it, as the kernel shows
/// the result in mountinfo. What a word takes away is there before it: set by an earlier word, or by the source.
/// </summary>
public sealed class MountOptionWordTests
{
    /// <summary>The table of config.md, runtime-spec 1.3.0.</summary>
    internal static readonly string[] Specified =
    [
        "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion", "lazytime", "loud", "mand", "noatime",
        "nodev", "nodiratime",
        "noexec", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "nosymfollow", "private", "ratime",
        "rbind", "rdev",
        "rdiratime", "relatime", "remount", "rexec", "rnoatime", "rnodiratime", "rnoexec", "rnorelatime", "rnostrictatime", "rnosuid",
        "rnosymfollow", "ro",
        "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw", "shared",
        "silent", "slave",
        "strictatime", "suid", "symfollow", "sync", "tmpcopyup", "unbindable", "rnodev",
    ];

    /// <summary>
    /// The words of mounts, and the words of superblocks, with what comes before them on a new file system and whether mountinfo then shows
    /// it.
    /// </summary>
    private static readonly (string Word, string Before, string Shown, bool Set)[] Attributes =
    [
        ("ro", "rw", "ro", true), ("rw", "ro", "ro", false), ("nosuid", "suid", "nosuid", true), ("suid", "nosuid", "nosuid", false),
        ("nodev", "dev", "nodev", true), ("dev", "nodev", "nodev", false), ("noexec", "exec", "noexec", true),
        ("exec", "noexec", "noexec", false),
        ("noatime", "relatime", "noatime", true), ("atime", "noatime", "relatime", true), ("relatime", "noatime", "relatime", true),
        ("norelatime", "relatime", "relatime", true), ("strictatime", "relatime", "relatime", false),
        ("nostrictatime", "strictatime", "relatime", true),
        ("nodiratime", "diratime", "nodiratime", true), ("diratime", "nodiratime", "nodiratime", false),
        ("nosymfollow", "symfollow", "nosymfollow", true), ("symfollow", "nosymfollow", "nosymfollow", false),
    ];

    private static readonly (string Word, string Before, string Shown, bool Set)[] Superblock =
    [
        ("sync", "async", "sync", true), ("async", "sync", "sync", false), ("dirsync", "defaults", "dirsync", true),
        ("lazytime", "nolazytime", "lazytime", true),
        ("nolazytime", "lazytime", "lazytime", false), ("mand", "nomand", "mand", true), ("nomand", "mand", "mand", false),
    ];

    /// <summary>Words without an effect that could be read back: they are known, so no file system is bothered with them.</summary>
    private static readonly string[] Inert = ["defaults", "iversion", "noiversion", "silent", "loud"];

    private static readonly (string Word, string Top, string Below)[] Propagation =
    [
        ("private", "private", "shared"), ("rprivate", "private", "private"), ("shared", "shared", "shared"),
        ("rshared", "shared", "shared"),
        ("slave", "slave", "shared"), ("rslave", "slave", "slave"), ("unbindable", "unbindable", "shared"),
        ("runbindable", "unbindable", "unbindable"),
    ];

    /// <summary>Both have a mount below of the same options: one has what the words can take away, the other has not.</summary>
    private string _lax = null!, _strict = null!;

    [OneTimeSetUp]
    public void Begin()
    {
        _lax = Source("lax", "rw");
        _strict = Source("strict", "nosuid,nodev,noexec,noatime,nodiratime,nosymfollow,ro");
    }

    [OneTimeTearDown]
    public void End()
    {
        foreach (string source in (string[])[_lax, _strict])
        {
            Command.Run("umount", "--recursive", source).ShouldSucceed();
            Directory.Delete(source);
        }
    }

    [Test]
    public void Every_specified_word_is_tested_here_or_by_name_elsewhere_and_is_a_feature()
    {
        string[] tested = [.. Attributes.Select(row => row.Word), .. Attributes.Select(row => "r" + row.Word),
            .. Superblock.Select(row => row.Word), .. Inert, .. Propagation.Select(row => row.Word)];
        Specified.Except(tested).Should().BeEquivalentTo("bind", "rbind", "remount", "tmpcopyup");
        Ocirun.Run("features").Json["mountOptions"]!.AsArray().Select(word => (string)word!).Should()
            .Contain(Specified).And.Contain(["copy-symlink", "src-nofollow", "dest-nofollow"]);
    }

    [Test]
    public void On_a_new_file_system()
    {
        using TestBundle bundle = new();
        foreach ((string word, string before, _, _) in (IEnumerable<(string, string, string, bool)>)[.. Attributes, .. Superblock])
        {
            bundle.AddMount("/new/" + word, "tmpfs", "tmpfs", before, word);
            if (Attributes.Any(row => row.Word == word)) bundle.AddMount("/new/r" + word, "tmpfs", "tmpfs", before, "r" + word);
        }
        foreach (string word in Inert) bundle.AddMount("/new/" + word, "tmpfs", "tmpfs", word);
        using TestContainer container = Observe.Sleeping(bundle);
        Dictionary<string, MountInfo> mounts =
            container.Init.Mounts.Where(mount => mount.MountPoint.StartsWith("/new/", StringComparison.Ordinal))
            .ToDictionary(mount => mount.MountPoint[5..]);
        foreach ((string word, _, string shown, bool set) in Attributes)
        {
            mounts[word].Options.Contains(shown).Should().Be(set, word);
            mounts["r" + word].Options.Should().BeEquivalentTo(mounts[word].Options, "r{0} means the same where nothing is below", word);
            if (word == "strictatime") mounts[word].Options.Should().NotContain("noatime");
        }
        foreach ((string word, _, string shown, bool set) in Superblock) mounts[word].SuperOptions.Contains(shown).Should().Be(set, word);
        foreach (string word in Inert) mounts[word].Options.Should().BeEquivalentTo(["rw", "relatime"], word);
    }

    [Test]
    public void On_a_bind_and_below_it()
    {
        using TestBundle bundle = new();
        foreach ((string word, _, _, bool set) in Attributes)
        {
            // The access time mode is taken from the strict source when a word is to make it laxer.
            string source = set && word is not ("atime" or "relatime") ? _lax : _strict;
            bundle.AddMount("/top/" + word, "bind", source, "rbind", word).AddMount("/tree/" + word, "bind", source, "rbind", "r" + word)
                .AddMount("/one/" + word, "bind", source, "bind", word);
        }
        using TestContainer container = Observe.Sleeping(bundle);
        Dictionary<string, MountInfo> mounts = container.Init.Mounts.DistinctBy(mount => mount.MountPoint)
            .ToDictionary(mount => mount.MountPoint);
        foreach ((string word, _, string shown, bool set) in Attributes)
        {
            bool Has(string path) => mounts[path].Options.Contains(shown);
            Has($"/top/{word}").Should().Be(set, "/top/{0}", word);
            Has($"/tree/{word}").Should().Be(set, "/tree/{0}", word);
            Has($"/tree/{word}/below").Should().Be(set, "/tree/{0}/below", word);
            mounts[$"/one/{word}"].Options.Should().BeEquivalentTo(mounts[$"/top/{word}"].Options);
            mounts.Should().NotContainKey($"/one/{word}/below", "bind takes one mount, rbind the tree");
            bool strict = mounts[$"/top/{word}/below"].Options.Contains("nosuid");
            mounts[$"/top/{word}/below"].Options.Should().BeEquivalentTo(
                strict ? ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "nosymfollow"]
                : (string[])["rw", "relatime"], "without r nothing below changes: {0}", word);
        }
    }

    [Test]
    public void Propagation_of_a_bind_from_a_shared_tree()
    {
        using TestBundle bundle = new();
        bundle.Linux["rootfsPropagation"] = "shared";
        foreach ((string word, _, _) in Propagation) bundle.AddMount("/p/" + word, "bind", _lax, "rbind", word);
        // In order, and more than once: a slave that is shared again is both.
        bundle.AddMount("/p/both", "bind", _lax, "rbind", "rslave", "shared")
            .AddMount("/p/last", "bind", _lax, "rbind", "rshared", "rprivate", "unbindable");
        bundle.Script("grep ' /p/' /proc/self/mountinfo");
        using TestContainer container = new(bundle, Wrapped.SharedMounts);
        Dictionary<string, string> types = container.Run().ShouldSucceed().Lines.Select(MountInfo.Parse)
            .ToDictionary(mount => mount.MountPoint, mount => mount.PropagationType);
        foreach ((string word, string top, string below) in Propagation)
        {
            types[$"/p/{word}"].Should().Be(top, word);
            types[$"/p/{word}/below"].Should().Be(below, "{0}, below", word);
        }
        types["/p/both"].Should().Be("shared,slave");
        types["/p/both/below"].Should().Be("slave");
        types["/p/last"].Should().Be("unbindable");
        types["/p/last/below"].Should().Be("private");
    }

    [Test]
    public void Superblock_words_in_a_remount_reach_the_file_system()
    {
        using TestBundle bundle = new();
        List<(string Word, string Before, string Shown, bool Set)> remounted = Superblock.Where(row => row.Word != "dirsync").ToList();
        foreach ((string word, string before, _, _) in remounted)
        {
            bundle.AddMount("/new/" + word, "tmpfs", "tmpfs", before)
                .AddMount("/new/" + word, "tmpfs", "tmpfs", "remount", word);
        }
        using (TestContainer container = Observe.Sleeping(bundle))
        {
            foreach ((string word, _, string shown, bool set) in remounted)
            {
                container.Init.MountAt("/new/"
                    + word).SuperOptions.Contains(shown).Should().Be(set, word);
            }
        }
        bundle.AddMount("/new/sync", "tmpfs", "tmpfs", "remount", "dirsync");
        Observe.Refused(bundle).Should()
            .Contain("reconfigure the file system of /new/sync (dirsync)").And.Contain("a remount cannot change dirsync");
    }

    private static string Source(string name, string options)
    {
        string path = TestRun.NewDirectory(name);
        Command.Run("mount", "-t", "tmpfs", name, path).ShouldSucceed();
        string below = Directory.CreateDirectory(Path.Combine(path, "below")).FullName;
        Command.Run("mount", "-t", "tmpfs", name, below).ShouldSucceed();
        foreach (string mount in (string[])[below, path]) Command.Run("mount", "-o", $"remount,bind,{options}", mount).ShouldSucceed();
        return path;
    }
}
