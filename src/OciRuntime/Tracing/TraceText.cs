using System.Globalization;
using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Tracing;

/// <summary>Prints a timeline for a person.</summary>
internal static class TraceText
{
    private const int BarWidth = 30;

    // One for each process, in the order in which they begin.
    private const string Bars = "#=-~";

    /// <param name="document">The timeline.</param>
    /// <param name="largest">By the time that each took itself, instead of by its beginning.</param>
    public static string Print(TraceDocument document, bool largest)
    {
        List<Row> rows = Rows(document.Events);
        long all = rows.Count == 0 ? 0 : rows.Max(static row => row.Event.End);
        StringBuilder text = new(4096);
        text.Append(VisibleText.Line($"ocirun {document.Version}: {document.Command} {document.Container}".TrimEnd()))
            .Append($", {Milliseconds(all)} ms");
        if (document.Lost > 0) text.Append($"; of {document.Lost} events nothing is known");
        text.Append($"\n\n{"begin",9} {(largest ? "itself" : "took"),9} {"calls",5} {"in them",9}\n");
        if (largest) rows = [.. rows.OrderByDescending(static row => row.Own)];
        List<int> processes = [.. document.Events.Select(static e => e.Process).Distinct()];
        foreach (Row row in rows) Append(text, row, document, processes, all, largest);
        return text.ToString();
    }

    /// <summary>An event, how deep it lies in others of its process, and its time without those in it.</summary>
    private sealed class Row(TraceEvent e, int depth)
    {
        public TraceEvent Event => e;
        public int Depth => depth;
        public long Own { get; set; } = e.Duration;
    }

    private static List<Row> Rows(List<TraceEvent> events)
    {
        List<Row> rows = new(events.Count);
        Dictionary<int, Stack<Row>> open = [];
        foreach (TraceEvent e in events)
        {
            if (!open.TryGetValue(e.Process, out Stack<Row>? around)) open[e.Process] = around = [];
            while (around.TryPeek(out Row? last) && (last.Event.End < e.End || last.Event.End <= e.Start)) around.Pop();
            if (around.TryPeek(out Row? outer)) outer.Own -= e.Duration;
            Row row = new(e, around.Count);
            around.Push(row);
            rows.Add(row);
        }
        return rows;
    }

    private static void Append(StringBuilder text, Row row, TraceDocument document, List<int> processes, long all, bool largest)
    {
        TraceEvent e = row.Event;
        bool fails = e.Kind == TraceKind.Failure;
        int process = processes.IndexOf(e.Process);
        char mark = fails ? '!' : Bars[process % Bars.Length];
        string name = document.Names.TryGetValue(e.Process, out string? known) ? known : $"{e.Process}";
        text.Append($"{Milliseconds(e.Start),9} {(fails ? "" : Milliseconds(largest ? row.Own : e.Duration)),9} ")
            .Append($"{(e.Calls > 0 ? e.Calls : ""),5} {(e.CallTime >= Trace.NotableNanoseconds ? Milliseconds(e.CallTime) : ""),9}  ")
            .Append($"{Bar(e, all, mark)}  {VisibleText.Line(name),-6}  ")
            .Append(' ', largest ? 0 : row.Depth * 2)
            .Append(e.Number > 0 ? $"{e.Number}. " : "").Append(VisibleText.Line(e.Name)).Append(e.Kind == TraceKind.Call ? "()" : "");
        if (e.Errno.Length > 0) text.Append(": ").Append(VisibleText.Line(e.Errno));
        if (e.Pointer.Length > 0) text.Append("  ").Append(VisibleText.Line(e.Pointer));
        text.Append('\n');
    }

    private static string Bar(TraceEvent e, long all, char mark)
    {
        int from = all == 0 ? 0 : (int)Math.Min(BarWidth * (double)e.Start / all, BarWidth - 1);
        int to = all == 0 ? 0 : (int)Math.Ceiling(BarWidth * (double)e.End / all);
        return new string(' ', from) + new string(mark, Math.Max(to - from, 1)).PadRight(BarWidth - from);
    }

    private static string Milliseconds(long nanoseconds) => (nanoseconds / 1e6).ToString("F3", CultureInfo.InvariantCulture);
}
