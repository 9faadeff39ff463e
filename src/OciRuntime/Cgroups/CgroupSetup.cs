using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Steps that are more than one write.</summary>
internal static class CgroupSetup
{
    private const int MaxDepth = 256;

    /// <summary>Fills empty cpuset.cpus and cpuset.mems of a v1 cgroup and of those above it, each from its parent (cpusets.rst: a new cpuset has none, and takes no task).</summary>
    public static long SeedCpuset(CgroupDirectory directory, int leaf)
    {
        long mount = CgroupFiles.OpenMount(directory.Hierarchy);
        if (mount < 0) return mount;
        long result = Seed((int)mount, directory.Relative, leaf, "cpuset.cpus", 0, out _);
        if (result >= 0) result = Seed((int)mount, directory.Relative, leaf, "cpuset.mems", 0, out _);
        Files.Close((int)mount);
        return result;
    }

    /// <summary>Hands controllers down from the root to the parent of a v2 cgroup.</summary>
    /// <remarks>Reads before it writes: a write takes the kernel's cgroup lock, and nearly always all is enabled already.</remarks>
    /// <exception cref="OciException">A needed controller does not arrive; the message says where it got stuck.</exception>
    public static long EnableControllers(CgroupPlan plan, CgroupDirectory directory, int leaf, in CgroupStep step)
    {
        long mount = CgroupFiles.OpenMount(directory.Hierarchy);
        if (mount < 0) return mount;
        string available = CgroupFiles.Read((int)mount, "cgroup.controllers", out _);
        string path = directory.Hierarchy.MountPoint, stuckAt = path;
        long stuck = 0;
        bool threaded = false;
        string relative = directory.Relative;
        int fd = (int)mount;
        for (int slash = -1; ;)
        {
            string enabled = Enable(fd, available, out long error);
            threaded |= error == -Errno.EOPNOTSUPP;
            if (error < 0 && stuck == 0)
            {
                stuck = error;
                stuckAt = path;
            }
            available = enabled;
            if (fd != (int)mount) Files.Close(fd);
            slash = relative.IndexOf('/', slash + 1);
            if (slash < 0 || available.Length == 0) break;
            path = directory.Hierarchy.MountPoint + "/" + relative[..slash];
            long inner = CgroupFiles.OpenDirectory((int)mount, relative[..slash], Files.O_PATH);
            if (inner < 0) break;
            fd = (int)inner;
        }
        string root = CgroupFiles.Read((int)mount, "cgroup.controllers", out _);
        Files.Close((int)mount);
        foreach (Range r in step.Value.AsSpan().Split(' '))
        {
            ReadOnlySpan<char> needed = step.Value.AsSpan(r);
            if (!needed.IsEmpty && !Has(available, needed)) throw CgroupHints.NoController(plan, directory, step, needed.ToString(), root, stuck, stuckAt);
        }
        // Below a threaded cgroup a new one takes no process until it is threaded, too (cgroup-v2.rst, "Threads").
        bool invalid = threaded && CgroupFiles.Read(leaf, "cgroup.type", out _) == "domain invalid";
        return invalid ? CgroupFiles.Write(leaf, "cgroup.type", "threaded") : 0;
    }

    /// <summary>Compares memory.current with the limit that is about to be set: the kernel would kill to get there.</summary>
    public static long CheckMemoryUse(int directory, in CgroupStep step)
    {
        string use = CgroupFiles.Read(directory, step.File, out long error);
        if (error < 0) return error;
        if (long.TryParse(use, out long current) && current > long.Parse(step.Value))
        {
            throw new OciException($"{step.Pointer}: rejecting memory limit {step.Value} < usage {current}", Errno.EBUSY);
        }
        return 0;
    }

    /// <summary>Gives a v2 cgroup to a user: the directory and the files the kernel lists for this (cgroups(7), "Cgroups delegation").</summary>
    public static unsafe long Delegate(int directory, uint uid)
    {
        long result = Files.Chown(directory, uid, uint.MaxValue);
        if (result < 0) return result;
        byte[]? list = Files.ReadFileAt(Files.AT_FDCWD, "/sys/kernel/cgroup/delegate", 65536, out _);
        string text = list is null ? "cgroup.procs\ncgroup.threads\ncgroup.subtree_control" : System.Text.Encoding.UTF8.GetString(list);
        Span<byte> buffer = stackalloc byte[256];
        foreach (string name in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            fixed (byte* p = CString.Encode(name, buffer)) result = Files.ChownAt(directory, p, uid, uint.MaxValue, Files.AT_SYMLINK_NOFOLLOW);
            if (result < 0 && result != -Errno.ENOENT) return result;
        }
        return 0;
    }

    private static long Seed(int mount, string relative, int open, string file, int depth, out string value)
    {
        value = "";
        if (depth > MaxDepth) return -Errno.ELOOP;
        long fd = relative.Length == 0 ? mount : open >= 0 ? open : CgroupFiles.OpenDirectory(mount, relative, Files.O_PATH);
        if (fd < 0) return fd;
        value = CgroupFiles.Read((int)fd, file, out long result);
        if (result >= 0 && value.Length == 0 && relative.Length > 0)
        {
            int slash = relative.LastIndexOf('/');
            result = Seed(mount, slash < 0 ? "" : relative[..slash], -1, file, depth + 1, out value);
            if (result >= 0) result = CgroupFiles.Write((int)fd, file, value);
        }
        if (relative.Length > 0 && open < 0) Files.Close((int)fd);
        return result;
    }

    // All in one write; where the kernel refuses one it refuses all, so then each by itself.
    private static string Enable(int fd, string available, out long error)
    {
        error = 0;
        string enabled = CgroupFiles.Read(fd, "cgroup.subtree_control", out _);
        string missing = "";
        foreach (Range r in available.AsSpan().Split(' '))
        {
            ReadOnlySpan<char> controller = available.AsSpan(r);
            if (!controller.IsEmpty && !Has(enabled, controller)) missing = string.Concat(missing, missing.Length == 0 ? "+" : " +", controller);
        }
        if (missing.Length == 0) return enabled;
        error = CgroupFiles.Write(fd, "cgroup.subtree_control", missing);
        // A cgroup with processes takes the threaded controllers by themselves, but that makes it a threaded domain, whose children take no
        // process any more (cgroup-v2.rst, "Threads"): damage to somebody else's cgroup, and no use to the container.
        if (error < 0 && error != -Errno.EBUSY)
        {
            error = 0;
            foreach (string one in missing.Split(' '))
            {
                long result = CgroupFiles.Write(fd, "cgroup.subtree_control", one);
                if (result < 0) error = result;
            }
        }
        return CgroupFiles.Read(fd, "cgroup.subtree_control", out _);
    }

    private static bool Has(string list, ReadOnlySpan<char> word)
    {
        foreach (Range r in list.AsSpan().Split(' '))
        {
            if (list.AsSpan(r).SequenceEqual(word)) return true;
        }
        return false;
    }
}
