namespace OciRuntime.State;

/// <summary>Points in time as Go writes them (RFC3339Nano), which is what clients parse.</summary>
internal static class Timestamp
{
    /// <summary>Go's zero time, for entries whose time of creation is unknown: clients refuse a document without a valid one.</summary>
    public const string Zero = "0001-01-01T00:00:00Z";

    /// <summary>Now, UTC.</summary>
    public static string Now() => Format(DateTime.UtcNow);

    // "O" has all seven decimals, and looks at no culture.
    internal static string Format(DateTime utc) =>
        utc.ToString("O", null)[.."yyyy-MM-ddTHH:mm:ss.fffffff".Length].TrimEnd('0').TrimEnd('.') + "Z";
}
