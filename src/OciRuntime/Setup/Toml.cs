using Tomlyn.Syntax;

namespace OciRuntime.Setup;

/// <summary>Writing TOML.</summary>
internal static class Toml
{
    /// <summary>A basic string.</summary>
    public static string String(string text) => new StringValueSyntax(text).ToString();

    /// <summary>A key: bare where possible.</summary>
    public static string Key(string text) => BareKeySyntax.IsBareKey(text) ? text : String(text);

    /// <summary>A dotted key, as in a table's header.</summary>
    public static string Path(IEnumerable<string> keys) => string.Join('.', keys.Select(Key));
}
