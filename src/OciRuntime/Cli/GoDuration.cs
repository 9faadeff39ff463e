using System.Buffers;
using System.Globalization;

namespace OciRuntime.Cli;

/// <summary>
/// Spans of time as Go's time.ParseDuration reads them: "5s", "1m30s", "1.5h", "300ms". Clients pass them on as they are.
/// </summary>
internal static class GoDuration
{
    private static readonly SearchValues<char> Numerals = SearchValues.Create("0123456789.");
    private static readonly (string Name, double Milliseconds)[] Units =
        [("ns", 1e-6), ("us", 1e-3), ("µs", 1e-3), ("ms", 1), ("s", 1e3), ("m", 6e4), ("h", 3.6e6)];

    /// <summary>
    /// Milliseconds, rounded up: the shortest span that is more than nothing is 1. False for text that is no span of time.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, out long milliseconds)
    {
        milliseconds = 0;
        double sum = 0;
        bool negative = text.StartsWith("-");
        ReadOnlySpan<char> rest = negative || text.StartsWith("+") ? text[1..] : text;
        if (rest.SequenceEqual("0")) return true;
        if (rest.IsEmpty) return false;
        while (!rest.IsEmpty)
        {
            int digits = rest.IndexOfAnyExcept(Numerals);
            if (digits <= 0) return false;
            ReadOnlySpan<char> numeral = rest[..digits];
            if (!double.TryParse(numeral, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)) return false;
            rest = rest[digits..];
            int letters = rest.IndexOfAny(Numerals);
            ReadOnlySpan<char> name = letters < 0 ? rest : rest[..letters];
            if (UnitOf(name) is not { } unit) return false;
            sum += number * unit;
            rest = rest[name.Length..];
        }
        // Go's limit is that of nanoseconds in 64 bits.
        if (sum > long.MaxValue / 1e6) return false;
        milliseconds = (long)Math.Ceiling(sum) * (negative ? -1 : 1);
        return true;
    }

    /// <summary>The value of --interval in milliseconds.</summary>
    /// <param name="text">The value.</param>
    /// <param name="bareSeconds">A number alone is one of seconds.</param>
    public static long Interval(string text, bool bareSeconds = false)
    {
        bool isBare = bareSeconds && double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out _);
        if (!TryParse(isBare ? text + "s" : text, out long milliseconds))
            throw new UsageException($"invalid value \"{text}\" for flag --interval: expected a duration such as 5s");
        // runc's words.
        return milliseconds > 0 ? milliseconds : throw new UsageException("duration interval must be greater than 0");
    }

    private static double? UnitOf(ReadOnlySpan<char> name)
    {
        foreach ((string unit, double value) in Units) if (name.SequenceEqual(unit)) return value;
        return null;
    }
}
