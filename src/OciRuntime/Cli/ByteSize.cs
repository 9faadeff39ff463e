using System.Buffers;
using System.Globalization;

namespace OciRuntime.Cli;

/// <summary>Amounts of memory as runc's update takes them: "64m", "1.5G", "512 KiB", "1048576", and -1 for no limit.</summary>
internal static class ByteSize
{
    private const string Prefixes = "kmgtp";
    private static readonly SearchValues<char> Numerals = SearchValues.Create("0123456789.");

    /// <summary>Bytes, in powers of 1024; false for text that is no size.</summary>
    public static bool TryParse(string text, out long bytes)
    {
        bytes = -1;
        if (text == "-1") return true;
        int digits = text.AsSpan().IndexOfAnyExcept(Numerals);
        ReadOnlySpan<char> number = digits < 0 ? text : text.AsSpan(0, digits);
        ReadOnlySpan<char> suffix = digits < 0 ? "" : text.AsSpan(digits);
        if (suffix.StartsWith(" ")) suffix = suffix[1..];
        if (Factor(suffix) is not { } factor) return false;
        // Whole numbers as such: a double has only 53 bits.
        if (long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out long whole) && whole <= long.MaxValue / factor)
        {
            bytes = whole * factor;
            return true;
        }
        bool isNumber = double.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double part);
        if (!isNumber || !number.Contains('.') || part * factor >= long.MaxValue) return false;
        bytes = (long)(part * factor);
        return true;
    }

    private static long? Factor(ReadOnlySpan<char> suffix)
    {
        if (suffix.IsEmpty || suffix.Equals("b", StringComparison.OrdinalIgnoreCase)) return 1;
        int power = Prefixes.IndexOf(char.ToLowerInvariant(suffix[0])) + 1;
        ReadOnlySpan<char> rest = suffix[1..];
        bool known = rest.IsEmpty || rest.Equals("b", StringComparison.OrdinalIgnoreCase)
            || rest.Equals("ib", StringComparison.OrdinalIgnoreCase);
        return power > 0 && known ? 1L << (10 * power) : null;
    }
}
