using System.Buffers;
using System.Text;
using System.Text.Json;
using OciRuntime.Linux;

namespace OciRuntime.Verify;

/// <summary>What has become of a container's promises, as text and as JSON (docs/verify.md).</summary>
/// <param name="id">The container.</param>
/// <param name="status">What it was doing.</param>
internal sealed class Report(string id, string status)
{
    /// <summary>Raised when a member changes its meaning or goes away; new members may come at any time.</summary>
    private const int FormatVersion = 1;

    // A fork bomb with too many rights is named, and its thousands of processes need not be.
    private const int MaxProcesses = 16;

    private readonly List<Finding> _findings = [];
    private readonly Dictionary<(Promise, Outcome), int> _processes = [];

    /// <summary>How many processes were looked at.</summary>
    public int Processes { get; set; }

    /// <summary>The worst there is.</summary>
    public Outcome Outcome { get; private set; }

    public void Add(Promise promise, Seen seen, int pid = 0)
    {
        if (seen.Outcome > Outcome) Outcome = seen.Outcome;
        int same = pid == 0 ? 0 : _processes.GetValueOrDefault((promise, seen.Outcome));
        if (pid != 0) _processes[(promise, seen.Outcome)] = same + 1;
        if (same < MaxProcesses) _findings.Add(new(promise, seen, pid));
        else if (same == MaxProcesses) _findings.Add(new(promise, new(seen.Outcome, "in more processes, too"), 0));
    }

    public void Add(string subject, string pointer, string words, Seen seen) => Add(new Promise(subject, pointer, words), seen);

    /// <param name="all">Also what is held.</param>
    public string Text(bool all)
    {
        StringBuilder text = new();
        string subject = "";
        foreach (Finding one in Sorted())
        {
            if (one.Seen.Outcome == Outcome.Held && !all) continue;
            if (one.Promise.Subject != subject)
                text.Append(subject.Length == 0 ? "" : "\n").Append(subject = one.Promise.Subject).Append('\n');
            string pointer = one.Promise.Pointer.Length == 0 ? "" : one.Promise.Pointer + ": ";
            string process = one.Pid == 0 ? "" : $"process {one.Pid}: ";
            Line(text, Word(one.Seen.Outcome), pointer + one.Promise.Words);
            if (one.Seen.Found.Length > 0) Line(text, "", process + one.Seen.Found);
        }
        if (text.Length > 0) text.Append('\n');
        string processes = Processes == 1 ? "1 process" : $"{Processes} processes";
        return text.Append($"{id}, {status}, {processes}: {Of(Outcome.Held)} held, {Of(Outcome.Broken)} broken, "
            + $"{Of(Outcome.Drifted)} drifted, {Of(Outcome.Unchecked)} not checkable\n").ToString();
    }

    public ReadOnlySpan<byte> Json()
    {
        ArrayBufferWriter<byte> buffer = new(8192);
        using (Utf8JsonWriter w = new(buffer, new JsonWriterOptions { Indented = true, Encoder = LegibleJson.Encoder }))
        {
            w.WriteStartObject();
            w.WriteNumber("version"u8, FormatVersion);
            w.WriteString("id"u8, id);
            w.WriteString("status"u8, status);
            w.WriteNumber("processes"u8, Processes);
            w.WriteString("outcome"u8, Word(Outcome));
            w.WriteStartArray("findings"u8);
            foreach (Finding one in Sorted())
            {
                w.WriteStartObject();
                w.WriteString("subject"u8, one.Promise.Subject);
                w.WriteString("pointer"u8, one.Promise.Pointer);
                w.WriteString("outcome"u8, Word(one.Seen.Outcome));
                w.WriteString("promise"u8, one.Promise.Words);
                if (one.Seen.Found.Length > 0) w.WriteString("found"u8, one.Seen.Found);
                if (one.Pid != 0) w.WriteNumber("pid"u8, one.Pid);
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan;
    }

    // By subject, in the order in which those came up.
    private IEnumerable<Finding> Sorted() => _findings.GroupBy(static one => one.Promise.Subject).SelectMany(static group => group);

    private int Of(Outcome outcome) => _findings.Count(one => one.Seen.Outcome == outcome);

    private static void Line(StringBuilder text, string outcome, string words) =>
        text.Append("  ").Append(outcome.PadRight(10)).Append(VisibleText.Line(words)).Append('\n');

    private static string Word(Outcome outcome) => outcome switch
    {
        Outcome.Held => "held",
        Outcome.Unchecked => "unchecked",
        Outcome.Drifted => "drifted",
        _ => "broken",
    };
}
