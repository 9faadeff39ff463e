using OciRuntime.Cgroups;

namespace OciRuntime.State;

/// <summary>Tells what a container is doing from what the kernel says, never from what was written about it.</summary>
internal static class StatusProbe
{
    public static ContainerStatus Probe(ContainerEntry entry, ContainerState state)
    {
        if (state.Phase == ContainerPhase.Creating) return ProbeCreating(state);
        if (!state.Init.IsAlive()) return ContainerStatus.Stopped;
        // Also while it waits for start: frozen it would not answer, and start would wait for ever with the lock that resume needs.
        if (state.CgroupDirectories.Length > 0 && new CgroupControl(state.CgroupDirectories).IsFrozen()) return ContainerStatus.Paused;
        return entry.AwaitsStart ? ContainerStatus.Created : ContainerStatus.Running;
    }

    /// <summary>
    /// A create that was killed leaves a container that nothing lives of: it counts as stopped, so that a plain delete may clear it away.
    /// </summary>
    private static ContainerStatus ProbeCreating(ContainerState state) =>
        state.Creator.IsAlive() || state.Init.IsAlive() ? ContainerStatus.Creating : ContainerStatus.Stopped;
}
