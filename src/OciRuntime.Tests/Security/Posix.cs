using System.Runtime.InteropServices;

namespace OciRuntime.Tests.Security;

/// <summary>The calls that only attacks need. Not the runtime's own bindings, as everywhere in the tests.</summary>
internal static unsafe partial class Posix
{
    internal const int O_RDONLY = 0, O_WRONLY = 1, O_PATH = 0x200000, O_CLOEXEC = 0x80000, O_DIRECTORY = 0x10000;
    internal const int EPERM = 1, ETXTBSY = 26, EROFS = 30, EACCES = 13;
    internal const int F_GET_SEALS = 1034;
    private const int RENAME_EXCHANGE = 2, AT_FDCWD = -100;

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int open(string path, int flags, int mode);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int ftruncate(int fd, long length);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int mkfifo(string path, uint mode);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int mknod(string path, uint mode, ulong device);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int chown(string path, uint uid, uint gid);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int renameat2(int oldDirectory, byte* oldPath, int newDirectory, byte* newPath, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sched_setaffinity(int pid, nuint size, ulong* mask);

    /// <summary>Swaps two names atomically.</summary>
    internal static bool Exchange(byte* first, byte* second) => renameat2(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE) == 0;

    /// <summary>Ties the calling thread to a CPU.</summary>
    internal static void Pin(int cpu)
    {
        ulong mask = 1UL << cpu;
        _ = sched_setaffinity(0, sizeof(ulong), &mask);
    }

    internal static int Errno => Marshal.GetLastPInvokeError();
}
