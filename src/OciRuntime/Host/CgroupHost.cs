using OciRuntime.Linux;

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
        foreach (CgroupHierarchy h in hierarchies) if (h.Unified) Unified = h;
    }

    /// <summary>Which versions are mounted.</summary>
    public CgroupMode Mode { get; }

    /// <summary>The hierarchies: v2 first, then the others in mount order; one for pure v2.</summary>
    public CgroupHierarchy[] Hierarchies { get; }

    /// <summary>The v2 hierarchy, or null.</summary>
    public CgroupHierarchy? Unified { get; }

    /// <summary>Looks at the machine. On pure v2 this is one statfs(2), else one read of /proc/self/mountinfo.</summary>
    public static CgroupHost Probe()
    {
        if (Files.StatFs(Root, out Statfs fs) == 0 && fs.Type == Files.CGROUP2_SUPER_MAGIC)
            return new CgroupHost(CgroupMode.V2, [new CgroupHierarchy(Root, [], null, Unified: true)]);
        return FromMountInfo(MountTable.ReadText());
    }

    /// <summary>The v1 hierarchy a controller lives in, or null.</summary>
    public CgroupHierarchy? Find(string controller)
    {
        foreach (CgroupHierarchy h in Hierarchies) if (h.Has(controller)) return h;
        return null;
    }
}
