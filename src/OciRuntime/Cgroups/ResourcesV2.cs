using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>linux.resources in the files of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst).</summary>
internal static class ResourcesV2
{
    private const ulong DefaultPeriod = 100000;

    /// <summary>Adds a write for each value that is set; the raw values of `unified` come last and therefore win.</summary>
    public static void Add(CgroupStepList steps, LinuxResources resources)
    {
        if (resources.Pids?.Limit is { } pids) steps.Write2("pids.max", PidsLimit(pids), "/linux/resources/pids/limit");
        if (resources.Memory is { } memory) AddMemory(steps, memory);
        if (resources.BlockIO is { } block) AddBlock(steps, block);
        if (resources.Cpu is { } cpu) AddCpu(steps, cpu);
        for (int i = 0; i < resources.HugepageLimits.Length; i++)
        {
            HugepageLimit huge = resources.HugepageLimits[i];
            string pointer = "/linux/resources/hugepageLimits/" + i;
            string size = PageSize(huge.PageSize, pointer), limit = huge.Limit.ToString();
            steps.Write2($"hugetlb.{size}.max", limit, pointer);
            steps.Write2($"hugetlb.{size}.rsvd.max", limit, pointer, CgroupTolerance.Missing);
        }
        if (resources.Network is { } network && (network.ClassID is > 0 || network.Priorities.Length > 0)) steps.Warn("/linux/resources/network: cgroup v2 has no net_cls and net_prio; ignored");
        EachRdma(resources, (value, pointer) => steps.Write2("rdma.max", value, pointer));
        foreach (KeyValuePair<string, string> pair in resources.Unified.AsSpan()) AddUnified(steps, pair.Key, pair.Value);
    }

    /// <summary>pids.max for a pids.limit whose 0 is a limit: that is 1, which is the same to a process in it, and admits the first one.</summary>
    public static string PidsLimit(long limit) => limit switch { < 0 => "max", 0 => "1", _ => limit.ToString() };

    /// <summary>Checks a huge page size as it becomes part of a file name: 64KB, 2MB, 1GB.</summary>
    public static string PageSize(string size, string pointer)
    {
        ReadOnlySpan<char> s = size;
        bool ok = s.Length > 2 && s[^1] == 'B' && s[^2] is 'K' or 'M' or 'G' && s[0] != '0' && !s[..^2].ContainsAnyExceptInRange('0', '9');
        return ok ? size : throw new OciException($"{pointer}/pageSize: invalid huge page size \"{size}\" (such as 2MB)", Errno.EINVAL);
    }

    /// <summary>A block weight if it is set; 0 is unset.</summary>
    public static ushort? BlockWeight(ushort? weight, string pointer) => weight switch
    {
        null or 0 => null,
        < 10 or > 1000 => throw new OciException($"{pointer}: block IO weight {weight} is not in the range 10-1000", Errno.EINVAL),
        _ => weight,
    };

    /// <summary>Calls back with each line for rdma.max.</summary>
    public static void EachRdma(LinuxResources resources, Action<string, string> add)
    {
        foreach (KeyValuePair<string, RdmaLimit> pair in resources.Rdma.AsSpan())
        {
            string line = pair.Key;
            if (pair.Value.HcaHandles is { } handles) line += $" hca_handle={handles}";
            if (pair.Value.HcaObjects is { } objects) line += $" hca_object={objects}";
            add(line, "/linux/resources/rdma/" + Escape(pair.Key));
        }
    }

    private static void AddMemory(CgroupStepList steps, MemoryResources memory)
    {
        const string At = "/linux/resources/memory/";
        long limit = memory.Limit ?? 0;
        if (memory.CheckBeforeUpdate == true && limit > 0)
        {
            steps.Add(new CgroupStep(CgroupStepKind.CheckMemoryUse, steps.IndexOfUnified(), "memory.current", limit.ToString(), At + "checkBeforeUpdate"));
        }
        if (CgroupConversions.SwapMax(memory.Swap ?? 0, limit) is { } swap)
        {
            // No swap in the kernel, no file; unlimited and none are then both true already.
            steps.Write2("memory.swap.max", swap, memory.Swap is null or 0 ? At + "limit" : At + "swap", swap is "max" or "0" ? CgroupTolerance.Missing : CgroupTolerance.None);
        }
        if (CgroupConversions.Limit(limit) is { } max) steps.Write2("memory.max", max, At + "limit");
        if (CgroupConversions.Limit(memory.Reservation) is { } low) steps.Write2("memory.low", low, At + "reservation");
        if (memory.Kernel is not null and not 0) steps.Warn($"{At}kernel: kernel memory limits are deprecated and have no effect");
        if (memory.KernelTCP is not null and not 0) steps.Warn($"{At}kernelTCP: kernel memory limits are deprecated and have no effect");
        if (memory.Swappiness is not null) steps.Warn($"{At}swappiness: cgroup v2 has no swappiness; ignored");
        if (memory.DisableOOMKiller == true) steps.Warn($"{At}disableOOMKiller: cgroup v2 cannot disable the OOM killer; ignored");
    }

    private static void AddBlock(CgroupStepList steps, BlockIOResources block)
    {
        const string At = "/linux/resources/blockIO/";
        if (BlockWeight(block.Weight, At + "weight") is { } weight)
        {
            steps.Write2("io.bfq.weight|io.weight", $"{weight}|{steps.IoWeight(weight)}", At + "weight");
        }
        if (block.LeafWeight is not null and not 0) steps.Warn($"{At}leafWeight: cgroup v2 has no leaf weight; ignored");
        for (int i = 0; i < block.WeightDevice.Length; i++)
        {
            WeightDevice d = block.WeightDevice[i];
            string pointer = At + "weightDevice/" + i;
            if (BlockWeight(d.Weight, pointer) is not { } w) continue;
            string device = $"{d.Major}:{d.Minor} ";
            steps.Write2("io.bfq.weight|io.weight", $"{device}{w}|{device}{steps.IoWeight(w)}", pointer);
        }
        AddThrottle(steps, block.ThrottleReadBpsDevice, "rbps", At + "throttleReadBpsDevice/");
        AddThrottle(steps, block.ThrottleWriteBpsDevice, "wbps", At + "throttleWriteBpsDevice/");
        AddThrottle(steps, block.ThrottleReadIOPSDevice, "riops", At + "throttleReadIOPSDevice/");
        AddThrottle(steps, block.ThrottleWriteIOPSDevice, "wiops", At + "throttleWriteIOPSDevice/");
    }

    // 0 takes a limit away, in the file of v1 that config.json speaks of; io.max refuses it (ERANGE) and has a word for it.
    private static void AddThrottle(CgroupStepList steps, ThrottleDevice[] devices, string key, string pointer)
    {
        for (int i = 0; i < devices.Length; i++)
        {
            steps.Write2("io.max", $"{devices[i].Major}:{devices[i].Minor} {key}={(devices[i].Rate == 0 ? "max" : devices[i].Rate)}", pointer + i);
        }
    }

    private static void AddCpu(CgroupStepList steps, CpuResources cpu)
    {
        const string At = "/linux/resources/cpu/";
        // An idle cgroup takes no weight, and one that becomes idle forgets it (kernel/sched/fair.c, sched_group_set_idle()): so there is one
        // to write only for those that are not, after they stopped being idle.
        bool becomesIdle = cpu.Idle is not null and not 0;
        if (cpu.Idle == 0) steps.Write2("cpu.idle", "0", At + "idle", CgroupTolerance.Missing);
        if (!becomesIdle && cpu.Shares is { } shares and > 0) steps.Write2("cpu.weight", CgroupConversions.WeightFromShares(shares).ToString(), At + "shares");
        if (becomesIdle) steps.Write2("cpu.idle", cpu.Idle!.Value.ToString(), At + "idle");
        bool quota = cpu.Quota is not null and not 0, period = cpu.Period is > 0;
        if (quota || period)
        {
            string max = cpu.Quota is > 0 ? cpu.Quota.Value.ToString() : "max";
            steps.Write2("cpu.max", $"{max} {(period ? cpu.Period : DefaultPeriod)}", quota ? At + "quota" : At + "period",
                cpu.Burst is null ? CgroupTolerance.None : CgroupTolerance.AfterNext);
        }
        if (cpu.Burst is { } burst) steps.Write2("cpu.max.burst", burst.ToString(), At + "burst", burst == 0 ? CgroupTolerance.Missing : CgroupTolerance.None);
        if (cpu.RealtimeRuntime is not null and not 0) steps.Warn($"{At}realtimeRuntime: cgroup v2 has no real-time budget; ignored");
        if (cpu.RealtimePeriod is > 0) steps.Warn($"{At}realtimePeriod: cgroup v2 has no real-time budget; ignored");
        if (!string.IsNullOrEmpty(cpu.Cpus)) steps.Write2("cpuset.cpus", cpu.Cpus, At + "cpus");
        if (!string.IsNullOrEmpty(cpu.Mems)) steps.Write2("cpuset.mems", cpu.Mems, At + "mems");
    }

    private static void AddUnified(CgroupStepList steps, string key, string value)
    {
        string pointer = "/linux/resources/unified/" + Escape(key);
        if (key.AsSpan().IndexOfAny('/', '|', '\0') >= 0) throw new OciException($"{pointer}: unified resource \"{key}\" must be a file name (no slashes)", Errno.EINVAL);
        int dot = key.IndexOf('.');
        if (dot <= 0) throw new OciException($"{pointer}: unified resource \"{key}\" must be in the form CONTROLLER.PARAMETER", Errno.EINVAL);
        // These do not limit the container: they move, stop or end processes.
        if (key is "cgroup.procs" or "cgroup.threads" or "cgroup.kill" or "cgroup.freeze")
        {
            throw new OciException($"{pointer}: \"{key}\" is not a resource", Errno.EINVAL);
        }
        // Nothing is a value as well: it gives cpuset.cpus back to the parent, and other files refuse it. A write of no byte would not reach the kernel.
        if (value.AsSpan().Trim('\n').IsEmpty) steps.Write2(key, "\n", pointer);
        foreach (Range r in value.AsSpan().Split('\n'))
        {
            ReadOnlySpan<char> line = value.AsSpan(r);
            if (!line.IsEmpty) steps.Write2(key, line.ToString(), pointer);
        }
    }

    // JSON pointer, RFC 6901.
    private static string Escape(string key) => key.Replace("~", "~0", StringComparison.Ordinal).Replace("/", "~1", StringComparison.Ordinal);
}
