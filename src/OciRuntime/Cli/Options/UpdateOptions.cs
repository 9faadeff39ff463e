using CommandLine;

namespace OciRuntime.Cli;

[Verb("update", HelpText = "change the limits of a container")]
[Command(120)]
public sealed partial class UpdateOptions : ContainerOptions
{
    [Option('r', "resources", MetaValue = "FILE",
        HelpText = "JSON file with resources as in config.json's linux.resources, - for standard input; other limits are ignored then")]
    public string? Resources { get; set; }

    [Option("blkio-weight", MetaValue = "N", HelpText = "share of block device time, 10 to 1000")]
    public ushort? BlkioWeight { get; set; }

    [Option("cpu-period", MetaValue = "US", HelpText = "period of the processor quota in microseconds")]
    public ulong? CpuPeriod { get; set; }

    [Option("cpu-quota", MetaValue = "US", HelpText = "processor time per period in microseconds, -1 for no limit")]
    public long? CpuQuota { get; set; }

    [Option("cpu-burst", MetaValue = "US", HelpText = "quota that may be saved up for later periods, in microseconds")]
    public ulong? CpuBurst { get; set; }

    [Option("cpu-share", MetaValue = "N", HelpText = "share of processor time, 2 to 262144; others have 1024 by default")]
    public ulong? CpuShare { get; set; }

    [Option("cpu-rt-period", MetaValue = "US", HelpText = "period of the real-time budget in microseconds (cgroup v1)")]
    public ulong? CpuRtPeriod { get; set; }

    [Option("cpu-rt-runtime", MetaValue = "US", HelpText = "real-time budget per period in microseconds (cgroup v1)")]
    public long? CpuRtRuntime { get; set; }

    [Option("cpu-idle", MetaValue = "0|1", HelpText = "1: run only when nobody else wants to")]
    public long? CpuIdle { get; set; }

    [Option("cpuset-cpus", MetaValue = "LIST", HelpText = "processors it may run on, such as 0-3,7")]
    public string? CpusetCpus { get; set; }

    [Option("cpuset-mems", MetaValue = "LIST", HelpText = "memory nodes it may use")]
    public string? CpusetMems { get; set; }

    [Option("memory", MetaValue = "SIZE", HelpText = "memory limit, such as 64m or 1.5g; -1 for none")]
    [ReadWith(nameof(ArgumentCursor.Size))]
    public long? Memory { get; set; }

    [Option("memory-reservation", MetaValue = "SIZE", HelpText = "memory it shall keep when there is little; -1 for no limit")]
    [ReadWith(nameof(ArgumentCursor.Size))]
    public long? MemoryReservation { get; set; }

    [Option("memory-swap", MetaValue = "SIZE", HelpText = "limit of memory and swap together; -1 for unlimited swap")]
    [ReadWith(nameof(ArgumentCursor.Size))]
    public long? MemorySwap { get; set; }

    [Option("kernel-memory", MetaValue = "SIZE", Hidden = true, HelpText = "obsolete, ignored with a warning")]
    [ReadWith(nameof(ArgumentCursor.Size))]
    public long? KernelMemory { get; set; }

    [Option("kernel-memory-tcp", MetaValue = "SIZE", Hidden = true, HelpText = "memory for TCP buffers (cgroup v1)")]
    [ReadWith(nameof(ArgumentCursor.Size))]
    public long? KernelMemoryTcp { get; set; }

    [Option("pids-limit", MetaValue = "N",
        HelpText = "most processes and threads, -1 for no limit; 0 as in config.json: no limit before version 1.3, later one")]
    public long? PidsLimit { get; set; }

    [Option("l3-cache-schema", MetaValue = "SCHEMA",
        HelpText = "portions of the L3 cache (Intel RDT), such as L3:0=f;1=f0; for a container that has a group")]
    public string? L3CacheSchema { get; set; }

    [Option("mem-bw-schema", MetaValue = "SCHEMA",
        HelpText = "memory bandwidth (Intel RDT), such as MB:0=20;1=70; for a container that has a group")]
    public string? MemBwSchema { get; set; }

    /// <summary>Whether an option other than --resources names a limit that is kept in a cgroup.</summary>
    public bool HasLimits => (BlkioWeight ?? CpuPeriod ?? CpuBurst ?? CpuShare ?? CpuRtPeriod) is not null
        || (CpuQuota ?? CpuRtRuntime ?? CpuIdle ?? PidsLimit) is not null || (CpusetCpus ?? CpusetMems) is not null
        || (Memory ?? MemoryReservation ?? MemorySwap ?? KernelMemory ?? KernelMemoryTcp) is not null;

    public override VerbHelp Describe() => new(
        """
        Changes the limits of a container that has not stopped. What is not named stays as it is. If one change fails, those before it are
        taken back.
        """,
        [
            new("Give web 512 MiB of memory and half a processor", "ocirun update --memory 512m --cpu-period 100000 --cpu-quota 50000 web"),
            new("No limit on processes", "ocirun update --pids-limit -1 web"),
            new("From JSON", "echo '{\"memory\":{\"limit\":536870912}}' | ocirun update --resources - web"),
        ]);
}
