using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>What a container asks of control groups.</summary>
/// <param name="Id">Container id: the name of the cgroup when no path is given.</param>
/// <param name="CgroupsPath">linux.cgroupsPath, or null.</param>
/// <param name="Resources">linux.resources, or null.</param>
internal sealed record CgroupRequest(string Id, string? CgroupsPath, LinuxResources? Resources)
{
    /// <summary>The container gets a cgroup namespace of its own; without one it sees the host's tree, and nothing is delegated to it.</summary>
    public bool HasCgroupNamespace { get; init; }

    /// <summary>The runtime itself runs in a user namespace: device rules cannot be set there and are left to the kernel (as runc does).</summary>
    public bool RuntimeInUserNamespace { get; init; }

    /// <summary>Without rights on cgroups, do without them, provided neither a path nor a limit was asked for.</summary>
    public bool Rootless { get; init; }

    /// <summary>The scope that systemd is to make, or null for the cgroupfs driver.</summary>
    public SystemdUnit? Unit { get; init; }

    /// <summary>Properties of that scope from annotations.</summary>
    public List<SystemdProperty> UnitAnnotations { get; init; } = [];

    /// <summary>Host uid that a v2 cgroup is delegated to: the process's, when a cgroup mount in the container is writable. Or null.</summary>
    public uint? DelegateTo { get; init; }
}
