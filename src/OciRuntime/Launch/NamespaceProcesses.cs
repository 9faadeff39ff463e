using System.Globalization;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>The processes of a container by its pid namespace, for those that have no cgroup to be listed and signalled by.</summary>
internal static class NamespaceProcesses
{
    /// <summary>
    /// Pids of all processes in the pid namespace of a container's first process and in those below it, ascending; in the caller's own.
    /// </summary>
    /// <returns>None when the first process has ended.</returns>
    /// <exception cref="OciException">Its namespace may not be looked at.</exception>
    public static int[] Of(ProcessIdentity init) => [.. Inside(init, out _)];

    /// <summary>Sends a signal to all of them.</summary>
    /// <returns>Whether there was anyone.</returns>
    /// <exception cref="OciException">One may not be signalled, or see <see cref="Of"/>.</exception>
    public static bool Signal(ProcessIdentity init, int signal)
    {
        List<int> pids = Inside(init, out Func<int, bool> isInside);
        long failure = 0;
        foreach (int pid in pids)
        {
            using Fd process = new((int)Processes.PidFdOpen(pid));
            // A second look, as the number may have become a stranger's: if it is one of theirs still, the descriptor is that process, or
            // one that has ended.
            if (!process.IsOpen || !isInside(pid)) continue;
            long result = Processes.PidFdSendSignal(process.Number, signal);
            if (result < 0 && result != -Errno.ESRCH) failure = result;
        }
        OciException.Check(failure, $"send signal {signal} to the processes in the pid namespace of process {init.Pid}");
        return pids.Count > 0;
    }

    private static List<int> Inside(ProcessIdentity init, out Func<int, bool> isInside)
    {
        long result = NamespaceOf(init.Pid, out Statx container);
        Dictionary<FileIdentity, bool> known = [];
        isInside = pid =>
        {
            // What is gone, and what the caller may not look into: what is in a container of his he may.
            if (NamespaceOf(pid, out Statx its) < 0) return false;
            if (!known.TryGetValue(its.Identity, out bool inside))
                known[its.Identity] = inside = Files.IsWithin(Files.OpenAt(Files.AT_FDCWD, Path(pid), Files.O_RDONLY), container);
            return inside;
        };
        // Only now: what was looked at may have been another's, of the same pid.
        if (!init.IsAlive()) return [];
        OciException.Check(result, $"look at the pid namespace of process {init.Pid}");
        List<int> pids = [];
        foreach (string name in Files.ListDirectory("/proc"))
        {
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int pid) && isInside(pid)) pids.Add(pid);
        }
        pids.Sort();
        return pids;
    }

    private static long NamespaceOf(int pid, out Statx stat) => Files.StatAt(Files.AT_FDCWD, Path(pid), 0, out stat);

    private static string Path(int pid) => $"/proc/{pid}/ns/pid";
}
