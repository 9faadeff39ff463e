using System.Text.RegularExpressions;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Parity;

/// <summary>
/// A test that a page of docs/ names: <c>Class.Method</c>, or <c>ParityTests.As(scenario)</c>. What it is made of tells whether it can be
/// what the page says: a method's source, a scenario's command lines and texts.
/// </summary>
internal static partial class NamedTest
{
    private static readonly Dictionary<string, string> Methods = ReadMethods();

    /// <summary>Null when there is no such test.</summary>
    public static string? TextOf(string name) =>
        Scenario().Match(name) is { Success: true } match ? TextOfScenario(match.Groups[1].Value) : Methods.GetValueOrDefault(name);

    /// <summary>Whether the test gives this option to this command; an empty command stands for the global options.</summary>
    public static bool Uses(string name, string verb, IEnumerable<string> spellings)
    {
        if (TextOf(name) is not { } text) return false;
        IEnumerable<string> places = Scenario().IsMatch(name)
            ? text.Split('\n').Where(line => verb.Length == 0 || line.Split(' ').Contains(verb)) : [text];
        return places.Any(place => spellings.Any(spelling => Regex.IsMatch(place, $"(^|[\"' \\n]){Regex.Escape(spelling)}($|[\"' =\\n])")));
    }

    private static string? TextOfScenario(string name) =>
        ParityTests.Scenarios.SingleOrDefault(found => found.Name == name) is { } scenario
            ? string.Join('\n', scenario.Rows.SelectMany(static row => (string[])[row.Command, .. row.Says])) : null;

    private static Dictionary<string, string> ReadMethods()
    {
        Dictionary<string, string> found = [];
        foreach (string file in Directory.GetFiles(Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime.Tests"), "*.cs",
            SearchOption.AllDirectories))
        {
            string text = File.ReadAllText(file);
            if (Class().Match(text) is not { Success: true } type) continue;
            foreach (Match method in Method().Matches(text))
                found[$"{type.Groups[1].Value}.{method.Groups[1].Value}"] = method.Value + Checks(text, method.Groups[1].Value);
        }
        return found;
    }

    // What a test in the virtual machine judges was done under its name: Add(nameof(Test), script).
    private static string Checks(string text, string test) =>
        string.Concat(text.Split("(nameof(").Where(part => part.StartsWith(test + ")", StringComparison.Ordinal)));

    [GeneratedRegex(@"^ParityTests\.As\((.+)\)$")]
    private static partial Regex Scenario();

    [GeneratedRegex(@"class (\w+Tests)\b")]
    private static partial Regex Class();

    // From its attributes to the next member or the end of the class.
    [GeneratedRegex(
        @"(?<=\n)    \[(?:Test|TestCase|TestCaseSource)\b[^\n]*\n(?:    [\[ ][^\n]*\n)*?"
        + @"    public (?:static )?(?:async )?(?:void|Task) (\w+)\(.*?(?=\n    (?:\[|public|private|internal|//)|\n\})",
        RegexOptions.Singleline)]
    private static partial Regex Method();
}
