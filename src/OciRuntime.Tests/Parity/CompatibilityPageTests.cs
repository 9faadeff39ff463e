using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Parity;

/// <summary>
/// docs/compatibility.md has the differences that <see cref="ParityTests"/> knows, with their reasons, and no others; and a test for each
/// text that clients look for, and for each thing that engines assume.
/// </summary>
public sealed partial class CompatibilityPageTests
{
    private static readonly string[] Lines = File.ReadAllLines(Path.Combine(Ocirun.RepositoryRoot, "docs/compatibility.md"));

    [Test]
    public void Differences_from_both() => ShouldHold("Different from both", static relation => !relation.Runc && !relation.Crun);

    [Test]
    public void Differences_from_runc_that_crun_shares() => ShouldHold("As crun", static relation => !relation.Runc && relation.Crun);

    [Test]
    public void Every_text_that_clients_look_for_is_tested()
    {
        string[][] rows = [.. Table("Texts that clients look for").Select(static line => line.Split('|'))];
        rows.Should().HaveCountGreaterThan(10);
        foreach (string[] cells in rows)
        {
            string[] tests = [.. Span().Matches(cells[3]).Select(static match => match.Groups[1].Value)];
            tests.Should().NotBeEmpty();
            foreach (string text in Span().Matches(cells[1]).Select(static match => match.Groups[1].Value))
                tests.Should().Contain(test => Has(test, text), $"one of them should check \"{text}\"");
        }
    }

    [TestCase("What engines assume", 60)]
    [TestCase("What today's engines ask for", 10)]
    public void Every_assumption_of_an_engine_names_tests_that_exist(string heading, int atLeast)
    {
        string[][] rows = [.. Table(heading, "| ").Skip(2).Select(static line => line.Split('|'))];
        rows.Should().HaveCountGreaterThan(atLeast);
        rows.Should().OnlyContain(static cells => cells.Length == 5 && Span().IsMatch(cells[3]));
        rows.SelectMany(static cells => Span().Matches(cells[3])).Select(static match => match.Groups[1].Value)
            .Where(static test => NamedTest.TextOf(test) is null).Should().BeEmpty();
    }

    private static void ShouldHold(string heading, Func<Relation, bool> relation)
    {
        string[] table = [.. Table(heading)], expected = [.. Expected(relation)];
        string.Join('\n', expected.Except(table)).Should().BeEmpty("the page has these lines under \"{0}\"", heading);
        string.Join('\n', table.Except(expected)).Should().BeEmpty("no row of ParityTests says so");
    }

    private static bool Has(string test, string text) =>
        NamedTest.TextOf(test)?.Replace("\\\"", "\"").Contains(text, StringComparison.Ordinal) == true;

    // One line for all commands with the same reason.
    private static IEnumerable<string> Expected(Func<Relation, bool> wanted) =>
        from row in ParityTests.Scenarios.SelectMany(static scenario => scenario.Rows)
        where wanted(row.Relation)
        group $"`{row.Command}`" by row.Relation.Reason into same
        select $"| {string.Join(", ", same)} | {same.Key} |";

    private static IEnumerable<string> Table(string heading, string rows = "| `") =>
        Lines.SkipWhile(line => line != $"## {heading}").Skip(1).TakeWhile(static line => !line.StartsWith("## ", StringComparison.Ordinal))
        .Where(line => line.StartsWith(rows, StringComparison.Ordinal));

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Span();
}
