using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>linux.resources in the files of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst).</summary>
internal static class ResourcesV2
{
    /// <summary>The raw values of `unified` come last and therefore win.</summary>
    public static void Add(CgroupPlanBuilder plan, LinuxResources resources)
    {
        Resources.AddPids(plan, resources.Pids);
        if (resources.Memory is { } memory) AddMemory(plan, memory);
        if (resources.BlockIO is { } block) AddBlock(plan, block);
        if (resources.Cpu is { } cpu) AddCpu(plan, cpu);
        Resources.AddHugePages(plan, resources.HugepageLimits, "max");
        if (resources.Network is { } network && (network.ClassID is > 0 || network.Priorities.Length > 0))
            plan.Warn("network", "cgroup v2 has no net_cls and net_prio; ignored");
        Resources.AddRdma(plan, resources.Rdma);
        foreach (KeyValuePair<string, string> pair in resources.Unified.AsSpan()) AddUnified(plan, pair.Key, pair.Value);
    }

    private static void AddMemory(CgroupPlanBuilder plan, MemoryResources memory)
    {
        long limit = memory.Limit ?? 0;
        if (memory.CheckBeforeUpdate == true && limit > 0) plan.CheckMemory(limit, "memory/checkBeforeUpdate");
        if (CgroupConversions.SwapMax(memory.Swap ?? 0, limit) is { } swap)
        {
            // No swap in the kernel, no file; unlimited and none are then both true already.
            plan.Write(ControlFile.SwapMax, swap, Resources.IsSet(memory.Swap) ? "memory/swap" : "memory/limit", swap.Number is null or 0
                ? CgroupTolerance.Missing : CgroupTolerance.None);
        }
        if (CgroupConversions.Limit(limit) is { } max) plan.Write(ControlFile.MemoryMax, max, "memory/limit");
        if (CgroupConversions.Limit(memory.Reservation) is { } low) plan.Write(ControlFile.MemoryLow, low, "memory/reservation");
        if (Resources.IsSet(memory.Kernel)) plan.Warn("memory/kernel", "kernel memory limits are deprecated and have no effect");
        if (Resources.IsSet(memory.KernelTCP)) plan.Warn("memory/kernelTCP", "kernel memory limits are deprecated and have no effect");
        if (memory.Swappiness is not null) plan.Warn("memory/swappiness", "cgroup v2 has no swappiness; ignored");
        if (memory.DisableOOMKiller == true) plan.Warn("memory/disableOOMKiller", "cgroup v2 cannot disable the OOM killer; ignored");
    }

    private static void AddBlock(CgroupPlanBuilder plan, BlockIOResources block)
    {
        if (block.Weight is { } weight and > 0)
        {
            plan.Write(ControlFile.IoBfqWeight, new Amount(weight), "blockIO/weight",
                otherwise: new(ControlFile.IoWeight, new Amount(plan.IoWeight(weight))));
        }
        if (block.LeafWeight is > 0) plan.Warn("blockIO/leafWeight", "cgroup v2 has no leaf weight; ignored");
        for (int i = 0; i < block.WeightDevice.Length; i++)
        {
            WeightDevice d = block.WeightDevice[i];
            if (d.Weight is not ({ } w and > 0)) continue;
            DeviceAmount weights = new(d.Major, d.Minor, new(w));
            plan.Write(ControlFile.IoBfqWeight, weights, $"blockIO/weightDevice/{i}",
                otherwise: new(ControlFile.IoWeight, weights with { Amount = new(plan.IoWeight(w)) }));
        }
        AddThrottle(plan, block.ThrottleReadBpsDevice, "rbps", "blockIO/throttleReadBpsDevice");
        AddThrottle(plan, block.ThrottleWriteBpsDevice, "wbps", "blockIO/throttleWriteBpsDevice");
        AddThrottle(plan, block.ThrottleReadIOPSDevice, "riops", "blockIO/throttleReadIOPSDevice");
        AddThrottle(plan, block.ThrottleWriteIOPSDevice, "wiops", "blockIO/throttleWriteIOPSDevice");
    }

    // 0 takes a limit away, in the file of v1 that config.json speaks of; io.max refuses it (ERANGE) and has a word for it.
    private static void AddThrottle(CgroupPlanBuilder plan, ThrottleDevice[] devices, string key, string property)
    {
        for (int i = 0; i < devices.Length; i++)
        {
            Amount rate = new(devices[i].Rate == 0 ? null : devices[i].Rate);
            plan.Write(ControlFile.IoMax, new DeviceAmount(devices[i].Major, devices[i].Minor, rate, key), $"{property}/{i}");
        }
    }

    private static void AddCpu(CgroupPlanBuilder plan, CpuResources cpu)
    {
        ulong shares = cpu.Shares ?? 0;
        if (shares is not 0 and (< CgroupConversions.MinShares or > CgroupConversions.MaxShares))
        {
            plan.Warn("cpu/shares",
                $"{shares} is outside {CgroupConversions.MinShares} to {CgroupConversions.MaxShares} and will be brought into that range");
        }
        Resources.AddWeight(plan, cpu, ControlFile.CpuWeight, CgroupConversions.WeightFromShares(shares));
        bool quota = Resources.IsSet(cpu.Quota);
        if (quota || cpu.Period is > 0)
        {
            Quota max = new(cpu.Quota is > 0 ? (ulong)cpu.Quota : null, cpu.Period is > 0 ? cpu.Period.Value : Quota.DefaultPeriod);
            plan.Write(ControlFile.CpuMax, max, quota ? "cpu/quota" : "cpu/period", cpu.Burst is null ? CgroupTolerance.None
                : CgroupTolerance.AfterNext);
        }
        Resources.AddBurst(plan, cpu, ControlFile.CpuBurst);
        if (Resources.IsSet(cpu.RealtimeRuntime)) plan.Warn("cpu/realtimeRuntime", "cgroup v2 has no real-time budget; ignored");
        if (cpu.RealtimePeriod is > 0) plan.Warn("cpu/realtimePeriod", "cgroup v2 has no real-time budget; ignored");
        Resources.AddCpusets(plan, cpu);
    }

    private static void AddUnified(CgroupPlanBuilder plan, string file, string value)
    {
        string property = $"unified/{JsonPointer.Escape(file)}";
        // Nothing is a value as well: it gives cpuset.cpus back to the parent, and other files refuse it. A write of no byte would not
        // reach the kernel.
        if (value.AsSpan().Trim('\n').IsEmpty) plan.Write(file, new Line("\n"), property);
        foreach (Range r in value.AsSpan().Split('\n')) if (value[r] is { Length: > 0 } line) plan.Write(file, new Line(line), property);
    }
}
