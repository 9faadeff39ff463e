using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>linux.resources in the files of cgroup v1 (Documentation/admin-guide/cgroup-v1).</summary>
internal static class ResourcesV1
{
    public static void Add(CgroupPlanBuilder plan, LinuxResources resources)
    {
        if (resources.Unified.Count > 0)
            throw CgroupPlanBuilder.Refused("unified", "invalid configuration: cannot use unified on cgroup v1");
        if (resources.Cpu is { } cpu) AddCpu(plan, cpu);
        if (resources.Memory is { } memory) AddMemory(plan, memory);
        Resources.AddPids(plan, resources.Pids);
        if (resources.BlockIO is { } block) AddBlock(plan, block);
        Resources.AddHugePages(plan, resources.HugepageLimits, "limit_in_bytes");
        if (resources.Network is { } network) AddNetwork(plan, network);
        Resources.AddRdma(plan, resources.Rdma);
    }

    private static void AddCpu(CgroupPlanBuilder plan, CpuResources cpu)
    {
        ulong shares = cpu.Shares ?? 0;
        // The kernel brings them into its range without a word; runc looks at what it made of them and refuses, in these words, which
        // Docker's users know.
        if (shares > CgroupConversions.MaxShares)
            throw CgroupPlanBuilder.Refused("cpu/shares", $"the maximum allowed cpu-shares is {CgroupConversions.MaxShares}");
        if (shares is > 0 and < CgroupConversions.MinShares)
            throw CgroupPlanBuilder.Refused("cpu/shares", $"the minimum allowed cpu-shares is {CgroupConversions.MinShares}");
        Resources.AddWeight(plan, cpu, ControlFile.CpuShares, shares);
        // Quota against period, and quota against burst, must agree at each moment, in whatever order they are changed.
        AddPair(plan, (ControlFile.CfsPeriod, cpu.Period, "cpu/period"), (ControlFile.CfsQuota, cpu.Quota, "cpu/quota"),
            cpu.Burst is not null);
        Resources.AddBurst(plan, cpu, ControlFile.CfsBurst);
        AddPair(plan, (ControlFile.RealtimePeriod, cpu.RealtimePeriod, "cpu/realtimePeriod"),
            (ControlFile.RealtimeRuntime, cpu.RealtimeRuntime, "cpu/realtimeRuntime"), moreFollows: false);
        Resources.AddCpusets(plan, cpu);
    }

    private static void AddPair(CgroupPlanBuilder plan, (string File, ulong? Value, string Property) period,
        (string File, long? Value, string Property) time, bool moreFollows)
    {
        bool hasTime = Resources.IsSet(time.Value);
        if (period.Value is > 0)
            plan.Write(period.File, new Amount(period.Value), period.Property, hasTime ? CgroupTolerance.AfterNext : CgroupTolerance.None);
        if (hasTime)
        {
            plan.Write(time.File, Amount.OfV1(time.Value!.Value), time.Property, moreFollows ? CgroupTolerance.AfterNext
                : CgroupTolerance.None);
        }
    }

    private static void AddMemory(CgroupPlanBuilder plan, MemoryResources memory)
    {
        long limit = memory.Limit ?? 0, swap = memory.Swap ?? 0;
        CgroupTolerance swapTolerance = CgroupTolerance.None;
        if (limit == -1 && swap == 0)
        {
            // An unlimited memory below a limited sum would be refused; kernels without swap accounting have no sum.
            swap = -1;
            swapTolerance = CgroupTolerance.Missing;
        }
        // Invariant of the kernel: limit <= memory+swap. Lowering starts with the limit, raising with the sum; the kernel's EINVAL tells
        // which it is.
        if (limit != 0)
        {
            plan.Write(ControlFile.MemoryLimit, Amount.OfV1(limit), "memory/limit", swap != 0 ? CgroupTolerance.AfterNext
                : CgroupTolerance.None);
        }
        if (swap != 0)
        {
            plan.Write(ControlFile.MemoryAndSwapLimit, Amount.OfV1(swap), Resources.IsSet(memory.Swap) ? "memory/swap"
                : "memory/limit", swapTolerance);
        }
        if (Resources.IsSet(memory.Reservation))
            plan.Write("memory.soft_limit_in_bytes", Amount.OfV1(memory.Reservation!.Value), "memory/reservation");
        if (Resources.IsSet(memory.Kernel)) plan.Warn("memory/kernel", "kernel memory limits are deprecated and have no effect");
        // Unlike the limit on all kernel memory, the one on TCP buffers still works (Documentation/admin-guide/cgroup-v1/memory.rst, 2.7).
        if (Resources.IsSet(memory.KernelTCP))
            plan.Write("memory.kmem.tcp.limit_in_bytes", Amount.OfV1(memory.KernelTCP!.Value), "memory/kernelTCP");
        if (memory.DisableOOMKiller == true) plan.Write(ControlFile.OomControl, new Amount(1), "memory/disableOOMKiller");
        if (memory.Swappiness is { } swappiness) plan.Write("memory.swappiness", new Amount(swappiness), "memory/swappiness");
    }

    private static void AddBlock(CgroupPlanBuilder plan, BlockIOResources block)
    {
        // Where BFQ took CFQ's place (Linux 5.0) its files have its name in them.
        if (block.Weight is > 0)
        {
            plan.Write(ControlFile.BlockWeight, new Amount(block.Weight), "blockIO/weight",
                otherwise: new(ControlFile.BlockBfqWeight, new Amount(block.Weight)));
        }
        if (block.LeafWeight is > 0) plan.Write("blkio.leaf_weight", new Amount(block.LeafWeight), "blockIO/leafWeight");
        for (int i = 0; i < block.WeightDevice.Length; i++)
        {
            WeightDevice d = block.WeightDevice[i];
            string property = $"blockIO/weightDevice/{i}";
            DeviceAmount weight = new(d.Major, d.Minor, new(d.Weight));
            if (d.Weight is > 0) plan.Write("blkio.weight_device", weight, property, otherwise: new("blkio.bfq.weight_device", weight));
            if (d.LeafWeight is > 0)
                plan.Write("blkio.leaf_weight_device", new DeviceAmount(d.Major, d.Minor, new(d.LeafWeight)), property);
        }
        AddThrottle(plan, block.ThrottleReadBpsDevice, "blkio.throttle.read_bps_device", "blockIO/throttleReadBpsDevice");
        AddThrottle(plan, block.ThrottleWriteBpsDevice, "blkio.throttle.write_bps_device", "blockIO/throttleWriteBpsDevice");
        AddThrottle(plan, block.ThrottleReadIOPSDevice, "blkio.throttle.read_iops_device", "blockIO/throttleReadIOPSDevice");
        AddThrottle(plan, block.ThrottleWriteIOPSDevice, "blkio.throttle.write_iops_device", "blockIO/throttleWriteIOPSDevice");
    }

    private static void AddThrottle(CgroupPlanBuilder plan, ThrottleDevice[] devices, string file, string property)
    {
        for (int i = 0; i < devices.Length; i++)
            plan.Write(file, new DeviceAmount(devices[i].Major, devices[i].Minor, new(devices[i].Rate)), $"{property}/{i}");
    }

    private static void AddNetwork(CgroupPlanBuilder plan, NetworkResources network)
    {
        if (network.ClassID is > 0) plan.Write("net_cls.classid", new Amount(network.ClassID), "network/classID");
        for (int i = 0; i < network.Priorities.Length; i++)
        {
            InterfacePriority p = network.Priorities[i];
            plan.Write(ControlFile.InterfacePriorities, new Line($"{p.Name} {p.Priority}"), $"network/priorities/{i}");
        }
    }
}
