using System.Collections.Concurrent;

namespace OciRuntime.Tests.Faults;

/// <summary>How often what was done, and how it went.</summary>
internal sealed class SoakTally
{
    private readonly ConcurrentDictionary<(string Verb, string Outcome), int> _counts = new();

    public IEnumerable<string> Verbs => _counts.Keys.Select(static key => key.Verb).Distinct();

    public void Count(string verb, string outcome) => _counts.AddOrUpdate((verb, outcome), 1, static (_, count) => count + 1);

    public override string ToString() =>
        $"{_counts.Values.Sum()} verbs: " + string.Join("; ", _counts.GroupBy(static pair => pair.Key.Verb).OrderBy(static verb => verb.Key)
            .Select(static verb => $"{verb.Key} {string.Join(", ", verb.Select(static one => $"{one.Value} {one.Key.Outcome}"))}"));
}
