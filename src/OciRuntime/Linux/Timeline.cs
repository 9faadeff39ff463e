using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>A part of the work; the default value is none. Disposing it ends it, with all that has begun in it.</summary>
internal readonly struct TraceSpan(Timeline? timeline, int depth) : IDisposable
{
    public void Dispose() => timeline?.Close(depth);
}

/// <summary>
/// What --trace asks for, in the parent: the words for what <see cref="Trace"/> notes, and whose notes are to be read at the end. There is
/// none without the option: each method that is called while a container is launched is then a look at one field.
/// </summary>
internal sealed unsafe class Timeline
{
    // 768 KB of addresses. A thousand mounts are some four thousand entries.
    private const int Capacity = 16384;

    private static Timeline? s_current;
    private static long s_main;

    private readonly List<IReadOnlyList<(string Text, string Pointer)>> _words = [];
    private readonly List<(int Entry, bool IsPhase)> _open = [];
    private readonly List<TraceEvent> _moments = [];
    private readonly List<TraceNotes> _notes;

    private Timeline(TraceHeader* notes) => _notes =
    [
        new(Processes.Pid(), notes, Capacity, since: 0)
        {
            Kind = TraceKind.Work,
            Words = part => part < _words.Count ? _words[part] : null,
        },
    ];

    public static bool IsOn => s_current is not null;

    /// <summary>The first line of the program. If <c>Native/runtime.c</c> has seen the option, it has noted what comes before.</summary>
    public static void EnterMain()
    {
        if (*Started() != 0) s_main = Trace.Now();
    }

    /// <summary>Notes from here on; and what has been noted before the command line was read.</summary>
    public static void Start()
    {
        TraceHeader* notes = Trace.Allocate(Capacity, isShared: false);
        s_current = new Timeline(notes);
        s_current.AddStart(Started());
        Trace.NoteIn(notes);
    }

    /// <summary>Begins a part of the work that ends where the next one begins, or what it is part of ends.</summary>
    public static void Phase(string text) => s_current?.Open([(text, "")], isPhase: true);

    /// <summary>Begins a part of the work that is over when the span is disposed.</summary>
    public static TraceSpan Span(string text, string pointer = "") => s_current?.Open([(text, pointer)], isPhase: false) ?? default;

    /// <summary>The same, in several lines; none for what is not worth a word.</summary>
    public static TraceSpan Span(IReadOnlyList<(string Text, string Pointer)> lines) =>
        lines.Count == 0 ? default : s_current?.Open(lines, isPhase: false) ?? default;

    /// <summary>It goes wrong now.</summary>
    public static void Fail(string message) =>
        s_current?._moments.Add(new(Processes.Pid(), TraceKind.Failure, VisibleText.Line(message), Trace.Now(), 0));

    /// <summary>Reads in the end, too, what a clone notes that takes the steps of a plan.</summary>
    public static void Follow(TraceNotes notes) => s_current?._notes.Add(notes);

    /// <summary>The process that is followed takes no more steps; its last one is over if it has not said so itself.</summary>
    public static void Ended()
    {
        if (s_current is { _notes: [_, .., { End: 0 } last] }) last.End = Trace.Now();
    }

    /// <summary>Notes no more. Returns what has been noted, by its beginning; what contains others stands before them.</summary>
    /// <param name="callName">The name of a system call.</param>
    /// <param name="lost">See <see cref="TraceNotes.Read"/>.</param>
    public static List<TraceEvent> Finish(Func<int, string> callName, out long lost)
    {
        Timeline timeline = s_current!;
        timeline.Close(0);
        Trace.Stop();
        s_current = null;
        long now = Trace.Now();
        List<TraceEvent> events = timeline._moments;
        lost = 0;
        foreach (TraceNotes notes in timeline._notes)
        {
            events.AddRange(notes.Read(now, callName, out long some));
            lost += some;
        }
        return [.. events.OrderBy(static e => e.Start).ThenByDescending(static e => e.Duration)];
    }

    /// <summary>Ends what is open from a depth on.</summary>
    internal void Close(int depth)
    {
        while (_open.Count > depth)
        {
            Trace.End(_open[^1].Entry);
            _open.RemoveAt(_open.Count - 1);
        }
    }

    private TraceSpan Open(IReadOnlyList<(string Text, string Pointer)> lines, bool isPhase)
    {
        if (isPhase && _open is [.., { IsPhase: true }]) Close(_open.Count - 1);
        _words.Add(lines);
        _open.Add((Trace.Begin(_words.Count - 1), isPhase));
        return new(this, _open.Count - 1);
    }

    /// <summary>What happened before the first line of the program, as far as it can be known.</summary>
    /// <param name="started">See <c>Native/runtime.c</c>.</param>
    private void AddStart(long* started)
    {
        (long began, long processor) = (started[0], started[1]);
        if (began == 0 || s_main == 0) return;
        Add("processor time before that: the caller's fork, execve, the sealed copy, its execve, the C library", began - processor, began);
        Add("start the .NET runtime", began, s_main);
        Add("read the command line", s_main, Trace.Now());

        void Add(string text, long start, long end)
        {
            if (start < end) _moments.Add(new(Processes.Pid(), TraceKind.Work, text, start, end - start));
        }
    }

    // In Native/runtime.c.
    [DllImport("libc", EntryPoint = "ocirun_started"), SuppressGCTransition]
    private static extern long* Started();
}
