using OciRuntime.Cgroups;
using OciRuntime.Protobuf;

namespace OciRuntime.Shim;

/// <summary>
/// What a container uses, as containerd has it: io.containerd.cgroups.v1.Metrics and v2 (github.com/containerd/cgroups,
/// stats/metrics.proto).
/// </summary>
internal static class Metrics
{
    private const string V1 = "io.containerd.cgroups.v1.Metrics", V2 = "io.containerd.cgroups.v2.Metrics";

    /// <summary>The lines of memory.stat that are fields, in the order of their numbers, from 1 on.</summary>
    private static readonly string[] s_memoryV2 =
    [
        "anon", "file", "kernel_stack", "slab", "sock", "shmem", "file_mapped", "file_dirty", "file_writeback", "anon_thp", "inactive_anon",
        "active_anon", "inactive_file", "active_file", "unevictable", "slab_reclaimable", "slab_unreclaimable", "pgfault", "pgmajfault",
        "workingset_refault", "workingset_activate", "workingset_nodereclaim", "pgrefill", "pgscan", "pgsteal", "pgactivate",
        "pgdeactivate", "pglazyfree", "pglazyfreed", "thp_fault_alloc", "thp_collapse_alloc",
    ];

    /// <inheritdoc cref="s_memoryV2"/>
    private static readonly string[] s_memoryV1 =
    [
        "cache", "rss", "rss_huge", "mapped_file", "dirty", "writeback", "pgpgin", "pgpgout", "pgfault", "pgmajfault",
        "inactive_anon", "active_anon", "inactive_file", "active_file", "unevictable", "hierarchical_memory_limit",
        "hierarchical_memsw_limit", "total_cache", "total_rss", "total_rss_huge", "total_mapped_file", "total_dirty",
        "total_writeback", "total_pgpgin", "total_pgpgout", "total_pgfault", "total_pgmajfault", "total_inactive_anon",
        "total_active_anon", "total_inactive_file", "total_active_file", "total_unevictable",
    ];

    /// <summary>The answer of Stats: one field, the metrics.</summary>
    /// <param name="paths">The container's cgroups.</param>
    /// <exception cref="TaskError">There is none of them.</exception>
    public static ProtobufWriter Read(string[] paths)
    {
        using StatsSource source = new(paths);
        if (source.IsEmpty) throw new TaskError(RpcCode.NotFound, "cgroup does not exist");
        ProtobufWriter any = source.IsUnified(out StatReader reader) ? AnyMessage.Write(V2, Unified(source.Read(), reader).Written)
            : AnyMessage.Write(V1, Legacy(source.Read(), source).Written);
        return new ProtobufWriter().Message(1, any);
    }

    private static ProtobufWriter Unified(CgroupStats stats, StatReader reader)
    {
        ProtobufWriter metrics = new ProtobufWriter().Message(1, Pids(stats));
        ProtobufWriter cpu = new();
        string[] fields = ["usage_usec", "user_usec", "system_usec", "nr_periods", "nr_throttled", "throttled_usec"];
        reader.EachPair(ControlFile.CpuStat, (name, value) =>
        {
            int field = name switch { "nr_bursts" => 8, "burst_usec" => 9, _ => Array.IndexOf(fields, name) + 1 };
            if (field > 0) cpu.Number(field, value);
        });
        AddPressure(cpu, 7, stats.Cpu.Pressure);
        metrics.Message(2, cpu).Message(4, MemoryV2(stats.Memory, reader)).Message(6, Block(stats.Block));
        foreach ((string size, MemoryUse use) in stats.HugePages)
        {
            metrics.Message(7, new ProtobufWriter().Number(1, use.Usage).Number(2, reader.Number($"hugetlb.{size}.max")).Text(3, size)
                .Number(4, use.Failures));
        }
        ProtobufWriter events = new();
        string[] kinds = ["low", "high", "max", "oom", "oom_kill", "oom_group_kill"];
        reader.EachPair(ControlFile.MemoryEvents, (name, value) =>
        {
            if (Array.IndexOf(kinds, name) is >= 0 and int kind) events.Number(kind + 1, value);
        });
        return metrics.Message(8, events);
    }

    private static ProtobufWriter MemoryV2(MemoryStats memory, StatReader reader)
    {
        ProtobufWriter message = new();
        for (int i = 0; i < s_memoryV2.Length; i++) message.Number(i + 1, memory.Raw.GetValueOrDefault(s_memoryV2[i]));
        // Linux 5.9 counts anonymous and file pages apart.
        string[] apart = ["workingset_refault_anon", "workingset_refault_file", "workingset_activate_anon", "workingset_activate_file"];
        for (int i = 0; i < apart.Length; i++) message.Number(39 + i, memory.Raw.GetValueOrDefault(apart[i]));
        message.Number(32, reader.Number(ControlFile.MemoryCurrent)).Number(33, reader.Number(ControlFile.MemoryMax))
            .Number(34, reader.Number("memory.swap.current")).Number(35, reader.Number(ControlFile.SwapMax))
            .Number(36, reader.Number("memory.peak")).Number(37, reader.Number("memory.swap.peak"));
        AddPressure(message, 38, memory.Pressure);
        return message;
    }

    private static ProtobufWriter Block(BlockStats block)
    {
        Dictionary<(ulong, ulong), ulong[]> devices = [];
        Sum(block.ServiceBytes, 0);
        Sum(block.Serviced, 2);
        ProtobufWriter message = new();
        foreach (((ulong major, ulong minor), ulong[] counts) in devices)
        {
            message.Message(1, new ProtobufWriter().Number(1, major).Number(2, minor).Number(3, counts[0]).Number(4, counts[1])
                .Number(5, counts[2]).Number(6, counts[3]));
        }
        AddPressure(message, 2, block.Pressure);
        return message;

        void Sum(List<BlockCount> counts, int first)
        {
            foreach (BlockCount count in counts)
            {
                if (!devices.TryGetValue((count.Major, count.Minor), out ulong[]? sums))
                    devices[(count.Major, count.Minor)] = sums = new ulong[4];
                if (count.Op is "Read" or "Write") sums[first + (count.Op == "Read" ? 0 : 1)] += count.Value;
            }
        }
    }

    private static ProtobufWriter Legacy(CgroupStats stats, StatsSource source)
    {
        ProtobufWriter metrics = new();
        foreach ((string size, MemoryUse use) in stats.HugePages)
        {
            metrics.Message(1, new ProtobufWriter().Number(1, use.Usage).Number(2, use.Max).Number(3, use.Failures).Text(4, size));
        }
        ProtobufWriter usage = new ProtobufWriter().Number(1, stats.Cpu.Total).Number(2, stats.Cpu.Kernel).Number(3, stats.Cpu.User);
        foreach (ulong one in stats.Cpu.PerCpu) usage.Number(4, one);
        ProtobufWriter throttling = new ProtobufWriter().Number(1, stats.Cpu.Periods).Number(2, stats.Cpu.ThrottledPeriods)
            .Number(3, stats.Cpu.ThrottledTime);
        ProtobufWriter memory = new();
        for (int i = 0; i < s_memoryV1.Length; i++) memory.Number(i + 1, stats.Memory.Raw.GetValueOrDefault(s_memoryV1[i]));
        (int Field, MemoryUse Use)[] uses =
            [(33, stats.Memory.Usage), (34, stats.Memory.Swap), (35, stats.Memory.Kernel), (36, stats.Memory.KernelTcp)];
        foreach ((int field, MemoryUse use) in uses)
        {
            memory.Message(field, new ProtobufWriter().Number(1, use.Limit).Number(2, use.Usage).Number(3, use.Max)
                .Number(4, use.Failures));
        }
        ProtobufWriter block = new();
        List<BlockCount>[] counts =
        [
            stats.Block.ServiceBytes, stats.Block.Serviced, stats.Block.Queued, stats.Block.ServiceTime, stats.Block.WaitTime,
            stats.Block.Merged, stats.Block.Time, stats.Block.Sectors,
        ];
        for (int i = 0; i < counts.Length; i++)
        {
            foreach (BlockCount count in counts[i])
            {
                block.Message(i + 1, new ProtobufWriter().Text(1, count.Op).Number(3, count.Major).Number(4, count.Minor)
                    .Number(5, count.Value));
            }
        }
        ProtobufWriter oom = new();
        source.EachOomCount((name, value) =>
        {
            int field = name switch { "oom_kill_disable" => 1, "under_oom" => 2, "oom_kill" => 3, _ => 0 };
            if (field > 0) oom.Number(field, value);
        });
        return metrics.Message(2, Pids(stats)).Message(3, new ProtobufWriter().Message(1, usage).Message(2, throttling))
            .Message(4, memory).Message(5, block).Message(9, oom);
    }

    private static ProtobufWriter Pids(CgroupStats stats) =>
        new ProtobufWriter().Number(1, stats.PidsCurrent).Number(2, stats.PidsLimit);

    private static void AddPressure(ProtobufWriter message, int field, Pressure? pressure)
    {
        if (pressure is { } p) message.Message(field, new ProtobufWriter().Message(1, Line(p.Some)).Message(2, Line(p.Full)));
    }

    private static ProtobufWriter Line(PressureLine line) =>
        new ProtobufWriter().Real(1, line.Avg10).Real(2, line.Avg60).Real(3, line.Avg300).Number(4, line.Total);
}
