using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>
/// What systemd is told of a container's limits, so that it does not undo them: the same as is written to the files, under its names.
/// </summary>
internal static class UnitLimits
{
    private const ulong MicrosecondsPerSecond = 1_000_000;

    // systemd calculates in whole percent of a CPU. Rounded up, as the limit in the file must not exceed that of the unit (runc).
    private const ulong Percent = MicrosecondsPerSecond / 100;

    /// <summary>The weight of processor time, and its value for none (CGROUP_WEIGHT_INVALID).</summary>
    public const string CpuWeight = "CPUWeight";
    public const ulong UnsetWeight = ulong.MaxValue;

    /// <summary>
    /// Files that systemd writes again with whatever changes of a unit, and not as they were: it knows a quota in whole percent, and has
    /// one property for idle and weight.
    /// </summary>
    public static readonly string[] Approximate =
    [
        ControlFile.CpuWeight, ControlFile.CpuShares, ControlFile.CpuIdle, ControlFile.CpuMax, ControlFile.CfsPeriod, ControlFile.CfsQuota,
    ];

    /// <summary>
    /// Files that hold one number each, and the smallest number that systemd takes for it. v1's names and v2's do not overlap in one
    /// container.
    /// </summary>
    private static readonly (string File, string Property, ulong Min)[] Numbers =
    [
        (ControlFile.MemoryMax, "MemoryMax", 1), (ControlFile.MemoryHigh, "MemoryHigh", 1), (ControlFile.MemoryLow, "MemoryLow", 0),
        (ControlFile.MemoryMin, "MemoryMin", 0),
        (ControlFile.SwapMax, "MemorySwapMax", 0), (ControlFile.ZswapMax, "MemoryZSwapMax", 0), (ControlFile.PidsMax, "TasksMax", 1),
        (ControlFile.CpuWeight, CpuWeight, 1),
        (ControlFile.MemoryLimit, "MemoryLimit", 1), (ControlFile.CpuShares, "CPUShares", CgroupConversions.MinShares),
        (ControlFile.BlockWeight, "BlockIOWeight", 10), (ControlFile.BlockBfqWeight, "BlockIOWeight", 10),
    ];

    /// <summary>Properties for writes to files, in their order; of several for one property the last wins, as with the files.</summary>
    public static List<UnitProperty> Of(IEnumerable<CgroupStep> steps)
    {
        List<UnitProperty> properties = [];
        List<VariantValue> weights = [];
        ulong period = Quota.DefaultPeriod;
        foreach (CgroupStep step in steps)
        {
            if (step is not ControlWrite { Content: (string file, FileValue written) }) continue;
            string pointer = step.Pointer;
            switch (file, written is Line line ? FileValue.Read(file, line.Text) : written)
            {
                case (ControlFile.CpuMax, Quota quota): AddQuota(properties, quota, pointer); break;
                case (ControlFile.CfsPeriod, Amount { Number: { } p and > 0 }):
                    period = p;
                    Set(properties, "CPUQuotaPeriodUSec", Number(p), pointer);
                    break;
                case (ControlFile.CfsQuota, Amount quota): AddQuota(properties, new Quota(quota.Number, period), pointer); break;
                // 0 for a weight is idle (systemd 252); what is idle no more has the default, as without a weight.
                case (ControlFile.CpuIdle, Amount { Number: 0 or 1 } idle):
                    Set(properties, CpuWeight, Number(idle.Number == 1 ? 0 : UnsetWeight), pointer); break;
                case (ControlFile.CpusetCpus, Line list): AddMask(properties, "AllowedCPUs", list.Text, pointer); break;
                case (ControlFile.CpusetMems, Line list): AddMask(properties, "AllowedMemoryNodes", list.Text, pointer); break;
                case (ControlFile.IoBfqWeight, { } weight):
                    AddWeight(properties, weights, weight, CgroupConversions.SystemdIoWeight, pointer); break;
                case (ControlFile.IoWeight, { } weight): AddWeight(properties, weights, weight, static weight => weight, pointer); break;
                case (ControlFile.OomGroup, Amount { Number: 0 or 1 } kill):
                    Set(properties, "OOMPolicy", VariantValue.OfText("s", kill.Number == 1 ? "kill" : "continue"), pointer); break;
                case (_, Amount amount): AddNumber(properties, file, amount.Number ?? ulong.MaxValue, pointer); break;
                default: break;
            }
        }
        return properties;
    }

    private static void AddNumber(List<UnitProperty> properties, string file, ulong number, string pointer)
    {
        (_, string? name, ulong min) = Array.Find(Numbers, n => n.File == file);
        if (name is not null && number >= min) Set(properties, name, Number(number), pointer);
    }

    private static void AddQuota(List<UnitProperty> properties, Quota quota, string pointer)
    {
        if (quota.Period == 0 || quota.Time is 0 or > ulong.MaxValue / MicrosecondsPerSecond) return;
        Set(properties, "CPUQuotaPeriodUSec", Number(quota.Period), pointer);
        Set(properties, "CPUQuotaPerSecUSec",
            Number(quota.Time is { } time ? (time * MicrosecondsPerSecond / quota.Period + Percent - 1) / Percent * Percent
            : ulong.MaxValue), pointer);
    }

    private static void AddMask(List<UnitProperty> properties, string name, string list, string pointer)
    {
        // An empty list takes the mask away, as it does in the file.
        if (!CpuList.TryParse(list, CpuList.MaxCpus, out ulong[] mask) && list.Length > 0) return;
        List<VariantValue> bytes = [];
        for (int i = 0; i < mask.Length * 8; i++) bytes.Add(VariantValue.OfNumber("y", mask[i / 8] >> (i % 8 * 8) & 0xff));
        while (bytes.Count > 1 && bytes[^1].Bits == 0) bytes.RemoveAt(bytes.Count - 1);
        Set(properties, name, VariantValue.OfItems("ay", bytes), pointer);
    }

    /// <param name="properties">Takes the property.</param>
    /// <param name="devices">All devices so far: they are one property.</param>
    /// <param name="value">A weight, for all or for one device.</param>
    /// <param name="convert">To systemd's scale.</param>
    /// <param name="pointer">Of the property.</param>
    private static void AddWeight(List<UnitProperty> properties, List<VariantValue> devices, FileValue value, Func<ulong, ulong> convert,
        string pointer)
    {
        DeviceAmount? device = value as DeviceAmount;
        // Whatever else it may be, the kernel will judge it.
        if ((device?.Amount ?? value as Amount)?.Number is not ({ } weight and > 0 and <= 10000)) return;
        if (device is null)
        {
            Set(properties, "IOWeight", Number(convert(weight)), pointer);
            return;
        }
        devices.Add(VariantValue.OfItems("(st)",
            [VariantValue.OfText("s", $"/dev/block/{device.Major}:{device.Minor}"), Number(convert(weight))]));
        Set(properties, "IODeviceWeight", VariantValue.OfItems("a(st)", [.. devices]), pointer);
    }

    private static VariantValue Number(ulong value) => VariantValue.OfNumber("t", value);

    private static void Set(List<UnitProperty> properties, string name, VariantValue value, string pointer)
    {
        properties.RemoveAll(p => p.Name == name);
        properties.Add(new UnitProperty(name, value, pointer, Dispensable: true));
    }
}
