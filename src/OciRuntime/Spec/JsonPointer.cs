using OciRuntime.Linux;

namespace OciRuntime.Spec;

/// <summary>RFC 6901.</summary>
internal static class JsonPointer
{
    private const int MaxShownChars = 128;

    /// <summary>One reference token: "~" and "/" escaped; shortened, and without characters that would break a one-line message.</summary>
    public static string Escape(string token)
    {
        if (token.Length > MaxShownChars) token = token[..MaxShownChars] + "...";
        return VisibleText.Line(token.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal));
    }
}
