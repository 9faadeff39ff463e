namespace OciRuntime.Spec;

/// <summary>config-linux.md.</summary>
public sealed class LinuxConfig
{
    /// <summary>Namespaces to make or join; a type that is not listed is shared with the runtime.</summary>
    public LinuxNamespace[] Namespaces { get; internal set; } = [];

    /// <summary>uid_map of the user namespace.</summary>
    public IdMapping[] UidMappings { get; internal set; } = [];

    /// <summary>gid_map of the user namespace.</summary>
    public IdMapping[] GidMappings { get; internal set; } = [];

    /// <summary>Offsets of the time namespace by clock: "monotonic", "boottime".</summary>
    public SpecMap<TimeOffset> TimeOffsets { get; internal set; } = SpecMap<TimeOffset>.Empty;

    /// <summary>Device nodes to make besides the default ones.</summary>
    public LinuxDevice[] Devices { get; internal set; } = [];

    /// <summary>Network devices to move in, by name on the host.</summary>
    public SpecMap<NetDevice> NetDevices { get; internal set; } = SpecMap<NetDevice>.Empty;

    /// <summary>Cgroup of the container: absolute, relative, or slice:prefix:name for systemd.</summary>
    public string? CgroupsPath { get; internal set; }

    /// <summary>Limits set on the cgroup.</summary>
    public LinuxResources? Resources { get; internal set; }

    /// <summary>Resource director technology of Intel CPUs, resctrl(5).</summary>
    public IntelRdt? IntelRdt { get; internal set; }

    /// <summary>Kernel parameters, in the order of the file.</summary>
    public SpecMap<string> Sysctl { get; internal set; } = SpecMap<string>.Empty;

    /// <summary>System call filter.</summary>
    public LinuxSeccomp? Seccomp { get; internal set; }

    /// <summary>Propagation of the root mount: private, shared, slave, unbindable and their r-forms.</summary>
    public string? RootfsPropagation { get; internal set; }

    /// <summary>Absolute container paths made unreadable.</summary>
    public string[] MaskedPaths { get; internal set; } = [];

    /// <summary>Absolute container paths made read-only.</summary>
    public string[] ReadonlyPaths { get; internal set; } = [];

    /// <summary>SELinux context of the mounts.</summary>
    public string? MountLabel { get; internal set; }

    /// <summary>personality(2).</summary>
    public Personality? Personality { get; internal set; }

    /// <summary>set_mempolicy(2).</summary>
    public MemoryPolicy? MemoryPolicy { get; internal set; }
}

/// <summary>config-linux.md, "Namespaces".</summary>
public sealed class LinuxNamespace
{
    /// <summary>pid, network, mount, ipc, uts, user, cgroup or time.</summary>
    public string Type { get; internal set; } = "";

    /// <summary>Namespace file to join, absolute in the runtime's mount namespace; null or empty makes a new one.</summary>
    public string? Path { get; internal set; }
}

/// <summary>config-linux.md, "Offset for Time Namespace"; time_namespaces(7).</summary>
public sealed class TimeOffset
{
    /// <summary>Seconds.</summary>
    public long Secs { get; internal set; }

    /// <summary>Nanoseconds on top.</summary>
    public uint Nanosecs { get; internal set; }
}

/// <summary>config-linux.md, "Devices"; mknod(2).</summary>
public sealed class LinuxDevice
{
    /// <summary>c (character), u (same, unbuffered), b (block), p (fifo).</summary>
    public string Type { get; internal set; } = "";

    /// <summary>Absolute path in the container.</summary>
    public string Path { get; internal set; } = "";

    /// <summary>Major number; required unless a fifo.</summary>
    public long? Major { get; internal set; }

    /// <summary>Minor number; required unless a fifo.</summary>
    public long? Minor { get; internal set; }

    /// <summary>Permission bits (decimal in the file).</summary>
    public uint? FileMode { get; internal set; }

    /// <summary>Owner in the container.</summary>
    public uint? Uid { get; internal set; }

    /// <summary>Group in the container.</summary>
    public uint? Gid { get; internal set; }
}

/// <summary>config-linux.md, "Network Devices".</summary>
public sealed class NetDevice
{
    /// <summary>Name in the container; null keeps the host's.</summary>
    public string? Name { get; internal set; }

    /// <summary>The name in the container; one with "%d" leaves the number to the kernel.</summary>
    /// <param name="host">That on the host.</param>
    internal string NameInside(string host) => string.IsNullOrEmpty(Name) ? host : Name;
}

/// <summary>config-linux.md, "IntelRdt".</summary>
public sealed class IntelRdt
{
    /// <summary>Class of service: directory below the resctrl mount; null means the container's id, "/" the root class.</summary>
    public string? ClosID { get; internal set; }

    /// <summary>Lines for the schemata file.</summary>
    public string[] Schemata { get; internal set; } = [];

    /// <summary>L3 line of the schemata file.</summary>
    public string? L3CacheSchema { get; internal set; }

    /// <summary>MB line of the schemata file.</summary>
    public string? MemBwSchema { get; internal set; }

    /// <summary>Make a monitoring group for the container.</summary>
    public bool EnableMonitoring { get; internal set; }
}

/// <summary>config-linux.md, "Personality".</summary>
public sealed class Personality
{
    /// <summary>LINUX or LINUX32.</summary>
    public string Domain { get; internal set; } = "";

    /// <summary>None are defined by 1.3.0.</summary>
    public string[] Flags { get; internal set; } = [];
}

/// <summary>config-linux.md, "Memory policy".</summary>
public sealed class MemoryPolicy
{
    /// <summary>MPOL_DEFAULT, MPOL_BIND, ...</summary>
    public string Mode { get; internal set; } = "";

    /// <summary>NUMA nodes as a list, "0-3,7".</summary>
    public string? Nodes { get; internal set; }

    /// <summary>MPOL_F_ words.</summary>
    public string[] Flags { get; internal set; } = [];
}
