using OciRuntime.Linux;
using OciRuntime.Seccomp;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Seccomp;

/// <summary>
/// A third opinion, slow and simple: which actions a profile can mean for a call, rule by rule and without any merging. It tells who is
/// wrong when the compiler and libseccomp differ, and it has the ENOSYS rule, which libseccomp has not.
/// </summary>
internal sealed class ProfileMeaning
{
    private const uint Enosys = SeccompFilter.RET_ERRNO | Errno.ENOSYS;
    private readonly Dictionary<(uint Arch, uint Number), List<Rule>> _rules = [];
    private readonly Dictionary<SeccompArch, uint> _largest = [];
    private readonly List<SeccompArch> _archs;
    private readonly uint _defaultAction;

    public ProfileMeaning(LinuxSeccomp profile, SeccompArch native)
    {
        _defaultAction = SeccompWords.Action(profile.DefaultAction, profile.DefaultErrnoRet);
        _archs = [.. profile.Architectures.Select(static word => SeccompArchs.Parse(word)!.Value).Prepend(native).Distinct()];
        foreach (SeccompSyscall rule in profile.Syscalls)
        {
            foreach (string name in rule.Names) foreach (SeccompArch arch in _archs) Add(rule, name, arch);
        }
    }

    /// <summary>Numbers with conditional rules, and the rules' values, for choosing samples.</summary>
    public IEnumerable<((uint Arch, uint Number) Call, ulong[] Values)> Conditional => _rules
        .Where(static pair => pair.Value.Exists(static rule => rule.Conditions.Length > 0))
        .Select(static pair => (pair.Key,
        pair.Value.SelectMany(static rule => rule.Conditions).SelectMany(static c => new[] { c.Value, c.Mask }).Distinct().ToArray()));

    /// <summary>True where the ENOSYS rule answers, whatever the rules say.</summary>
    public bool IsNewer(SampleCall call)
    {
        if ((_defaultAction & SeccompFilter.RET_ACTION_FULL) is SeccompFilter.RET_ALLOW or SeccompFilter.RET_LOG or SeccompFilter.RET_TRACE)
            return false;
        bool x32 = call.Arch == SeccompArchs.AuditToken(SeccompArch.X64) && (call.Number & SeccompArchs.X32Bit) != 0;
        foreach (SeccompArch arch in _archs)
        {
            if (SeccompArchs.AuditToken(arch) != call.Arch || (arch == SeccompArch.X32) != x32) continue;
            if (!_largest.TryGetValue(arch, out uint largest) || largest == SeccompArchs.KernelNumber(arch, 0) && arch != SeccompArch.X32)
                return false;
            return call.Number > largest || (call.Number == 0 && arch is SeccompArch.S390 or SeccompArch.S390X);
        }
        return false;
    }

    /// <summary>The actions that can be meant: one, but for rules with different actions that all fit.</summary>
    public uint[] Actions(SampleCall call)
    {
        if (!_rules.TryGetValue((call.Arch, call.Number), out List<Rule>? rules)) return [_defaultAction];
        Rule? always = rules.Find(static rule => rule.Conditions.Length == 0);
        if (always is not null) return [always.Action];
        uint[] fitting = [.. rules.Where(rule => rule.Fits(call)).Select(static rule => rule.Action).Distinct()];
        return fitting.Length > 0 ? fitting : [_defaultAction];
    }

    public static uint NewCallAction => Enosys;

    private void Add(SeccompSyscall rule, string name, SeccompArch arch)
    {
        int index = SyscallTable.Find(name);
        if (index < 0) return;
        Multiplexed multiplexed = SeccompArchs.IsMultiplexed(arch) ? SyscallTable.Multiplex(index) : new(-1, 0);
        int number = SyscallTable.Number(index, arch);
        uint action = SeccompWords.Action(rule.Action, rule.ErrnoRet);
        foreach (int one in (int[])[number, multiplexed.Number])
        {
            if (one < 0) continue;
            uint kernel = SeccompArchs.KernelNumber(arch, one);
            _largest[arch] = Math.Max(_largest.GetValueOrDefault(arch), kernel);
            if (action == _defaultAction) continue;
            bool any = rule.Args.Select(static a => a.Index).Distinct().Count() != rule.Args.Length;
            foreach (SeccompArg[] args in any ? rule.Args.Select(static a => new[] { a }) : [rule.Args])
            {
                AddRule(SeccompArchs.AuditToken(arch), kernel, args, action, SeccompArchs.IsWide(arch), one == number ? 0
                    : multiplexed.Function);
            }
        }
    }

    private void AddRule(uint arch, uint number, SeccompArg[] args, uint action, bool wide, int function)
    {
        ulong limit = wide ? ulong.MaxValue : uint.MaxValue;
        List<RuleCondition> conditions = [];
        if (function != 0) conditions.Add(new RuleCondition(0, "SCMP_CMP_EQ", limit, (ulong)function));
        foreach (SeccompArg arg in args)
        {
            if (function != 0 && arg.Index == 0) continue;
            bool masked = arg.Op == "SCMP_CMP_MASKED_EQ";
            ulong mask = (masked ? arg.Value : ulong.MaxValue) & limit;
            if (mask != 0) conditions.Add(new RuleCondition(arg.Index, arg.Op, mask, (masked ? arg.ValueTwo : arg.Value) & limit));
        }
        if (!_rules.TryGetValue((arch, number), out List<Rule>? rules)) _rules[(arch, number)] = rules = [];
        rules.Add(new Rule(action, [.. conditions]));
    }

    private sealed record Rule(uint Action, RuleCondition[] Conditions)
    {
        public bool Fits(SampleCall call) => Conditions.All(c => c.Fits(call.Arguments[c.Index]));
    }

    private readonly record struct RuleCondition(uint Index, string Operator, ulong Mask, ulong Value)
    {
        public bool Fits(ulong argument)
        {
            ulong a = argument & Mask, v = Value & Mask;
            return Operator switch
            {
                "SCMP_CMP_NE" => a != v,
                "SCMP_CMP_LT" => a < v,
                "SCMP_CMP_LE" => a <= v,
                "SCMP_CMP_GE" => a >= v,
                "SCMP_CMP_GT" => a > v,
                _ => a == v,
            };
        }
    }
}
