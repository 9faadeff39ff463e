using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

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

/// <summary>One step of setting a cgroup up.</summary>
/// <param name="Directory">Index into <see cref="CgroupPlan.Directories"/>.</param>
/// <param name="Pointer">Where config.json asks for it, or "" for a default.</param>
/// <param name="Tolerance">Failures that are passed over.</param>
internal abstract record CgroupStep(int Directory, string Pointer, CgroupTolerance Tolerance = CgroupTolerance.None)
{
    /// <summary>
    /// It holds for what the container's program does, not for its set-up, and so may come while that goes on in the cgroup already.
    /// </summary>
    public virtual bool MayBeLate => false;

    /// <summary>One line for `explain`: "write /sys/fs/cgroup/pids/x/pids.max = 100".</summary>
    public abstract string Describe(CgroupDirectory place);

    /// <summary>Does it.</summary>
    /// <param name="run">The plan that it is part of.</param>
    /// <param name="place">The cgroup.</param>
    /// <param name="directory">The same, open.</param>
    /// <returns>0, or a negated errno.</returns>
    /// <exception cref="OciException">It failed, and there is more to say than an errno.</exception>
    public abstract long Do(CgroupRun run, CgroupDirectory place, int directory);

    /// <summary>Why the kernel refuses, where that is known.</summary>
    public virtual string? Hint(CgroupDirectory place, int directory, int errno) => errno == Errno.ENOENT ? CgroupHints.NoSuchFile : null;
}
