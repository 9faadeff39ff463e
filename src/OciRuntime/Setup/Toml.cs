using System.Text;

namespace OciRuntime.Setup;

/// <summary>Writing TOML.</summary>
internal static class Toml
{
    /// <summary>A basic string. Control characters do not occur: they are refused before.</summary>
    public static string String(string text) => new StringBuilder(text).Replace("\\", "\\\\").Replace("\"", "\\\"").Insert(0, '"').Append('"').ToString();

    /// <summary>A key: bare where possible.</summary>
    public static string Key(string text) => text.All(IsBare) ? text : String(text);

    /// <summary>A dotted key, as in a table's header.</summary>
    public static string Path(IEnumerable<string> keys) => string.Join('.', keys.Select(Key));

    /// <summary>What may stand in a key without quotes.</summary>
    public static bool IsBare(char c) => char.IsAsciiLetterOrDigit(c) || c is '_' or '-';
}
