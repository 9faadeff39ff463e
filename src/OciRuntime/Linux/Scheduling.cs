using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>sched_setattr(2) argument, version 1 (Linux 5.3, with the utilization clamps).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct SchedAttr
{
    public uint Size, Policy;
    public ulong Flags;
    public int Nice;
    public uint Priority;
    public ulong Runtime, Deadline, Period;
    public uint UtilMin, UtilMax;
}

/// <summary>When and where the calling thread runs, its I/O and its memory are served. All of it survives execve.</summary>
internal static unsafe class Scheduling
{
    public const int IOPRIO_WHO_PROCESS = 1, IOPRIO_CLASS_SHIFT = 13;
    public const uint SCHED_DEADLINE = 6;
    public const ulong SCHED_FLAG_RESET_ON_FORK = 1;
    public const int PER_LINUX = 0, PER_LINUX32 = 8;

    /// <summary>Lets the thread run on every CPU that its cpuset allows, also on those that the cpuset gets later.</summary>
    public static long ResetAffinity()
    {
        // 8192 CPUs, the most a kernel can be configured for (NR_CPUS); it ignores the bits of those it does not have.
        const int Words = 128;
        ulong* mask = stackalloc ulong[Words];
        for (int i = 0; i < Words; i++) mask[i] = ulong.MaxValue;
        return Kernel.Call(SyscallNumber.SchedSetaffinity, 0, Words * sizeof(ulong), (nint)mask);
    }

    /// <summary>Limits the thread to CPUs, bit n for CPU n.</summary>
    public static long SetAffinity(ulong* mask, int words) =>
        Kernel.Call(SyscallNumber.SchedSetaffinity, 0, words * sizeof(ulong), (nint)mask);

    public static long SetAffinity(ReadOnlySpan<ulong> mask)
    {
        fixed (ulong* p = mask) return SetAffinity(p, mask.Length);
    }

    /// <summary>The CPUs the thread may run on. Returns the number of bytes the kernel has written.</summary>
    public static long GetAffinity(Span<ulong> mask)
    {
        fixed (ulong* p = mask) return Kernel.Call(SyscallNumber.SchedGetaffinity, 0, mask.Length * sizeof(ulong), (nint)p);
    }

    /// <summary>sched_setattr(2), of the calling thread or another process.</summary>
    public static long Set(SchedAttr* attributes, int pid = 0) => Kernel.Call(SyscallNumber.SchedSetattr, pid, (nint)attributes, 0);

    public static long Set(in SchedAttr attributes, int pid)
    {
        fixed (SchedAttr* p = &attributes) return Set(p, pid);
    }

    /// <summary>sched_getattr(2).</summary>
    public static long Get(int pid, out SchedAttr attributes)
    {
        attributes = default;
        fixed (SchedAttr* p = &attributes) return Kernel.Call(SyscallNumber.SchedGetattr, pid, (nint)p, sizeof(SchedAttr), 0);
    }

    /// <summary>ioprio_get(2), as <see cref="SetIoPriority"/> takes it.</summary>
    public static long GetIoPriority(int pid) => Kernel.Call(SyscallNumber.IoprioGet, IOPRIO_WHO_PROCESS, pid);

    /// <summary>ioprio_set(2): class &lt;&lt; 13 | level.</summary>
    public static long SetIoPriority(int priority) => Kernel.Call(SyscallNumber.IoprioSet, IOPRIO_WHO_PROCESS, 0, priority);

    public static long SetPersonality(int personality) => Kernel.Call(SyscallNumber.Personality, personality);

    /// <summary>set_mempolicy(2). The kernel counts one bit less than it is told, and takes no nodes for null only.</summary>
    public static long SetMemoryPolicy(int mode, ulong* nodes, int words) =>
        Kernel.Call(SyscallNumber.SetMempolicy, mode, words == 0 ? 0 : (nint)nodes, words * 64 + 1);
}
