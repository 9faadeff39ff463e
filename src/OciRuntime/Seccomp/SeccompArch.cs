using System.Runtime.InteropServices;
using OciRuntime.Spec;

namespace OciRuntime.Seccomp;

/// <summary>The architectures that have a table of system calls, in the order of <see cref="SpecWords.SeccompArchitectures"/>.</summary>
internal enum SeccompArch : byte
{
    X86, X64, X32, Arm, Arm64, Mips, Mips64, Mips64N32, MipsEl, MipsEl64, MipsEl64N32, Ppc, Ppc64, Ppc64Le, S390, S390X, Parisc,
    Parisc64, RiscV64,
}

/// <summary>What filters need to know about architectures. Switches instead of tables of objects: nothing is built at start-up.</summary>
internal static class SeccompArchs
{
    /// <summary>x32 calls are x86_64 calls with this bit in their number (arch/x86/include/uapi/asm/unistd.h).</summary>
    public const uint X32Bit = 0x40000000;

    private const uint ArmPrivate = 0xf0000;

    // Bits of AUDIT_ARCH_ values: __AUDIT_ARCH_64BIT, __AUDIT_ARCH_LE, __AUDIT_ARCH_CONVENTION_MIPS64_N32.
    private const uint Audit64Bit = 0x80000000, AuditLittleEndian = 0x40000000, AuditN32 = 0x20000000;

    /// <summary>The architecture this program runs on.</summary>
    public static SeccompArch Native => RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? SeccompArch.Arm64 : SeccompArch.X64;

    /// <summary>The architecture of a word of the spec; null when there is no table for it.</summary>
    public static SeccompArch? Parse(string word) =>
        Array.IndexOf(SpecWords.SeccompArchitectures, word) is >= 0 and <= (int)SeccompArch.RiscV64 and var known
            ? (SeccompArch)known : null;

    /// <summary>A profile for this machine may list the word: there is a table, and the byte order of its kernel.</summary>
    public static bool CanServe(string word) => Parse(word) is { } arch && IsBigEndian(arch) == IsBigEndian(Native);

    /// <summary>AUDIT_ARCH_ value, which seccomp_data.arch holds (include/uapi/linux/audit.h). x32 has no value of its own.</summary>
    public static uint AuditToken(SeccompArch arch) => arch switch
    {
        SeccompArch.X86 => 0x40000003,
        SeccompArch.X64 or SeccompArch.X32 => 0xc000003e,
        SeccompArch.Arm => 0x40000028,
        SeccompArch.Arm64 => 0xc00000b7,
        SeccompArch.Mips => 0x00000008,
        SeccompArch.Mips64 => 0x80000008,
        SeccompArch.Mips64N32 => 0xa0000008,
        SeccompArch.MipsEl => 0x40000008,
        SeccompArch.MipsEl64 => 0xc0000008,
        SeccompArch.MipsEl64N32 => 0xe0000008,
        SeccompArch.Ppc => 0x00000014,
        SeccompArch.Ppc64 => 0x80000015,
        SeccompArch.Ppc64Le => 0xc0000015,
        SeccompArch.S390 => 0x00000016,
        SeccompArch.S390X => 0x80000016,
        SeccompArch.Parisc => 0x0000000f,
        SeccompArch.Parisc64 => 0x8000000f,
        _ => 0xc00000f3,
    };

    /// <summary>Arguments have two significant words. An x32 or n32 program passes 32-bit arguments to a 64-bit kernel.</summary>
    public static bool IsWide(SeccompArch arch) => (AuditToken(arch) & (Audit64Bit | AuditN32)) == Audit64Bit && arch != SeccompArch.X32;

    /// <summary>The more significant word of an argument comes first.</summary>
    public static bool IsBigEndian(SeccompArch arch) => (AuditToken(arch) & AuditLittleEndian) == 0;

    /// <summary>Sockets and System V IPC are reached through socketcall(2) and ipc(2), besides numbers of their own.</summary>
    public static bool IsMultiplexed(SeccompArch arch) =>
        arch is SeccompArch.X86 or SeccompArch.Mips or SeccompArch.MipsEl or SeccompArch.Ppc
        or SeccompArch.Ppc64 or SeccompArch.Ppc64Le or SeccompArch.S390 or SeccompArch.S390X;

    /// <summary>The number as the kernel shows it, from a table's number.</summary>
    public static uint KernelNumber(SeccompArch arch, int number) => arch switch
    {
        SeccompArch.X32 => X32Bit | (uint)number,
        SeccompArch.Mips or SeccompArch.MipsEl => 4000 + (uint)number,
        SeccompArch.Mips64 or SeccompArch.MipsEl64 => 5000 + (uint)number,
        SeccompArch.Mips64N32 or SeccompArch.MipsEl64N32 => 6000 + (uint)number,
        SeccompArch.Arm when number >= SyscallTable.ArmPrivate => ArmPrivate + (uint)(number - SyscallTable.ArmPrivate),
        _ => (uint)number,
    };
}
