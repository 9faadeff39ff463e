namespace OciRuntime.Linux;

/// <summary>What it takes to copy a file with everything that belongs to it.</summary>
internal static unsafe partial class Files
{
    public const int SEEK_SET = 0, SEEK_DATA = 3, SEEK_HOLE = 4;

    /// <summary>The longest list of attribute names, and the longest value of one (linux/limits.h).</summary>
    public const int XattrSizeMax = 65536;

    public static long Seek(int fd, long offset, int whence) => Kernel.Call(SyscallNumber.Lseek, fd, (nint)offset, whence);

    public static long Synchronize(int fd) => Kernel.CallBlocking(SyscallNumber.Fsync, fd);

    public static long Truncate(int fd, long size) => Kernel.Call(SyscallNumber.Ftruncate, fd, (nint)size);

    /// <summary>Sets the access and modification time, of the file behind <paramref name="fd"/> itself where the name is null.</summary>
    public static long SetTimes(int fd, byte* name, in Statx stat, int flags = 0)
    {
        TimeSpec* times = stackalloc TimeSpec[2];
        times[0] = stat.AccessTime;
        times[1] = stat.ModificationTime;
        return Kernel.Call(SyscallNumber.Utimensat, fd, (nint)name, (nint)times, flags);
    }

    /// <summary>Names of extended attributes, each with its NUL; with size 0 only how long they are together.</summary>
    public static long ListXattr(int fd, byte* names, int size) => Kernel.Call(SyscallNumber.Flistxattr, fd, (nint)names, size);

    public static long GetXattr(int fd, byte* name, byte* value, int size) =>
        Kernel.Call(SyscallNumber.Fgetxattr, fd, (nint)name, (nint)value, size);

    /// <summary>Sets an extended attribute of an open file; O_PATH descriptors are not taken.</summary>
    public static long SetXattr(int fd, byte* name, byte* value, int size) =>
        Kernel.Call(SyscallNumber.Fsetxattr, fd, (nint)name, (nint)value, size);

    /// <summary>A program gets capabilities by its file (capabilities(7), "File capabilities"); not one that cannot be read.</summary>
    public static bool HasFileCapabilities(string path)
    {
        long fd = OpenAt(AT_FDCWD, path, O_RDONLY);
        if (fd < 0) return false;
        byte* value = stackalloc byte[64];
        fixed (byte* name = "security.capability\0"u8)
        {
            bool has = GetXattr((int)fd, name, value, 64) > 0;
            Close((int)fd);
            return has;
        }
    }
}
