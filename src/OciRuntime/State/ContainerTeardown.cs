using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.Rdt;

namespace OciRuntime.State;

/// <summary>Runs the poststop hooks that a journal holds; failures are its own to report, they stop nothing.</summary>
internal delegate void PoststopRunner(ContainerState state);

/// <summary>
/// Takes a container apart: by delete, by a create that failed, and by the next create of an ID whose creator was killed. Every step
/// may be repeated, and the journal goes last, so that a teardown that is killed is finished by the next one.
/// </summary>
internal static class ContainerTeardown
{
    private const int KillTimeoutMilliseconds = 10_000, UsualEndMilliseconds = 200;
    private static readonly TimeSpan CgroupTimeout = TimeSpan.FromSeconds(10), UsualEnd = TimeSpan.FromMilliseconds(UsualEndMilliseconds);

    /// <summary>
    /// What is taken apart once the processes have ended, in this order: words for `explain`, with their JSON pointer, and the deed.
    /// </summary>
    private static readonly (Func<ContainerState, List<(string Text, string Pointer)>> Words, Action<ContainerState> Do)[] Parts =
    [
        (static s => s.HostMount is null ? [] : [($"detach what was mounted over {s.Rootfs}", "/root/path")], static s =>
        {
            if (s.HostMount is { } mount) HostRoot.Detach(mount);
        }),
        (static s => s.CgroupDirectories.Length == 0 ? [] : [("remove the cgroups that were made", "")], RemoveCgroups),
        (WordsOfKept, ClearCgroups),
        (static s => s.SystemdUnit is not { } unit ? [] : [($"stop the systemd unit {unit}, and reset it if it failed", "")], RemoveUnit),
        (static _ => [], RemoveCgroupParents),
        (static s => [.. Array.ConvertAll(s.ResctrlGroups, static group => ($"remove {group}", "/linux/intelRdt"))],
            static s => Resctrl.Remove(s.ResctrlGroups, s.Id)),
    ];

    /// <summary>All that deleting a container does, in words.</summary>
    /// <param name="state">Its journal.</param>
    /// <param name="directory">Its directory below the state root.</param>
    public static List<(string Text, string Pointer)> Describe(ContainerState state, string directory)
    {
        List<(string Text, string Pointer)> words = [];
        foreach ((Func<ContainerState, List<(string Text, string Pointer)>> part, _) in Parts) words.AddRange(part(state));
        for (int i = 0; i < state.Poststop.Length; i++) words.Add((state.Poststop[i].Words("poststop"), $"/hooks/poststop/{i}"));
        words.Add(($"remove {directory}", ""));
        return words;
    }

    /// <summary>Everything, the directory included. The entry's lock is held.</summary>
    public static void Run(ContainerEntry entry, ContainerState state, PoststopRunner poststop)
    {
        Undo(entry, state, poststop);
        using TraceSpan span = Timeline.IsOn ? Timeline.Span($"remove {entry.Path}") : default;
        entry.Remove();
    }

    /// <summary>Everything but the directory, which keeps the ID taken.</summary>
    public static void Undo(ContainerEntry entry, ContainerState state, PoststopRunner poststop)
    {
        Timeline.Phase("take the container apart");
        SecondTry.Of(state, EndProcesses);
        foreach ((Func<ContainerState, List<(string Text, string Pointer)>> words, Action<ContainerState> take) in Parts)
        {
            using TraceSpan span = Timeline.IsOn ? Timeline.Span(words(state)) : default;
            SecondTry.Of(state, take);
        }
        RunPoststop(entry, state, poststop);
    }

    /// <summary>Kills the first process and, where others can outlive it, all that the cgroup still holds.</summary>
    public static void EndProcesses(ContainerState state)
    {
        // Without a first process nothing of ours was ever in the cgroup: what is there, in a journal that was written ahead, is another's.
        if (state.Init.IsNone) return;
        CgroupControl cgroup = new(state.CgroupDirectories);
        long pidfd = state.Init.OpenPidFd();
        if (pidfd >= 0)
        {
            using Fd init = new((int)pidfd);
            long sent = Processes.PidFdSendSignal(init.Number, Processes.SIGKILL);
            if (sent != -Errno.ESRCH) OciException.Check(sent, $"kill process {state.Init.Pid} of container {state.Id}");
            // A v1 freezer holds even the killed.
            if (state.CgroupDirectories.Length > 0 && cgroup.IsFrozen()) cgroup.Thaw();
            if (!WaitForEnd(init.Number, UsualEndMilliseconds))
            {
                // A pid namespace's first process ends after all others, and one of those may stand in a cgroup that the container froze.
                cgroup.ThawTree();
                if (!WaitForEnd(init.Number, KillTimeoutMilliseconds)) throw StillRunning(state.Init.Pid, cgroup);
            }
        }
        else if (pidfd != -Errno.ESRCH)
        {
            throw OciException.FromResult(pidfd, $"open process {state.Init.Pid} of container {state.Id}");
        }
        // The end of a pid namespace's first process is the end of them all (pid_namespaces(7)); in a shared one they go on.
        if (!state.PrivatePidNamespace && state.CgroupDirectories.Length > 0) cgroup.KillAll(Processes.SIGKILL);
    }

    private static OciException StillRunning(int pid, CgroupControl cgroup)
    {
        // Its own freezer has been thawed: what holds it then is one further up, which is not ours.
        string reason = cgroup.IsFrozen() ? "a cgroup above its own is frozen"
            : ProcessStat.TryRead(pid, out ProcessStat stat) && stat.State == 'D'
            ? "it waits in the kernel and cannot be interrupted (state D)"
            : "it does not end";
        return new OciException(
            $"container init still running: process {pid} was killed {KillTimeoutMilliseconds / 1000} s ago, but {reason}", Errno.EBUSY);
    }

    /// <summary>
    /// Waits until the process behind a pidfd has ended: then the descriptor is readable, a zombie's too (pidfd_open(2)).
    /// </summary>
    public static bool WaitForEnd(int pidfd, int milliseconds) => Processes.AwaitReadable(pidfd, milliseconds);

    private static void RemoveCgroups(ContainerState state)
    {
        string[] directories = state.CgroupsCreated ?? state.CgroupDirectories;
        if (directories.Length > 0) new CgroupControl(directories).Remove(CgroupTimeout);
    }

    /// <summary>The cgroups that were there before, and stay.</summary>
    private static string[] Kept(ContainerState state) =>
        state.CgroupsCreated is { } created && created.Length < state.CgroupDirectories.Length
            ? Array.FindAll(state.CgroupDirectories, path => Array.IndexOf(created, path) < 0) : [];

    private static List<(string Text, string Pointer)> WordsOfKept(ContainerState state)
    {
        List<(string Text, string Pointer)> words = [];
        foreach (string path in Kept(state))
        {
            bool hasProgram = state.DeviceProgram.Length > 0 && IsUnified(path), isEmptied = Array.IndexOf(state.CgroupsToEmpty, path) >= 0;
            string what = (hasProgram, isEmptied) switch
            {
                (true, true) => "its device program, and what it made below,",
                (true, false) => "its device program",
                (false, true) => "what it made below",
                _ => "",
            };
            if (what.Length > 0) words.Add(($"take {what} out of {path}", ""));
        }
        return words;
    }

    private static bool IsUnified(string path)
    {
        using Fd cgroup = new((int)CgroupFiles.OpenPath(path, Files.O_PATH, out bool unified));
        return unified;
    }

    private static void ClearCgroups(ContainerState state)
    {
        // Without a name it could be anybody's.
        if (state.DeviceProgram.Length > 0) Array.ForEach(Kept(state), path => DetachProgram(path, state.DeviceProgram));
        // Without a first process nobody has made anything there, see EndProcesses. Who is still there when the container's processes have
        // ended with their pid namespace, or been killed and had time, is another's, and what is below may be his.
        if (!state.Init.IsNone && state.CgroupsToEmpty.Length > 0)
            new CgroupControl(state.CgroupsToEmpty).Empty(state.PrivatePidNamespace ? UsualEnd : CgroupTimeout);
    }

    private static void DetachProgram(string path, string name)
    {
        long fd = CgroupFiles.OpenPath(path, Files.O_RDONLY, out bool unified);
        using Fd cgroup = new((int)fd);
        long result = fd < 0 ? fd : unified ? DeviceProgram.Detach(cgroup.Number, name) : 0;
        // What the caller may not do here, or the kernel cannot, create has gone without as well.
        if (CgroupFiles.IsGone(result) || result is -Errno.EPERM or -Errno.EACCES or -Errno.EINVAL or -Errno.ENOSYS) return;
        OciException.Check(result, $"detach the device program of {path}");
    }

    /// <summary>Only now: had the scope been another's, its processes would have been in the way.</summary>
    private static void RemoveUnit(ContainerState state)
    {
        // A user's is none of root's: in his own session the name may be another's.
        if (state.SystemdUnit is not null && (!state.SystemdUser || state.OwnerUid == Processes.EffectiveUid()))
            SystemdManager.Remove(state.SystemdUnit, state.SystemdUser);
    }

    private static void RemoveCgroupParents(ContainerState state)
    {
        if (state.Phase != ContainerPhase.Creating) return;
        for (int i = state.CgroupParents.Length - 1; i >= 0; i--) CgroupControl.TryRemove(state.CgroupParents[i]);
    }

    private static void RunPoststop(ContainerEntry entry, ContainerState state, PoststopRunner poststop)
    {
        if (state.Poststop.Length == 0) return;
        poststop(state);
        state.Poststop = [];
        try
        {
            // So that they are not run again should the directory prove hard to remove.
            entry.WriteState(state);
        }
        catch (OciException)
        {
            // On a full disk they may be run twice; a container that cannot be deleted would be worse.
        }
    }
}
