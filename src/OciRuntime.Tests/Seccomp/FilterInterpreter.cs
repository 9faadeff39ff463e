using OciRuntime.Linux;

namespace OciRuntime.Tests.Seccomp;

/// <summary>A system call as a filter sees it.</summary>
internal readonly record struct SampleCall(uint Arch, uint Number, ulong[] Arguments)
{
    public override string ToString() =>
        $"arch {Arch:x} number {Number} ({Number:x}) arguments {string.Join(' ', Arguments.Select(static a => a.ToString("x")))}";
}

/// <summary>The kernel's seccomp filters in C#, strict: what the kernel's checker refuses is an error here.</summary>
internal static class FilterInterpreter
{
    /// <summary>The value that the program returns.</summary>
    public static uint Run(SockFilter[] program, in SampleCall call, bool bigEndian)
    {
        uint accumulator = 0;
        for (int at = 0; ; at++)
        {
            SockFilter i = program[at];
            switch (i.Code)
            {
                case SeccompFilter.LoadWord: accumulator = Load(call, i.Constant, bigEndian); break;
                case SeccompFilter.And: accumulator &= i.Constant; break;
                case SeccompFilter.Jump: at += (int)i.Constant; break;
                case SeccompFilter.JumpEqual: at += accumulator == i.Constant ? i.JumpTrue : i.JumpFalse; break;
                case SeccompFilter.JumpGreater: at += accumulator > i.Constant ? i.JumpTrue : i.JumpFalse; break;
                case SeccompFilter.JumpGreaterEqual: at += accumulator >= i.Constant ? i.JumpTrue : i.JumpFalse; break;
                case SeccompFilter.JumpSet: at += (accumulator & i.Constant) != 0 ? i.JumpTrue : i.JumpFalse; break;
                case SeccompFilter.Return: return i.Constant;
                default: throw new InvalidOperationException($"instruction {at} has code {i.Code:x}");
            }
        }
    }

    private static uint Load(in SampleCall call, uint offset, bool bigEndian)
    {
        if (offset == SeccompFilter.NumberOffset) return call.Number;
        if (offset == SeccompFilter.ArchOffset) return call.Arch;
        int word = (int)(offset - SeccompFilter.ArgumentsOffset);
        if (word is < 0 or >= 48 || word % 4 != 0) throw new InvalidOperationException($"load from offset {offset}");
        bool upper = word % 8 == 4 != bigEndian;
        return (uint)(call.Arguments[word / 8] >> (upper ? 32 : 0));
    }
}
