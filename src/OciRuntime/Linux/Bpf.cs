using System.Runtime.InteropServices;
using System.Text;

namespace OciRuntime.Linux;

/// <summary>struct bpf_insn (include/uapi/linux/bpf.h).</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct BpfInstruction
{
    /// <summary>Class, operation and source bits.</summary>
    public readonly byte Code;

    /// <summary>Destination register in the low four bits, source register in the high ones.</summary>
    public readonly byte Registers;

    public BpfInstruction(byte code, byte destination, byte source, short offset, int immediate)
    {
        Code = code;
        Registers = (byte)(destination | (source << 4));
        Offset = offset;
        Immediate = immediate;
    }

    /// <summary>Jump distance from the next instruction, or byte offset of a load.</summary>
    public short Offset { get; init; }

    /// <summary>Immediate operand.</summary>
    public readonly int Immediate;
}

/// <summary>bpf(2), as far as device control of cgroup v2 needs it.</summary>
internal static unsafe class Bpf
{
    public const uint BPF_F_ALLOW_MULTI = 2, BPF_F_REPLACE = 4;
    private const int BPF_PROG_LOAD = 5, BPF_PROG_ATTACH = 8, BPF_PROG_DETACH = 9, BPF_PROG_GET_FD_BY_ID = 13, BPF_OBJ_GET_INFO_BY_FD = 15,
        BPF_PROG_QUERY = 16;
    private const int BPF_PROG_TYPE_CGROUP_DEVICE = 15, BPF_CGROUP_DEVICE = 6;

    // union bpf_attr, always passed whole and zeroed: a kernel that knows more fields reads them as 0, one that knows fewer
    // checks that the rest is 0. Short attributes were rejected or misread by some, and written beyond by others: see QueryDevices.
    public const int AttributeSize = 144;

    /// <summary>Bytes of a name, without the NUL (BPF_OBJ_NAME_LEN is 16).</summary>
    public const int MaxName = 15;

    /// <summary>Loads a device program; returns its fd, which the kernel makes close-on-exec.</summary>
    /// <param name="program">The instructions.</param>
    /// <param name="name">What it is called; at most <see cref="MaxName"/> ASCII letters, digits, '_' and '.'.</param>
    /// <param name="log">Room for the verifier's words, or empty for none.</param>
    public static long LoadDeviceProgram(ReadOnlySpan<BpfInstruction> program, string name, Span<byte> log)
    {
        byte* attribute = stackalloc byte[AttributeSize];
        new Span<byte>(attribute, AttributeSize).Clear();
        fixed (BpfInstruction* instructions = program)
        fixed (byte* license = "Apache\0"u8)
        fixed (byte* text = log)
        {
            *(uint*)attribute = BPF_PROG_TYPE_CGROUP_DEVICE;
            *(uint*)(attribute + 4) = (uint)program.Length;
            *(ulong*)(attribute + 8) = (ulong)instructions;
            *(ulong*)(attribute + 16) = (ulong)license;
            Encoding.ASCII.GetBytes(name, new Span<byte>(attribute + 48, MaxName));
            if (!log.IsEmpty)
            {
                // BPF_LOG_LEVEL2: level 1 forgets the paths through the program that were found good.
                *(uint*)(attribute + 24) = 2;
                *(uint*)(attribute + 28) = (uint)log.Length;
                *(ulong*)(attribute + 32) = (ulong)text;
            }
            // The verifier gives up with EAGAIN when a signal is pending; that is no fault of the program's, and libbpf, too, tries five
            // times.
            long result = -Errno.EAGAIN;
            for (int attempt = 0; attempt < 5 && result == -Errno.EAGAIN; attempt++)
                result = Kernel.Call(SyscallNumber.Bpf, BPF_PROG_LOAD, (nint)attribute, AttributeSize);
            return result;
        }
    }

    /// <summary>
    /// Attaches a program to a cgroup directory; with BPF_F_REPLACE in place of <paramref name="replaced"/>, atomically (Linux 5.6).
    /// </summary>
    public static long AttachDevice(int cgroup, int program, uint flags, int replaced = 0)
    {
        byte* attribute = stackalloc byte[AttributeSize];
        new Span<byte>(attribute, AttributeSize).Clear();
        *(int*)attribute = cgroup;
        *(int*)(attribute + 4) = program;
        *(int*)(attribute + 8) = BPF_CGROUP_DEVICE;
        *(uint*)(attribute + 12) = flags;
        *(int*)(attribute + 16) = replaced;
        return Kernel.Call(SyscallNumber.Bpf, BPF_PROG_ATTACH, (nint)attribute, AttributeSize);
    }

    /// <summary>Detaches a program from a cgroup directory.</summary>
    public static long DetachDevice(int cgroup, int program)
    {
        byte* attribute = stackalloc byte[AttributeSize];
        new Span<byte>(attribute, AttributeSize).Clear();
        *(int*)attribute = cgroup;
        *(int*)(attribute + 4) = program;
        *(int*)(attribute + 8) = BPF_CGROUP_DEVICE;
        return Kernel.Call(SyscallNumber.Bpf, BPF_PROG_DETACH, (nint)attribute, AttributeSize);
    }

    /// <summary>
    /// Ids of the device programs attached to a cgroup itself; returns how many there are, at most the length of <paramref name="ids"/>.
    /// </summary>
    public static long QueryDevices(int cgroup, Span<uint> ids)
    {
        byte* attribute = stackalloc byte[AttributeSize];
        return QueryDevices(cgroup, ids, new Span<byte>(attribute, AttributeSize));
    }

    /// <summary>
    /// The same with memory for the attribute, of 32 bytes or more. From Linux 6.17 to 7.1 the kernel may write a revision at byte 56,
    /// whatever size it is told: that is somebody else's memory where the attribute ends before that (mended in runc 1.5.2).
    /// </summary>
    internal static long QueryDevices(int cgroup, Span<uint> ids, Span<byte> attribute)
    {
        attribute.Clear();
        fixed (uint* p = ids)
        fixed (byte* a = attribute)
        {
            *(int*)a = cgroup;
            *(int*)(a + 4) = BPF_CGROUP_DEVICE;
            *(ulong*)(a + 16) = (ulong)p;
            *(uint*)(a + 24) = (uint)ids.Length;
            long result = Kernel.Call(SyscallNumber.Bpf, BPF_PROG_QUERY, (nint)a, attribute.Length);
            return result < 0 ? result : *(uint*)(a + 24);
        }
    }

    /// <summary>
    /// The instructions of a loaded program as the kernel has them, empty where it does not show them; or null with the negated errno.
    /// </summary>
    public static BpfInstruction[]? Instructions(int program, out long error)
    {
        // struct bpf_prog_info, of which the first 40 bytes are read: the lengths at 16 and 20, the pointers at 24 and 32.
        const int InfoSize = 40;
        byte* info = stackalloc byte[InfoSize];
        new Span<byte>(info, InfoSize).Clear();
        error = Describe(program, info, InfoSize);
        if (error < 0) return null;
        BpfInstruction[] code = new BpfInstruction[*(uint*)(info + 20) / (uint)sizeof(BpfInstruction)];
        new Span<byte>(info, InfoSize).Clear();
        fixed (BpfInstruction* room = code)
        {
            *(uint*)(info + 20) = (uint)(code.Length * sizeof(BpfInstruction));
            *(ulong*)(info + 32) = (ulong)room;
            error = Describe(program, info, InfoSize);
        }
        return error < 0 ? null : code;
    }

    /// <summary>What a loaded program is called, which may be nothing; or null with the negated errno.</summary>
    public static string? Name(int program, out long error)
    {
        // struct bpf_prog_info as far as the name at 64; no lengths and pointers are given, so that nothing else is asked for.
        const int NameAt = 64, InfoSize = 80;
        byte* info = stackalloc byte[InfoSize];
        new Span<byte>(info, InfoSize).Clear();
        error = Describe(program, info, InfoSize);
        if (error < 0) return null;
        return Encoding.ASCII.GetString(new ReadOnlySpan<byte>(info + NameAt, MaxName)).TrimEnd('\0');
    }

    private static long Describe(int program, byte* info, int size)
    {
        byte* attribute = stackalloc byte[AttributeSize];
        new Span<byte>(attribute, AttributeSize).Clear();
        *(int*)attribute = program;
        *(int*)(attribute + 4) = size;
        *(ulong*)(attribute + 8) = (ulong)info;
        return Kernel.Call(SyscallNumber.Bpf, BPF_OBJ_GET_INFO_BY_FD, (nint)attribute, AttributeSize);
    }

    /// <summary>An fd for a loaded program.</summary>
    public static long OpenProgram(uint id)
    {
        byte* attribute = stackalloc byte[AttributeSize];
        new Span<byte>(attribute, AttributeSize).Clear();
        *(uint*)attribute = id;
        return Kernel.Call(SyscallNumber.Bpf, BPF_PROG_GET_FD_BY_ID, (nint)attribute, AttributeSize);
    }
}
