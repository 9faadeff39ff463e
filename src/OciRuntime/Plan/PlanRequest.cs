using OciRuntime.Host;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>Everything a plan depends on.</summary>
internal sealed class PlanRequest
{
    public required RuntimeSpec Spec { get; init; }
    public required HostFacts Host { get; init; }
    public required string Id { get; init; }

    /// <summary>Absolute path of the bundle: relative sources are relative to it.</summary>
    public required string Bundle { get; init; }

    /// <summary>Absolute path of the root file system.</summary>
    public required string Rootfs { get; init; }

    /// <summary>The child waits for `start` (create), instead of going on when the parent lets it (run).</summary>
    public bool WaitForStart { get; init; }

    /// <summary>exec: one more process in a container that is there.</summary>
    public bool IsExec { get; init; }

    /// <summary>mounts add: nothing comes after a mount that would have to be made inside of it.</summary>
    public bool IsLive { get; init; }

    /// <summary>mounts remove: numbers of the mounts that hide paths of the container or make them read-only.</summary>
    public ulong[] ProtectiveMounts { get; init; } = [];

    public bool NoPivot { get; init; }
    public bool NewKeyring { get; init; } = true;

    /// <summary>LISTEN_FDS of the caller: the first descriptors from 3 on, announced to the program (sd_listen_fds(3)).</summary>
    public int ListenFds { get; init; }

    /// <summary>Host directory for the notify socket, or null.</summary>
    public string? NotifyDirectory { get; init; }

    /// <summary>
    /// The container's cgroups. The child enters the v1 ones through their <c>tasks</c> files, which it is given in the same order
    /// (<see cref="InheritedDescriptors.GiveTasks"/>).
    /// </summary>
    public CgroupView[] Cgroups { get; init; } = [];

    /// <summary>
    /// Those that the container stays in when it gets none of its own: cgroup mounts show them. Empty where there are no such mounts.
    /// </summary>
    public CgroupView[] CallersCgroups { get; init; } = [];

    /// <summary>The child does not enter the cgroups by itself: systemd puts it there.</summary>
    public bool AwaitsCgroup { get; init; }

    /// <summary>The cgroups may turn out to be out of the caller's reach, and the launch goes on without them.</summary>
    public bool CgroupsOptional { get; init; }
}

/// <summary>A cgroup that the container is in, for a cgroup mount and for `explain`.</summary>
/// <param name="Hierarchy">The mounted hierarchy.</param>
/// <param name="Path">Its directory in it, on the host.</param>
internal readonly record struct CgroupView(CgroupHierarchy Hierarchy, string Path)
{
    /// <summary>
    /// The caller's directory in it, on the host, which the container stays in where <see cref="Path"/> cannot be made; null where it must
    /// be.
    /// </summary>
    public string? CallersPath { get; init; }
}
