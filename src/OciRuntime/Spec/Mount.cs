namespace OciRuntime.Spec;

/// <summary>config.md, "Mounts".</summary>
public sealed class Mount
{
    /// <summary>Where, inside the container.</summary>
    public string Destination { get; internal set; } = "";

    /// <summary>File system type, or "bind".</summary>
    public string? Type { get; internal set; }

    /// <summary>Device, dummy name, or, for binds, a path absolute or relative to the bundle.</summary>
    public string? Source { get; internal set; }

    /// <summary>fstab style option words, in order.</summary>
    public string[] Options { get; internal set; } = [];

    /// <summary>User ids of an id-mapped mount: from the source's file system to the mount.</summary>
    public IdMapping[] UidMappings { get; internal set; } = [];

    /// <summary>Group ids of an id-mapped mount.</summary>
    public IdMapping[] GidMappings { get; internal set; } = [];
}

/// <summary>One line of a uid_map or gid_map; config-linux.md, "User namespace mappings".</summary>
public sealed class IdMapping
{
    /// <summary>First id inside.</summary>
    public uint ContainerID { get; internal set; }

    /// <summary>First id outside.</summary>
    public uint HostID { get; internal set; }

    /// <summary>Number of ids.</summary>
    public uint Size { get; internal set; }

    /// <summary>Whether an id inside has one outside.</summary>
    public bool Maps(uint id) => id >= ContainerID && id - ContainerID < Size;
}
