using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Verify;

/// <summary>All of it, of one container. Nothing is changed, and without leave no process is stopped.</summary>
internal static class Verification
{
    /// <param name="entry">The container.</param>
    /// <param name="attach">Its processes may be stopped for a moment.</param>
    /// <exception cref="OciException">It cannot be verified at all.</exception>
    public static Report Of(ContainerEntry entry, bool attach)
    {
        ContainerState state = entry.ReadState();
        ContainerStatus status = entry.Probe(state);
        if (status is ContainerStatus.Stopped or ContainerStatus.Creating)
            throw new OciException($"container {state.Id} is {status.Name()}: there is nothing to verify", Errno.ESRCH);
        using ProcessFiles? first = ProcessFiles.Open(state.Init.Pid);
        if (first is null || !first.Is(state.Init)) throw new OciException($"container {state.Id} has ended", Errno.ESRCH);
        using ProcessFiles? thread = LiveThread.IsNeeded(first) ? LiveThread.Of(first) : null;
        ProcessFiles init = thread ?? first;
        Subject subject = new(LaunchPreparation.Recall(entry, state, Levels(init)), entry, state, init, status);
        Report report = new(state.Id, status.Name());
        using (ProcessFiles self = ProcessFiles.Self())
        using (FileTree tree = FileTree.Open(init), host = FileTree.Open(self, tree))
        {
            NamespaceProof.Add(report, subject, host);
            new MountProof(report, subject, tree, host).Add();
            DeviceProof.Add(report, subject, tree);
            ProcessProof.Add(report, subject, tree, host);
            LimitProof.Add(report, subject);
            MemoryPolicyProof.Add(report, subject, tree);
            EnvironmentProof.Add(report, subject, tree);
            CgroupProof.Add(report, subject, tree);
        }
        KernelProof.Add(report, subject);
        NetworkProof.Add(report, subject);
        RdtProof.Add(report, subject);
        PrivilegeProof.AddKeyring(report, subject);
        // The last one: it may leave a process attached until this one ends.
        SeccompProof.Add(report, subject, attach);
        if (!first.IsAlive) throw new OciException($"container {state.Id} has ended meanwhile", Errno.ESRCH);
        if (!init.IsAlive) throw new OciException($"container {state.Id}: {LiveThread.None}", Errno.EAGAIN);
        return report;
    }

    /// <summary>
    /// How many user namespaces below this process's it was made in: by the owner of its pid namespace, as a process may leave its user
    /// namespace for another one, and so choose what would be expected of it. 0 where the pid namespace is not its own.
    /// </summary>
    private static int Levels(ProcessFiles init) =>
        Files.StatAt(Files.AT_FDCWD, "/proc/self/ns/user", 0, out Statx own) < 0 ? 0
            : Files.LevelsBelow(Subject.OwnerOf(init, "pid"), own);
}
