using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Parity;

/// <summary>Every flag that the help of runc and crun shows for a command is one of ocirun's.</summary>
public sealed partial class PeerFlagsTests
{
    // Other ways to ask for help and version.
    private static readonly string[] AboutThemselves = ["--help", "-h", "-?", "--usage", "--version", "-v", "-V"];

    public static IEnumerable<string> VerbNames =>
        Verbs.All.Select(static verb => verb.VerbName).Where(static name => name is not ("help" or "explain"));

    [TestCaseSource(nameof(VerbNames))]
    public void Are_known(string verb) => ShouldKnow(Verbs.Find(verb)!.DescribeOptions(), verb);

    [Test]
    public void Global_ones_are_known() => ShouldKnow(new GlobalOptions().DescribeOptions());

    [Test]
    public void The_search_for_flags_finds_them() =>
        FlagsOf(Ocirun.Runc!, ["create"]).Should().Contain(["--bundle", "-b", "--pid-file"]);

    private static void ShouldKnow(OptionDescription[] options, params string[] command)
    {
        HashSet<string> own = [.. options.SelectMany(static option => (string[])[$"--{option.Long}", $"-{option.Short}"]),
            .. AboutThemselves];
        string[] theirs = [.. FlagsOf(Ocirun.Runc!, command), .. FlagsOf(Ocirun.Crun!, command)];
        theirs.Should().BeSubsetOf(own);
    }

    private static IEnumerable<string> FlagsOf(RuntimeBinary peer, string[] command) =>
        from line in peer.Run([.. command, "--help"]).Lines
        let flags = Flags().Match(line)
        where flags.Success
        from flag in Flag().Matches(flags.Value)
        select flag.Value;

    // What stands before the explanation.
    [GeneratedRegex(@"^ +-.*?(?=  |$)")]
    private static partial Regex Flags();

    [GeneratedRegex(@"(?<![\w-])--?[\w?][\w-]*")]
    private static partial Regex Flag();
}
