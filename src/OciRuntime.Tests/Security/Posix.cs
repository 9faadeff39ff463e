using System.Runtime.InteropServices;

namespace OciRuntime.Tests.Security;

/// <summary>The calls that only attacks need. Not the runtime's own bindings, as everywhere in the tests.</summary>
internal static unsafe partial class Posix
{
    private const int RENAME_EXCHANGE = 2, AT_FDCWD = -100;

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
}
