using OciRuntime.Host;
using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>Everything that will be done with control groups, decided before anything is done. Immutable.</summary>
internal sealed class CgroupPlan
{
    /// <summary>A plan that leaves the container in the caller's cgroups (--cgroup-manager=disabled).</summary>
    public static CgroupPlan Disabled => throw new NotSupportedException();

    /// <summary>The container's cgroup in each hierarchy.</summary>
    public CgroupDirectory[] Directories { get; private init; } = [];

    /// <summary>Absolute host paths of <see cref="Directories"/>, for the state file: everything the runtime may leave behind lies there.</summary>
    public string[] Paths => throw new NotSupportedException();

    /// <summary>What is written, in order, after the directories are made.</summary>
    public CgroupStep[] Steps { get; private init; } = [];

    /// <summary>The device rules after folding.</summary>
    public DeviceFilter Devices => throw new NotSupportedException();

    /// <summary>Settings that are accepted and have no effect on this host, one line each.</summary>
    public string[] Warnings { get; private init; } = [];

    /// <summary>Permission failures mean: no cgroup, go on (rootless without limits).</summary>
    public bool Optional { get; private init; }

    /// <summary>Plans the cgroups of a new container.</summary>
    /// <exception cref="Linux.OciException">The request contradicts itself or the host cannot fulfil it.</exception>
    public static CgroupPlan Build(CgroupHost host, CgroupRequest request) => throw new NotSupportedException();

    /// <summary>Plans the changes of `update` on existing cgroups; device rules stay as they are.</summary>
    /// <param name="host">The machine.</param>
    /// <param name="paths">Absolute paths from the state file.</param>
    /// <param name="resources">What to change; what is absent stays.</param>
    public static CgroupPlan BuildUpdate(CgroupHost host, IReadOnlyList<string> paths, LinuxResources resources) => throw new NotSupportedException();

    /// <summary>One line for `explain`: "write /sys/fs/cgroup/pids/x/pids.max = 100".</summary>
    public string Describe(in CgroupStep step) => throw new NotSupportedException();
}
