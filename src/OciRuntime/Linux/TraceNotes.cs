namespace OciRuntime.Linux;

/// <summary>
/// What a process has noted, and what its numbers mean. Init's notes are in memory that a process of the container can have written to, if
/// it got to trace init while the container was set up: nothing of them is believed that cannot be true.
/// </summary>
/// <param name="pid">The process.</param>
/// <param name="notes">Where it notes.</param>
/// <param name="capacity">For how many entries there is room.</param>
/// <param name="since">It cannot have begun before.</param>
internal sealed unsafe class TraceNotes(int pid, TraceHeader* notes, int capacity, long since)
{
    /// <summary>What the parts of its work are: the runtime's own, or a plan's steps.</summary>
    public required TraceKind Kind { get; init; }

    /// <summary>The words for a part of its work; null for a number that none has.</summary>
    public required Func<int, IReadOnlyList<(string Text, string Pointer)>?> Words { get; init; }

    /// <summary>When it was seen to do no more; 0: not yet.</summary>
    public long End { get; set; }

    /// <summary>What it has noted.</summary>
    /// <param name="now">Nothing has happened after that.</param>
    /// <param name="callName">The name of a system call.</param>
    /// <param name="lost">How much there is of which nothing is known: no room, or no truth in it.</param>
    public List<TraceEvent> Read(long now, Func<int, string> callName, out long lost)
    {
        TraceHeader header = *notes;
        // A copy, as it may be writing still; and as much as there is room for, whatever it says.
        TraceEntry[] entries = new ReadOnlySpan<TraceEntry>(notes + 1, Math.Clamp(header.Count, 0, capacity)).ToArray();
        List<TraceEvent> events = new(entries.Length);
        foreach (TraceEntry entry in entries)
        {
            // Killed in it, or busy with execve: then it ended when that was seen.
            long end = entry.End != 0 ? entry.End : End != 0 ? End : now;
            if (entry.Start < since || end < entry.Start || end > now) continue;
            if (entry.What < 0) events.Add(Event(entry, end, callName(~entry.What)));
            else if (Words(entry.What) is { } words) events.Add(Event(entry, end, header, words));
        }
        lost = Math.Clamp(header.Lost, 0, int.MaxValue - capacity) + entries.Length - events.Count;
        return events;
    }

    private static string ErrnoOf(in TraceEntry entry) => entry.Errno == 0 ? "" : ErrnoText.Name(entry.Errno);

    private TraceEvent Event(in TraceEntry entry, long end, string call) =>
        new(pid, TraceKind.Call, call, entry.Start, end - entry.Start) { Errno = ErrnoOf(entry) };

    private TraceEvent Event(in TraceEntry entry, long end, in TraceHeader header, IReadOnlyList<(string Text, string Pointer)> lines)
    {
        (long calls, long callTime) = entry.End != 0 ? (0, 0) : (header.Calls, header.CallTime);
        string[] words = new string[lines.Count];
        for (int i = 0; i < words.Length; i++) words[i] = VisibleText.Line(lines[i].Text);
        return new(pid, Kind, words[0], entry.Start, end - entry.Start)
        {
            Pointer = lines[0].Pointer,
            More = words[1..],
            Number = Kind == TraceKind.Step ? entry.What + 1 : 0,
            Errno = ErrnoOf(entry),
            Calls = Math.Clamp(entry.Calls + calls, 0, int.MaxValue),
            CallTime = Math.Clamp(entry.CallTime + callTime, 0, end - entry.Start),
        };
    }
}
