using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Parity;

/// <summary>
/// docs/cli-coverage.md has every option of every command, and names for each a test that gives it to the published binary.
/// </summary>
public sealed partial class FlagCoverageTests
{
    private static readonly Dictionary<string, string[]> Rows = Read();

    public static IEnumerable<string> Options => Declared().Keys;

    [TestCaseSource(nameof(Options))]
    public void Has_a_test(string option)
    {
        Rows.Keys.ToArray().Should().Contain(option, "docs/cli-coverage.md names the test of each option");
        Rows[option].Should().NotBeEmpty();
        (string verb, string[] spellings) = Declared()[option];
        foreach (string test in Rows[option])
        {
            NamedTest.TextOf(test).Should().NotBeNull($"{test} should exist");
            NamedTest.Uses(test, verb, spellings).Should().BeTrue($"{test} should be about {option}");
        }
    }

    [Test]
    public void Nothing_else_is_named() => Rows.Keys.Should().BeSubsetOf(Declared().Keys);

    // "create --bundle" and how it may be written. What all commands have is listed once, as of "*".
    private static Dictionary<string, (string Verb, string[] Spellings)> Declared()
    {
        Dictionary<string, (string, string[])> found = [];
        foreach (OptionDescription option in new GlobalOptions().DescribeOptions()) found[Spellings(option)[0]] = ("", Spellings(option));
        HashSet<string> shared = [.. typeof(VerbOptions).GetProperties().Select(static property => property.Name.ToLowerInvariant())];
        foreach (VerbOptions verb in Verbs.All)
        {
            foreach (OptionDescription option in verb.DescribeOptions())
            {
                if (shared.Contains(option.Long)) found[$"* --{option.Long}"] = ("", Spellings(option));
                else found[$"{verb.VerbName} --{option.Long}"] = (verb.VerbName, Spellings(option));
            }
        }
        return found;
    }

    private static string[] Spellings(OptionDescription option) =>
        [.. option.Long.Length > 0 ? [$"--{option.Long}"] : Array.Empty<string>(), .. option.Short is null ? Array.Empty<string>()
        : [$"-{option.Short}"]];

    private static Dictionary<string, string[]> Read()
    {
        Dictionary<string, string[]> rows = [];
        foreach (string line in File.ReadAllLines(Path.Combine(Ocirun.RepositoryRoot, "docs/cli-coverage.md"))
            .Where(static line => line.StartsWith("| `", StringComparison.Ordinal)))
        {
            string[] cells = line.Split('|');
            foreach (string option in Spans(cells[1])) rows.Add(option, [.. Spans(cells[3])]);
        }
        return rows;
    }

    private static IEnumerable<string> Spans(string cell) => Span().Matches(cell).Select(static match => match.Groups[1].Value);

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Span();
}
