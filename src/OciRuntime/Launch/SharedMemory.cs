using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>Memory that a child after clone3(2) shares with its parent, until it executes another program.</summary>
internal static unsafe class SharedMemory
{
    private const int PROT_READ = 1, PROT_WRITE = 2, MAP_SHARED = 1, MAP_ANONYMOUS = 0x20;

    /// <summary>Room for numbers, all 0. It is never given back: the parent ends in milliseconds.</summary>
    /// <exception cref="OciException">There is no memory.</exception>
    public static ulong* Allocate(int count) => (ulong*)OciException.Check(
        Kernel.Call(SyscallNumber.Mmap, 0, count * sizeof(ulong), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), "mmap");
}
