using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Checks;

/// <summary>What execve(2) reads of a program first.</summary>
/// <param name="Interpreter">What the first line or the ELF header names, an absolute path, or null.</param>
/// <param name="ForeignMachine">The processor it is for, where it is none of this machine's; else "".</param>
internal sealed record ProgramFile(string? Interpreter, string ForeignMachine)
{
    /// <summary>It is neither a script nor ELF (ENOEXEC), unless something is registered for it.</summary>
    public bool IsUnknown { get; private init; }

    /// <summary>Something is registered for programs of other kinds: an emulator, say (binfmt_misc).</summary>
    public static bool HasHandlers =>
        Files.ListDirectory("/proc/sys/fs/binfmt_misc").Exists(static name => name is not ("register" or "status" or "." or ".."));

    // The kernel reads 256 of a script (BINPRM_BUF_SIZE); the headers of ELF are at the beginning, too.
    private const int Most = 4096;
    private const int PT_INTERP = 3, ProgramHeader = 56;

    private static readonly (int Machine, string Name, Architecture[] Runs)[] Machines =
    [
        (3, "x86", [Architecture.X64]), (62, "x86-64", [Architecture.X64]), (40, "Arm", [Architecture.Arm64]),
        (183, "AArch64", [Architecture.Arm64]), (21, "PowerPC 64", []), (22, "s390x", []), (243, "RISC-V", []), (258, "LoongArch", []),
    ];

    /// <summary>Null when it cannot be read, or is cut short.</summary>
    /// <param name="found">O_PATH, of anything: to open a FIFO would wait, and to open a device may do something.</param>
    public static ProgramFile? Read(Fd found)
    {
        if (Files.Stat(found.Number, out Statx stat) < 0 || !stat.IsRegular) return null;
        long fd = Files.OpenAt(Files.AT_FDCWD, $"/proc/self/fd/{found.Number}", Files.O_RDONLY);
        if (fd < 0) return null;
        using Fd file = new((int)fd);
        Span<byte> buffer = stackalloc byte[Most];
        long length = Files.Read(file.Number, buffer);
        if (length < 0) return null;
        ReadOnlySpan<byte> head = buffer[..(int)length];
        return head.StartsWith("#!"u8) ? new(OfScript(head), "")
            : !head.StartsWith("\u007fELF"u8) ? new(null, "") { IsUnknown = true }
            : length < 20 ? null : OfElf(head);
    }

    private static string? OfScript(ReadOnlySpan<byte> head)
    {
        int end = head.IndexOf((byte)'\n');
        if (end < 0) return null;
        string[] words = Encoding.UTF8.GetString(head[2..end]).Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        // A relative one depends on the working directory. A carriage return is part of the name.
        return words.Length > 0 && words[0].StartsWith('/') ? words[0] : null;
    }

    private static ProgramFile? OfElf(ReadOnlySpan<byte> head)
    {
        const byte Bits64 = 2, LittleEndian = 1;
        if (head[5] != LittleEndian) return new(null, "a big-endian processor");
        int machine = BinaryPrimitives.ReadUInt16LittleEndian(head[18..]);
        (_, string? name, Architecture[]? runs) = Array.Find(Machines, one => one.Machine == machine);
        if (runs is not null && !runs.Contains(RuntimeInformation.OSArchitecture)) return new(null, name);
        if (head[4] != Bits64 || head.Length < 64) return null;
        ulong table = BinaryPrimitives.ReadUInt64LittleEndian(head[32..]);
        int count = BinaryPrimitives.ReadUInt16LittleEndian(head[56..]);
        for (int i = 0; i < count; i++)
        {
            ulong at = table + (ulong)(i * ProgramHeader);
            // Not by a sum: both numbers are the image's.
            if (at > (ulong)(head.Length - ProgramHeader)) break;
            ReadOnlySpan<byte> header = head[(int)at..];
            if (BinaryPrimitives.ReadInt32LittleEndian(header) != PT_INTERP) continue;
            ulong text = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]), size = BinaryPrimitives.ReadUInt64LittleEndian(header[32..]);
            if (size is 0 or > Most || text > (ulong)head.Length || text + size > (ulong)head.Length) break;
            string interpreter = Encoding.UTF8.GetString(head[(int)text..(int)(text + size)]).TrimEnd('\0');
            return new(interpreter.StartsWith('/') ? interpreter : null, "");
        }
        return new(null, "");
    }
}
