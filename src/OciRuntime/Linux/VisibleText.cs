using System.Globalization;
using System.Text;

namespace OciRuntime.Linux;

/// <summary>
/// Text of others (paths, names, what processes call themselves) for a terminal or a log: whatever could be more than text there, or look
/// like other text, is shown as an escape sequence, in the form of Go's strconv.Quote.
/// </summary>
internal static class VisibleText
{
    /// <summary>On one line.</summary>
    public static string Line(string text) => Escape(text, keepsLines: false);

    /// <summary>On as many lines as it has.</summary>
    public static string Lines(string text) => Escape(text, keepsLines: true);

    private static string Escape(string text, bool keepsLines)
    {
        // Nearly always there is nothing to do.
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~')) return text;
        StringBuilder shown = new(text.Length + 16);
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (IsVisible(rune) || (keepsLines && rune.Value == '\n')) shown.Append(rune);
            else AppendEscaped(shown, rune.Value);
        }
        return shown.ToString();
    }

    /// <summary>
    /// Not what moves the cursor or ends a line (C0, DEL, C1, U+2028, U+2029), and not what changes the order or the look of other
    /// characters (bidirectional controls).
    /// </summary>
    private static bool IsVisible(Rune rune) => Rune.GetUnicodeCategory(rune)
        is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);

    private static void AppendEscaped(StringBuilder shown, int value)
    {
        switch (value)
        {
            case '\n': shown.Append("\\n"); break;
            case '\r': shown.Append("\\r"); break;
            case '\t': shown.Append("\\t"); break;
            case < ' ' or 0x7f: shown.Append("\\x").Append(value.ToString("x2")); break;
            case <= 0xffff: shown.Append("\\u").Append(value.ToString("x4")); break;
            default: shown.Append("\\U").Append(value.ToString("x8")); break;
        }
    }
}
