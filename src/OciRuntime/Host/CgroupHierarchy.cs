namespace OciRuntime.Host;

/// <summary>How the host mounts control groups.</summary>
internal enum CgroupMode
{
    /// <summary>No cgroup file system is mounted.</summary>
    None,

    /// <summary>Version 1 hierarchies only.</summary>
    V1,

    /// <summary>Version 1 hierarchies, and a version 2 one beside them (usually at /sys/fs/cgroup/unified).</summary>
    Hybrid,

    /// <summary>One version 2 hierarchy at /sys/fs/cgroup.</summary>
    V2,
}

/// <summary>One mounted cgroup hierarchy.</summary>
/// <param name="MountPoint">Where it is mounted, absolute, without symbolic links.</param>
/// <param name="Controllers">The v1 controllers that live in it; empty for named hierarchies and for v2.</param>
/// <param name="Name">Name of a v1 hierarchy without controllers ("systemd"), else null.</param>
/// <param name="Unified">Whether it is the v2 hierarchy.</param>
/// <param name="MountRoot">Which cgroup the mount shows as its root; not "/" where a container sees a bind mount without a cgroup
/// namespace.</param>
internal sealed record CgroupHierarchy(string MountPoint, string[] Controllers, string? Name, bool Unified, string MountRoot = "/")
{
    /// <summary>The name a person knows it by: "memory", "cpu,cpuacct", "name=systemd", "unified".</summary>
    public string Label { get; } = Unified ? "unified" : Name is not null ? "name=" + Name : Controllers.Length == 1 ? Controllers[0]
        : string.Join(',', Controllers);

    /// <summary>Whether a v1 controller lives here.</summary>
    public bool Has(string controller)
    {
        foreach (string c in Controllers) if (c == controller) return true;
        return false;
    }
}
