using System.Globalization;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>The processes of a container by its pid namespace, for those that have no cgroup to be listed by.</summary>
internal static class NamespaceProcesses
{
    /// <summary>Pids of all processes in the pid namespace of a container's first process and in those below it, ascending; in the caller's own.</summary>
    /// <returns>None when the first process has ended.</returns>
    /// <exception cref="OciException">Its namespace may not be looked at.</exception>
    public static int[] Of(ProcessIdentity init)
    {
        long result = NamespaceOf(init.Pid, out Statx container);
        // Only now: what was looked at may have been another's, of the same pid.
        if (!init.IsAlive()) return [];
        OciException.Check(result, $"look at the pid namespace of process {init.Pid}");
        Dictionary<(uint, uint, ulong), bool> known = [];
        List<int> pids = [];
        foreach (string name in Files.ListDirectory("/proc"))
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int pid)) continue;
            // What is gone, and what the caller may not look into: what is in a container of his he may.
            if (NamespaceOf(pid, out Statx its) < 0) continue;
            (uint, uint, ulong) identity = (its.DevMajor, its.DevMinor, its.Inode);
            if (!known.TryGetValue(identity, out bool inside)) known[identity] = inside = Files.IsWithin(Files.OpenAt(Files.AT_FDCWD, Path(pid), Files.O_RDONLY), container);
            if (inside) pids.Add(pid);
        }
        pids.Sort();
        return [.. pids];
    }

    private static long NamespaceOf(int pid, out Statx stat) => Files.StatAt(Files.AT_FDCWD, Path(pid), 0, out stat);

    private static string Path(int pid) => $"/proc/{pid}/ns/pid";
}
