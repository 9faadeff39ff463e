using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>What systemd is told of a container's limits, so that it does not undo them: the same as is written to the files, under its names.</summary>
internal static class UnitProperties
{
    private const ulong MicrosecondsPerSecond = 1_000_000, DefaultPeriod = 100_000;

    // systemd calculates in whole percent of a CPU. Rounded up, as the limit in the file must not exceed that of the unit (runc).
    private const ulong Percent = MicrosecondsPerSecond / 100;

    /// <summary>
    /// Files that hold one number each, "max" for none, and the smallest number that systemd takes for it. v1's names and v2's do not overlap in one
    /// container.
    /// </summary>
    private static readonly (string File, string Property, ulong Min)[] Numbers =
    [
        ("memory.max", "MemoryMax", 1), ("memory.high", "MemoryHigh", 1), ("memory.low", "MemoryLow", 0), ("memory.min", "MemoryMin", 0),
        ("memory.swap.max", "MemorySwapMax", 0), ("memory.zswap.max", "MemoryZSwapMax", 0), ("pids.max", "TasksMax", 1), ("cpu.weight", "CPUWeight", 1),
        ("memory.limit_in_bytes", "MemoryLimit", 1), ("cpu.shares", "CPUShares", 2), ("blkio.weight", "BlockIOWeight", 10), ("blkio.bfq.weight", "BlockIOWeight", 10),
    ];

    /// <summary>Properties for writes to files, in their order; of several for one property the last wins, as with the files.</summary>
    public static List<UnitProperty> ForLimits(IEnumerable<CgroupStep> steps)
    {
        List<UnitProperty> properties = [];
        List<VariantValue> weights = [];
        ulong period = DefaultPeriod;
        foreach (CgroupStep step in steps)
        {
            if (step.Kind != CgroupStepKind.Write) continue;
            string value = step.Value.Trim();
            switch (step.File)
            {
                case "cpu.max": AddQuota(properties, value, step.Pointer); break;
                case "cpu.cfs_period_us" when ulong.TryParse(value, out ulong p) && p > 0:
                    period = p;
                    Set(properties, "CPUQuotaPeriodUSec", Number(p), step.Pointer);
                    break;
                case "cpu.cfs_quota_us": AddQuota(properties, $"{(value.StartsWith('-') ? "max" : value)} {period}", step.Pointer); break;
                // 0 for a weight is idle (systemd 252).
                case "cpu.idle" when value == "1": Set(properties, "CPUWeight", Number(0), step.Pointer); break;
                case "cpuset.cpus": AddMask(properties, "AllowedCPUs", value, step.Pointer); break;
                case "cpuset.mems": AddMask(properties, "AllowedMemoryNodes", value, step.Pointer); break;
                case "io.bfq.weight|io.weight" or "io.bfq.weight": AddWeight(properties, weights, value.Split('|')[0], CgroupConversions.SystemdIoWeight, step.Pointer); break;
                case "io.weight": AddWeight(properties, weights, value, static weight => weight, step.Pointer); break;
                case "memory.oom.group" when value is "0" or "1": Set(properties, "OOMPolicy", VariantValue.OfText("s", value == "1" ? "kill" : "continue"), step.Pointer); break;
                default: AddNumber(properties, step.File, value, step.Pointer); break;
            }
        }
        return properties;
    }

    private static void AddNumber(List<UnitProperty> properties, string file, string value, string pointer)
    {
        (_, string? name, ulong min) = Array.Find(Numbers, n => n.File == file.Split('|')[0]);
        if (name == null) return;
        ulong number;
        if (value is "max" or "-1") number = ulong.MaxValue;
        else if (!TryBytes(value, out number)) return;
        if (number >= min) Set(properties, name, Number(number), pointer);
    }

    /// <summary>As the kernel reads sizes (memparse()).</summary>
    private static bool TryBytes(string text, out ulong bytes)
    {
        int shift = text.Length == 0 ? 0 : text[^1] switch { 'K' or 'k' => 10, 'M' or 'm' => 20, 'G' or 'g' => 30, 'T' or 't' => 40, _ => 0 };
        if (!ulong.TryParse(shift > 0 ? text[..^1] : text, System.Globalization.NumberStyles.None, null, out bytes) || bytes > ulong.MaxValue >> shift) return false;
        bytes <<= shift;
        return true;
    }

    /// <summary>"QUOTA PERIOD", or "QUOTA".</summary>
    private static void AddQuota(List<UnitProperty> properties, string value, string pointer)
    {
        string[] words = value.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        ulong period = DefaultPeriod, perSecond = ulong.MaxValue;
        if (words.Length is < 1 or > 2 || (words.Length == 2 && (!ulong.TryParse(words[1], out period) || period == 0))) return;
        if (words[0] != "max")
        {
            if (!ulong.TryParse(words[0], out ulong quota) || quota is 0 or > ulong.MaxValue / MicrosecondsPerSecond) return;
            perSecond = (quota * MicrosecondsPerSecond / period + Percent - 1) / Percent * Percent;
        }
        Set(properties, "CPUQuotaPeriodUSec", Number(period), pointer);
        Set(properties, "CPUQuotaPerSecUSec", Number(perSecond), pointer);
    }

    private static void AddMask(List<UnitProperty> properties, string name, string list, string pointer)
    {
        if (!CpuList.TryParse(list, CpuList.MaxCpus, out ulong[] mask)) return;
        List<VariantValue> bytes = [];
        for (int i = 0; i < mask.Length * 8; i++) bytes.Add(VariantValue.OfNumber("y", mask[i / 8] >> (i % 8 * 8) & 0xff));
        while (bytes.Count > 1 && bytes[^1].Bits == 0) bytes.RemoveAt(bytes.Count - 1);
        Set(properties, name, VariantValue.OfItems("ay", bytes), pointer);
    }

    /// <summary>"WEIGHT", "default WEIGHT" or "MAJOR:MINOR WEIGHT".</summary>
    private static void AddWeight(List<UnitProperty> properties, List<VariantValue> devices, string value, Func<ulong, ulong> convert, string pointer)
    {
        int blank = value.IndexOf(' ');
        if (!ulong.TryParse(value[(blank + 1)..], out ulong weight) || weight is 0 or > 10000) return;
        if (blank < 0 || value[..blank] == "default")
        {
            Set(properties, "IOWeight", Number(convert(weight)), pointer);
            return;
        }
        // Whatever else it may be, the kernel will judge it.
        if (!value[..blank].All(static c => char.IsAsciiDigit(c) || c == ':')) return;
        devices.Add(VariantValue.OfItems("(st)", [VariantValue.OfText("s", "/dev/block/" + value[..blank]), Number(convert(weight))]));
        Set(properties, "IODeviceWeight", VariantValue.OfItems("a(st)", [.. devices]), pointer);
    }

    private static VariantValue Number(ulong value) => VariantValue.OfNumber("t", value);

    private static void Set(List<UnitProperty> properties, string name, VariantValue value, string pointer)
    {
        properties.RemoveAll(p => p.Name == name);
        properties.Add(new UnitProperty(name, value, pointer, Dispensable: true));
    }
}
