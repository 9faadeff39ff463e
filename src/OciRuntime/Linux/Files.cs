using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>openat2(2) argument.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct OpenHow
{
    public ulong Flags, Mode, Resolve;
}

/// <summary>statx(2) result (include/uapi/linux/stat.h), as far as it is read here; padded to the kernel's 256 bytes.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal struct Statx
{
    [FieldOffset(0)] public uint Mask;
    [FieldOffset(8)] public ulong Attributes;
    [FieldOffset(20)] public uint Uid;
    [FieldOffset(24)] public uint Gid;
    [FieldOffset(28)] public ushort Mode;
    [FieldOffset(32)] public ulong Inode;
    [FieldOffset(40)] public ulong Size;

    /// <summary>Room that is taken, in units of 512 bytes.</summary>
    [FieldOffset(48)] public ulong Blocks;

    /// <summary>statx_timestamp: a timespec, as the last four of its bytes are zero.</summary>
    [FieldOffset(64)] public TimeSpec AccessTime;
    [FieldOffset(112)] public TimeSpec ModificationTime;
    [FieldOffset(128)] public uint RdevMajor;
    [FieldOffset(132)] public uint RdevMinor;
    [FieldOffset(136)] public uint DevMajor;
    [FieldOffset(140)] public uint DevMinor;
    [FieldOffset(144)] public ulong MountId;

    /// <summary>The S_IF… type bits of the mode.</summary>
    public readonly int Type => Mode & Files.S_IFMT;
    public readonly bool IsDirectory => Type == Files.S_IFDIR;
    public readonly bool IsRegular => Type == Files.S_IFREG;
    public readonly bool IsSymlink => Type == Files.S_IFLNK;

    /// <summary>Which file it is, by whatever name or mount it was found.</summary>
    public readonly FileIdentity Identity => new(DevMajor, DevMinor, Inode);
}

/// <summary>statfs(2) result on 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct Statfs
{
    public long Type, BlockSize;
    public ulong Blocks, BlocksFree, BlocksAvailable, Files, FilesFree;
    public long FsId, NameLength, FragmentSize, Flags;
    private fixed long spare[4];
}

/// <summary>Files and directories: every call takes a directory fd, so that nothing depends on the working directory.</summary>
internal static unsafe partial class Files
{
    public const int AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x100, AT_REMOVEDIR = 0x200, AT_EACCESS = 0x200, AT_SYMLINK_FOLLOW = 0x400,
        AT_EMPTY_PATH = 0x1000, AT_STATX_DONT_SYNC = 0x4000, AT_RECURSIVE = 0x8000;
    public const int O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0x40, O_EXCL = 0x80, O_NOCTTY = 0x100, O_TRUNC = 0x200,
        O_APPEND = 0x400, O_NONBLOCK = 0x800, O_CLOEXEC = 0x80000, O_PATH = 0x200000;
#if ARM64
    public const int O_DIRECTORY = 0x4000, O_NOFOLLOW = 0x8000, O_TMPFILE = 0x404000;
#else
    public const int O_DIRECTORY = 0x10000, O_NOFOLLOW = 0x20000, O_TMPFILE = 0x410000;
#endif
    public const int S_IFMT = 0xF000, S_IFSOCK = 0xC000, S_IFLNK = 0xA000, S_IFREG = 0x8000, S_IFBLK = 0x6000, S_IFDIR = 0x4000,
        S_IFCHR = 0x2000, S_IFIFO = 0x1000;
    public const ulong RESOLVE_NO_XDEV = 1, RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 16;
    public const int STATX_BASIC_STATS = 0x7ff, STATX_MNT_ID = 0x1000, STATX_MNT_ID_UNIQUE = 0x4000;
    public const ulong STATX_ATTR_MOUNT_ROOT = 0x2000;
    public const int X_OK = 1, W_OK = 2;
    public const long PROC_SUPER_MAGIC = 0x9fa0, TMPFS_MAGIC = 0x01021994, CGROUP_SUPER_MAGIC = 0x27e0eb, CGROUP2_SUPER_MAGIC = 0x63677270,
        DEVPTS_SUPER_MAGIC = 0x1cd1, MQUEUE_MAGIC = 0x19800202, RAMFS_MAGIC = 0x858458f6, SELINUX_MAGIC = 0xf97cff8c,
        NSFS_MAGIC = 0x6e736673;
    private const long SYSFS_MAGIC = 0x62656572, DEBUGFS_MAGIC = 0x64626720, TRACEFS_MAGIC = 0x74726163, SECURITYFS_MAGIC = 0x73636673,
        BPF_FS_MAGIC = 0xcafe4a11,
        PSTOREFS_MAGIC = 0x6165676c, EFIVARFS_MAGIC = 0xde5e81e4, SMACK_MAGIC = 0x43415d53, AAFS_MAGIC = 0x5a3c69f0,
        CONFIGFS_MAGIC = 0x62656570,
        BINFMTFS_MAGIC = 0x42494e4d, RDTGROUP_SUPER_MAGIC = 0x7655821, FUSE_CTL_SUPER_MAGIC = 0x65735543,
        NFSD_MAGIC = 0x6e667364;
    public const long ST_RDONLY = 1, ST_NOSUID = 2;
    public const int LOCK_EX = 2, LOCK_NB = 4;
    public const int F_GETFD = 1, F_SETFD = 2, F_GETFL = 3, F_SETFL = 4, F_DUPFD_CLOEXEC = 1030, F_ADD_SEALS = 1033;
    public const int FD_CLOEXEC = 1, ALL_SEALS = 15;
    public const uint CLOSE_RANGE_CLOEXEC = 4;

    public static long OpenAt(int dirfd, byte* path, int flags, uint mode = 0) =>
        Kernel.Call(SyscallNumber.Openat, dirfd, (nint)path, flags | O_CLOEXEC, (nint)mode);

    /// <summary>Opens a path the way <paramref name="resolve"/> limits it (openat2(2)); always close-on-exec.</summary>
    public static long OpenAt2(int dirfd, byte* path, int flags, ulong resolve, uint mode = 0)
    {
        OpenHow how = new() { Flags = (uint)(flags | O_CLOEXEC), Mode = mode, Resolve = resolve };
        return Kernel.Call(SyscallNumber.Openat2, dirfd, (nint)path, (nint)(&how), sizeof(OpenHow));
    }

    /// <summary>
    /// Whether there is one file system of the kind, which every mount shows, and what is made in it is an object of the kernel's
    /// (linux/magic.h).
    /// </summary>
    public static bool IsHostWide(in Statfs fs) =>
        fs.Type is CGROUP_SUPER_MAGIC or CGROUP2_SUPER_MAGIC or TRACEFS_MAGIC or DEBUGFS_MAGIC or CONFIGFS_MAGIC or SECURITYFS_MAGIC
        or EFIVARFS_MAGIC or BINFMTFS_MAGIC or SELINUX_MAGIC or SMACK_MAGIC or PSTOREFS_MAGIC or RDTGROUP_SUPER_MAGIC;

    /// <summary>
    /// Whether the files of a file system are functions of the kernel in disguise: to open or read one can change something, or wait, even
    /// though it counts as a regular file.
    /// </summary>
    public static bool IsKernelInterface(in Statfs fs) =>
        IsHostWide(fs) || fs.Type is PROC_SUPER_MAGIC or SYSFS_MAGIC or BPF_FS_MAGIC or AAFS_MAGIC or NSFS_MAGIC
        or FUSE_CTL_SUPER_MAGIC or NFSD_MAGIC or MQUEUE_MAGIC;

    /// <summary>
    /// close(2). EINTR is success: on Linux the descriptor is gone by then. The result is of interest only where something was written that
    /// the file system may still lose (a quota, NFS): what was only read, looked up or sent is closed without a look at it.
    /// </summary>
    public static long Close(int fd)
    {
        long result = Kernel.CallOnce(SyscallNumber.Close, fd);
        return result == -Errno.EINTR ? 0 : result;
    }

    public static long Read(int fd, byte* buffer, int count) => Kernel.CallBlocking(SyscallNumber.Read, fd, (nint)buffer, count);

    public static long Write(int fd, byte* buffer, int count) => Kernel.CallBlocking(SyscallNumber.Write, fd, (nint)buffer, count);

    /// <summary>
    /// Writes what comes from one descriptor to another until either has ended, and closes the first. On a thread beside the program's own.
    /// </summary>
    public static void Carry(int from, int to)
    {
        const int Size = 4096;
        byte* block = stackalloc byte[Size];
        long n;
        do
        {
            n = Kernel.CallBeside(SyscallNumber.Read, from, (nint)block, Size);
            for (long done = 0; done < n;)
            {
                long written = Kernel.CallBeside(SyscallNumber.Write, to, (nint)(block + done), (nint)(n - done));
                PollFd poll = new() { Fd = to, Events = Processes.POLLOUT };
                // Somebody has set O_NONBLOCK, which is for all who share it.
                if (written == -Errno.EAGAIN) written = Kernel.CallBeside(SyscallNumber.Ppoll, (nint)(&poll), 1, 0, 0, 8) > 0 ? 0 : -1;
                done = written < 0 ? n : done + written;
                if (written < 0) n = 0;
            }
        }
        while (n > 0);
        // Nothing to do about one that cannot be closed.
        Kernel.CallBeside(SyscallNumber.Close, from);
    }

    public static long MakeDirectoryAt(int dirfd, byte* path, uint mode) =>
        Kernel.Call(SyscallNumber.Mkdirat, dirfd, (nint)path, (nint)mode);

    public static long MakeNodeAt(int dirfd, byte* path, uint mode, ulong device) =>
        Kernel.Call(SyscallNumber.Mknodat, dirfd, (nint)path, (nint)mode, (nint)device);

    public static long SymlinkAt(byte* target, int dirfd, byte* path) =>
        Kernel.Call(SyscallNumber.Symlinkat, (nint)target, dirfd, (nint)path);

    public static long UnlinkAt(int dirfd, byte* path, int flags = 0) => Kernel.Call(SyscallNumber.Unlinkat, dirfd, (nint)path, flags);

    public static long ReadLinkAt(int dirfd, byte* path, byte* buffer, int size) =>
        Kernel.Call(SyscallNumber.Readlinkat, dirfd, (nint)path, (nint)buffer, size);

    public static long Chmod(int fd, uint mode) => Kernel.Call(SyscallNumber.Fchmod, fd, (nint)mode);

    public static long ChmodAt(int dirfd, byte* path, uint mode) => Kernel.Call(SyscallNumber.Fchmodat, dirfd, (nint)path, (nint)mode);

    public static long Chown(int fd, uint uid, uint gid) => Kernel.Call(SyscallNumber.Fchown, fd, (nint)uid, (nint)gid);

    public static long ChownAt(int dirfd, byte* path, uint uid, uint gid, int flags) =>
        Kernel.Call(SyscallNumber.Fchownat, dirfd, (nint)path, (nint)uid, (nint)gid, flags);

    public static long StatAt(int dirfd, byte* path, int flags, out Statx result, int mask = STATX_BASIC_STATS)
    {
        fixed (Statx* p = &result)
        {
            return Kernel.Call(SyscallNumber.Statx, dirfd, (nint)path, flags, mask, (nint)p);
        }
    }

    /// <summary>statx(2) of an open fd, O_PATH fds included.</summary>
    public static long Stat(int fd, out Statx result, int mask = STATX_BASIC_STATS)
    {
        byte empty = 0;
        return StatAt(fd, &empty, AT_EMPTY_PATH, out result, mask);
    }

    public static long StatFs(int fd, out Statfs result)
    {
        fixed (Statfs* p = &result) return Kernel.Call(SyscallNumber.Fstatfs, fd, (nint)p);
    }

    /// <summary>Access with the effective ids and capabilities, below a seccomp filter older than faccessat2 with the real ones.</summary>
    public static long AccessAsEffective(byte* path, int mode)
    {
        long result = Kernel.Call(SyscallNumber.Faccessat2, AT_FDCWD, (nint)path, mode, AT_EACCESS);
        return result is -Errno.ENOSYS or -Errno.EPERM ? Kernel.Call(SyscallNumber.Faccessat, AT_FDCWD, (nint)path, mode) : result;
    }

    /// <summary>The same of what is open; where the kernel has no call for that (Linux 5.8) nothing is known against it.</summary>
    public static long AccessOf(int fd, int mode)
    {
        byte empty = 0;
        long result = Kernel.Call(SyscallNumber.Faccessat2, fd, (nint)(&empty), mode, AT_EACCESS | AT_EMPTY_PATH);
        return result == -Errno.ENOSYS ? 0 : result;
    }

    /// <summary>
    /// Moves bytes between two descriptors, one of which is a pipe, without copying them, and without waiting (splice(2)).
    /// </summary>
    public static long Splice(int from, int to, int count)
    {
        const int SPLICE_F_MOVE = 1, SPLICE_F_NONBLOCK = 2;
        return Kernel.Call(SyscallNumber.Splice, from, 0, to, 0, count, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    }

    public static long Fcntl(int fd, int command, nint argument = 0) => Kernel.Call(SyscallNumber.Fcntl, fd, command, argument);

    public static long Flock(int fd, int operation) => Kernel.CallBlocking(SyscallNumber.Flock, fd, operation);

    public static long Duplicate(int fd, int target, int flags = 0) => Kernel.Call(SyscallNumber.Dup3, fd, target, flags);

    /// <summary>Marks every fd from <paramref name="first"/> on close-on-exec (close_range(2), Linux 5.11), or closes it.</summary>
    public static long CloseRange(uint first, uint last, uint flags) =>
        Kernel.Call(SyscallNumber.CloseRange, (nint)first, (nint)last, (nint)flags);

    public static long Pipe(int* fds, int flags) => Kernel.Call(SyscallNumber.Pipe2, (nint)fds, flags | O_CLOEXEC);

    public static long ChangeDirectory(byte* path) => Kernel.Call(SyscallNumber.Chdir, (nint)path);

    public static long ChangeDirectory(int fd) => Kernel.Call(SyscallNumber.Fchdir, fd);

    /// <summary>getcwd(2): the length with the NUL. An unreachable directory gives a path that does not begin with '/'.</summary>
    public static long WorkingDirectory(byte* buffer, int size) => Kernel.Call(SyscallNumber.Getcwd, (nint)buffer, size);

    public static uint SetUmask(uint mask) => (uint)Kernel.Call(SyscallNumber.Umask, (nint)mask);

    public static long GetDents(int fd, byte* buffer, int size) => Kernel.Call(SyscallNumber.Getdents64, fd, (nint)buffer, size);

    /// <summary>
    /// ioctl_ns(2): the user namespace that a namespace belongs to, the one above a user or pid namespace, and the CLONE_NEW… flag of a
    /// namespace's kind.
    /// </summary>
    public const uint NS_GET_USERNS = 0xb701, NS_GET_PARENT = 0xb702, NS_GET_NSTYPE = 0xb703;

    /// <summary>Whether a pid or user namespace is another one, or is below it.</summary>
    /// <param name="namespaceFd">Its descriptor, which is closed; or a negated errno.</param>
    /// <param name="top">What the other one's descriptor shows.</param>
    public static bool IsWithin(long namespaceFd, in Statx top) => LevelsBelow(namespaceFd, top) >= 0;

    /// <summary>How many levels it is below another one, 0 for the same; -1 where it is not. The descriptor is closed.</summary>
    public static int LevelsBelow(long namespaceFd, in Statx top)
    {
        int found = -1;
        // The kernel has 32 levels of either kind (user_namespaces(7), pid_namespaces(7)).
        for (int level = 0; level <= 32 && namespaceFd >= 0; level++)
        {
            int current = (int)namespaceFd;
            if (Stat(current, out Statx stat) >= 0 && stat.Identity == top.Identity) found = level;
            // EPERM: it is above one's own, so none of those that one could look at is above it.
            namespaceFd = found >= 0 ? -1 : Ioctl(current, NS_GET_PARENT, 0);
            Close(current);
        }
        if (namespaceFd >= 0) Close((int)namespaceFd);
        return found;
    }

    public static long Ioctl(int fd, uint request, nint argument) => Kernel.Call(SyscallNumber.Ioctl, fd, (nint)request, argument);

    /// <summary>Encodes a device number the way mknod(2) takes it on Linux (huge_encode_dev of glibc's makedev).</summary>
    public static ulong MakeDevice(uint major, uint minor) =>
        ((ulong)(major & 0xfffff000) << 32) | ((ulong)(major & 0xfff) << 8) | ((ulong)(minor & 0xffffff00) << 12) | (minor & 0xff);
}
