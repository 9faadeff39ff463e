using System.Runtime.InteropServices;
using System.Text;

namespace OciRuntime.Linux;

/// <summary>mount_setattr(2) argument.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MountAttr
{
    public ulong Set, Clear, Propagation, UserNamespace;
}

/// <summary>struct mnt_id_req of statmount(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MountRequest
{
    public uint Size, Spare;
    public ulong Mount, Wanted, Namespace;
}

/// <summary>struct statmount, behind which are the texts that its offsets count from.</summary>
[StructLayout(LayoutKind.Explicit, Size = 512)]
internal struct StatMount
{
    [FieldOffset(8)] public ulong Mask;
    [FieldOffset(152)] public uint UidMaps;
    [FieldOffset(156)] public uint UidMap;
    [FieldOffset(160)] public uint GidMaps;
    [FieldOffset(164)] public uint GidMap;
}

/// <summary>Mounts, by the calls of Linux 5.2 and later (mount_setattr(2): 5.12) that name things by descriptor.</summary>
internal static unsafe class Mounts
{
    public const ulong MS_RDONLY = 1, MS_SYNCHRONOUS = 16, MS_MANDLOCK = 64, MS_DIRSYNC = 128, MS_LAZYTIME = 1 << 25;
    public const ulong MS_REC = 16384, MS_UNBINDABLE = 1 << 17, MS_PRIVATE = 1 << 18, MS_SLAVE = 1 << 19, MS_SHARED = 1 << 20;
    public const ulong MOUNT_ATTR_RDONLY = 1, MOUNT_ATTR_NOSUID = 2, MOUNT_ATTR_NODEV = 4, MOUNT_ATTR_NOEXEC = 8, MOUNT_ATTR__ATIME = 0x70,
        MOUNT_ATTR_RELATIME = 0, MOUNT_ATTR_NOATIME = 0x10, MOUNT_ATTR_STRICTATIME = 0x20, MOUNT_ATTR_NODIRATIME = 0x80,
        MOUNT_ATTR_IDMAP = 0x100000,
        MOUNT_ATTR_NOSYMFOLLOW = 0x200000;
    public const uint OPEN_TREE_CLONE = 1, OPEN_TREE_CLOEXEC = 0x80000;
    public const uint MOVE_MOUNT_F_EMPTY_PATH = 4, MOVE_MOUNT_T_EMPTY_PATH = 0x40;
    public const uint FSOPEN_CLOEXEC = 1, FSMOUNT_CLOEXEC = 1;
    public const uint FSCONFIG_SET_FLAG = 0, FSCONFIG_SET_STRING = 1, FSCONFIG_SET_FD = 5, FSCONFIG_CMD_CREATE = 6,
        FSCONFIG_CMD_RECONFIGURE = 7;
    public const uint FSPICK_CLOEXEC = 1, FSPICK_EMPTY_PATH = 8;
    public const int MNT_DETACH = 2;

    public static long OpenTree(int dirfd, byte* path, uint flags) =>
        Kernel.Call(SyscallNumber.OpenTree, dirfd, (nint)path, (nint)(flags | OPEN_TREE_CLOEXEC));

    public static long OpenTree(int dirfd, string path, uint flags)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return OpenTree(dirfd, p, flags);
    }

    /// <summary>The same for what is open already.</summary>
    public static long OpenTree(int fd, uint flags)
    {
        byte empty = 0;
        return OpenTree(fd, &empty, flags | Files.AT_EMPTY_PATH);
    }

    /// <summary>
    /// Attaches the mount behind <paramref name="fd"/> on the object behind <paramref name="target"/>: no path is resolved, so none can be
    /// swapped.
    /// </summary>
    public static long Move(int fd, int target)
    {
        byte empty = 0;
        return Kernel.Call(SyscallNumber.MoveMount, fd, (nint)(&empty), target, (nint)(&empty),
            (nint)(MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
    }

    public static long FsOpen(byte* type) => Kernel.Call(SyscallNumber.Fsopen, (nint)type, (nint)FSOPEN_CLOEXEC);

    /// <summary>A context for a new file system of a type.</summary>
    public static long FsOpen(string type)
    {
        fixed (byte* t = CString.Encode(type, stackalloc byte[256])) return FsOpen(t);
    }

    /// <summary>A context to reconfigure the file system of the mount whose root is behind <paramref name="fd"/>.</summary>
    public static long FsPick(int fd)
    {
        byte empty = 0;
        return Kernel.Call(SyscallNumber.Fspick, fd, (nint)(&empty), (nint)(FSPICK_CLOEXEC | FSPICK_EMPTY_PATH));
    }

    public static long FsConfig(int fd, uint command, byte* key, byte* value) =>
        Kernel.Call(SyscallNumber.Fsconfig, fd, (nint)command, (nint)key, (nint)value);

    /// <summary>Sets a parameter that has no value.</summary>
    public static long FsConfigFlag(int fd, string key)
    {
        fixed (byte* k = CString.Encode(key, stackalloc byte[Kernel.PathMax])) return FsConfig(fd, FSCONFIG_SET_FLAG, k, null);
    }

    /// <summary>Sets a parameter.</summary>
    public static long FsConfigString(int fd, string key, string value)
    {
        fixed (byte* k = CString.Encode(key, stackalloc byte[Kernel.PathMax]), v = CString.Encode(value, stackalloc byte[Kernel.PathMax]))
            return FsConfig(fd, FSCONFIG_SET_STRING, k, v);
    }

    /// <summary>
    /// What a context says in words of what it did not like (fsopen(2)), a message a read, the oldest first: of an error, "e tmpfs: Bad
    /// value for 'size'", or before that of what it did not mind much, "w xfs: Deprecated parameter 'attr2'".
    /// </summary>
    /// <returns>The length; 0 where it says nothing.</returns>
    public static int ReadMessage(int context, byte* text, int size)
    {
        // The kernel keeps so many (struct fc_log); what another process has sent for a context may have no end.
        const int Kept = 8;
        int length = 0;
        for (int i = 0; i < Kept; i++)
        {
            long n = Files.Read(context, text, size);
            if (n <= 0) break;
            // Without an error among them the last one has to do.
            length = (int)n;
            if (text[0] == 'e') break;
        }
        return length;
    }

    /// <summary>The same as a text, which may be empty.</summary>
    public static string ReadMessage(int context)
    {
        const int Size = 512;
        byte* text = stackalloc byte[Size];
        return Encoding.UTF8.GetString(text, ReadMessage(context, text, Size));
    }

    /// <summary>
    /// The maps of an id-mapped mount (statmount(2), STATMOUNT_MNT_UIDMAP, Linux 6.15), each line as in a user namespace's, in the caller's
    /// own ids.
    /// </summary>
    /// <param name="fd">Something on the mount.</param>
    /// <param name="mountNamespace">Descriptor of the mount namespace that it is in.</param>
    /// <param name="uids">The lines.</param>
    /// <param name="gids">The lines.</param>
    /// <returns>0, or a negated errno; ENOSYS where the kernel does not tell.</returns>
    public static long IdMaps(int fd, int mountNamespace, out string[] uids, out string[] gids)
    {
        const uint NS_GET_MNTNS_ID = 0x8008b705;
        const ulong STATMOUNT_MNT_UIDMAP = 0x2000, STATMOUNT_MNT_GIDMAP = 0x4000;
        // 340 lines of three numbers, twice.
        const int Size = 64 << 10;
        (uids, gids) = ([], []);
        long result = Files.Stat(fd, out Statx stat, Files.STATX_MNT_ID_UNIQUE);
        if (result < 0) return result;
        if ((stat.Mask & Files.STATX_MNT_ID_UNIQUE) == 0) return -Errno.ENOSYS;
        MountRequest request = new()
        {
            Size = (uint)sizeof(MountRequest),
            Mount = stat.MountId,
            Wanted = STATMOUNT_MNT_UIDMAP | STATMOUNT_MNT_GIDMAP,
        };
        result = Files.Ioctl(mountNamespace, NS_GET_MNTNS_ID, (nint)(&request.Namespace));
        // A kernel that does not number them.
        if (result == -Errno.ENOTTY) return -Errno.ENOSYS;
        if (result < 0) return result;
        byte[] buffer = new byte[Size];
        fixed (byte* b = buffer)
        {
            result = Kernel.Call(SyscallNumber.Statmount, (nint)(&request), (nint)b, Size, 0);
            if (result < 0) return result;
            StatMount* its = (StatMount*)b;
            if ((its->Mask & request.Wanted) != request.Wanted) return -Errno.ENOSYS;
            uids = Lines(buffer.AsSpan(sizeof(StatMount) + (int)its->UidMap), its->UidMaps);
            gids = Lines(buffer.AsSpan(sizeof(StatMount) + (int)its->GidMap), its->GidMaps);
        }
        return 0;
    }

    /// <summary>Texts one behind the other, each with a NUL at its end.</summary>
    private static string[] Lines(ReadOnlySpan<byte> text, uint count)
    {
        string[] lines = new string[count];
        for (int i = 0; i < lines.Length; i++)
        {
            int end = text.IndexOf((byte)0);
            lines[i] = Encoding.UTF8.GetString(text[..end]);
            text = text[(end + 1)..];
        }
        return lines;
    }

    /// <summary>Makes an overlay of two lower layers, mounted nowhere, and lets it go.</summary>
    /// <returns>0, or a negated errno.</returns>
    public static long TryOverlay(string lower, string lowest)
    {
        fixed (byte* type = "overlay\0"u8)
        {
            long context = FsOpen(type);
            if (context < 0) return context;
            long result = FsConfigString((int)context, "lowerdir", $"{lower}:{lowest}");
            if (result >= 0) result = FsCreate((int)context);
            if (result >= 0) result = FsMount((int)context, MOUNT_ATTR_RDONLY);
            Files.Close((int)context);
            if (result < 0) return result;
            Files.Close((int)result);
            return 0;
        }
    }

    /// <summary>Makes the file system with what has been set.</summary>
    public static long FsCreate(int fd) => FsConfig(fd, FSCONFIG_CMD_CREATE, null, null);

    /// <summary>Gives what has been set to the file system that the context was picked for.</summary>
    public static long FsReconfigure(int fd) => FsConfig(fd, FSCONFIG_CMD_RECONFIGURE, null, null);

    /// <summary>Sets a parameter whose value is an open file.</summary>
    public static long FsConfigFd(int fd, byte* key, int value) =>
        Kernel.Call(SyscallNumber.Fsconfig, fd, (nint)FSCONFIG_SET_FD, (nint)key, 0, value);

    public static long FsMount(int fd, ulong attributes) => Kernel.Call(SyscallNumber.Fsmount, fd, (nint)FSMOUNT_CLOEXEC, (nint)attributes);

    /// <summary>
    /// Changes attributes or propagation of the mount whose root is behind <paramref name="fd"/>; AT_RECURSIVE for the tree.
    /// </summary>
    public static long SetAttributes(int fd, MountAttr attributes, bool recursive)
    {
        byte empty = 0;
        int flags = Files.AT_EMPTY_PATH | (recursive ? Files.AT_RECURSIVE : 0);
        return Kernel.Call(SyscallNumber.MountSetattr, fd, (nint)(&empty), flags, (nint)(&attributes), sizeof(MountAttr));
    }

    /// <summary>
    /// Propagation of the mount at a path, which must be its mount point (EINVAL); MS_REC for the tree. A little faster than mount(2).
    /// </summary>
    public static long SetPropagation(byte* path, ulong flags)
    {
        MountAttr attributes = new() { Propagation = flags & ~MS_REC };
        int recursive = (flags & MS_REC) != 0 ? Files.AT_RECURSIVE : 0;
        return Kernel.Call(SyscallNumber.MountSetattr, Files.AT_FDCWD, (nint)path, recursive, (nint)(&attributes), sizeof(MountAttr));
    }

    /// <summary>mount(2): a new file system at a path. Source and options may be null.</summary>
    public static long Mount(byte* source, byte* target, byte* type, ulong flags, byte* options) =>
        Kernel.Call(SyscallNumber.Mount, (nint)source, (nint)target, (nint)type, (nint)flags, (nint)options);

    /// <summary>The same with strings.</summary>
    public static long Mount(string source, string target, string? type, ulong flags, string? options)
    {
        fixed (byte* s = CString.Encode(source, stackalloc byte[Kernel.PathMax]))
        fixed (byte* t = CString.Encode(target, stackalloc byte[Kernel.PathMax]))
        fixed (byte* k = CString.Encode(type ?? "", stackalloc byte[256]))
        fixed (byte* o = CString.Encode(options ?? "", stackalloc byte[Kernel.PathMax]))
        {
            return Mount(s, t, type is null ? null : k, flags, options is null ? null : o);
        }
    }

    public static long Unmount(byte* target, int flags) => Kernel.Call(SyscallNumber.Umount2, (nint)target, flags);

    public static long Unmount(string target, int flags)
    {
        fixed (byte* p = CString.Encode(target, stackalloc byte[Kernel.PathMax])) return Unmount(p, flags);
    }

    public static long PivotRoot(byte* newRoot, byte* putOld) => Kernel.Call(SyscallNumber.PivotRoot, (nint)newRoot, (nint)putOld);

    public static long ChangeRoot(byte* path) => Kernel.Call(SyscallNumber.Chroot, (nint)path);
}
