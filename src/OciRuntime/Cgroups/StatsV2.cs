namespace OciRuntime.Cgroups;

/// <summary>
/// Use as cgroup v2 counts it (Documentation/admin-guide/cgroup-v2.rst). On a hybrid host the files of most controllers are missing, and
/// pressure is all it adds.
/// </summary>
internal static class StatsV2
{
    private const ulong NanosecondsPerMicrosecond = 1000;

    public static void Add(CgroupStats stats, int directory)
    {
        StatReader reader = new(directory);
        AddCpu(stats.Cpu, reader);
        AddBlock(stats.Block, reader);
        stats.Memory.Pressure = reader.Pressure("memory.pressure");
        if (reader.Has(ControlFile.MemoryCurrent)) AddMemory(stats.Memory, reader);
        reader.AddPids(stats);
        reader.AddHugePages(stats, "current", static (r, name) => new(0, r.Number($"{name}.current"), 0, Failures(r, name)));
    }

    private static void AddCpu(CpuStats cpu, StatReader reader)
    {
        reader.EachPair(ControlFile.CpuStat, (name, value) =>
        {
            switch (name)
            {
                case "usage_usec": cpu.Total = value * NanosecondsPerMicrosecond; break;
                case "user_usec": cpu.User = value * NanosecondsPerMicrosecond; break;
                case "system_usec": cpu.Kernel = value * NanosecondsPerMicrosecond; break;
                case "nr_periods": cpu.Periods = value; break;
                case "nr_throttled": cpu.ThrottledPeriods = value; break;
                case "throttled_usec": cpu.ThrottledTime = value * NanosecondsPerMicrosecond; break;
                default: break;
            }
        });
        cpu.Pressure = reader.Pressure("cpu.pressure");
    }

    private static void AddMemory(MemoryStats memory, StatReader reader)
    {
        reader.EachPair(ControlFile.MemoryStat, (name, value) => memory.Raw[name] = value);
        memory.Cache = memory.Raw.GetValueOrDefault("file");
        ulong limit = reader.Number(ControlFile.MemoryMax), used = reader.Number(ControlFile.MemoryCurrent);
        memory.Usage = new(limit, used, reader.Number("memory.peak"), 0);
        // Clients expect v1's sum of memory and swap. Peaks cannot be added.
        memory.Swap = new(Sum(limit, reader.Number(ControlFile.SwapMax)), Sum(used, reader.Number("memory.swap.current")), 0, 0);
    }

    private static ulong Sum(ulong a, ulong b) => a > ulong.MaxValue - b ? ulong.MaxValue : a + b;

    private static ulong Failures(StatReader reader, string name)
    {
        ulong failures = 0;
        reader.EachPair($"{name}.events", (key, value) => failures = key == "max" ? value : failures);
        return failures;
    }

    private static void AddBlock(BlockStats block, StatReader reader)
    {
        // 8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6
        foreach (string line in StatReader.Lines(reader.Text(ControlFile.IoStat)))
        {
            string[] words = StatReader.Words(line);
            if (words.Length == 0 || !StatReader.Device(words[0], out ulong major, out ulong minor)) continue;
            foreach (string word in words.AsSpan(1))
            {
                int equals = word.IndexOf('=');
                if (equals < 0) continue;
                ulong value = StatReader.Parse(word.AsSpan(equals + 1));
                switch (word[..equals])
                {
                    case "rbytes": block.ServiceBytes.Add(new(major, minor, "Read", value)); break;
                    case "wbytes": block.ServiceBytes.Add(new(major, minor, "Write", value)); break;
                    case "rios": block.Serviced.Add(new(major, minor, "Read", value)); break;
                    case "wios": block.Serviced.Add(new(major, minor, "Write", value)); break;
                    default: break;
                }
            }
        }
        block.Pressure = reader.Pressure("io.pressure");
    }
}
