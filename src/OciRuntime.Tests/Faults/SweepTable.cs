using System.Text;
using NUnit.Framework;

namespace OciRuntime.Tests.Faults;

/// <summary>Which of the calls that a command makes are tried.</summary>
internal static class SweepPoints
{
    /// <summary>The last call of each kind, the first, then others spread in between.</summary>
    internal static IEnumerable<(string Call, int When)> Choose(Dictionary<string, int> counts, string[] calls, int perCall)
    {
        foreach (string call in calls)
        {
            int count = counts.GetValueOrDefault(call);
            if (count == 0)
            {
                continue;
            }
            int points = Math.Min(count, perCall);
            SortedSet<int> chosen = [count];
            for (int i = 0; i < points - 1; i++)
            {
                chosen.Add(1 + (i * count / points));
            }
            foreach (int when in chosen)
            {
                yield return (call, when);
            }
        }
    }
}

/// <summary>The result of a sweep, for the log and for docs/reliability.md.</summary>
internal sealed class SweepTable(string name)
{
    private int _tried;
    private int _dirty;

    internal List<string> Failures { get; } = [];

    internal int Hits { get; private set; }

    internal void Add(string point, bool hit, bool dirty, bool good, string why)
    {
        _tried++;
        Hits += hit ? 1 : 0;
        _dirty += hit && dirty ? 1 : 0;
        if (!good)
        {
            Failures.Add($"{point}: {why}");
        }
    }

    internal void Print()
    {
        var text = new StringBuilder().Append($"{name}: {_tried} points, {Hits} hit, {_dirty} left something at first, {Failures.Count} not recovered");
        Failures.ForEach(failure => text.Append("\n  ").Append(failure));
        TestContext.Out.WriteLine(text);
    }
}
