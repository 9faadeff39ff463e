using System.Globalization;
using OciRuntime.Host;

namespace OciRuntime.Cgroups;

/// <summary>Use as the controllers of cgroup v1 count it (Documentation/admin-guide/cgroup-v1).</summary>
internal static class StatsV1
{
    // USER_HZ, in which cpuacct.stat counts: 100 for user space on every architecture .NET runs on.
    private const ulong NanosecondsPerTick = 10_000_000;

    // CFQ, then BFQ with and without its debug files, then the throttling layer, which counts when no scheduler does (the order is runc's,
    // newest first).
    private static readonly string[][] BlockFiles =
    [
        ["bfq.sectors_recursive", "bfq.io_service_time_recursive", "bfq.io_wait_time_recursive", "bfq.io_merged_recursive",
            "bfq.io_queued_recursive", "bfq.time_recursive",
            "bfq.io_serviced_recursive", "bfq.io_service_bytes_recursive"],
        ["bfq.io_serviced_recursive", "bfq.io_service_bytes_recursive"],
        ["sectors_recursive", "io_service_time_recursive", "io_wait_time_recursive", "io_merged_recursive", "io_queued_recursive",
            "time_recursive", "io_serviced_recursive",
            "io_service_bytes_recursive"],
        ["throttle.io_serviced_recursive", "throttle.io_service_bytes_recursive"],
        ["throttle.io_serviced", "throttle.io_service_bytes"],
    ];

    /// <summary>Adds what the controllers of one hierarchy count.</summary>
    public static void Add(CgroupStats stats, CgroupHierarchy hierarchy, int directory)
    {
        StatReader reader = new(directory);
        foreach (string controller in hierarchy.Controllers)
        {
            switch (controller)
            {
                case "cpu": AddThrottling(stats.Cpu, reader); break;
                case "cpuacct": AddCpu(stats.Cpu, reader); break;
                case "cpuset": AddCpuset(stats.Cpuset, reader); break;
                case "memory": AddMemory(stats.Memory, reader); break;
                case "pids": reader.AddPids(stats); break;
                case "blkio": AddBlock(stats.Block, reader); break;
                case "hugetlb":
                    reader.AddHugePages(stats, "usage_in_bytes",
                        static (r, name) => new(0, r.Number($"{name}.usage_in_bytes"), r.Number($"{name}.max_usage_in_bytes"),
                        r.Number($"{name}.failcnt"))); break;
                default: break;
            }
        }
    }

    private static void AddThrottling(CpuStats cpu, StatReader reader) => reader.EachPair(ControlFile.CpuStat, (name, value) =>
    {
        switch (name)
        {
            case "nr_periods": cpu.Periods = value; break;
            case "nr_throttled": cpu.ThrottledPeriods = value; break;
            case "throttled_time": cpu.ThrottledTime = value; break;
            default: break;
        }
    });

    private static void AddCpu(CpuStats cpu, StatReader reader)
    {
        cpu.Total = reader.Number(ControlFile.CpuUsage);
        cpu.PerCpu = reader.Numbers("cpuacct.usage_percpu");
        reader.EachPair("cpuacct.stat", (name, value) =>
        {
            if (name == "user") cpu.User = value * NanosecondsPerTick;
            else if (name == "system") cpu.Kernel = value * NanosecondsPerTick;
        });
        // A header, then "cpu user system".
        string[] lines = StatReader.Lines(reader.Text("cpuacct.usage_all"));
        if (lines.Length == 0) return;
        string[][] rows = Array.FindAll(Array.ConvertAll(lines[1..], StatReader.Words), static words => words.Length == 3);
        cpu.PerCpuUser = Array.ConvertAll(rows, static row => StatReader.Parse(row[1]));
        cpu.PerCpuKernel = Array.ConvertAll(rows, static row => StatReader.Parse(row[2]));
    }

    private static void AddCpuset(CpusetStats cpuset, StatReader reader)
    {
        cpuset.Cpus = Members(reader.Text(ControlFile.CpusetCpus));
        cpuset.Mems = Members(reader.Text(ControlFile.CpusetMems));
        cpuset.Values = Array.ConvertAll(CpusetStats.Files, file => reader.Signed($"cpuset.{file}"));
    }

    /// <summary>The numbers in "0-3,7".</summary>
    internal static ulong[] Members(string list)
    {
        List<ulong> members = [];
        foreach (string range in list.Trim().Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            int dash = range.IndexOf('-');
            if (!ushort.TryParse(dash < 0 ? range : range.AsSpan(0, dash), NumberStyles.None, null, out ushort first)) continue;
            if (!ushort.TryParse(range.AsSpan(dash + 1), NumberStyles.None, null, out ushort last)) continue;
            for (int member = first; member <= last; member++) members.Add((ulong)member);
        }
        return [.. members];
    }

    private static void AddMemory(MemoryStats memory, StatReader reader)
    {
        reader.EachPair(ControlFile.MemoryStat, (name, value) => memory.Raw[name] = value);
        memory.Cache = memory.Raw.GetValueOrDefault("cache");
        memory.Usage = Use(reader, "memory");
        memory.Swap = Use(reader, "memory.memsw");
        memory.Kernel = Use(reader, "memory.kmem");
        memory.KernelTcp = Use(reader, "memory.kmem.tcp");
    }

    private static MemoryUse Use(StatReader reader, string name) =>
        new(reader.Number($"{name}.limit_in_bytes"), reader.Number($"{name}.usage_in_bytes"), reader.Number($"{name}.max_usage_in_bytes"),
        reader.Number($"{name}.failcnt"));

    private static void AddBlock(BlockStats block, StatReader reader)
    {
        foreach (string[] files in BlockFiles)
        {
            List<BlockCount> first = Counts(reader, $"blkio.{files[0]}");
            if (first.Count == 0) continue;
            foreach (string file in files) Target(block, file).AddRange(Counts(reader, $"blkio.{file}"));
            return;
        }
    }

    private static List<BlockCount> Target(BlockStats block, string file) => file switch
    {
        _ when file.Contains("io_service_bytes") => block.ServiceBytes,
        _ when file.Contains("io_serviced") => block.Serviced,
        _ when file.Contains("io_service_time") => block.ServiceTime,
        _ when file.Contains("io_wait_time") => block.WaitTime,
        _ when file.Contains("io_merged") => block.Merged,
        _ when file.Contains("io_queued") => block.Queued,
        _ when file.Contains("sectors") => block.Sectors,
        _ => block.Time,
    };

    // "8:0 Read 4096", "8:0 17", and at the end "Total 4096".
    private static List<BlockCount> Counts(StatReader reader, string file)
    {
        List<BlockCount> counts = [];
        foreach (string line in StatReader.Lines(reader.Text(file)))
        {
            string[] words = StatReader.Words(line);
            if (words.Length is < 2 or > 3 || !StatReader.Device(words[0], out ulong major, out ulong minor)) continue;
            counts.Add(new BlockCount(major, minor, words.Length == 3 ? words[1] : "", StatReader.Parse(words[^1])));
        }
        return counts;
    }
}
