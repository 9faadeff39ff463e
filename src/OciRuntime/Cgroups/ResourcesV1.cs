using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>linux.resources in the files of cgroup v1 (Documentation/admin-guide/cgroup-v1).</summary>
internal static class ResourcesV1
{
    // Limits of cpu.shares, kernel/sched/sched.h: MIN_SHARES, MAX_SHARES. The kernel clamps without a word.
    private const ulong MinShares = 2, MaxShares = 262144;

    /// <summary>Adds a write for each value that is set.</summary>
    public static void Add(CgroupStepList steps, LinuxResources resources)
    {
        if (resources.Unified.Count > 0)
        {
            throw new OciException("/linux/resources/unified: invalid configuration: cannot use unified on cgroup v1", Errno.EINVAL);
        }
        if (resources.Cpu is { } cpu) AddCpu(steps, cpu);
        if (resources.Memory is { } memory) AddMemory(steps, memory);
        if (resources.Pids?.Limit is { } pids) steps.Write1("pids", "pids.max", ResourcesV2.PidsLimit(pids), "/linux/resources/pids/limit");
        if (resources.BlockIO is { } block) AddBlock(steps, block);
        for (int i = 0; i < resources.HugepageLimits.Length; i++)
        {
            HugepageLimit huge = resources.HugepageLimits[i];
            string pointer = "/linux/resources/hugepageLimits/" + i;
            string size = ResourcesV2.PageSize(huge.PageSize, pointer), limit = huge.Limit.ToString();
            steps.Write1("hugetlb", $"hugetlb.{size}.limit_in_bytes", limit, pointer);
            steps.Write1("hugetlb", $"hugetlb.{size}.rsvd.limit_in_bytes", limit, pointer, CgroupTolerance.Missing);
        }
        if (resources.Network is { } network) AddNetwork(steps, network);
        ResourcesV2.EachRdma(resources, (value, pointer) => steps.Write1("rdma", "rdma.max", value, pointer));
    }

    private static void AddCpu(CgroupStepList steps, CpuResources cpu)
    {
        const string At = "/linux/resources/cpu/";
        if (cpu.Shares is { } shares and > 0)
        {
            if (shares > MaxShares) throw new OciException($"{At}shares: the maximum allowed cpu-shares is {MaxShares}", Errno.EINVAL);
            if (shares < MinShares) throw new OciException($"{At}shares: the minimum allowed cpu-shares is {MinShares}", Errno.EINVAL);
        }
        // As on v2, see there.
        bool becomesIdle = cpu.Idle is not null and not 0;
        if (cpu.Idle == 0) steps.Write1("cpu", "cpu.idle", "0", At + "idle", CgroupTolerance.Missing);
        if (!becomesIdle && cpu.Shares is > 0) steps.Write1("cpu", "cpu.shares", cpu.Shares.Value.ToString(), At + "shares");
        if (becomesIdle) steps.Write1("cpu", "cpu.idle", cpu.Idle!.Value.ToString(), At + "idle");
        // Quota against period, and quota against burst, must agree at each moment, in whatever order they are changed.
        bool quota = cpu.Quota is not null and not 0;
        if (cpu.Period is > 0)
        {
            steps.Write1("cpu", "cpu.cfs_period_us", cpu.Period.Value.ToString(), At + "period", quota ? CgroupTolerance.AfterNext : CgroupTolerance.None);
        }
        if (quota)
        {
            steps.Write1("cpu", "cpu.cfs_quota_us", cpu.Quota!.Value.ToString(), At + "quota", cpu.Burst is null ? CgroupTolerance.None : CgroupTolerance.AfterNext);
        }
        // What is 0 is so on a kernel that does not have the file, too.
        if (cpu.Burst is { } burst) steps.Write1("cpu", "cpu.cfs_burst_us", burst.ToString(), At + "burst", burst == 0 ? CgroupTolerance.Missing : CgroupTolerance.None);
        bool runtime = cpu.RealtimeRuntime is not null and not 0;
        if (cpu.RealtimePeriod is > 0)
        {
            steps.Write1("cpu", "cpu.rt_period_us", cpu.RealtimePeriod.Value.ToString(), At + "realtimePeriod", runtime ? CgroupTolerance.AfterNext : CgroupTolerance.None);
        }
        if (runtime) steps.Write1("cpu", "cpu.rt_runtime_us", cpu.RealtimeRuntime!.Value.ToString(), At + "realtimeRuntime");
        if (!string.IsNullOrEmpty(cpu.Cpus)) steps.Write1("cpuset", "cpuset.cpus", cpu.Cpus, At + "cpus");
        if (!string.IsNullOrEmpty(cpu.Mems)) steps.Write1("cpuset", "cpuset.mems", cpu.Mems, At + "mems");
    }

    private static void AddMemory(CgroupStepList steps, MemoryResources memory)
    {
        const string At = "/linux/resources/memory/";
        long limit = memory.Limit ?? 0, swap = memory.Swap ?? 0;
        CgroupTolerance swapTolerance = CgroupTolerance.None;
        if (limit == -1 && swap == 0)
        {
            // An unlimited memory below a limited sum would be refused; kernels without swap accounting have no sum.
            swap = -1;
            swapTolerance = CgroupTolerance.Missing;
        }
        if (limit > 0 && swap > 0 && swap < limit)
        {
            throw new OciException($"{At}swap: memory+swap limit should be >= memory limit ({swap} < {limit})", Errno.EINVAL);
        }
        // Invariant of the kernel: limit <= memory+swap. Lowering starts with the limit, raising with the sum; the kernel's EINVAL tells which it is.
        if (limit != 0)
        {
            steps.Write1("memory", "memory.limit_in_bytes", limit.ToString(), At + "limit", swap != 0 ? CgroupTolerance.AfterNext : CgroupTolerance.None);
        }
        if (swap != 0)
        {
            steps.Write1("memory", "memory.memsw.limit_in_bytes", swap.ToString(), memory.Swap is null or 0 ? At + "limit" : At + "swap", swapTolerance);
        }
        if (memory.Reservation is not null and not 0) steps.Write1("memory", "memory.soft_limit_in_bytes", memory.Reservation.Value.ToString(), At + "reservation");
        if (memory.Kernel is not null and not 0) steps.Warn($"{At}kernel: kernel memory limits are deprecated and have no effect");
        // Unlike the limit on all kernel memory, the one on TCP buffers still works (Documentation/admin-guide/cgroup-v1/memory.rst, 2.7).
        if (memory.KernelTCP is not null and not 0) steps.Write1("memory", "memory.kmem.tcp.limit_in_bytes", memory.KernelTCP.Value.ToString(), At + "kernelTCP");
        if (memory.DisableOOMKiller == true) steps.Write1("memory", "memory.oom_control", "1", At + "disableOOMKiller");
        if (memory.Swappiness is { } swappiness)
        {
            if (swappiness > 100) throw new OciException($"{At}swappiness: invalid memory swappiness value: {swappiness} (valid range is 0-100)", Errno.EINVAL);
            steps.Write1("memory", "memory.swappiness", swappiness.ToString(), At + "swappiness");
        }
    }

    private static void AddBlock(CgroupStepList steps, BlockIOResources block)
    {
        const string At = "/linux/resources/blockIO/";
        // Where BFQ took CFQ's place (Linux 5.0) its files have its name in them.
        if (ResourcesV2.BlockWeight(block.Weight, At + "weight") is { } weight)
        {
            steps.Write1("blkio", "blkio.weight|blkio.bfq.weight", weight.ToString(), At + "weight");
        }
        if (ResourcesV2.BlockWeight(block.LeafWeight, At + "leafWeight") is { } leaf)
        {
            steps.Write1("blkio", "blkio.leaf_weight", leaf.ToString(), At + "leafWeight");
        }
        for (int i = 0; i < block.WeightDevice.Length; i++)
        {
            WeightDevice d = block.WeightDevice[i];
            string pointer = At + "weightDevice/" + i;
            if (ResourcesV2.BlockWeight(d.Weight, pointer) is { } w)
            {
                steps.Write1("blkio", "blkio.weight_device|blkio.bfq.weight_device", $"{d.Major}:{d.Minor} {w}", pointer);
            }
            if (ResourcesV2.BlockWeight(d.LeafWeight, pointer) is { } l)
            {
                steps.Write1("blkio", "blkio.leaf_weight_device", $"{d.Major}:{d.Minor} {l}", pointer);
            }
        }
        AddThrottle(steps, block.ThrottleReadBpsDevice, "blkio.throttle.read_bps_device", At + "throttleReadBpsDevice/");
        AddThrottle(steps, block.ThrottleWriteBpsDevice, "blkio.throttle.write_bps_device", At + "throttleWriteBpsDevice/");
        AddThrottle(steps, block.ThrottleReadIOPSDevice, "blkio.throttle.read_iops_device", At + "throttleReadIOPSDevice/");
        AddThrottle(steps, block.ThrottleWriteIOPSDevice, "blkio.throttle.write_iops_device", At + "throttleWriteIOPSDevice/");
    }

    private static void AddThrottle(CgroupStepList steps, ThrottleDevice[] devices, string file, string pointer)
    {
        for (int i = 0; i < devices.Length; i++)
        {
            steps.Write1("blkio", file, $"{devices[i].Major}:{devices[i].Minor} {devices[i].Rate}", pointer + i);
        }
    }

    private static void AddNetwork(CgroupStepList steps, NetworkResources network)
    {
        const string At = "/linux/resources/network/";
        if (network.ClassID is { } id and > 0) steps.Write1("net_cls", "net_cls.classid", id.ToString(), At + "classID");
        for (int i = 0; i < network.Priorities.Length; i++)
        {
            InterfacePriority p = network.Priorities[i];
            steps.Write1("net_prio", "net_prio.ifpriomap", $"{p.Name} {p.Priority}", At + "priorities/" + i);
        }
    }
}
