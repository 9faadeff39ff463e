using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>struct sock_filter: one instruction of classic BPF (include/uapi/linux/filter.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct SockFilter(ushort Code, byte JumpTrue, byte JumpFalse, uint Constant);

/// <summary>struct sock_fprog on 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SockProgram
{
    public ushort Length;
    public SockFilter* Instructions;
}

/// <summary>seccomp(2): the vocabulary of filters, and their loading.</summary>
internal static unsafe class SeccompFilter
{
    /// <summary>Longest program the kernel takes (BPF_MAXINSNS).</summary>
    public const int MaxInstructions = 4096;

    public const ushort LoadWord = 0x20, And = 0x54, Jump = 0x05, JumpEqual = 0x15, JumpGreater = 0x25, JumpGreaterEqual = 0x35,
        JumpSet = 0x45, Return = 0x06;

    public const uint RET_KILL_THREAD = 0, RET_KILL_PROCESS = 0x80000000, RET_TRAP = 0x30000, RET_ERRNO = 0x50000,
        RET_USER_NOTIF = 0x7fc00000,
        RET_TRACE = 0x7ff00000, RET_LOG = 0x7ffc0000, RET_ALLOW = 0x7fff0000, RET_ACTION_FULL = 0xffff0000;

    public const uint FLAG_LOG = 2, FLAG_SPEC_ALLOW = 4, FLAG_NEW_LISTENER = 8, FLAG_WAIT_KILLABLE_RECV = 32;

    /// <summary>Offsets in struct seccomp_data, which is what loads read.</summary>
    public const uint NumberOffset = 0, ArchOffset = 4, ArgumentsOffset = 16;

    private const int SECCOMP_SET_MODE_FILTER = 1;

    /// <summary>True when the kernel takes these flags: it looks at them before the program, here none (seccomp(2), EFAULT).</summary>
    public static bool KnowsFlags(uint flags) => Load(null, flags) == -Errno.EFAULT;

    /// <summary>
    /// Loads a program for the calling thread. Returns 0, the listener's descriptor if one was asked for, or a negated errno.
    /// </summary>
    public static long Load(SockProgram* program, uint flags) =>
        Kernel.Call(SyscallNumber.Seccomp, SECCOMP_SET_MODE_FILTER, (nint)flags, (nint)program);
}
