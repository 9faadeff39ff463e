using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using OciRuntime.Linux;

namespace OciRuntime.Cli;

/// <summary>One record as UTF-8, with its line end.</summary>
internal static class LogRecord
{
    private static readonly JsonWriterOptions Legible = new() { Encoder = LegibleJson.Encoder };

    public static ReadOnlySpan<byte> Format(LogFormat format, LogLevel level, string message, DateTime utc)
    {
        // RFC 3339, which containerd and docker insist on.
        string time = utc.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
        return format == LogFormat.Json ? Json(level, message, time) : Text(level, message, time);
    }

    /// <summary>
    /// The message alone, for a reader at a terminal: it may have several lines, and names from a bundle whose author wishes the terminal
    /// ill.
    /// </summary>
    public static string Bare(string message) => VisibleText.Lines(message);

    /// <summary>
    /// The message on one line, without anything that a terminal or a log daemon could mistake for more than text, and fit for quotes (Go's
    /// strconv.Quote, which logrus uses).
    /// </summary>
    public static string Escape(string message) =>
        VisibleText.Line(message.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal));

    private static ReadOnlySpan<byte> Json(LogLevel level, string message, string time)
    {
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter json = new(buffer, Legible))
        {
            json.WriteStartObject();
            json.WriteString("level"u8, NameOf(level));
            // Through UTF-8, because the writer throws on half a surrogate pair where the encoding puts a replacement character.
            json.WriteString("msg"u8, Encoding.UTF8.GetBytes(message));
            json.WriteString("time"u8, time);
            json.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan;
    }

    private static ReadOnlySpan<byte> Text(LogLevel level, string message, string time) =>
        Encoding.UTF8.GetBytes("time=\"" + time + "\" level=" + NameOf(level) + " msg=\"" + Escape(message) + "\"\n");

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Error => "error",
        LogLevel.Warning => "warning",
        LogLevel.Info => "info",
        _ => "debug",
    };
}
