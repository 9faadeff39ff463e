using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Values of cgroup v1, which config.json speaks, in the terms of v2.</summary>
internal static class CgroupConversions
{
    /// <summary>cpu.shares (2..262144, default 1024) to cpu.weight (1..10000, default 100); 0 is unset in both.</summary>
    /// <remarks>
    /// The curve through (2, 1), (1024, 100) and (262144, 10000) that runc, crun and youki share since 2025 (opencontainers/cgroups,
    /// ConvertCPUSharesToCgroupV2Value): the older straight line made the default 1024 a weight of 39.
    /// </remarks>
    public static ulong WeightFromShares(ulong shares)
    {
        if (shares == 0) return 0;
        if (shares <= 2) return 1;
        if (shares >= 262144) return 10000;
        double l = Math.Log2(shares);
        double exponent = ((l * l) + (125 * l)) / 612.0 - (7.0 / 34.0);
        return (ulong)Math.Ceiling(Math.Pow(10, exponent));
    }

    /// <summary>blkio.weight (10..1000) to io.weight (1..10000).</summary>
    public static ulong IoWeight(ushort weight) => weight == 0 ? 0 : 1 + ((ulong)weight - 10) * 9999 / 990;

    /// <summary>The same for systemd's IOWeight: the inverse of what systemd makes of that for io.bfq.weight (BFQ_WEIGHT in its cgroup-util.h).</summary>
    public static ulong SystemdIoWeight(ulong weight) => weight <= 100 ? weight : 100 + (weight - 100) * 9900 / 900;

    /// <summary>
    /// What to write to memory.swap.max for a limit of memory plus swap; null for nothing. Rules of runc's
    /// ConvertMemorySwapToCgroupV2Value, 0 being unset and -1 unlimited.
    /// </summary>
    /// <exception cref="OciException">Swap without memory, or less than memory.</exception>
    public static string? SwapMax(long swap, long memory)
    {
        if (memory == -1 && swap == 0) return "max";
        if (swap == 0) return null;
        if (swap == -1) return "max";
        if (swap < 0) throw new OciException($"linux.resources.memory.swap: invalid memory+swap value: {swap}");
        if (memory == -1) return swap.ToString();
        if (memory == 0) throw new OciException("linux.resources.memory.swap: unable to set swap limit without memory limit");
        if (swap < memory) throw new OciException($"linux.resources.memory.swap: memory+swap limit should be >= memory limit ({swap} < {memory})");
        return (swap - memory).ToString();
    }

    /// <summary>A limit for v2: null for unset (0), "max" for -1. Other negative numbers are left to the kernel to refuse.</summary>
    public static string? Limit(long? value) => value switch { null or 0 => null, -1 => "max", _ => value.Value.ToString() };
}
