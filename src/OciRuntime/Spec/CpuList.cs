using System.Globalization;

namespace OciRuntime.Spec;

/// <summary>
/// The list format of cpuset(7), for CPUs and NUMA nodes: "0-3,7", also with strides "0-31:2/16", blanks around the parts and empty parts.
/// </summary>
internal static class CpuList
{
    /// <summary>More CPUs than any kernel has; runc's limit.</summary>
    public const int MaxCpus = 64 * 1024;

    /// <summary>What a kernel can be configured for (MAX_NUMNODES).</summary>
    public const int MaxNodes = 1024;

    // All numbers below the limit, so many times over: a list is walked, and one that names them without end would be for minutes.
    private const long MaxRounds = 256;

    /// <summary>Whether a list is well-formed, whatever its numbers: a cpuset file takes it as it is.</summary>
    public static bool IsValid(string list)
    {
        foreach (System.Range part in list.AsSpan().Split(','))
        {
            if (list.AsSpan()[part].Trim() is { IsEmpty: false } item && !Range.TryParse(item, out _)) return false;
        }
        return true;
    }

    /// <summary>
    /// The members as a mask for sched_setaffinity(2) and set_mempolicy(2): bit n for number n, no longer than the highest member needs.
    /// </summary>
    /// <param name="list">The list.</param>
    /// <param name="limit">No member may be this high.</param>
    /// <param name="mask">The members; empty on failure.</param>
    /// <returns>False for a list that is malformed, has no member at all, one that is too high, or each of them over and over.</returns>
    public static bool TryParse(string list, int limit, out ulong[] mask)
    {
        mask = [];
        long walked = 0;
        foreach (System.Range part in list.AsSpan().Split(','))
        {
            ReadOnlySpan<char> item = list.AsSpan()[part].Trim();
            if (item.IsEmpty) continue;
            if (!Range.TryParse(item, out Range range) || range.Last >= limit || (walked += range.Last - range.First) > MaxRounds * limit)
            {
                mask = [];
                return false;
            }
            if (mask.Length <= range.Last / 64) Array.Resize(ref mask, (int)(range.Last / 64 + 1));
            for (uint i = range.First; i <= range.Last; i++)
            {
                if ((i - range.First) % range.Group < range.Used) mask[i / 64] |= 1UL << (int)(i % 64);
            }
        }
        return mask.Length > 0;
    }

    /// <summary>Whether each member of a list is one of another.</summary>
    public static bool IsWithin(string list, string other, int limit)
    {
        if (!TryParse(list, limit, out ulong[] members) || !TryParse(other, limit, out ulong[] allowed)) return false;
        for (int i = 0; i < members.Length; i++) if ((members[i] & ~(i < allowed.Length ? allowed[i] : 0)) != 0) return false;
        return true;
    }

    /// <summary>The first <c>Used</c> numbers of every <c>Group</c> between <c>First</c> and <c>Last</c>.</summary>
    private readonly record struct Range(uint First, uint Last, uint Used, uint Group)
    {
        public static bool TryParse(ReadOnlySpan<char> item, out Range range)
        {
            range = default;
            uint used = 1, group = 1;
            int stride = item.IndexOf(':');
            if (stride >= 0 && !(TryPair(item[(stride + 1)..], '/', out used, out group) && group > 0)) return false;
            ReadOnlySpan<char> numbers = stride >= 0 ? item[..stride] : item;
            uint first, last;
            if (numbers.Contains('-'))
            {
                if (!TryPair(numbers, '-', out first, out last)) return false;
            }
            else if (!TryNumber(numbers, out first))
            {
                return false;
            }
            else
            {
                last = first;
            }

            range = new Range(first, last, used, group);
            return true;
        }

        // Two numbers, the second no less than the first.
        private static bool TryPair(ReadOnlySpan<char> text, char separator, out uint first, out uint second)
        {
            first = second = 0;
            int at = text.IndexOf(separator);
            return at > 0 && TryNumber(text[..at].Trim(), out first) && TryNumber(text[(at + 1)..].Trim(), out second) && first <= second;
        }

        private static bool TryNumber(ReadOnlySpan<char> text, out uint number) =>
            uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}
