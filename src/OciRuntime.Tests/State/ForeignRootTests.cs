using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.State;

/// <summary>
/// --root that is not the caller's alone: its containers could be anybody's, and their hooks would run with the caller's rights.
/// </summary>
public sealed class ForeignRootTests
{
    private string _directory = "";

    [SetUp]
    public void MakeDirectory()
    {
        Requires.OcirunItself();
        _directory = TestRun.NewDirectory("roots");
    }

    [TearDown]
    public void DeleteDirectory() => Cleaner.DeleteTree(_directory);

    private static IEnumerable<string> Verbs() =>
    [
        "run", "create", "start x", "exec x true", "state x", "kill x", "delete x", "delete --force x", "delete --regex --force .*",
        "pause x", "resume x", "ps x", "update --pids-limit 5 x",
        "events --stats x", "top --once", "list", "checkpoint x", "restore x", "mounts remove x /dev/null",
    ];

    [TestCaseSource(nameof(Verbs))]
    public void Every_verb_refuses_somebody_elses(string verb)
    {
        string root = Make("root", 61234, "0755");
        Call(root, verb).ShouldFail().Stderr.Should().Contain($"state directory {root} is not uid 0's alone (owner 61234, mode 0755)");
        Directory.EnumerateFileSystemEntries(root).Should().OnlyContain(entry => entry.EndsWith("/x"), "nothing is made there");
    }

    [TestCase("0777", false)]
    [TestCase("1777", false)]
    [TestCase("0775", false)]
    [TestCase("0755", true)]
    [TestCase("0711", true)]
    [TestCase("0700", true)]
    public void Nobody_else_may_write_there(string mode, bool accepted)
    {
        CommandResult result = Call(Make("root", 0, mode), "list");
        if (accepted) result.ShouldSucceed();
        else result.ShouldFail(1, $"(owner 0, mode {mode})");
    }

    /// <summary>A container that the owner of the directory has prepared there: its hook would have run as root.</summary>
    [Test]
    public void No_hook_of_somebody_else_runs()
    {
        string root = Make("root", 0, "0755"), mark = Path.Combine(_directory, "mark");
        using TestBundle bundle = new TestBundle().Args("sleep", "100");
        bundle.AddHook("poststop", "/bin/touch", "touch", mark);
        using (TestContainer container = new(bundle, root: root))
        {
            container.Create().ShouldSucceed();
            Command.Run("chown", "61234", root).ShouldSucceed();
            container.Delete("--force").ShouldFail(1, "owner 61234");
            File.Exists(mark).Should().BeFalse();
            Command.Run("chown", "0", root).ShouldSucceed();
        }
        File.Exists(mark).Should().BeTrue("root's own is another thing");
    }

    /// <summary>
    /// A link of somebody else leads where he likes, to an image's directory, say, which is root's and has what the image's author wrote.
    /// </summary>
    [TestCase("last", 61234, false)]
    [TestCase("last", 0, true)]
    [TestCase("middle", 61234, false)]
    [TestCase("middle", 0, true)]
    public void Links_on_the_way(string place, int owner, bool accepted)
    {
        Make("real", 0, "0755");
        Make("real/root", 0, "0700");
        string link = Path.Combine(_directory, "link");
        File.CreateSymbolicLink(link, place == "last" ? "real/root" : Path.Combine(_directory, "real"));
        Command.Run("chown", "-h", $"{owner}", link).ShouldSucceed();
        CommandResult result = Call(place == "last" ? link : $"{link}/root", "list");
        if (accepted) result.ShouldSucceed();
        else result.ShouldFail(1, $"on the way there is a symbolic link of uid {owner}");
    }

    /// <summary>As in /tmp: who may write above it can at worst put something of his own there.</summary>
    [TestCase("1777")]
    [TestCase("0777")]
    public void Above_it_others_may_write(string mode)
    {
        string open = Make("open", 0, mode);
        using TestBundle bundle = new TestBundle().Args("true");
        using TestContainer container = new(bundle, root: $"{open}/new/root");
        container.Run().ShouldSucceed();
        File.GetUnixFileMode($"{open}/new/root").Should().Be((UnixFileMode)0b111_000_000);
        Command.Run("chown", "61234", $"{open}/new/root").ShouldSucceed();
        container.Run().ShouldFail(1, "owner 61234");
        Command.Run("chown", "0", $"{open}/new/root").ShouldSucceed();
    }

    /// <summary>Its owner has no name there, and may be anybody.</summary>
    [Test]
    public void Of_an_unmapped_owner_in_a_user_namespace()
    {
        Requires.UserNamespacesForAll();
        string root = Make("root", 61234, "0755");
        Command.Run("unshare", "--user", "--map-root-user", Ocirun.Binary.Path, "--root", root, "list").ShouldFail(1, "owner 65534");
        Command.Run("unshare", "--user", "--map-root-user", Ocirun.Binary.Path, "--root", Make("own", 0, "0700"), "list").ShouldSucceed();
    }

    private string Make(string name, int owner, string mode)
    {
        string path = Directory.CreateDirectory(Path.Combine(_directory, name)).FullName;
        Directory.CreateDirectory(Path.Combine(path, "x"));
        Command.Run("chown", $"{owner}", path).ShouldSucceed();
        Command.Run("chmod", mode, path).ShouldSucceed();
        return path;
    }

    private static CommandResult Call(string root, string verb)
    {
        using TestBundle bundle = new TestBundle().Args("true");
        string[] words = verb is "run" or "create" ? [verb, "--bundle", bundle.Save().Directory, "new"] : verb == "restore x"
            ? ["restore", "--bundle", bundle.Save().Directory, "x"] : verb.Split(' ');
        return Ocirun.Run(["--root", root, .. words]);
    }
}
