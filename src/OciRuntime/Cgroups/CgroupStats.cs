namespace OciRuntime.Cgroups;

/// <summary>
/// What a container uses, in the terms of cgroup v1, which the clients of `events` speak. Times in nanoseconds, sizes in bytes; 0 where the
/// host does not count.
/// </summary>
internal sealed class CgroupStats
{
    public CpuStats Cpu { get; } = new();

    /// <summary>v1 only, as in runc.</summary>
    public CpusetStats Cpuset { get; } = new();

    public MemoryStats Memory { get; } = new();

    public ulong PidsCurrent { get; set; }

    /// <summary>0 for no limit.</summary>
    public ulong PidsLimit { get; set; }

    public BlockStats Block { get; } = new();

    /// <summary>By page size: "2MB".</summary>
    public SortedDictionary<string, MemoryUse> HugePages { get; } = new(StringComparer.Ordinal);
}

/// <summary>One line of a pressure file (Documentation/accounting/psi.rst): percent of the time, and microseconds.</summary>
internal readonly record struct PressureLine(double Avg10, double Avg60, double Avg300, ulong Total);

/// <summary>A pressure file.</summary>
internal readonly record struct Pressure(PressureLine Some, PressureLine Full);

internal sealed class CpuStats
{
    public ulong Total { get; set; }
    public ulong Kernel { get; set; }
    public ulong User { get; set; }

    /// <summary>By processor, v1 only.</summary>
    public ulong[] PerCpu { get; set; } = [];
    public ulong[] PerCpuKernel { get; set; } = [];
    public ulong[] PerCpuUser { get; set; } = [];
    public ulong Periods { get; set; }
    public ulong ThrottledPeriods { get; set; }
    public ulong ThrottledTime { get; set; }
    public Pressure? Pressure { get; set; }
}

internal sealed class CpusetStats
{
    public ulong[] Cpus { get; set; } = [];
    public ulong[] Mems { get; set; } = [];

    /// <summary>The other files of the controller, without "cpuset.", in the order of their values.</summary>
    public static readonly string[] Files =
    [
        "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page", "memory_spread_slab", "memory_pressure",
        "sched_load_balance",
        "sched_relax_domain_level",
    ];

    /// <summary>What they say; 0 where the host does not have them.</summary>
    public long[] Values { get; set; } = new long[Files.Length];
}

/// <param name="Limit">ulong.MaxValue for none on v2.</param>
/// <param name="Usage">Now.</param>
/// <param name="Max">Most ever.</param>
/// <param name="Failures">How often the limit was met.</param>
internal readonly record struct MemoryUse(ulong Limit, ulong Usage, ulong Max, ulong Failures);

internal sealed class MemoryStats
{
    public ulong Cache { get; set; }
    public MemoryUse Usage { get; set; }

    /// <summary>Memory and swap together.</summary>
    public MemoryUse Swap { get; set; }
    public MemoryUse Kernel { get; set; }
    public MemoryUse KernelTcp { get; set; }

    /// <summary>memory.stat as it is.</summary>
    public SortedDictionary<string, ulong> Raw { get; } = new(StringComparer.Ordinal);
    public Pressure? Pressure { get; set; }
}

/// <summary>A counter of one block device; Op is "Read", "Write", … or empty.</summary>
internal readonly record struct BlockCount(ulong Major, ulong Minor, string Op, ulong Value);

internal sealed class BlockStats
{
    public List<BlockCount> ServiceBytes { get; } = [];
    public List<BlockCount> Serviced { get; } = [];
    public List<BlockCount> Queued { get; } = [];
    public List<BlockCount> ServiceTime { get; } = [];
    public List<BlockCount> WaitTime { get; } = [];
    public List<BlockCount> Merged { get; } = [];
    public List<BlockCount> Time { get; } = [];
    public List<BlockCount> Sectors { get; } = [];
    public Pressure? Pressure { get; set; }
}
