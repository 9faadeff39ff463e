using System.Buffers;
using System.Text;
using System.Text.Json;
using OciRuntime.Linux;

namespace OciRuntime.Checks;

/// <summary>What was found, as text and as JSON (docs/check.md).</summary>
internal sealed class Report
{
    /// <summary>Raised when a member changes its meaning or goes away; new members may come at any time.</summary>
    private const int FormatVersion = 1;

    private readonly List<Finding> _findings = [];

    public int Count => _findings.Count;

    /// <summary>The worst there is.</summary>
    public Verdict Verdict { get; private set; }

    public void Add(Finding finding)
    {
        _findings.Add(finding);
        if (finding.Verdict > Verdict) Verdict = finding.Verdict;
    }

    public string Text()
    {
        StringBuilder text = new();
        string topic = "";
        foreach (Finding one in _findings)
        {
            if (one.Topic != topic) text.Append(topic.Length == 0 ? "" : "\n").Append(topic = one.Topic).Append('\n');
            Line(text, Word(one.Verdict), $"{one.Name}: {one.Found}");
            if (one.Cost.Length > 0) Line(text, "", one.Cost);
            if (one.Remedy.Length > 0) Line(text, "", "mend: " + one.Remedy);
        }
        int missing = Of(Verdict.Missing), limited = Of(Verdict.Limited);
        return text.Append($"\n{_findings.Count - missing - limited} as they should be, {limited} limited, {missing} missing\n").ToString();
    }

    public ReadOnlySpan<byte> Json()
    {
        ArrayBufferWriter<byte> buffer = new(8192);
        using (Utf8JsonWriter w = new(buffer, new JsonWriterOptions { Indented = true, Encoder = LegibleJson.Encoder }))
        {
            w.WriteStartObject();
            w.WriteNumber("version"u8, FormatVersion);
            w.WriteString("verdict"u8, Word(Verdict));
            w.WriteStartArray("findings"u8);
            foreach (Finding one in _findings)
            {
                w.WriteStartObject();
                w.WriteString("topic"u8, one.Topic);
                w.WriteString("name"u8, one.Name);
                w.WriteString("verdict"u8, Word(one.Verdict));
                w.WriteString("found"u8, one.Found);
                if (one.Cost.Length > 0) w.WriteString("cost"u8, one.Cost);
                if (one.Remedy.Length > 0) w.WriteString("remedy"u8, one.Remedy);
                w.WriteEndObject();
            }
            w.WriteEndArray();
            w.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan;
    }

    private int Of(Verdict verdict) => _findings.FindAll(one => one.Verdict == verdict).Count;

    private static void Line(StringBuilder text, string verdict, string words) =>
        text.Append("  ").Append(verdict.PadRight(9)).Append(VisibleText.Line(words)).Append('\n');

    private static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Ok => "ok",
        Verdict.Limited => "limited",
        _ => "missing",
    };
}
