using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Plan;
using static OciRuntime.Linux.Mounts;
using Words = OciRuntime.Init.Propagation;

namespace OciRuntime.Tests.Plan;

public sealed class MountOptionsTests
{
    [TestCase("ro", MOUNT_ATTR_RDONLY, 0UL)]
    [TestCase("rw", 0UL, MOUNT_ATTR_RDONLY)]
    [TestCase("nosuid", MOUNT_ATTR_NOSUID, 0UL)]
    [TestCase("suid", 0UL, MOUNT_ATTR_NOSUID)]
    [TestCase("nodev", MOUNT_ATTR_NODEV, 0UL)]
    [TestCase("dev", 0UL, MOUNT_ATTR_NODEV)]
    [TestCase("noexec", MOUNT_ATTR_NOEXEC, 0UL)]
    [TestCase("exec", 0UL, MOUNT_ATTR_NOEXEC)]
    [TestCase("nodiratime", MOUNT_ATTR_NODIRATIME, 0UL)]
    [TestCase("diratime", 0UL, MOUNT_ATTR_NODIRATIME)]
    [TestCase("nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0UL)]
    [TestCase("symfollow", 0UL, MOUNT_ATTR_NOSYMFOLLOW)]
    [TestCase("noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME)]
    [TestCase("atime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME)]
    [TestCase("strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME)]
    [TestCase("nostrictatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME)]
    [TestCase("relatime", MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME)]
    [TestCase("norelatime", 0UL, 0UL)]
    public void Attribute_and_its_recursive_form(string word, ulong set, ulong clear)
    {
        MountOptions own = MountOptions.Parse([word]);
        (own.Set, own.Clear, own.TreeSet, own.TreeClear).Should().Be((set, clear, 0UL, 0UL));
        MountOptions tree = MountOptions.Parse(["r" + word]);
        (tree.Set, tree.Clear, tree.TreeSet, tree.TreeClear).Should().Be((0UL, 0UL, set, clear));
        (own.Data, tree.Data).Should().Be((null, null));
    }

    [TestCase("private", Words.Private)]
    [TestCase("shared", Words.Shared)]
    [TestCase("slave", Words.Slave)]
    [TestCase("unbindable", Words.Unbindable)]
    public void Propagation_words_are_kept_in_order(string word, ulong code)
    {
        MountOptions.Parse([word]).Propagation.Should().Be(code);
        MountOptions.Parse(["r" + word, word]).Propagation.Should().Be(code | Words.Recursive | (code << 4));
    }

    [Test]
    public void Binds_and_remounts()
    {
        MountOptions bind = MountOptions.Parse(["bind"]), tree = MountOptions.Parse(["rbind"]), remount = MountOptions.Parse(["remount"]);
        (bind.Bind, bind.Recursive, bind.Remount).Should().Be((true, false, false));
        (tree.Bind, tree.Recursive, tree.Remount).Should().Be((true, true, false));
        (remount.Bind, remount.Recursive, remount.Remount).Should().Be((false, false, true));
    }

    [TestCase(new[] { "ro", "rw" }, 0UL, MOUNT_ATTR_RDONLY)]
    [TestCase(new[] { "rw", "ro" }, MOUNT_ATTR_RDONLY, 0UL)]
    [TestCase(new[] { "noatime", "strictatime" }, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME)]
    [TestCase(new[] { "noatime", "relatime" }, 0UL, MOUNT_ATTR__ATIME)]
    [TestCase(new[] { "noatime", "norelatime" }, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME)]
    [TestCase(new[] { "noatime", "ro" }, MOUNT_ATTR_NOATIME | MOUNT_ATTR_RDONLY, MOUNT_ATTR__ATIME)]
    public void Later_word_wins(string[] words, ulong set, ulong clear)
    {
        MountOptions options = MountOptions.Parse(words);
        (options.Set, options.Clear).Should().Be((set, clear));
    }

    [TestCase("sync")]
    [TestCase("dirsync")]
    [TestCase("lazytime")]
    [TestCase("nolazytime")]
    [TestCase("async")]
    [TestCase("mand")]
    [TestCase("nomand")]
    public void Superblock_flags_are_told_from_the_file_systems_own_options(string word)
    {
        MountOptions options = MountOptions.Parse([word, "size=1m"]);
        options.Flags!.ConvertAll(Pair).Should().Equal(word);
        options.Data!.ConvertAll(Pair).Should().Equal("size=1m");
    }

    [Test]
    public void Data_is_split_at_commas_outside_of_quotes() =>
        MountOptions.Parse(["mode=755,size=1k", "nr_inodes=5", "context=\"a:b:c1,c2\"", "flag", "", ",,"]).Data!.ConvertAll(Pair)
        .Should().Equal(
            "mode=755", "size=1k", "nr_inodes=5", "context=a:b:c1,c2", "flag");

    [TestCase("tmpfs", "mpol=bind:0,2,size=1k", "mpol=bind:0,2", "size=1k")]
    [TestCase("overlay", @"lowerdir=/a\,b:/c\\,userxattr", @"lowerdir=/a\,b:/c\\", "userxattr")]
    [TestCase("ext4", @"a=b\,c", @"a=b\", "c")]
    [TestCase("nfs4", "addr=10.0.0.1,vers=4.2,nolock", "addr=10.0.0.1", "vers=4.2", "nolock")]
    [TestCase("cifs", "username=a b,password=x=y,=z,ip=::1", "username=a b", "password=x=y", "ip=::1")]
    [TestCase("cifs", "password=a,,b,c=,,,,d", "password=a,b", "c=,,d")]
    [TestCase("cifs", "a=,,,b=c,d=,,", "a=,", "b=c", "d=,")]
    [TestCase("cifs", "context=\"a:c1,c2\",b=,,c,context=a", "context=a:c1,c2", "b=,c", "context=a")]
    [TestCase("9p", "aname=/a,,b", "aname=/a", "b")]
    [TestCase("overlay", "lowerdir=/\"a\":/b\",upperdir=/\"c\"", "lowerdir=/\"a\":/b\"", "upperdir=/\"c\"")]
    [TestCase("tmpfs", "size=\"1k,mode=700\"", "size=\"1k", "mode=700\"")]
    [TestCase("tmpfs", "mode=700,rootcontext=\"a:c1,c2\",size=1k", "mode=700", "rootcontext=a:c1,c2", "size=1k")]
    public void Commas_as_the_file_system_reads_them(string type, string option, params string[] expected) =>
        MountOptions.Parse([option], type).Data!.ConvertAll(Pair).Should().Equal(expected);

    [Test]
    public void Commas_and_quotes_without_end()
    {
        string commas = new(',', 1_000_000), quotes = new('"', 4_000_000);
        MountOptions.Parse([$"a={commas}"], "cifs").Data!.ConvertAll(Pair).Should().Equal($"a={commas[500_000..]}");
        MountOptions.Parse([quotes], "cifs").Data!.ConvertAll(Pair).Should().Equal(quotes);
    }

    // NUnit cannot take a ref struct as the source itself.
    public static string[] Listed => MountOptionWords.All;

    [Test]
    public void Word_list_for_features_is_sorted() =>
    MountOptionWords.All.Should().BeInAscendingOrder(StringComparer.Ordinal).And.OnlyHaveUniqueItems();

    [TestCaseSource(nameof(Listed))]
    public void Listed_word_is_no_file_system_data_and_supported(string word)
    {
        MountOptions options = MountOptions.Parse([word]);
        options.Data.Should().BeNull();
    }

    private static string Pair(KeyValuePair<string, string?> option) => option.Value is null ? option.Key : $"{option.Key}={option.Value}";
}
