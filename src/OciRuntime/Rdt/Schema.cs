using System.Globalization;

namespace OciRuntime.Rdt;

/// <summary>
/// Lines of a schemata file, such as "L3:0=7f0;1=1f". The kernel prints them with blanks and leading zeros, and knows no order of domains.
/// </summary>
internal static class Schema
{
    /// <summary>
    /// Whether all that a line asks for is in force. Domains that it does not name may have any value, as when it is written.
    /// </summary>
    public static bool Agrees(string line, string schemata)
    {
        if (Parse(line) is not { } wanted) return false;
        foreach (string other in schemata.Split('\n'))
        {
            if (Parse(other) is { } present && present.Resource == wanted.Resource)
                return wanted.Domains.All(w => present.Domains.GetValueOrDefault(w.Key) == w.Value);
        }
        return false;
    }

    private static (string Resource, Dictionary<string, string> Domains)? Parse(string line)
    {
        int colon = line.IndexOf(':');
        if (colon <= 0) return null;
        Dictionary<string, string> domains = [];
        foreach (string part in line[(colon + 1)..].Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int equals = part.IndexOf('=');
            if (equals <= 0) return null;
            domains[Number(part[..equals], NumberStyles.None)] = Number(part[(equals + 1)..], NumberStyles.AllowHexSpecifier);
        }
        return domains.Count == 0 ? null : (line[..colon].Trim(), domains);
    }

    // Leading zeros do not count; decimal values may be compared as if they were hexadecimal.
    private static string Number(string text, NumberStyles style)
    {
        string plain = text.Trim();
        if (plain.StartsWith("0x", StringComparison.OrdinalIgnoreCase) && style == NumberStyles.AllowHexSpecifier) plain = plain[2..];
        return ulong.TryParse(plain, style, CultureInfo.InvariantCulture, out ulong value)
            ? value.ToString(CultureInfo.InvariantCulture) : plain;
    }
}
