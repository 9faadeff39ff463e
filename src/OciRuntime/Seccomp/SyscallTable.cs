namespace OciRuntime.Seccomp;

/// <summary>
/// Names and numbers of system calls on every architecture. The data is constant and lies in the program's read-only pages: start-up pays
/// nothing for it, and a look-up touches two or three of them.
/// </summary>
internal static partial class SyscallTable
{
    /// <summary>Table numbers are below this.</summary>
    public const int MaxNumber = 1024;

    /// <summary>First of the table numbers that stand for ARM's private calls from 0xf0000 on.</summary>
    public const int ArmPrivate = 1008;

    /// <summary>Table numbers of the calls that stand for many others, the same wherever they exist.</summary>
    public const int SocketCall = 102, Ipc = 117;

    private const ushort None = ushort.MaxValue;
    private const int IpcFunction = 128;

    /// <summary>Index of a name, or -1 for a name that no architecture has.</summary>
    public static int Find(string name)
    {
        uint hash = 2166136261;
        foreach (char c in name) hash = (hash ^ (byte)c) * 16777619;
        ReadOnlySpan<ushort> slots = Slots;
        int mask = slots.Length - 1;
        for (int at = (int)((hash ^ (hash >> 15)) & (uint)mask); ; at = (at + 1) & mask)
        {
            int index = slots[at] - 1;
            if (index < 0 || IsName(index, name)) return index;
        }
    }

    /// <summary>
    /// Table number of a call on an architecture, or -1 where it does not exist; <see cref="SeccompArchs.KernelNumber"/> makes the kernel's
    /// of it.
    /// </summary>
    public static int Number(int index, SeccompArch arch)
    {
        ushort number = Column(arch)[index];
        return number == None ? -1 : number;
    }

    /// <summary>The name, for messages.</summary>
    public static string Name(int index) => System.Text.Encoding.ASCII.GetString(Names[Offsets[index]..Offsets[index + 1]]);

    /// <summary>The name of a call of this machine by its number; of an unknown one the number.</summary>
    public static string NameOf(int number)
    {
        int index = number is >= 0 and < MaxNumber ? Column(SeccompArchs.Native).IndexOf((ushort)number) : -1;
        return index < 0 ? $"system call {number}" : Name(index);
    }

    /// <summary>
    /// The form of a call behind socketcall(2) or ipc(2), on architectures that have those. What a profile names is meant whichever way it
    /// is called.
    /// </summary>
    public static Multiplexed Multiplex(int index)
    {
        int function = Functions[index];
        return function == 0 ? new(-1, 0) : function < IpcFunction ? new(SocketCall, function) : new(Ipc, function - IpcFunction);
    }

    private static bool IsName(int index, string name)
    {
        ReadOnlySpan<ushort> offsets = Offsets;
        int start = offsets[index];
        if (offsets[index + 1] - start != name.Length) return false;
        ReadOnlySpan<byte> names = Names;
        for (int i = 0; i < name.Length; i++) if (names[start + i] != name[i]) return false;
        return true;
    }

    private static ReadOnlySpan<ushort> Column(SeccompArch arch) => arch switch
    {
        SeccompArch.X86 => X86,
        SeccompArch.X64 => X64,
        SeccompArch.X32 => X32,
        SeccompArch.Arm => Arm,
        SeccompArch.Arm64 => Arm64,
        SeccompArch.Mips or SeccompArch.MipsEl => Mips,
        SeccompArch.Mips64 or SeccompArch.MipsEl64 => Mips64,
        SeccompArch.Mips64N32 or SeccompArch.MipsEl64N32 => Mips64N32,
        SeccompArch.Ppc => Ppc,
        SeccompArch.Ppc64 or SeccompArch.Ppc64Le => Ppc64,
        SeccompArch.S390 => S390,
        SeccompArch.S390X => S390X,
        SeccompArch.Parisc => Parisc,
        SeccompArch.Parisc64 => Parisc64,
        _ => RiscV64,
    };
}
