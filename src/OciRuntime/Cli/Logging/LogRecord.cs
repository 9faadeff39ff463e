using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace OciRuntime.Cli;

/// <summary>One record as UTF-8, with its line end.</summary>
internal static class LogRecord
{
    // Unsafe means "not for embedding in HTML"; quotes and control characters are still escaped, and the rest stays legible.
    private static readonly JsonWriterOptions Legible = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static ReadOnlySpan<byte> Format(LogFormat format, LogLevel level, string message, DateTime utc)
    {
        // RFC 3339, which containerd and docker insist on.
        string time = utc.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
        return format == LogFormat.Json ? Json(level, message, time) : Text(level, message, time);
    }

    /// <summary>The message alone, for a reader at a terminal: it may have several lines, and names from a bundle whose author wishes the terminal ill.</summary>
    public static string Bare(string message)
    {
        StringBuilder text = new(message.Length);
        foreach (char c in message)
        {
            if (c is '\n' or '"' or '\\') text.Append(c);
            else AppendEscaped(text, c);
        }

        return text.ToString();
    }

    /// <summary>The message on one line, without anything that a terminal or a log daemon could mistake for more than text.</summary>
    public static string Escape(string message)
    {
        StringBuilder text = new(message.Length);
        foreach (char c in message)
        {
            AppendEscaped(text, c);
        }

        return text.ToString();
    }

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

    // As Go's strconv.Quote, which logrus uses: what a terminal could mistake for a command must not reach it.
    private static void AppendEscaped(StringBuilder line, char c)
    {
        switch (c)
        {
            case '"': line.Append("\\\""); break;
            case '\\': line.Append("\\\\"); break;
            case '\n': line.Append("\\n"); break;
            case '\r': line.Append("\\r"); break;
            case '\t': line.Append("\\t"); break;
            case < ' ' or '\x7f': line.Append("\\x").Append(((int)c).ToString("x2")); break;
            case >= '\x80' and < '\xa0' or '\u2028' or '\u2029': line.Append("\\u").Append(((int)c).ToString("x4")); break;
            default: line.Append(c); break;
        }
    }

    private static string NameOf(LogLevel level) => level switch
    {
        LogLevel.Error => "error",
        LogLevel.Warning => "warning",
        LogLevel.Info => "info",
        _ => "debug",
    };
}
