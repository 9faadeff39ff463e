using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// Which mount is on which, by their numbers: a container can rename the directories above a mount point and make links to it, so a path
/// says nothing about what is mounted where.
/// </summary>
internal static unsafe class MountTree
{
    // Each step up reads the table once. No honest tree is that high, and a container that makes one, or moves its mounts about all the
    // time, gets ELOOP.
    private const int MaxHeight = 256;

    /// <summary>
    /// Whether a mount of this process's namespace is the other one, or is on it or on one of those that are: 1 or 0, or a negated errno.
    /// </summary>
    public static long IsOn(ref InitState s, ulong mount, ulong other)
    {
        if (mount == other) return 1;
        long file = s.HostProc();
        fixed (byte* path = "self/mountinfo\0"u8) if (file >= 0) file = Files.OpenAt((int)file, path, Files.O_RDONLY);
        if (file < 0) return file;
        // Above the root of the namespace, or of this process, nothing is listed.
        long result = 1;
        for (int height = 0; result > 0 && mount != other; height++)
        {
            ulong parent = 0;
            result = height == MaxHeight ? -Errno.ELOOP : Parent((int)file, mount, out parent);
            if (parent == mount) result = 0;
            mount = parent;
        }
        Files.Close((int)file);
        return result;
    }

    /// <summary>
    /// Whether a directory or file is in the procfs at /proc of the container's tree, or on one that is mounted there: 1 or 0, or a negated
    /// errno.
    /// </summary>
    /// <param name="s">The state.</param>
    /// <param name="fd">The file.</param>
    /// <param name="isRoot">It is the /proc itself.</param>
    public static long IsInProc(ref InitState s, int fd, out bool isRoot)
    {
        isRoot = false;
        fixed (byte* path = "proc\0"u8)
        {
            long proc = RootPath.Open(s.RootFd, path, Files.O_PATH);
            if (proc is -Errno.ENOENT or -Errno.ENOTDIR) return 0;
            if (proc < 0) return proc;
            long result = Files.StatFs((int)proc, out Statfs fs);
            Statx own = default, file = default;
            if (result >= 0) result = Files.Stat((int)proc, out own, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
            if (result >= 0) result = Files.Stat(fd, out file, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
            Files.Close((int)proc);
            if (result < 0 || fs.Type != Files.PROC_SUPER_MAGIC) return result;
            isRoot = own.MountId == file.MountId && own.Inode == file.Inode;
            return IsOn(ref s, file.MountId, own.MountId);
        }
    }

    /// <summary>
    /// Reads "36 35 98:0 /mnt1 /mnt2 …" (proc_pid_mountinfo(5)) as far as the two numbers: 1 when the mount is listed, 0 when not, or a
    /// negated errno.
    /// </summary>
    private static long Parent(int file, ulong mount, out ulong parent)
    {
        parent = 0;
        byte* block = stackalloc byte[4096];
        ulong id = 0, above = 0;
        int field = 0;
        long n = Files.Seek(file, 0, Files.SEEK_SET);
        while (n >= 0 && (n = Files.Read(file, block, 4096)) > 0)
        {
            for (long i = 0; i < n; i++)
            {
                if (block[i] == '\n')
                {
                    id = above = 0;
                    field = 0;
                }
                else if (block[i] == ' ')
                {
                    if (++field != 2 || id != mount) continue;
                    parent = above;
                    return 1;
                }
                else if (field == 0)
                {
                    id = (10 * id) + block[i] - '0';
                }
                else if (field == 1)
                {
                    above = (10 * above) + block[i] - '0';
                }
            }
        }
        return n;
    }
}
