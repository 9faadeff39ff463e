using System.Globalization;
using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// The few numbers of a container that a table of all containers has: with a thousand of them, all that <see cref="CgroupStats"/> has takes
/// seconds to read. Null is what the host does not count, or a limit that is not set.
/// </summary>
internal struct CgroupUsage
{
    // What v1 shows where there is none: the largest number of pages (mm/page_counter.c), in bytes.
    private const ulong NoLimit = 1UL << 62;

    /// <summary>Processor time since the container began, in nanoseconds.</summary>
    public ulong? Cpu { get; private set; }

    /// <summary>Bytes of memory in use, with the page cache: what the limit is compared with.</summary>
    public ulong? Memory { get; private set; }

    /// <summary>In bytes.</summary>
    public ulong? MemoryLimit { get; private set; }

    /// <summary>Processes and threads.</summary>
    public ulong? Pids { get; private set; }
    public ulong? PidsLimit { get; private set; }

    /// <summary>Bytes read from block devices, and written to them, since the container began.</summary>
    public ulong? Read { get; private set; }
    public ulong? Written { get; private set; }

    /// <summary>Reads what is there of the cgroups; those of a container that has just gone are not.</summary>
    public static CgroupUsage Of(CgroupHost host, IReadOnlyList<string> paths)
    {
        CgroupUsage usage = default;
        bool unifiedCounts = host.Mode == CgroupMode.V2 || host.Find("cpuacct") is null;
        foreach (CgroupDirectory directory in CgroupPlan.LocateAll(host, paths))
        {
            CgroupHierarchy h = directory.Hierarchy;
            if (h.Unified ? !unifiedCounts : !h.Has("cpuacct") && !h.Has("memory") && !h.Has("pids") && !h.Has("blkio")) continue;
            long fd = CgroupFiles.OpenPath(directory.Path, Files.O_PATH, out _);
            if (fd < 0) continue;
            if (h.Unified) usage.AddV2((int)fd, host.Mode == CgroupMode.V2);
            else usage.AddV1((int)fd, h);
            Files.Close((int)fd);
        }
        return usage;
    }

    // On a hybrid host the processor's time is all that v2 counts, and asked for only where v1 does not.
    private void AddV2(int directory, bool all)
    {
        long microseconds = CgroupFiles.Keyed(CgroupFiles.Read(directory, ControlFile.CpuStat, out _), "usage_usec");
        if (microseconds >= 0) Cpu = (ulong)microseconds * 1000;
        if (!all) return;
        Memory = Number(directory, ControlFile.MemoryCurrent);
        MemoryLimit = Limit(directory, ControlFile.MemoryMax);
        Pids = Number(directory, ControlFile.PidsCurrent);
        PidsLimit = Limit(directory, ControlFile.PidsMax);
        // 8:0 rbytes=1 wbytes=2 rios=3 …; a device that nobody used has no line.
        string io = CgroupFiles.Read(directory, ControlFile.IoStat, out long error);
        if (error >= 0) (Read, Written) = (Sum(io, " rbytes="), Sum(io, " wbytes="));
    }

    private void AddV1(int directory, CgroupHierarchy h)
    {
        if (h.Has("cpuacct")) Cpu = Number(directory, ControlFile.CpuUsage);
        if (h.Has("memory"))
        {
            Memory = Number(directory, ControlFile.MemoryUsage);
            MemoryLimit = Limit(directory, ControlFile.MemoryLimit);
        }
        if (h.Has("pids"))
        {
            Pids = Number(directory, ControlFile.PidsCurrent);
            PidsLimit = Limit(directory, ControlFile.PidsMax);
        }
        if (!h.Has("blkio")) return;
        // 8:0 Read 4096; the throttling layer counts whatever the scheduler of a device is.
        string io = CgroupFiles.Read(directory, "blkio.throttle.io_service_bytes_recursive", out long error);
        if (error < 0) io = CgroupFiles.Read(directory, "blkio.throttle.io_service_bytes", out error);
        if (error >= 0) (Read, Written) = (Sum(io, " Read "), Sum(io, " Write "));
    }

    private static ulong? Number(int directory, string file) =>
        ulong.TryParse(CgroupFiles.Read(directory, file, out _), NumberStyles.None, null, out ulong value) ? value : null;

    private static ulong? Limit(int directory, string file) => Number(directory, file) is { } limit and < NoLimit ? limit : null;

    /// <summary>The sum of the numbers behind a key.</summary>
    private static ulong Sum(ReadOnlySpan<char> text, string key)
    {
        ulong sum = 0;
        for (int at = text.IndexOf(key); at >= 0; at = text.IndexOf(key))
        {
            text = text[(at + key.Length)..];
            int digits = text.IndexOfAnyExceptInRange('0', '9');
            if (ulong.TryParse(digits < 0 ? text : text[..digits], NumberStyles.None, null, out ulong value)) sum += value;
        }
        return sum;
    }
}
