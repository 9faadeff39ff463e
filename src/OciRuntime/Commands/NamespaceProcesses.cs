using System.Globalization;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>The processes of a container by its pid namespace, for those that have no cgroup to be listed by.</summary>
internal static class NamespaceProcesses
{
    // ioctl_ns(2): a descriptor of the parent of a pid namespace; EPERM beyond the caller's own.
    private const uint NS_GET_PARENT = 0xb702;

    // MAX_PID_NS_LEVEL, pid_namespaces(7).
    private const int MaxLevels = 32;

    /// <summary>Pids of all processes in the pid namespace of a container's first process and in those below it, ascending; in the caller's own.</summary>
    /// <returns>None when the first process has ended.</returns>
    /// <exception cref="OciException">Its namespace may not be looked at.</exception>
    public static int[] Of(ProcessIdentity init)
    {
        long result = NamespaceOf(init.Pid, out (uint, uint, ulong) container);
        // Only now: what was looked at may have been another's, of the same pid.
        if (!init.IsAlive()) return [];
        OciException.Check(result, $"look at the pid namespace of process {init.Pid}");
        Dictionary<(uint, uint, ulong), bool> known = new() { [container] = true };
        List<int> pids = [];
        foreach (string name in Files.ListDirectory("/proc"))
        {
            if (!int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int pid)) continue;
            // What is gone, and what the caller may not look into: what is in a container of his he may.
            if (NamespaceOf(pid, out (uint, uint, ulong) its) < 0) continue;
            if (!known.TryGetValue(its, out bool inside)) known[its] = inside = IsBelow(pid, container);
            if (inside) pids.Add(pid);
        }
        pids.Sort();
        return [.. pids];
    }

    private static long NamespaceOf(int pid, out (uint, uint, ulong) identity)
    {
        long result = Files.StatAt(Files.AT_FDCWD, $"/proc/{pid}/ns/pid", 0, out Statx stat);
        identity = (stat.DevMajor, stat.DevMinor, stat.Inode);
        return result;
    }

    private static bool IsBelow(int pid, (uint, uint, ulong) container)
    {
        long fd = Files.OpenAt(Files.AT_FDCWD, $"/proc/{pid}/ns/pid", Files.O_RDONLY);
        for (int level = 0; fd >= 0 && level < MaxLevels; level++)
        {
            int current = (int)fd;
            bool found = Files.Stat(current, out Statx stat) >= 0 && (stat.DevMajor, stat.DevMinor, stat.Inode) == container;
            fd = found ? -1 : Files.Ioctl(current, NS_GET_PARENT, 0);
            Files.Close(current);
            if (found) return true;
        }
        if (fd >= 0) Files.Close((int)fd);
        return false;
    }
}
