using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>The device program in the language of the kernel's verifier (kernel/bpf/disasm.c), so that it can be compared with what `bpftool prog dump xlated` shows.</summary>
internal static class DeviceProgramText
{
    /// <summary>One line for each instruction: <c>0: r2 = *(u32 *)(r1 +0)</c>.</summary>
    /// <exception cref="ArgumentException">An instruction that <see cref="DeviceProgram.Assemble"/> does not make.</exception>
    public static string[] List(ReadOnlySpan<BpfInstruction> program)
    {
        string[] lines = new string[program.Length];
        for (int i = 0; i < lines.Length; i++) lines[i] = $"{i}: {Words(program[i])}";
        return lines;
    }

    private static string Words(in BpfInstruction one)
    {
        string target = $"r{one.Registers & 15}", source = $"r{one.Registers >> 4}";
        return one.Code switch
        {
            DeviceProgram.LoadWord => $"{target} = *(u32 *)({source} +{one.Offset})",
            DeviceProgram.MoveImmediate => $"{target} = {one.Immediate}",
            DeviceProgram.MoveRegister => $"{target} = {source}",
            DeviceProgram.AndImmediate => $"{target} &= {one.Immediate}",
            DeviceProgram.ShiftRight => $"{target} >>= {one.Immediate}",
            DeviceProgram.JumpIfNot => $"if {target} != 0x{one.Immediate:x} goto pc+{one.Offset}",
            DeviceProgram.JumpIfBits => $"if {target} & 0x{one.Immediate:x} goto pc+{one.Offset}",
            DeviceProgram.Jump => $"goto pc+{one.Offset}",
            DeviceProgram.Exit => "exit",
            _ => throw new ArgumentException($"no such instruction in a device program: 0x{one.Code:x2}", nameof(one)),
        };
    }
}
