using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using OciRuntime.Linux;

namespace OciRuntime.Cli;

/// <summary>One record as UTF-8, with its line end.</summary>
internal static class LogRecord
{
    // A pipe takes this in one go, and some warnings besides, of an engine that reads it when all is over.
    private const int MaxBytes = 48 << 10;

    private static readonly JsonWriterOptions Legible = new() { Encoder = LegibleJson.Encoder };

    public static ReadOnlySpan<byte> Format(LogFormat format, LogLevel level, string message, DateTime utc)
    {
        // RFC 3339, which containerd and docker insist on.
        string time = utc.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
        return Fit(message, shown => format == LogFormat.Json ? Json(level, shown, time) : Text(level, shown, time),
            static record => record.Length);
    }

    /// <summary>
    /// The message alone, for a reader at a terminal: it may have several lines, and names from a bundle whose author wishes the terminal
    /// ill.
    /// </summary>
    public static string Bare(string message) => Fit(message, VisibleText.Lines, Encoding.UTF8.GetByteCount);

    /// <summary>
    /// A message as it is written, without its middle if need be: what was being done is at the beginning, and the reason at the end.
    /// </summary>
    private static T Fit<T>(string message, Func<string, T> write, Func<T, int> bytes)
    {
        const string Gap = " [...] ";
        T written = write(message);
        for (int kept = message.Length; bytes(written) > MaxBytes; written = write(Without(message, kept, Gap)))
            kept = Math.Min(kept - 1, (int)((long)kept * (MaxBytes - 2 * Gap.Length) / bytes(written)));
        return written;
    }

    private static string Without(string message, int kept, string gap) =>
        $"{message.AsSpan(0, kept - kept / 4)}{gap}{message.AsSpan(message.Length - kept / 4)}";

    /// <summary>
    /// The message on one line, without anything that a terminal or a log daemon could mistake for more than text, and fit for quotes (Go's
    /// strconv.Quote, which logrus uses).
    /// </summary>
    public static string Escape(string message) =>
        VisibleText.Line(message.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal));

    private static byte[] Json(LogLevel level, string message, string time)
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
        return buffer.WrittenSpan.ToArray();
    }

    private static byte[] Text(LogLevel level, string message, string time) =>
        Encoding.UTF8.GetBytes("time=\"" + time + "\" level=" + NameOf(level) + " msg=\"" + Escape(message) + "\"\n");

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Error => "error",
        LogLevel.Warning => "warning",
        LogLevel.Info => "info",
        _ => "debug",
    };
}
