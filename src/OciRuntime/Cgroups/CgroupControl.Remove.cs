using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <content>Removal.</content>
internal sealed partial class CgroupControl
{
    private const int LongestPause = 64;

    /// <summary>Removes the cgroups and all below them, waiting for processes that are going.</summary>
    /// <exception cref="OciException">Something still holds one after <paramref name="timeout"/>; the message names the pids. May be repeated.</exception>
    public void Remove(TimeSpan timeout)
    {
        long deadline = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        // v2 comes first: it can be waited for, and a task leaves all hierarchies at the same moment (cgroup_exit()), so that v1
        // then needs no waiting.
        for (int i = 0; i < Paths.Count; i++) RemoveOne(Paths[i], deadline);
    }

    /// <summary>One attempt at an empty cgroup without children.</summary>
    internal static bool TryRemove(string path)
    {
        long parent = OpenParent(path, out string name);
        if (parent < 0) return false;
        long result = CgroupFiles.RemoveChild((int)parent, name);
        Files.Close((int)parent);
        return result == 0;
    }

    private static long OpenParent(string path, out string name)
    {
        int slash = path.TrimEnd('/').LastIndexOf('/');
        name = slash < 0 ? path : path[(slash + 1)..].TrimEnd('/');
        if (slash <= 0 || name is "" or "." or "..") return -Errno.EINVAL;
        // The root of a hierarchy has a parent that is no cgroup: EXDEV, and nothing is touched.
        return CgroupFiles.OpenPath(path[..slash], Files.O_PATH, out _);
    }

    private static void RemoveOne(string path, long deadline)
    {
        // A journal names cgroups before they are made. What was never made is not to fail for the reason that kept it from being made,
        // such as a kernel or seccomp profile without openat2.
        if (Files.StatAt(Files.AT_FDCWD, path, Files.AT_SYMLINK_NOFOLLOW, out _) == -Errno.ENOENT) return;
        long parent = OpenParent(path, out string name);
        if (parent is -Errno.ENOENT or -Errno.ENODEV) return;
        OciException.Check(parent, $"open the parent of cgroup {path}");
        try
        {
            int pause = 1;
            long result;
            while (!IsGone(result = CgroupFiles.RemoveChild((int)parent, name)))
            {
                if (result is not (-Errno.EBUSY or -Errno.ENOTEMPTY)) throw OciException.FromResult(result, $"remove cgroup {path}");
                long fd = CgroupFiles.OpenDirectory((int)parent, name);
                if (IsGone(fd)) return;
                OciException.Check(fd, $"open cgroup {path}");
                try
                {
                    bool cleared = RemoveChildren((int)fd, out bool hadChildren);
                    if (cleared && hadChildren) continue;
                    if (Environment.TickCount64 >= deadline) throw Busy(path, (int)fd);
                    if (!WaitUntilEmpty((int)fd, deadline))
                    {
                        Processes.Sleep(pause);
                        pause = Math.Min(pause * 2, LongestPause);
                    }
                }
                finally
                {
                    Files.Close((int)fd);
                }
            }
        }
        finally
        {
            Files.Close((int)parent);
        }
    }

    private static bool IsGone(long result) => result is 0 or -Errno.ENOENT or -Errno.ENODEV;

    // v1 has no events, and a v2 cgroup may be busy for reasons other than processes: then the caller pauses.
    private static bool WaitUntilEmpty(int directory, long deadline)
    {
        long populated = CgroupFiles.Keyed(CgroupFiles.Read(directory, "cgroup.events", out long error), "populated");
        if (error < 0 || populated != 1) return false;
        return WaitForEvent(directory, "populated", 0, deadline);
    }

    private static OciException Busy(string path, int fd)
    {
        HashSet<int> pids = [];
        CgroupFiles.CollectPids(fd, pids);
        int[] sorted = Sorted(pids);
        string who = sorted.Length == 0
            ? "held by something that is not a process of this pid namespace"
            : $"held by process{(sorted.Length == 1 ? "" : "es")} {string.Join(", ", sorted.AsSpan(0, Math.Min(20, sorted.Length)).ToArray())}{(sorted.Length > 20 ? ", ..." : "")}";
        OciException plain = OciException.FromResult(-Errno.EBUSY, $"remove cgroup {path}");
        return new OciException($"{plain.Message}: {who}", Errno.EBUSY);
    }

    /// <summary>Removes what is below a directory, innermost first, without descending by recursion: a container can nest as deep as it likes.</summary>
    /// <returns>False when a cgroup with processes stands in the way.</returns>
    private static bool RemoveChildren(int top, out bool hadChildren)
    {
        hadChildren = false;
        List<string> names = [];
        while (true)
        {
            // Down the first branch that does not go away, removing what does, then again from the top.
            int current = top;
            bool atTop = true, progress = false;
            while (true)
            {
                names.Clear();
                Rewind(current);
                // One that is gone has none.
                CgroupFiles.Children(current, names);
                if (atTop && names.Count == 0) return true;
                hadChildren = true;
                long inner = -1;
                foreach (string child in names)
                {
                    if (IsGone(CgroupFiles.RemoveChild(current, child)))
                    {
                        progress = true;
                        continue;
                    }
                    if (inner < 0) inner = CgroupFiles.OpenDirectory(current, child);
                }
                if (!atTop) Files.Close(current);
                if (inner < 0) break;
                current = (int)inner;
                atTop = false;
            }
            if (!progress) return false;
        }
    }

    private static void Rewind(int directory) => Kernel.Call(SyscallNumber.Lseek, directory);
}
