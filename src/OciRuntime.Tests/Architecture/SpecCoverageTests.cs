using System.Reflection;
using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using NUnit.Framework.Interfaces;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Architecture;

/// <summary>
/// docs/spec-coverage.md speaks of everything, and of nothing that does not exist. That a test reads an effect back is for readers to
/// judge.
/// </summary>
public sealed partial class SpecCoverageTests
{
    private const int PropertyColumn = 1, TestColumn = 3;

    private static readonly string[] Lines = File.ReadAllLines(Path.Combine(Ocirun.RepositoryRoot, "docs/spec-coverage.md"));

    private static readonly string[] Paths = [.. SpecWalk.Of(SpecFixtures.Parse("kitchen-sink"))
        .Select(static found => found.Path).Distinct()];

    [Test]
    public void Every_property_is_there()
    {
        Regex[] named = [.. PropertiesNamed().Select(Pattern)];
        // What has properties of its own is there when they are.
        Paths.Where(path => !Paths.Any(other => other.StartsWith(path, StringComparison.Ordinal) && other.Length > path.Length
            && other[path.Length] is '.' or '['))
            .Should().OnlyContain(path => named.Any(pattern => pattern.IsMatch(path)));
    }

    [Test]
    public void Every_property_named_exists() =>
    PropertiesNamed().Should().HaveCountGreaterThan(50).And.OnlyContain(name => Paths.Any(Pattern(name).IsMatch));

    [Test]
    public void Every_mount_option_of_the_specification_is_there() =>
    Spans(PropertyColumn).Should().Contain(MountOptionWordTests.Specified);

    [Test]
    public void Every_row_names_tests_and_every_test_named_exists()
    {
        HashSet<string> tests = [.. typeof(SpecCoverageTests).Assembly.GetTypes()
            .SelectMany(static type => type.GetMethods().Where(IsTest).Select(method => $"{type.Name}.{method.Name}"))];
        string[] rows = [.. Lines.Where(static line => line.StartsWith("| ", StringComparison.Ordinal)
            && !line.StartsWith("| ---", StringComparison.Ordinal) && line.Contains('`'))];
        rows.Should().OnlyContain(row => Span().IsMatch(row.Split('|', StringSplitOptions.None)[TestColumn]));
        Spans(TestColumn).Except(tests).Should().BeEmpty();
        // Those in the text and the remarks.
        TestName().Matches(string.Join('\n', Lines)).Select(static match => match.Groups[1].Value).Except(tests).Should().BeEmpty();
    }

    private static bool IsTest(MethodInfo method) =>
        method.GetCustomAttributes().Any(static attribute => attribute is ITestBuilder or ISimpleTestBuilder);

    // The code spans of one column of all tables.
    private static IEnumerable<string> Spans(int column) =>
        Lines.Where(static line => line.StartsWith('|')).SelectMany(line => Span().Matches(line.Split('|')[column]))
        .Select(static match => match.Groups[1].Value);

    // The others are options of mounts and of the command line.
    private static IEnumerable<string> PropertiesNamed() =>
        Spans(PropertyColumn).Where(static span => Paths.Contains(span.Split('.', '[')[0]));

    // "{a,b}" stands for a or b, "*" for any property or key; a list may be named with or without its "[]".
    private static Regex Pattern(string name)
    {
        string text = Regex.Escape(name).Replace("\\*", "[^.\\[]+", StringComparison.Ordinal).Replace("\\{", "(", StringComparison.Ordinal)
            .Replace("}", ")", StringComparison.Ordinal).Replace(",", "|", StringComparison.Ordinal);
        if (text.EndsWith("\\[]", StringComparison.Ordinal)) text = text[..^3];
        return new Regex($"^{text}$");
    }

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Span();

    [GeneratedRegex("`([A-Z][A-Za-z0-9]*Tests\\.[A-Za-z_0-9]+)`")]
    private static partial Regex TestName();
}
