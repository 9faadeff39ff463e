using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using OciRuntime.Linux;

namespace OciRuntime.Tracing;

/// <summary>
/// A timeline in the JSON of Chrome's trace viewer ("Trace Event Format"), which Perfetto reads, too: an object with the list of events,
/// times in microseconds. docs/trace.md has the members.
/// </summary>
internal sealed class TraceDocument
{
    // Eleven days; and no sum of two such times is beyond a long's nanoseconds.
    private const double MaxMicroseconds = 1e12;

    public string Version { get; set; } = "";
    public string Command { get; set; } = "";
    public string Container { get; set; } = "";

    /// <summary>How much has happened of which nothing is known.</summary>
    public long Lost { get; set; }

    /// <summary>Processes by their pids.</summary>
    public SortedDictionary<int, string> Names { get; } = [];

    /// <summary>By their beginning; what contains others stands before them.</summary>
    public List<TraceEvent> Events { get; set; } = [];

    public ReadOnlySpan<byte> ToJson()
    {
        ArrayBufferWriter<byte> buffer = new(65536);
        long first = Events.Count == 0 ? 0 : Events[0].Start;
        using (Utf8JsonWriter w = new(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            w.WriteStartObject();
            w.WriteStartObject("otherData"u8);
            w.WriteString("version"u8, Version);
            w.WriteString("command"u8, Command);
            w.WriteString("container"u8, Container);
            w.WriteNumber("lost"u8, Lost);
            w.WriteEndObject();
            w.WriteStartArray("traceEvents"u8);
            foreach ((int pid, string name) in Names) WriteName(w, pid, name);
            foreach (TraceEvent e in Events) WriteEvent(w, e, first);
            w.WriteEndArray();
            w.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan;
    }

    private static void WriteName(Utf8JsonWriter w, int pid, string name)
    {
        w.WriteStartObject();
        w.WriteString("name"u8, "process_name"u8);
        w.WriteString("ph"u8, "M"u8);
        w.WriteNumber("pid"u8, pid);
        w.WriteStartObject("args"u8);
        w.WriteString("name"u8, name);
        w.WriteEndObject();
        w.WriteEndObject();
    }

    private static void WriteEvent(Utf8JsonWriter w, TraceEvent e, long first)
    {
        bool isMoment = e.Kind == TraceKind.Failure;
        w.WriteStartObject();
        w.WriteString("name"u8, e.Name);
        w.WriteString("cat"u8, e.Kind.ToString().ToLowerInvariant());
        w.WriteString("ph"u8, isMoment ? "i"u8 : "X"u8);
        w.WriteNumber("ts"u8, (e.Start - first) / 1000.0);
        if (isMoment) w.WriteString("s"u8, "g"u8);
        else w.WriteNumber("dur"u8, e.Duration / 1000.0);
        w.WriteNumber("pid"u8, e.Process);
        w.WriteNumber("tid"u8, e.Process);
        w.WriteStartObject("args"u8);
        if (e.Number > 0) w.WriteNumber("number"u8, e.Number);
        if (e.Pointer.Length > 0) w.WriteString("pointer"u8, e.Pointer);
        if (e.Errno.Length > 0) w.WriteString("errno"u8, e.Errno);
        if (e.Calls > 0)
        {
            w.WriteNumber("calls"u8, e.Calls);
            w.WriteNumber("callTime"u8, e.CallTime / 1000.0);
        }
        if (e.More.Length > 0)
        {
            w.WriteStartArray("more"u8);
            foreach (string line in e.More) w.WriteStringValue(line);
            w.WriteEndArray();
        }
        w.WriteEndObject();
        w.WriteEndObject();
    }

    /// <summary>Reads what has been written, or something like it: what is unknown is passed over.</summary>
    /// <exception cref="FormatException">It is nothing of the kind.</exception>
    public static TraceDocument Parse(ReadOnlySpan<byte> json)
    {
        if (json.IsEmpty) throw new FormatException("it is empty: the command that was to write it was killed, or is not done yet");
        try
        {
            Utf8JsonReader r = new(json);
            TraceDocument document = new();
            if (!document.ReadDocument(ref r)) throw new FormatException("it has no list \"traceEvents\"");
            // Throws when something follows.
            r.Read();
            document.Events = [.. document.Events.OrderBy(static e => e.Start).ThenByDescending(static e => e.Duration)];
            return document;
        }
        catch (JsonException e)
        {
            throw new FormatException($"it is no JSON from line {e.LineNumber + 1} on");
        }
        catch (InvalidOperationException)
        {
            // With half of a surrogate pair.
            throw new FormatException("a text in it is no Unicode");
        }
    }

    private bool ReadDocument(ref Utf8JsonReader r)
    {
        bool hasEvents = false;
        Expect(ref r, JsonTokenType.StartObject, "document");
        while (NextMember(ref r) is { } member)
        {
            switch (member)
            {
                case "otherData": ReadFacts(ref r); break;
                case "traceEvents":
                    Expect(ref r, JsonTokenType.StartArray, member);
                    while (r.Read() && r.TokenType != JsonTokenType.EndArray) ReadEvent(ref r);
                    hasEvents = true;
                    break;
                default: r.Skip(); break;
            }
        }
        return hasEvents;
    }

    private void ReadFacts(ref Utf8JsonReader r)
    {
        Expect(ref r, JsonTokenType.StartObject, "otherData");
        while (NextMember(ref r) is { } member)
        {
            switch (member)
            {
                case "version": Version = Text(ref r, member); break;
                case "command": Command = Text(ref r, member); break;
                case "container": Container = Text(ref r, member); break;
                case "lost": Lost = Number(ref r, member); break;
                default: r.Skip(); break;
            }
        }
    }

    private void ReadEvent(ref Utf8JsonReader r)
    {
        string name = "", phase = "", kind = "", process = "";
        long start = 0, duration = 0;
        int pid = 0;
        TraceEvent args = new(0, default, "", 0, 0);
        if (r.TokenType != JsonTokenType.StartObject) throw new FormatException("an event is no object");
        while (NextMember(ref r) is { } member)
        {
            switch (member)
            {
                case "name": name = Text(ref r, member); break;
                case "ph": phase = Text(ref r, member); break;
                case "cat": kind = Text(ref r, member); break;
                case "ts": start = Time(ref r, member); break;
                case "dur": duration = Time(ref r, member); break;
                case "pid": pid = Number(ref r, member); break;
                case "args": args = ReadArguments(ref r, ref process); break;
                default: r.Skip(); break;
            }
        }
        if (phase == "M" && name == "process_name") Names[pid] = process;
        else if (phase is "X" or "i")
            Events.Add(args with { Process = pid, Kind = KindOf(kind, phase), Name = name, Start = start, Duration = duration });
    }

    private static TraceEvent ReadArguments(ref Utf8JsonReader r, ref string process)
    {
        TraceEvent args = new(0, default, "", 0, 0);
        Expect(ref r, JsonTokenType.StartObject, "args");
        while (NextMember(ref r) is { } member)
        {
            switch (member)
            {
                case "name": process = Text(ref r, member); break;
                case "pointer": args = args with { Pointer = Text(ref r, member) }; break;
                case "errno": args = args with { Errno = Text(ref r, member) }; break;
                case "number": args = args with { Number = Number(ref r, member) }; break;
                case "calls": args = args with { Calls = Number(ref r, member) }; break;
                case "callTime": args = args with { CallTime = Time(ref r, member) }; break;
                default: r.Skip(); break;
            }
        }
        return args;
    }

    private static TraceKind KindOf(string category, string phase) => phase == "i" ? TraceKind.Failure
        : category switch { "step" => TraceKind.Step, "call" => TraceKind.Call, _ => TraceKind.Work };

    /// <summary>The name of the next member of an object, whose value comes next; null at its end.</summary>
    private static string? NextMember(ref Utf8JsonReader r) => r.Read() && r.TokenType == JsonTokenType.PropertyName ? r.GetString() : null;

    private static void Expect(ref Utf8JsonReader r, JsonTokenType type, string what)
    {
        if (!r.Read() || r.TokenType != type) throw new FormatException($"\"{what}\" is no {Word(type)}");
    }

    private static string Word(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "object",
        JsonTokenType.StartArray => "list",
        JsonTokenType.String => "text",
        _ => "number",
    };

    private static string Text(ref Utf8JsonReader r, string what)
    {
        Expect(ref r, JsonTokenType.String, what);
        return r.GetString() ?? "";
    }

    private static int Number(ref Utf8JsonReader r, string what)
    {
        Expect(ref r, JsonTokenType.Number, what);
        return r.TryGetInt32(out int number) && number >= 0 ? number : throw new FormatException($"\"{what}\" is out of range");
    }

    /// <summary>Nanoseconds, from microseconds.</summary>
    private static long Time(ref Utf8JsonReader r, string what)
    {
        Expect(ref r, JsonTokenType.Number, what);
        return r.TryGetDouble(out double time) && time is >= 0 and <= MaxMicroseconds ? (long)Math.Round(time * 1000)
            : throw new FormatException($"\"{what}\" is out of range");
    }
}
