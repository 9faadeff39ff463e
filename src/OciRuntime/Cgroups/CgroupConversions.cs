namespace OciRuntime.Cgroups;

/// <summary>Values of cgroup v1, which config.json speaks, in the terms of v2.</summary>
internal static class CgroupConversions
{
    /// <summary>Limits of cpu.shares: MIN_SHARES and MAX_SHARES in kernel/sched/sched.h.</summary>
    public const ulong MinShares = 2, MaxShares = 262144;

    /// <summary>cpu.shares (default 1024) to cpu.weight (1..10000, default 100); 0 is unset in both.</summary>
    /// <remarks>
    /// The curve through (2, 1), (1024, 100) and (262144, 10000) that runc, crun and youki share since 2025 (opencontainers/cgroups,
    /// ConvertCPUSharesToCgroupV2Value): the older straight line made the default 1024 a weight of 39.
    /// </remarks>
    public static ulong WeightFromShares(ulong shares)
    {
        if (shares == 0) return 0;
        if (shares <= MinShares) return 1;
        if (shares >= MaxShares) return 10000;
        double l = Math.Log2(shares);
        double exponent = ((l * l) + (125 * l)) / 612.0 - (7.0 / 34.0);
        return (ulong)Math.Ceiling(Math.Pow(10, exponent));
    }

    /// <summary>blkio.weight (10..1000) to io.weight (1..10000).</summary>
    public static ulong IoWeight(ushort weight) => 1 + ((ulong)weight - 10) * 9999 / 990;

    /// <summary>
    /// The same for systemd's IOWeight: the inverse of what systemd makes of that for io.bfq.weight (BFQ_WEIGHT in its cgroup-util.h).
    /// </summary>
    public static ulong SystemdIoWeight(ulong weight) => weight <= 100 ? weight : 100 + (weight - 100) * 9900 / 900;

    /// <summary>
    /// What to write to memory.swap.max for a limit of memory plus swap; null for nothing. As runc's ConvertMemorySwapToCgroupV2Value, 0
    /// being unset and -1 unlimited.
    /// </summary>
    /// <param name="swap">Memory plus swap.</param>
    /// <param name="memory">Not more than that.</param>
    public static Amount? SwapMax(long swap, long memory) => (swap, memory) switch
    {
        (-1, _) or (0, -1) => new Amount(null),
        (0, _) => null,
        (_, -1) => new Amount((ulong)swap),
        _ => new Amount((ulong)(swap - memory)),
    };

    /// <summary>A limit for v2: null for unset (0), and no limit for -1.</summary>
    public static Amount? Limit(long? value) => value switch { null or 0 => null, -1 => new Amount(null), _ => new Amount((ulong)value) };
}
