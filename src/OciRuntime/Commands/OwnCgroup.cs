using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>
/// The cgroups of a container, for verbs that make no sense without: what they would do to others' is not to be thought of.
/// </summary>
internal static class OwnCgroup
{
    /// <exception cref="OciException">The container was made without cgroups of its own.</exception>
    public static CgroupControl Of(ContainerState state)
    {
        if (state.CgroupDirectories.Length > 0) return new CgroupControl(state.CgroupDirectories);
        throw new OciException($"container {state.Id} has no cgroup of its own: it was created with --cgroup-manager {state.CgroupManager}",
            Errno.ENOENT);
    }
}
