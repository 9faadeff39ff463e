using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Device control of cgroup v2: a BPF program that the kernel asks before each open and mknod of a device node.</summary>
internal static class DeviceProgram
{
    // Registers of the program: the verdict, the context (struct bpf_cgroup_dev_ctx), and its parts.
    private const byte Verdict = 0, Context = 1, Type = 2, Access = 3, Major = 4, Minor = 5;

    /// <summary>BPF_LDX | BPF_MEM | BPF_W.</summary>
    public const byte LoadWord = 0x61;

    /// <summary>BPF_ALU64.</summary>
    public const byte MoveImmediate = 0xb7, MoveRegister = 0xbf, AndImmediate = 0x57, ShiftRight = 0x77;

    /// <summary>BPF_JMP.</summary>
    public const byte JumpIfNot = 0x55, JumpIfBits = 0x45, Jump = 0x05, Exit = 0x95;

    // bpf_cgroup_dev_ctx.access_type: (access << 16) | type.
    private const int BlockDevice = 1, CharacterDevice = 2;

    /// <summary>Compiles a filter.</summary>
    /// <remarks>
    /// The rules are tested from the last to the first. A rule decides the kinds of access it names, so an allowing rule strikes those from
    /// what is still asked, and the request is granted when nothing is left; a denying rule that meets one refuses it at once.
    /// </remarks>
    public static BpfInstruction[] Assemble(DeviceFilter filter)
    {
        List<BpfInstruction> code = new(8 + filter.Rules.Count * 6)
        {
            new(LoadWord, Type, Context, 0, 0),
            new(MoveRegister, Access, Type, 0, 0),
            new(ShiftRight, Access, 0, 0, 16),
            new(AndImmediate, Type, 0, 0, 0xffff),
            new(LoadWord, Major, Context, 4, 0),
            new(LoadWord, Minor, Context, 8, 0),
        };
        for (int i = filter.Rules.Count - 1; i >= 0; i--) AddRule(code, filter.Rules[i]);
        AddReturn(code, filter.DefaultAllow);
        return [.. code];
    }

    /// <summary>Loads the program of a filter and attaches it to a cgroup.</summary>
    /// <param name="cgroup">The cgroup directory, not an O_PATH fd.</param>
    /// <param name="filter">What to enforce.</param>
    /// <param name="replaceOld">The cgroup may already have programs of ours: put this one in their place.</param>
    /// <returns>0, or a negated errno.</returns>
    public static long Attach(int cgroup, DeviceFilter filter, bool replaceOld)
    {
        long program = Load(Assemble(filter));
        if (program < 0) return program;
        long result = replaceOld
            ? Replace(cgroup, (int)program)
            : Bpf.AttachDevice(cgroup, (int)program, Bpf.BPF_F_ALLOW_MULTI);
        Files.Close((int)program);
        return result;
    }

    private static long Load(BpfInstruction[] code)
    {
        long program = Bpf.LoadDeviceProgram(code, default);
        if (program != -Errno.EPERM) return program;
        // Before Linux 5.11 programs count against RLIMIT_MEMLOCK, and too little of it reads EPERM. The limit is put back:
        // the container would inherit it.
        const int RLIMIT_MEMLOCK = 8;
        if (Processes.GetLimit(0, RLIMIT_MEMLOCK, out ResourceLimit old) < 0) return program;
        if (Processes.SetLimit(0, RLIMIT_MEMLOCK, new ResourceLimit { Soft = ulong.MaxValue, Hard = ulong.MaxValue }) < 0) return program;
        program = Bpf.LoadDeviceProgram(code, default);
        long restored = Processes.SetLimit(0, RLIMIT_MEMLOCK, old);
        if (restored >= 0) return program;
        if (program >= 0) Files.Close((int)program);
        return restored;
    }

    // The kernel keeps at most 64 programs per cgroup (runc #2474), and asks all of them. One old program is exchanged atomically;
    // otherwise the new one is in force before the old ones go.
    private static long Replace(int cgroup, int program)
    {
        Span<uint> ids = stackalloc uint[64];
        long count = Bpf.QueryDevices(cgroup, ids);
        if (count < 0) return count;
        Span<int> old = stackalloc int[64];
        int known = 0;
        for (int i = 0; i < (int)count; i++)
        {
            // A program that may not be opened is not ours: systemd's, or one of an outer container.
            long fd = Bpf.OpenProgram(ids[i]);
            if (fd >= 0) old[known++] = (int)fd;
        }
        long result = known == 1 ? Bpf.AttachDevice(cgroup, program, Bpf.BPF_F_ALLOW_MULTI | Bpf.BPF_F_REPLACE, old[0]) : -Errno.EINVAL;
        if (result < 0)
        {
            result = Bpf.AttachDevice(cgroup, program, Bpf.BPF_F_ALLOW_MULTI);
            for (int i = 0; i < known && result >= 0; i++) result = Bpf.DetachDevice(cgroup, old[i]);
        }
        for (int i = 0; i < known; i++) Files.Close(old[i]);
        return result;
    }

    private static void AddRule(List<BpfInstruction> code, in DeviceFilterRule rule)
    {
        bool all = rule.Access == DeviceAccess.All;
        int body = all ? 2 : 4;
        int tests = 1 + (rule.Major == DeviceFilterRule.Any ? 0 : 1) + (rule.Minor == DeviceFilterRule.Any ? 0 : 1);
        int left = tests + body;
        code.Add(new(JumpIfNot, Type, 0, (short)(--left), rule.Type == 'c' ? CharacterDevice : BlockDevice));
        if (rule.Major != DeviceFilterRule.Any) code.Add(new(JumpIfNot, Major, 0, (short)(--left), rule.Major));
        if (rule.Minor != DeviceFilterRule.Any) code.Add(new(JumpIfNot, Minor, 0, (short)(--left), rule.Minor));
        if (!all && rule.Allow)
        {
            code.Add(new(AndImmediate, Access, 0, 0, (int)(DeviceAccess.All & ~rule.Access)));
            code.Add(new(JumpIfNot, Access, 0, 2, 0));
        }
        else if (!all)
        {
            code.Add(new(JumpIfBits, Access, 0, 1, (int)rule.Access));
            code.Add(new(Jump, 0, 0, 2, 0));
        }
        AddReturn(code, rule.Allow);
    }

    private static void AddReturn(List<BpfInstruction> code, bool allow)
    {
        code.Add(new(MoveImmediate, Verdict, 0, 0, allow ? 1 : 0));
        code.Add(new(Exit, 0, 0, 0, 0));
    }
}
