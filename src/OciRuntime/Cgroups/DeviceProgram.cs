using System.Diagnostics;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Device control of cgroup v2: a BPF program that the kernel asks before each open and mknod of a device node.</summary>
internal static class DeviceProgram
{
    // Registers of the program: the verdict, the context (struct bpf_cgroup_dev_ctx), its parts, and both numbers in one.
    private const byte Verdict = 0, Context = 1, Type = 2, Access = 3, Major = 4, Minor = 5, Device = 6;

    // BPF_LDX | BPF_MEM | BPF_W.
    private const byte LoadWord = 0x61;

    // BPF_ALU64.
    private const byte MoveImmediate = 0xb7, MoveRegister = 0xbf, AndImmediate = 0x57, Or = 0x4f, ShiftLeft = 0x67, ShiftRight = 0x77;

    // BPF_JMP32, but for the last two, which are BPF_JMP.
    private const byte JumpIf = 0x16, JumpIfNot = 0x56, JumpIfBits = 0x46, Jump = 0x05, Exit = 0x95;

    // bpf_cgroup_dev_ctx.access_type: (access << 16) | type.
    private const int BlockDevice = 1, CharacterDevice = 2;

    // A device number has 12 bits of major and 20 of minor (include/linux/kdev_t.h).
    private const int MinorBits = 20, MaxMajor = 0xfff, MaxMinor = 0xfffff;

    // A jump is 16 bits wide, and no rule takes more than three instructions.
    private const int MaxRun = 8192;

    // BPF_CGROUP_MAX_PROGS, those of one cgroup (runc #2474).
    private const int MaxPrograms = 64;

    /// <summary>Compiles a filter.</summary>
    /// <remarks>
    /// The rules are tested from the last to the first. A rule decides the kinds of access it names, so an allowing rule strikes those from
    /// what is still asked, and the request is granted when nothing is left; a denying rule that meets one refuses it at once. So
    /// the order among neighbours of one verdict does not matter, and they are asked together: the verifier follows each test both
    /// ways, and takes a quarter of the time for one comparison a rule and one exit for all (docs/performance.md).
    /// </remarks>
    public static BpfInstruction[] Assemble(DeviceFilter filter)
    {
        ReadOnlySpan<DeviceFilterRule> rules = filter.Span;
        List<BpfInstruction> code = new(16 + rules.Length * 3)
        {
            new(LoadWord, Type, Context, 0, 0),
            new(MoveRegister, Access, Type, 0, 0),
            new(ShiftRight, Access, 0, 0, 16),
            new(AndImmediate, Type, 0, 0, 0xffff),
            new(LoadWord, Major, Context, 4, 0),
            new(LoadWord, Minor, Context, 8, 0),
            new(MoveRegister, Device, Major, 0, 0),
            new(ShiftLeft, Device, 0, 0, MinorBits),
            new(Or, Device, Minor, 0, 0),
        };
        while (rules.Length > 0)
        {
            int start = rules.Length - 1;
            while (start > 0 && rules[start - 1].Allow == rules[^1].Allow && rules.Length - start < MaxRun) start--;
            AddRun(code, rules[start..]);
            rules = rules[..start];
        }
        AddReturn(code, filter.DefaultAllow);
        return [.. code];
    }

    /// <summary>
    /// A program in the language of the kernel's verifier (kernel/bpf/disasm.c), so that it can be compared with what `bpftool prog dump
    /// xlated` shows: one line for each instruction, <c>0: r2 = *(u32 *)(r1 +0)</c>.
    /// </summary>
    /// <exception cref="ArgumentException">An instruction that <see cref="Assemble"/> does not make.</exception>
    public static string[] Describe(ReadOnlySpan<BpfInstruction> program)
    {
        string[] lines = new string[program.Length];
        for (int i = 0; i < lines.Length; i++) lines[i] = $"{i}: {Words(program[i])}";
        return lines;
    }

    /// <summary>Loads the program of a filter and attaches it to a cgroup.</summary>
    /// <param name="cgroup">The cgroup directory, not an O_PATH fd.</param>
    /// <param name="filter">What to enforce.</param>
    /// <param name="name">What it is called, see <see cref="NewName"/>.</param>
    /// <returns>0, or a negated errno.</returns>
    public static long Attach(int cgroup, DeviceFilter filter, string name)
    {
        long program = Load(Assemble(filter), name);
        if (program < 0) return program;
        long result = Bpf.AttachDevice(cgroup, (int)program, Bpf.BPF_F_ALLOW_MULTI);
        Files.Close((int)program);
        return result;
    }

    /// <summary>As <see cref="Attach"/>, in the place of the programs of that name that the cgroup has.</summary>
    /// <param name="cgroup">See there.</param>
    /// <param name="filter">See there.</param>
    /// <param name="name">See there.</param>
    /// <param name="hasChanged">Whether it is attached, also where an old one could not be taken away.</param>
    public static long Replace(int cgroup, DeviceFilter filter, string name, out bool hasChanged)
    {
        hasChanged = false;
        long program = Load(Assemble(filter), name);
        if (program < 0) return program;
        long result = Replace(cgroup, (int)program, name, ref hasChanged);
        Files.Close((int)program);
        return result;
    }

    /// <summary>Detaches the programs of a name; others stay.</summary>
    /// <param name="cgroup">The cgroup directory, not an O_PATH fd.</param>
    /// <param name="name">What they are called.</param>
    /// <returns>0, or a negated errno.</returns>
    public static long Detach(int cgroup, string name)
    {
        List<Fd> programs = Find(cgroup, name, out long result);
        if (result >= 0) result = Detach(cgroup, programs);
        programs.ForEach(static program => program.Dispose());
        return result;
    }

    /// <summary>
    /// A name that no other container's program has in the same cgroup, be it that of a stopped one: the moment tells them apart, of which
    /// there is room for the nanoseconds.
    /// </summary>
    public static string NewName() => "ocirun" + Digits.Of(Stopwatch.GetTimestamp() % 1_000_000_000);

    private static long Load(BpfInstruction[] code, string name)
    {
        long program = Bpf.LoadDeviceProgram(code, name, default);
        if (program != -Errno.EPERM) return program;
        // Before Linux 5.11 programs count against RLIMIT_MEMLOCK, and too little of it reads EPERM. The limit is put back:
        // the container would inherit it.
        const int RLIMIT_MEMLOCK = 8;
        if (Processes.GetLimit(0, RLIMIT_MEMLOCK, out ResourceLimit old) < 0) return program;
        if (Processes.SetLimit(0, RLIMIT_MEMLOCK, new ResourceLimit { Soft = ulong.MaxValue, Hard = ulong.MaxValue }) < 0) return program;
        program = Bpf.LoadDeviceProgram(code, name, default);
        long restored = Processes.SetLimit(0, RLIMIT_MEMLOCK, old);
        if (restored >= 0) return program;
        if (program >= 0) Files.Close((int)program);
        return restored;
    }

    // The kernel asks all programs of a cgroup. One old program is exchanged atomically;
    // otherwise the new one is in force before the old ones go.
    private static long Replace(int cgroup, int program, string name, ref bool hasChanged)
    {
        List<Fd> old = Find(cgroup, name, out long result);
        if (result >= 0)
        {
            result = old.Count == 1
                ? Bpf.AttachDevice(cgroup, program, Bpf.BPF_F_ALLOW_MULTI | Bpf.BPF_F_REPLACE, old[0].Number) : -Errno.EINVAL;
            hasChanged = result >= 0;
            if (!hasChanged)
            {
                result = Bpf.AttachDevice(cgroup, program, Bpf.BPF_F_ALLOW_MULTI);
                hasChanged = result >= 0;
                if (hasChanged) result = Detach(cgroup, old);
            }
        }
        old.ForEach(static one => one.Dispose());
        return result;
    }

    private static long Detach(int cgroup, List<Fd> programs)
    {
        long result = 0;
        foreach (Fd program in programs) if (result >= 0) result = Bpf.DetachDevice(cgroup, program.Number);
        return result;
    }

    // The programs of a name that are attached to the cgroup itself; the caller's to close, whatever the error is.
    private static List<Fd> Find(int cgroup, string name, out long error)
    {
        Span<uint> ids = stackalloc uint[MaxPrograms];
        List<Fd> found = [];
        error = Bpf.QueryDevices(cgroup, ids);
        for (int i = 0, count = (int)error; i < count && error >= 0; i++)
        {
            error = Bpf.OpenProgram(ids[i]);
            if (error is -Errno.EPERM or -Errno.ENOENT)
            {
                // One that may not be opened is an outer container's, one that is gone nobody's.
                error = 0;
                continue;
            }
            Fd program = new((int)error);
            if (error >= 0 && Bpf.Name(program.Number, out error) == name) found.Add(program);
            else program.Dispose();
        }
        return found;
    }

    // Rules of one verdict, which has one place: where they jump to that have decided.
    private static void AddRun(List<BpfInstruction> code, ReadOnlySpan<DeviceFilterRule> run)
    {
        List<int> decided = new(run.Length);
        AddType(code, run, 'c', CharacterDevice, decided);
        AddType(code, run, 'b', BlockDevice, decided);
        if (decided.Count == 0) return;
        code.Add(new(Jump, 0, 0, 2, 0));
        for (int i = 0; i < decided.Count; i++) Aim(code, decided[i]);
        AddReturn(code, run[0].Allow);
    }

    private static void AddType(List<BpfInstruction> code, ReadOnlySpan<DeviceFilterRule> run, char type, int kernelType, List<int> decided)
    {
        int test = code.Count;
        for (int i = run.Length - 1; i >= 0; i--)
        {
            // A number that no device has would be taken for a part of the other one.
            if (run[i].Type != type || run[i].Major > MaxMajor || run[i].Minor > MaxMinor) continue;
            if (code.Count == test) code.Add(new(JumpIfNot, Type, 0, 0, kernelType));
            AddRule(code, run[i], decided);
            // What follows is never asked, and the verifier refuses what cannot be reached.
            if (code[^1].Code == Jump) break;
        }
        if (code.Count > test) Aim(code, test);
    }

    // What it decides jumps to a place that is not known yet.
    private static void AddRule(List<BpfInstruction> code, in DeviceFilterRule rule, List<int> decided)
    {
        (byte number, int value) = (rule.Major, rule.Minor) switch
        {
            (DeviceFilterRule.Any, DeviceFilterRule.Any) => ((byte)0, 0),
            (_, DeviceFilterRule.Any) => (Major, rule.Major),
            (DeviceFilterRule.Any, _) => (Minor, rule.Minor),
            _ => (Device, rule.Major << MinorBits | rule.Minor),
        };
        if (rule.Access == DeviceAccess.All)
        {
            decided.Add(code.Count);
            code.Add(number == 0 ? new(Jump, 0, 0, 0, 0) : new(JumpIf, number, 0, 0, value));
            return;
        }
        if (number != 0) code.Add(new(JumpIfNot, number, 0, (short)(rule.Allow ? 2 : 1), value));
        if (rule.Allow) code.Add(new(AndImmediate, Access, 0, 0, (int)(DeviceAccess.All & ~rule.Access)));
        decided.Add(code.Count);
        code.Add(rule.Allow ? new(JumpIf, Access, 0, 0, 0) : new(JumpIfBits, Access, 0, 0, (int)rule.Access));
    }

    // Lets a jump lead to what comes next.
    private static void Aim(List<BpfInstruction> code, int jump) =>
        code[jump] = code[jump] with { Offset = (short)(code.Count - jump - 1) };

    private static void AddReturn(List<BpfInstruction> code, bool allow)
    {
        code.Add(new(MoveImmediate, Verdict, 0, 0, allow ? 1 : 0));
        code.Add(new(Exit, 0, 0, 0, 0));
    }

    private static string Words(in BpfInstruction one)
    {
        // Half a register, for a jump, is called w.
        string target = $"r{one.Registers & 15}", half = $"w{one.Registers & 15}", source = $"r{one.Registers >> 4}";
        return one.Code switch
        {
            LoadWord => $"{target} = *(u32 *)({source} +{one.Offset})",
            MoveImmediate => $"{target} = {one.Immediate}",
            MoveRegister => $"{target} = {source}",
            AndImmediate => $"{target} &= {one.Immediate}",
            Or => $"{target} |= {source}",
            ShiftLeft => $"{target} <<= {one.Immediate}",
            ShiftRight => $"{target} >>= {one.Immediate}",
            JumpIf => $"if {half} == 0x{one.Immediate:x} goto pc+{one.Offset}",
            JumpIfNot => $"if {half} != 0x{one.Immediate:x} goto pc+{one.Offset}",
            JumpIfBits => $"if {half} & 0x{one.Immediate:x} goto pc+{one.Offset}",
            Jump => $"goto pc+{one.Offset}",
            Exit => "exit",
            _ => throw new ArgumentException($"no such instruction in a device program: 0x{one.Code:x2}", nameof(one)),
        };
    }
}
