using System.Globalization;

namespace OciRuntime.Spec;

/// <summary>config-linux.md, "Control groups"; also the input of <c>update</c>. Null numbers leave the kernel's value alone.</summary>
public sealed class LinuxResources
{
    /// <summary>Device rules, in order.</summary>
    public DeviceRule[] Devices { get; internal set; } = [];

    /// <summary>Memory.</summary>
    public MemoryResources? Memory { get; internal set; }

    /// <summary>CPU and cpuset.</summary>
    public CpuResources? Cpu { get; internal set; }

    /// <summary>Number of tasks.</summary>
    public PidsResources? Pids { get; internal set; }

    /// <summary>Block devices.</summary>
    public BlockIOResources? BlockIO { get; internal set; }

    /// <summary>Huge pages.</summary>
    public HugepageLimit[] HugepageLimits { get; internal set; } = [];

    /// <summary>net_cls and net_prio (cgroup v1).</summary>
    public NetworkResources? Network { get; internal set; }

    /// <summary>RDMA limits by device.</summary>
    public SpecMap<RdmaLimit> Rdma { get; internal set; } = SpecMap<RdmaLimit>.Empty;

    /// <summary>Raw cgroup v2 files and what is written to them, in the order of the file.</summary>
    public SpecMap<string> Unified { get; internal set; } = SpecMap<string>.Empty;
}

/// <summary>One rule of the device controller.</summary>
public sealed class DeviceRule
{
    /// <summary>Allow or deny.</summary>
    public bool Allow { get; internal set; }

    /// <summary>a (all), c, b; null means all.</summary>
    public string? Type { get; internal set; }

    /// <summary>Major number; null or -1 means any.</summary>
    public long? Major { get; internal set; }

    /// <summary>Minor number; null or -1 means any.</summary>
    public long? Minor { get; internal set; }

    /// <summary>Letters of r, w, m; null means all.</summary>
    public string? Access { get; internal set; }
}

/// <summary>Sizes in bytes; -1 is unlimited.</summary>
public sealed class MemoryResources
{
    /// <summary>Hard limit.</summary>
    public long? Limit { get; internal set; }

    /// <summary>Soft limit.</summary>
    public long? Reservation { get; internal set; }

    /// <summary>Limit of memory and swap together.</summary>
    public long? Swap { get; internal set; }

    /// <summary>Kernel memory, obsolete.</summary>
    public long? Kernel { get; internal set; }

    /// <summary>Kernel memory of TCP, obsolete.</summary>
    public long? KernelTCP { get; internal set; }

    /// <summary>0..100.</summary>
    public ulong? Swappiness { get; internal set; }

    /// <summary>Pause instead of killing on out-of-memory (v1).</summary>
    public bool? DisableOOMKiller { get; internal set; }

    /// <summary>Hierarchical accounting (v1, always on today).</summary>
    public bool? UseHierarchy { get; internal set; }

    /// <summary>Refuse an update to less than is in use.</summary>
    public bool? CheckBeforeUpdate { get; internal set; }
}

/// <summary>Times in microseconds.</summary>
public sealed class CpuResources
{
    /// <summary>Relative weight, 2..262144; 0 is unset.</summary>
    public ulong? Shares { get; internal set; }

    /// <summary>CPU time per period; zero or negative is unlimited.</summary>
    public long? Quota { get; internal set; }

    /// <summary>Time that may be saved up from earlier periods.</summary>
    public ulong? Burst { get; internal set; }

    /// <summary>Period of the quota, 1000..1000000; 0 is unset.</summary>
    public ulong? Period { get; internal set; }

    /// <summary>Real-time scheduling: time per period (v1).</summary>
    public long? RealtimeRuntime { get; internal set; }

    /// <summary>Real-time scheduling: period (v1).</summary>
    public ulong? RealtimePeriod { get; internal set; }

    /// <summary>CPU list, "0-3,7".</summary>
    public string? Cpus { get; internal set; }

    /// <summary>NUMA node list.</summary>
    public string? Mems { get; internal set; }

    /// <summary>1 = SCHED_IDLE for the whole cgroup, 0 = normal.</summary>
    public long? Idle { get; internal set; }
}

/// <summary>pids controller.</summary>
public sealed class PidsResources
{
    /// <summary>Maximum number of tasks; negative is unlimited. 0 depends on the version: <see cref="Settle"/>.</summary>
    public long? Limit { get; internal set; }

    /// <summary>
    /// Gives 0 the meaning it has in the version of the specification that a configuration names. Until 1.3 it was no limit ("default is no
    /// limit", and engines write it for that); since then it is a limit like any other.
    /// </summary>
    internal void Settle(string? ociVersion)
    {
        if (Limit == 0 && IsBefore3(ociVersion)) Limit = -1;
    }

    // 1.N.…: there is no other major version (/ociVersion is checked).
    private static bool IsBefore3(string? version)
    {
        string[] parts = (version ?? "").Split('.');
        return parts.Length < 2 || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int minor) || minor < 3;
    }
}

/// <summary>blkio (v1) or io (v2) controller.</summary>
public sealed class BlockIOResources
{
    /// <summary>Relative weight, 10..1000.</summary>
    public ushort? Weight { get; internal set; }

    /// <summary>Weight against child cgroups, 10..1000 (CFQ).</summary>
    public ushort? LeafWeight { get; internal set; }

    /// <summary>Weights by device.</summary>
    public WeightDevice[] WeightDevice { get; internal set; } = [];

    /// <summary>Bytes read per second.</summary>
    public ThrottleDevice[] ThrottleReadBpsDevice { get; internal set; } = [];

    /// <summary>Bytes written per second.</summary>
    public ThrottleDevice[] ThrottleWriteBpsDevice { get; internal set; } = [];

    /// <summary>Reads per second.</summary>
    public ThrottleDevice[] ThrottleReadIOPSDevice { get; internal set; } = [];

    /// <summary>Writes per second.</summary>
    public ThrottleDevice[] ThrottleWriteIOPSDevice { get; internal set; } = [];
}

/// <summary>Weight of one block device.</summary>
public sealed class WeightDevice
{
    /// <summary>Major number.</summary>
    public long Major { get; internal set; }

    /// <summary>Minor number.</summary>
    public long Minor { get; internal set; }

    /// <summary>Relative weight, 10..1000.</summary>
    public ushort? Weight { get; internal set; }

    /// <summary>Weight against child cgroups (CFQ).</summary>
    public ushort? LeafWeight { get; internal set; }
}

/// <summary>Rate limit of one block device.</summary>
public sealed class ThrottleDevice
{
    /// <summary>Major number.</summary>
    public long Major { get; internal set; }

    /// <summary>Minor number.</summary>
    public long Minor { get; internal set; }

    /// <summary>Bytes or operations per second.</summary>
    public ulong Rate { get; internal set; }
}

/// <summary>Limit of one huge page size.</summary>
public sealed class HugepageLimit
{
    /// <summary>Size as the kernel spells it: 64KB, 2MB, 1GB.</summary>
    public string PageSize { get; internal set; } = "";

    /// <summary>Bytes.</summary>
    public ulong Limit { get; internal set; }
}

/// <summary>Network controllers of cgroup v1.</summary>
public sealed class NetworkResources
{
    /// <summary>Class id of the container's packets (net_cls).</summary>
    public uint? ClassID { get; internal set; }

    /// <summary>Priorities by interface (net_prio).</summary>
    public InterfacePriority[] Priorities { get; internal set; } = [];
}

/// <summary>net_prio entry.</summary>
public sealed class InterfacePriority
{
    /// <summary>Interface.</summary>
    public string Name { get; internal set; } = "";

    /// <summary>Priority.</summary>
    public uint Priority { get; internal set; }
}

/// <summary>RDMA limits of one device; null is unlimited.</summary>
public sealed class RdmaLimit
{
    /// <summary>HCA handles.</summary>
    public uint? HcaHandles { get; internal set; }

    /// <summary>HCA objects.</summary>
    public uint? HcaObjects { get; internal set; }
}
