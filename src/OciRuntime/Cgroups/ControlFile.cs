namespace OciRuntime.Cgroups;

/// <summary>
/// Names of control files that more than one place knows: what is written, what systemd is told of it, what it was before, and why the
/// kernel refused it. Up to its first dot a name is that of the controller.
/// </summary>
internal static class ControlFile
{
    /// <summary>Of v1 and v2.</summary>
    public const string PidsMax = "pids.max", PidsCurrent = "pids.current", CpuIdle = "cpu.idle", CpuStat = "cpu.stat",
        CpusetCpus = "cpuset.cpus", CpusetMems = "cpuset.mems", MemoryStat = "memory.stat", RdmaMax = "rdma.max", Procs = "cgroup.procs";

    /// <summary>Of v1.</summary>
    public const string CpuShares = "cpu.shares", CfsPeriod = "cpu.cfs_period_us", CfsQuota = "cpu.cfs_quota_us",
        CfsBurst = "cpu.cfs_burst_us", CpuUsage = "cpuacct.usage",
        RealtimePeriod = "cpu.rt_period_us", RealtimeRuntime = "cpu.rt_runtime_us",
        MemoryLimit = "memory.limit_in_bytes", MemoryUsage = "memory.usage_in_bytes",
        MemoryAndSwapLimit = "memory.memsw.limit_in_bytes", OomControl = "memory.oom_control",
        BlockWeight = "blkio.weight", BlockBfqWeight = "blkio.bfq.weight", InterfacePriorities = "net_prio.ifpriomap",
        DevicesAllow = "devices.allow", DevicesDeny = "devices.deny";

    /// <summary>Of v2.</summary>
    public const string CpuWeight = "cpu.weight", CpuMax = "cpu.max", CpuBurst = "cpu.max.burst", MemoryMax = "memory.max",
        MemoryHigh = "memory.high", MemoryLow = "memory.low",
        MemoryMin = "memory.min", SwapMax = "memory.swap.max", ZswapMax = "memory.zswap.max", OomGroup = "memory.oom.group",
        MemoryCurrent = "memory.current", MemoryEvents = "memory.events", IoStat = "io.stat",
        IoMax = "io.max", IoWeight = "io.weight", IoBfqWeight = "io.bfq.weight",
        Controllers = "cgroup.controllers", SubtreeControl = "cgroup.subtree_control", Freeze = "cgroup.freeze", Kill = "cgroup.kill",
        Events = "cgroup.events", Threads = "cgroup.threads";

    /// <summary>The controller that a file is of; "cgroup" for those of every v2 cgroup.</summary>
    public static string Controller(string file) => file[..file.IndexOf('.')];
}
