using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>Sends a signal to a container: to its first process, or to all of them.</summary>
internal static class ContainerKill
{
    /// <summary>Without the lock: a container must be killable while start or delete waits for it.</summary>
    /// <exception cref="OciException">"container not running" (ESRCH), or the signal may not be sent.</exception>
    public static void Run(ContainerEntry entry, int signal, bool all)
    {
        ContainerState state = entry.ReadState();
        ContainerStatus status = entry.Probe(state);
        if (status == ContainerStatus.Creating)
            throw new OciException($"container {entry.Id} is still being created by pid {state.Creator.Pid}; delete --force removes it");

        CgroupControl cgroup = new(state.CgroupDirectories);
        // In a shared pid namespace the other processes do not die with the first, nor before it; whoever sends SIGKILL means all of them
        // (runc does the same).
        bool everything = all || (signal == Processes.SIGKILL && !state.PrivatePidNamespace);
        bool any = everything && HasOwnCgroup(state) && cgroup.KillAll(signal);
        // Without a cgroup, which an ordinary user may not be able to make. SIGKILL of the first is enough there (pid_namespaces(7)).
        if (all && !any && signal != Processes.SIGKILL && state.PrivatePidNamespace && status != ContainerStatus.Stopped)
            any = NamespaceProcesses.Signal(state.Init, signal);
        if (status == ContainerStatus.Stopped)
        {
            // podman and CRI-O send --all to what has ended, to be sure. The words of the error are matched by both.
            if (all || (everything && HasOwnCgroup(state))) return;
            throw new OciException("container not running", Errno.ESRCH);
        }
        // A process may have left the cgroup, the first one too; a second SIGKILL does no harm, a second SIGHUP would.
        if (any && signal != Processes.SIGKILL) return;

        long sent = state.Init.Signal(signal);
        // It has ended since it was looked at. Of a signal that comes a moment before the end nobody hears either.
        if (sent == -Errno.ESRCH) return;
        OciException.Check(sent, $"signal container {entry.Id}");
        // A v1 freezer holds even the killed.
        if (signal == Processes.SIGKILL && status == ContainerStatus.Paused) cgroup.Thaw();
    }

    /// <summary>Whether what is in the cgroup is the container's: not with a journal that was written ahead of the first process.</summary>
    private static bool HasOwnCgroup(ContainerState state) => state.CgroupDirectories.Length > 0 && !state.Init.IsNone;
}
