namespace OciRuntime.Host;

/// <summary>The control groups this machine offers.</summary>
internal sealed partial class CgroupHost
{
    /// <summary>Where cgroups are mounted on every Linux distribution.</summary>
    public const string Root = "/sys/fs/cgroup";

    internal CgroupHost(CgroupMode mode, CgroupHierarchy[] hierarchies)
    {
        Mode = mode;
        Hierarchies = hierarchies;
    }

    /// <summary>Which versions are mounted.</summary>
    public CgroupMode Mode { get; }

    /// <summary>The hierarchies in mount order; one for pure v2.</summary>
    public CgroupHierarchy[] Hierarchies { get; }

    /// <summary>The v2 hierarchy, or null.</summary>
    public CgroupHierarchy? Unified => throw new NotSupportedException();

    /// <summary>Looks at the machine. On pure v2 this is one statfs(2), else one read of /proc/self/mountinfo.</summary>
    public static CgroupHost Probe() => throw new NotSupportedException();

    /// <summary>The v1 hierarchy a controller lives in, or null.</summary>
    public CgroupHierarchy? Find(string controller) => throw new NotSupportedException();

    /// <summary>The cgroup of this process in a hierarchy, relative to its mount point: "/" or "/a/b". Read on first use.</summary>
    public string OwnPath(CgroupHierarchy hierarchy) => throw new NotSupportedException();
}
