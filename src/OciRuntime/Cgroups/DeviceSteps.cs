using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>v2: attaches the device program.</summary>
internal sealed record AttachDevices(int Directory, DeviceFilter Rules, string Pointer, CgroupTolerance Tolerance)
    : CgroupStep(Directory, Pointer, Tolerance)
{
    /// <remarks>
    /// Init makes device nodes for anybody who may look at them, whether or not the program lets them be used, and is nobody to keep from a
    /// device itself.
    /// </remarks>
    public override bool MayBeLate => true;

    public override string Describe(CgroupDirectory place) => $"attach device program to {place.Path}";

    public override long Do(CgroupRun run, CgroupDirectory place, int directory) =>
        DeviceProgram.Attach(directory, Rules, run.Plan.ProgramName);
}

/// <summary>Changes the device rules of running processes.</summary>
internal sealed record ChangeDevices(int Directory, DeviceFilter Rules) : CgroupStep(Directory, "/linux/resources/devices")
{
    private bool _hasChanged;

    /// <summary>Something is not as it was before, also when it failed.</summary>
    public bool HasChanged => _hasChanged;

    /// <remarks>It comes last, because there is no way back once the rules have changed.</remarks>
    public override bool MayBeLate => true;

    public override string Describe(CgroupDirectory place) => $"change the device rules of {place.Path}";

    public override long Do(CgroupRun run, CgroupDirectory place, int directory) =>
        DeviceUpdate.Apply(
            directory, place.Hierarchy.Unified, Rules, run.Plan.ProgramName, new CgroupControl(run.Plan.Paths), out _hasChanged);

    public override string? Hint(CgroupDirectory place, int directory, int errno) => errno switch
    {
        Errno.EPERM when !place.Hierarchy.Unified => CgroupHints.NotTheParents,
        Errno.EINVAL when !place.Hierarchy.Unified =>
            "with cgroups below the container's own, cgroup v1 does not change what is allowed by default",
        _ => base.Hint(place, directory, errno),
    };
}
