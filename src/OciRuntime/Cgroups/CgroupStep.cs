using OciRuntime.Host;

namespace OciRuntime.Cgroups;

/// <summary>A cgroup directory of the container.</summary>
/// <param name="Hierarchy">The mounted hierarchy it is in.</param>
/// <param name="Relative">Path below the mount point, without a leading slash and without "." and "..".</param>
internal sealed record CgroupDirectory(CgroupHierarchy Hierarchy, string Relative)
{
    /// <summary>Absolute path on the host.</summary>
    public string Path { get; } = Hierarchy.MountPoint + "/" + Relative;
}

/// <summary>What a step does.</summary>
internal enum CgroupStepKind
{
    /// <summary>Writes <see cref="CgroupStep.Value"/> to <see cref="CgroupStep.File"/>.</summary>
    Write,

    /// <summary>v1: fills empty cpuset.cpus and cpuset.mems from the parent, outermost first; a task cannot enter a cpuset without both.</summary>
    SeedCpuset,

    /// <summary>v2: hands the available controllers down, from the root to the cgroup's parent; those named in Value must arrive.</summary>
    EnableControllers,

    /// <summary>v2: attaches the device program.</summary>
    AttachDevices,

    /// <summary>Changes the device rules of running processes: <see cref="DeviceUpdate"/>.</summary>
    UpdateDevices,

    /// <summary>v2: refuses when more memory is in use than the limit in Value.</summary>
    CheckMemoryUse,

    /// <summary>v2: gives the directory and the files of /sys/kernel/cgroup/delegate to the uid in Value.</summary>
    Delegate,
}

/// <summary>Which failures of a step are not failures.</summary>
[Flags]
internal enum CgroupTolerance
{
    /// <summary>Every failure is fatal.</summary>
    None = 0,

    /// <summary>The kernel lacks the file (ENOENT).</summary>
    Missing = 1,

    /// <summary>Not permitted (EPERM, EACCES, EROFS).</summary>
    Permission = 2,

    /// <summary>EINVAL: the value conflicts with the old value of the next step's file; do that one first, then this one again.</summary>
    AfterNext = 4,
}

/// <summary>One step of setting a cgroup up, in order.</summary>
/// <param name="Kind">What is done.</param>
/// <param name="Directory">Index into <see cref="CgroupPlan.Directories"/>.</param>
/// <param name="File">File in that directory; of several names with '|' between them, the first that the kernel has.</param>
/// <param name="Value">What is written; where File has several names it may have as many values.</param>
/// <param name="Pointer">Where config.json asks for it, or "" for a default.</param>
/// <param name="Tolerance">Failures that are passed over.</param>
internal readonly record struct CgroupStep(
    CgroupStepKind Kind, int Directory, string File, string Value, string Pointer, CgroupTolerance Tolerance = CgroupTolerance.None);
