using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>mount_setattr(2) argument.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MountAttr
{
    public ulong Set, Clear, Propagation, UserNamespace;
}

/// <summary>Mounts, by the calls of Linux 5.2 and later (mount_setattr(2): 5.12) that name things by descriptor.</summary>
internal static unsafe class Mounts
{
    public const ulong MS_RDONLY = 1, MS_SYNCHRONOUS = 16, MS_MANDLOCK = 64, MS_DIRSYNC = 128, MS_LAZYTIME = 1 << 25;
    public const ulong MS_REC = 16384, MS_UNBINDABLE = 1 << 17, MS_PRIVATE = 1 << 18, MS_SLAVE = 1 << 19, MS_SHARED = 1 << 20;
    public const ulong MOUNT_ATTR_RDONLY = 1, MOUNT_ATTR_NOSUID = 2, MOUNT_ATTR_NODEV = 4, MOUNT_ATTR_NOEXEC = 8, MOUNT_ATTR__ATIME = 0x70,
        MOUNT_ATTR_RELATIME = 0, MOUNT_ATTR_NOATIME = 0x10, MOUNT_ATTR_STRICTATIME = 0x20, MOUNT_ATTR_NODIRATIME = 0x80, MOUNT_ATTR_IDMAP = 0x100000,
        MOUNT_ATTR_NOSYMFOLLOW = 0x200000;
    public const uint OPEN_TREE_CLONE = 1, OPEN_TREE_CLOEXEC = 0x80000;
    public const uint MOVE_MOUNT_F_EMPTY_PATH = 4, MOVE_MOUNT_T_EMPTY_PATH = 0x40;
    public const uint FSOPEN_CLOEXEC = 1, FSMOUNT_CLOEXEC = 1;
    public const uint FSCONFIG_SET_FLAG = 0, FSCONFIG_SET_STRING = 1, FSCONFIG_SET_FD = 5, FSCONFIG_CMD_CREATE = 6, FSCONFIG_CMD_RECONFIGURE = 7;
    public const uint FSPICK_CLOEXEC = 1, FSPICK_EMPTY_PATH = 8;
    public const int MNT_DETACH = 2, UMOUNT_NOFOLLOW = 8;

    public static long OpenTree(int dirfd, byte* path, uint flags) => Kernel.Call(SyscallNumber.OpenTree, dirfd, (nint)path, (nint)(flags | OPEN_TREE_CLOEXEC));

    /// <summary>Attaches the mount behind <paramref name="fd"/> on the object behind <paramref name="target"/>: no path is resolved, so none can be swapped.</summary>
    public static long Move(int fd, int target)
    {
        byte empty = 0;
        return Kernel.Call(SyscallNumber.MoveMount, fd, (nint)(&empty), target, (nint)(&empty), (nint)(MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
    }

    public static long FsOpen(byte* type) => Kernel.Call(SyscallNumber.Fsopen, (nint)type, (nint)FSOPEN_CLOEXEC);

    /// <summary>A context to reconfigure the file system of the mount whose root is behind <paramref name="fd"/>.</summary>
    public static long FsPick(int fd)
    {
        byte empty = 0;
        return Kernel.Call(SyscallNumber.Fspick, fd, (nint)(&empty), (nint)(FSPICK_CLOEXEC | FSPICK_EMPTY_PATH));
    }

    public static long FsConfig(int fd, uint command, byte* key, byte* value) => Kernel.Call(SyscallNumber.Fsconfig, fd, (nint)command, (nint)key, (nint)value);

    /// <summary>Sets a parameter whose value is an open file.</summary>
    public static long FsConfigFd(int fd, byte* key, int value) => Kernel.Call(SyscallNumber.Fsconfig, fd, (nint)FSCONFIG_SET_FD, (nint)key, 0, value);

    public static long FsMount(int fd, ulong attributes) => Kernel.Call(SyscallNumber.Fsmount, fd, (nint)FSMOUNT_CLOEXEC, (nint)attributes);

    /// <summary>Changes attributes or propagation of the mount whose root is behind <paramref name="fd"/>; AT_RECURSIVE for the tree.</summary>
    public static long SetAttributes(int fd, MountAttr attributes, bool recursive)
    {
        byte empty = 0;
        int flags = Files.AT_EMPTY_PATH | (recursive ? Files.AT_RECURSIVE : 0);
        return Kernel.Call(SyscallNumber.MountSetattr, fd, (nint)(&empty), flags, (nint)(&attributes), sizeof(MountAttr));
    }

    /// <summary>Propagation of the mount at a path, which must be its mount point (EINVAL); MS_REC for the tree. A little faster than mount(2).</summary>
    public static long SetPropagation(byte* path, ulong flags)
    {
        MountAttr attributes = new() { Propagation = flags & ~MS_REC };
        int recursive = (flags & MS_REC) != 0 ? Files.AT_RECURSIVE : 0;
        return Kernel.Call(SyscallNumber.MountSetattr, Files.AT_FDCWD, (nint)path, recursive, (nint)(&attributes), sizeof(MountAttr));
    }

    /// <summary>mount(2): a new file system at a path. Source and options may be null.</summary>
    public static long Mount(byte* source, byte* target, byte* type, ulong flags, byte* options) =>
        Kernel.Call(SyscallNumber.Mount, (nint)source, (nint)target, (nint)type, (nint)flags, (nint)options);

    public static long Unmount(byte* target, int flags) => Kernel.Call(SyscallNumber.Umount2, (nint)target, flags);

    public static long PivotRoot(byte* newRoot, byte* putOld) => Kernel.Call(SyscallNumber.PivotRoot, (nint)newRoot, (nint)putOld);

    public static long ChangeRoot(byte* path) => Kernel.Call(SyscallNumber.Chroot, (nint)path);
}
