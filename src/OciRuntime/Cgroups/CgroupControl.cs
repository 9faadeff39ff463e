using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Rules over existing cgroups, known by the paths in the state file. Missing directories count as empty.</summary>
/// <remarks>
/// The v2 path, where there is one, comes first, as in <see cref="CgroupPlan.Paths"/>: it alone knows an atomic kill and events to wait
/// for.
/// </remarks>
/// <param name="paths">The directories.</param>
/// <param name="room">For names when they are looked through, see <see cref="CgroupWalk"/>.</param>
internal sealed partial class CgroupControl(IReadOnlyList<string> paths, int room = CgroupWalk.Room)
{
    private const int SIGKILL = Processes.SIGKILL;

    // Signals go out in groups that fit the usual limit of 1024 descriptors.
    private const int SignalBatch = 256;

    /// <summary>The directories.</summary>
    public string[] Paths { get; } = paths as string[] ?? [.. paths];

    /// <summary>Pids of all processes in the cgroups and below, each once, ascending; in the caller's pid namespace.</summary>
    public int[] Pids()
    {
        HashSet<int> pids = [];
        foreach (string path in Paths) Collect(path, pids);
        return Sorted(pids);
    }

    /// <summary>Sends a signal to every process. SIGKILL reaches those that fork meanwhile, and frozen ones.</summary>
    /// <returns>Whether there was anything to signal.</returns>
    /// <exception cref="OciException">The signal may not be sent.</exception>
    public bool KillAll(int signal)
    {
        if (signal != SIGKILL) return SignalEach(Pids(), signal);
        bool any = KillUnified(out bool complete);
        HashSet<int> left = [];
        if (complete)
        {
            CollectFreezer(left);
        }
        else
        {
            foreach (string path in Paths) Collect(path, left);
        }
        if (complete && left.Count > 0)
        {
            // What cgroup.kill has reached lingers in the v1 list until it is gone; what is in that alone was moved away from v2.
            any = true;
            HashSet<int> reached = [];
            Collect(Paths[0], reached);
            left.ExceptWith(reached);
        }
        if (left.Count == 0)
        {
            // A task in a frozen v1 freezer sees the signal only when thawed.
            ThawTree();
            return any;
        }
        KillFrozen();
        return true;
    }

    // Frozen processes cannot fork while the list is read (runc and crun do the same without cgroup.kill). Thawed on every way
    // out: a SIGKILL is not acted on in a frozen v1 cgroup, and a cgroup left frozen holds whatever comes into it.
    private void KillFrozen()
    {
        bool frozen = true;
        try
        {
            try
            {
                Freeze(FreezeToKillTimeout);
            }
            catch (OciException)
            {
                frozen = false;
            }
            // Unfrozen, what forks between two rounds is met in the next.
            for (int round = frozen ? 1 : 10; round > 0; round--) if (!SignalEach(Pids(), SIGKILL)) break;
        }
        finally
        {
            ThawTree();
        }
    }

    /// <summary>Writes cgroup.kill (Linux 5.14): one atomic pass of the kernel over the whole subtree, forks included.</summary>
    /// <param name="complete">Whether a v2 cgroup was there and took it.</param>
    private bool KillUnified(out bool complete)
    {
        complete = false;
        long fd = OpenUnified();
        if (fd < 0) return false;
        bool any = CgroupFiles.Keyed(CgroupFiles.Read((int)fd, ControlFile.Events, out _), "populated") == 1;
        complete = CgroupFiles.Write((int)fd, ControlFile.Kill, "1") == 0;
        Files.Close((int)fd);
        return any;
    }

    // A pid may be given to a stranger between reading and signalling. So: a pidfd first, then a second look at the list. If the
    // number is still in it, either the pidfd is that process, or the process behind the pidfd is dead and takes no harm.
    private bool SignalEach(int[] pids, int signal)
    {
        for (int from = 0; from < pids.Length; from += SignalBatch)
        {
            int count = Math.Min(SignalBatch, pids.Length - from);
            int[] fds = new int[count];
            long failure = 0;
            try
            {
                for (int i = 0; i < count; i++) fds[i] = (int)Processes.PidFdOpen(pids[from + i]);
                HashSet<int> now = [];
                foreach (string path in Paths) Collect(path, now);
                for (int i = 0; i < count; i++)
                {
                    if (!now.Contains(pids[from + i])) continue;
                    long result = fds[i] < 0 ? fds[i] : Processes.PidFdSendSignal(fds[i], signal);
                    if (result < 0 && result != -Errno.ESRCH) failure = result;
                }
            }
            finally
            {
                foreach (int fd in fds) if (fd > 0) Files.Close(fd);
            }
            OciException.Check(failure, $"send signal {signal} to the processes of {(Paths.Length > 0 ? Paths[0] : "the cgroup")}");
        }
        return pids.Length > 0;
    }

    private void Collect(string path, HashSet<int> pids)
    {
        long fd = CgroupFiles.OpenPath(path, Files.O_RDONLY, out _);
        if (CgroupFiles.IsGone(fd)) return;
        using Fd cgroup = Fd.Of(fd, $"open cgroup {path}");
        CgroupProcesses.Collect(cgroup.Number, pids, room);
    }

    // One v1 hierarchy is enough beside v2: each is a walk, and the freezer's is the one that processes are held in.
    private void CollectFreezer(HashSet<int> pids)
    {
        long fd = OpenFreezer();
        if (fd < 0) return;
        using Fd freezer = new((int)fd);
        CgroupProcesses.Collect(freezer.Number, pids, room);
    }

    private static int[] Sorted(HashSet<int> pids)
    {
        int[] list = [.. pids];
        Array.Sort(list);
        return list;
    }
}
