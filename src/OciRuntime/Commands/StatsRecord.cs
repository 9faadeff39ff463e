using System.Buffers;
using System.Text.Json;
using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Rdt;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>
/// The records of `events`, one line each: what go-runc decodes, with runc's keys in runc's order. As there, a zero is left out but where
/// the key says "always" below, and an empty object is written.
/// </summary>
internal static class StatsRecord
{
    /// <summary>A record of type "oom".</summary>
    public static ReadOnlySpan<byte> Oom(string id) => Line(id, "oom"u8, static _ => { });

    /// <summary>A record of type "stats".</summary>
    /// <param name="id">The container.</param>
    /// <param name="stats">Its cgroups.</param>
    /// <param name="network">Its interfaces; none is null, as runc writes it.</param>
    /// <param name="rdt">Its resctrl group, or null.</param>
    public static ReadOnlySpan<byte> Stats(string id, CgroupStats stats, List<NetworkCounters> network, ResctrlStats? rdt) =>
        Line(id, "stats"u8, w =>
    {
        w.WriteStartObject("data"u8);
        WriteCpu(w, stats.Cpu);
        WriteCpuset(w, stats.Cpuset);
        WriteMemory(w, stats.Memory);
        w.WriteStartObject("pids"u8);
        Number(w, "current", stats.PidsCurrent);
        Number(w, "limit", stats.PidsLimit);
        w.WriteEndObject();
        WriteBlock(w, stats.Block);
        w.WriteStartObject("hugetlb"u8);
        foreach (KeyValuePair<string, MemoryUse> size in stats.HugePages) WriteUse(w, size.Key, size.Value, withLimit: false);
        w.WriteEndObject();
        w.WriteStartObject("intel_rdt"u8);
        if (rdt is not null) RdtRecord.Write(w, rdt);
        w.WriteEndObject();
        WriteNetwork(w, network);
        w.WriteEndObject();
    });

    private static ReadOnlySpan<byte> Line(string id, ReadOnlySpan<byte> type, Action<Utf8JsonWriter> data)
    {
        ArrayBufferWriter<byte> buffer = new(8192);
        using (Utf8JsonWriter w = new(buffer, ContainerState.Compact))
        {
            w.WriteStartObject();
            w.WriteString("type"u8, type);
            w.WriteString("id"u8, id);
            data(w);
            w.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan;
    }

    private static void WriteCpu(Utf8JsonWriter w, CpuStats cpu)
    {
        w.WriteStartObject("cpu"u8);
        w.WriteStartObject("usage"u8);
        Number(w, "total", cpu.Total);
        Numbers(w, "percpu", cpu.PerCpu);
        Numbers(w, "percpu_kernel", cpu.PerCpuKernel);
        Numbers(w, "percpu_user", cpu.PerCpuUser);
        w.WriteNumber("kernel"u8, cpu.Kernel); // Always.
        w.WriteNumber("user"u8, cpu.User); // Always.
        w.WriteEndObject();
        w.WriteStartObject("throttling"u8);
        Number(w, "periods", cpu.Periods);
        Number(w, "throttledPeriods", cpu.ThrottledPeriods);
        Number(w, "throttledTime", cpu.ThrottledTime);
        w.WriteEndObject();
        WritePressure(w, cpu.Pressure);
        w.WriteEndObject();
    }

    private static void WriteCpuset(Utf8JsonWriter w, CpusetStats cpuset)
    {
        w.WriteStartObject("cpuset"u8);
        Numbers(w, "cpus", cpuset.Cpus);
        // Always; and in between, as runc has it, the memory nodes.
        for (int i = 0; i < CpusetStats.Files.Length; i++)
        {
            if (i == 1) Numbers(w, "mems", cpuset.Mems);
            w.WriteNumber(CpusetStats.Files[i], cpuset.Values[i]);
        }
        w.WriteEndObject();
    }

    private static void WriteMemory(Utf8JsonWriter w, MemoryStats memory)
    {
        w.WriteStartObject("memory"u8);
        Number(w, "cache", memory.Cache);
        WriteUse(w, "usage", memory.Usage, withLimit: true);
        WriteUse(w, "swap", memory.Swap, withLimit: true);
        WriteUse(w, "kernel", memory.Kernel, withLimit: true);
        WriteUse(w, "kernelTCP", memory.KernelTcp, withLimit: true);
        if (memory.Raw.Count > 0)
        {
            w.WriteStartObject("raw"u8);
            foreach (KeyValuePair<string, ulong> line in memory.Raw) w.WriteNumber(line.Key, line.Value);
            w.WriteEndObject();
        }
        WritePressure(w, memory.Pressure);
        w.WriteEndObject();
    }

    private static void WriteUse(Utf8JsonWriter w, string name, MemoryUse use, bool withLimit)
    {
        w.WriteStartObject(name);
        if (withLimit) w.WriteNumber("limit"u8, use.Limit); // Always.
        Number(w, "usage", use.Usage);
        Number(w, "max", use.Max);
        w.WriteNumber("failcnt"u8, use.Failures); // Always.
        w.WriteEndObject();
    }

    private static void WriteBlock(Utf8JsonWriter w, BlockStats block)
    {
        w.WriteStartObject("blkio"u8);
        Counts(w, "ioServiceBytesRecursive", block.ServiceBytes);
        Counts(w, "ioServicedRecursive", block.Serviced);
        Counts(w, "ioQueueRecursive", block.Queued);
        Counts(w, "ioServiceTimeRecursive", block.ServiceTime);
        Counts(w, "ioWaitTimeRecursive", block.WaitTime);
        Counts(w, "ioMergedRecursive", block.Merged);
        Counts(w, "ioTimeRecursive", block.Time);
        Counts(w, "sectorsRecursive", block.Sectors);
        WritePressure(w, block.Pressure);
        w.WriteEndObject();
    }

    private static void Counts(Utf8JsonWriter w, string name, List<BlockCount> counts)
    {
        if (counts.Count == 0) return;
        w.WriteStartArray(name);
        foreach (BlockCount count in counts)
        {
            w.WriteStartObject();
            Number(w, "major", count.Major);
            Number(w, "minor", count.Minor);
            if (count.Op.Length > 0) w.WriteString("op"u8, count.Op);
            Number(w, "value", count.Value);
            w.WriteEndObject();
        }
        w.WriteEndArray();
    }

    private static void WriteNetwork(Utf8JsonWriter w, List<NetworkCounters> network)
    {
        if (network.Count == 0)
        {
            w.WriteNull("network_interfaces"u8);
            return;
        }
        w.WriteStartArray("network_interfaces"u8);
        foreach (NetworkCounters n in network)
        {
            w.WriteStartObject();
            w.WriteString("Name"u8, n.Name);
            w.WriteNumber("RxBytes"u8, n.RxBytes);
            w.WriteNumber("RxPackets"u8, n.RxPackets);
            w.WriteNumber("RxErrors"u8, n.RxErrors);
            w.WriteNumber("RxDropped"u8, n.RxDropped);
            w.WriteNumber("TxBytes"u8, n.TxBytes);
            w.WriteNumber("TxPackets"u8, n.TxPackets);
            w.WriteNumber("TxErrors"u8, n.TxErrors);
            w.WriteNumber("TxDropped"u8, n.TxDropped);
            w.WriteEndObject();
        }
        w.WriteEndArray();
    }

    private static void WritePressure(Utf8JsonWriter w, Pressure? pressure)
    {
        if (pressure is not { } p) return;
        w.WriteStartObject("psi"u8);
        WriteLine(w, "some", p.Some);
        WriteLine(w, "full", p.Full);
        w.WriteEndObject();
    }

    private static void WriteLine(Utf8JsonWriter w, string name, PressureLine line)
    {
        w.WriteStartObject(name);
        w.WriteNumber("avg10"u8, line.Avg10);
        w.WriteNumber("avg60"u8, line.Avg60);
        w.WriteNumber("avg300"u8, line.Avg300);
        w.WriteNumber("total"u8, line.Total);
        w.WriteEndObject();
    }

    private static void Number(Utf8JsonWriter w, string name, ulong value)
    {
        if (value != 0) w.WriteNumber(name, value);
    }

    private static void Numbers(Utf8JsonWriter w, string name, ulong[] values)
    {
        if (values.Length == 0) return;
        w.WriteStartArray(name);
        foreach (ulong value in values) w.WriteNumberValue(value);
        w.WriteEndArray();
    }
}
