using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Seccomp;

/// <summary>
/// From a profile to the program that runs on every system call of the container: rules by architecture and number, ranges of numbers with
/// the same fate, a graph of tests, instructions. What a profile means is what libseccomp and runc make of it (docs/seccomp.md).
/// </summary>
internal sealed class SeccompCompiler
{
    private const string Pointer = "/linux/seccomp";

    // Numbers from here on are no architecture's, but the kernel asks the filter about them all the same.
    private const uint Upper = 0x80000000;
    private readonly LinuxSeccomp _profile;
    private readonly ArgumentTree _tree = new();
    private readonly FilterGraph _graph = new();
    private readonly List<ArchRules> _archs = [];
    private readonly List<string> _unknown = [];
    private readonly bool _bigEndian;
    private readonly uint _defaultAction;
    private int _separate;

    private SeccompCompiler(LinuxSeccomp profile, SeccompArch native)
    {
        _profile = profile;
        _bigEndian = SeccompArchs.IsBigEndian(native);
        _defaultAction = SeccompWords.Action(profile.DefaultAction, profile.DefaultErrnoRet);
        _archs.Add(new ArchRules(native, _tree));
    }

    /// <summary>The profile asks for no filter at all: neither a default action nor rules, which is how runc spells it.</summary>
    public static bool IsEmpty(LinuxSeccomp? profile) =>
        profile is null || (profile.DefaultAction.Length == 0 && profile.Syscalls.Length == 0);

    /// <summary>Compiles a valid profile for a kernel of this architecture.</summary>
    /// <exception cref="OciException">An architecture cannot be served, rules contradict each other, or the program is too
    /// long.</exception>
    public static SeccompProgram Compile(LinuxSeccomp profile, SeccompArch native) => new SeccompCompiler(profile, native).Compile();

    private SeccompProgram Compile()
    {
        for (int i = 0; i < _profile.Architectures.Length; i++) AddArch(_profile.Architectures[i], i);
        for (int i = 0; i < _profile.Syscalls.Length; i++) AddRule(_profile.Syscalls[i], i);
        return new SeccompProgram
        {
            Instructions = FilterAssembler.Assemble(_graph, BuildGraph()),
            DefaultAction = _defaultAction,
            Flags = SeccompWords.Flags(_profile),
            UnknownNames = _unknown,
            AllowsSending = (_archs[0].ActionOf(SyscallTable.Find("sendmsg"),
                _defaultAction) & SeccompFilter.RET_ACTION_FULL) is SeccompFilter.RET_ALLOW or SeccompFilter.RET_LOG,
        };
    }

    private void AddArch(string word, int index)
    {
        if (SeccompArchs.Parse(word) is not { } arch)
            throw new OciException($"{Pointer}/architectures/{index}: {word} is not supported by this version of ocirun");
        foreach (ArchRules known in _archs) if (known.Arch == arch) return;
        if (SeccompArchs.IsBigEndian(arch) != _bigEndian)
            throw new OciException($"{Pointer}/architectures/{index}: {word} has another byte order than this machine");
        _archs.Add(new ArchRules(arch, _tree));
    }

    private void AddRule(SeccompSyscall rule, int index)
    {
        uint action = SeccompWords.Action(rule.Action, rule.ErrnoRet);
        Span<Condition> conditions = stackalloc Condition[6];
        bool separate = !ReadConditions(rule.Args, conditions, out int count);
        foreach (string name in rule.Names)
        {
            int call = SyscallTable.Find(name);
            if (call < 0)
            {
                _unknown.Add(name);
                continue;
            }
            Multiplexed multiplexed = SyscallTable.Multiplex(call);
            foreach (ArchRules arch in _archs) arch.Mention(call, multiplexed);
            if (action == _defaultAction) continue;
            if (!separate) Add(call, multiplexed, conditions[..count], action, index);
            else foreach (SeccompArg arg in rule.Args) AddSeparate(call, multiplexed, arg, action, index);
        }
    }

    /// <summary>Names times arguments, which are many also where each comes to nothing: the call has a rule for all of them.</summary>
    private void AddSeparate(int call, in Multiplexed multiplexed, SeccompArg arg, uint action, int index)
    {
        if (++_separate > ArgumentTree.MaxTests) throw ArgumentTree.TooMany();
        Add(call, multiplexed, [Read(arg)], action, index);
    }

    /// <summary>
    /// The conditions by ascending argument. False when two are on the same argument: then each becomes a rule of its own, any of which is
    /// enough. That is runc's reading, which profiles like Docker's old ones depend on.
    /// </summary>
    private static bool ReadConditions(SeccompArg[] args, Span<Condition> conditions, out int count)
    {
        count = 0;
        if (args.Length > conditions.Length) return false;
        foreach (SeccompArg arg in args)
        {
            int at = count++;
            for (; at > 0 && conditions[at - 1].Argument > arg.Index; at--) conditions[at] = conditions[at - 1];
            conditions[at] = Read(arg);
            if (at > 0 && conditions[at - 1].Argument == arg.Index) return false;
        }
        return true;
    }

    private static Condition Read(SeccompArg arg)
    {
        Comparison comparison = SeccompWords.Operator(arg.Op);
        return comparison == Comparison.MaskedEqual
            ? new Condition((byte)arg.Index, comparison, arg.Value, arg.ValueTwo)
            : new Condition((byte)arg.Index, comparison, ulong.MaxValue, arg.Value);
    }

    private void Add(int call, in Multiplexed multiplexed, ReadOnlySpan<Condition> conditions, uint action, int index)
    {
        foreach (ArchRules arch in _archs)
        {
            if (arch.Add(call, multiplexed, conditions, action)) continue;
            throw new OciException(
                $"{Pointer}/syscalls/{index}: the rule for {SyscallTable.Name(call)} contradicts an earlier one: it covers the same "
                + $"arguments, but its action is {SeccompWords.Describe(action)}");
        }
    }

    /// <summary>One search per value of seccomp_data.arch, tried in the profile's order, the native one first.</summary>
    private int BuildGraph()
    {
        int otherwise = _graph.Return(_defaultAction);
        // The kernel's own answer to calls it does not know, for calls the profile's author did not know: C libraries fall back to older
        // ones on ENOSYS, and break on EPERM. Where such calls get through anyway there is nothing to do (runc's rule).
        bool permissive = (_defaultAction & SeccompFilter.RET_ACTION_FULL) is SeccompFilter.RET_ALLOW or SeccompFilter.RET_LOG
            or SeccompFilter.RET_TRACE;
        int? newer = permissive ? null : _graph.Return(SeccompFilter.RET_ERRNO | Errno.ENOSYS);
        ArgumentChecks checks = new(_graph, _tree, _bigEndian, otherwise);
        // libseccomp's answer to an architecture that the profile does not list.
        int node = _graph.Return(SeccompFilter.RET_KILL_THREAD);
        for (int i = _archs.Count - 1; i >= 0; i--)
        {
            if (_archs[i].Arch == SeccompArch.X32 && Find(SeccompArch.X64) is not null) continue;
            int search = _graph.Load(SeccompFilter.NumberOffset, BuildMap(_archs[i], checks, otherwise, newer).Build(_graph));
            node = _graph.Test(SeccompFilter.JumpEqual, SeccompArchs.AuditToken(_archs[i].Arch), search, node);
        }
        return _graph.Load(SeccompFilter.ArchOffset, node);
    }

    private NumberMap BuildMap(ArchRules arch, ArgumentChecks checks, int otherwise, int? newer)
    {
        NumberMap map = new();
        if (arch.Arch == SeccompArch.X32)
        {
            // Without x86_64 beside it, which only another machine's profile can be.
            map.From(0, _graph.Return(SeccompFilter.RET_KILL_THREAD));
            FillX32(map, arch, checks, otherwise, newer, otherwise);
            return map;
        }
        map.From(0, otherwise);
        arch.Fill(map, _graph, checks, otherwise, arch.KnowsNewest ? newer : null);
        if (arch.Arch == SeccompArch.X64) AddX32(map, arch, checks, otherwise, newer);
        return map;
    }

    /// <summary>
    /// Calls of x86_64 with bit 30 set are x32's. Without x32 in the profile they are another architecture's, but for -1, by which a tracer
    /// makes the kernel skip a call (seccomp(2)). Numbers beyond both have no owner but the bit.
    /// </summary>
    private void AddX32(NumberMap map, ArchRules x64, ArgumentChecks checks, int otherwise, int? newer)
    {
        int? beyond = x64.KnowsNewest ? newer : null;
        if (Find(SeccompArch.X32) is { } x32)
        {
            FillX32(map, x32, checks, otherwise, newer, beyond ?? otherwise);
            return;
        }
        int kill = _graph.Return(SeccompFilter.RET_KILL_THREAD);
        map.From(SeccompArchs.X32Bit, kill);
        map.From(Upper, beyond ?? kill);
        map.From(Upper | SeccompArchs.X32Bit, kill);
        map.From(uint.MaxValue, otherwise);
    }

    private void FillX32(NumberMap map, ArchRules x32, ArgumentChecks checks, int otherwise, int? newer, int withoutBit)
    {
        int? beyond = x32.KnowsNewest ? newer : null;
        map.From(SeccompArchs.X32Bit, otherwise);
        x32.Fill(map, _graph, checks, otherwise, beyond);
        map.From(Upper, withoutBit);
        map.From(Upper | SeccompArchs.X32Bit, beyond ?? otherwise);
    }

    private ArchRules? Find(SeccompArch arch)
    {
        foreach (ArchRules rules in _archs) if (rules.Arch == arch) return rules;
        return null;
    }
}
