using OciRuntime.Linux;

namespace OciRuntime.Seccomp;

/// <summary>The rules of one architecture, by system call.</summary>
internal sealed class ArchRules(SeccompArch arch, ArgumentTree tree)
{
    private readonly CallRule[] _calls = new CallRule[SyscallTable.MaxNumber];
    private readonly bool _wide = SeccompArchs.IsWide(arch);
    private readonly bool _multiplexed = SeccompArchs.IsMultiplexed(arch);
    private int _largest;

    public SeccompArch Arch { get; } = arch;

    /// <summary>
    /// The profile names this call, whatever it says about it. Calls beyond the largest one are newer than the profile. Those that
    /// socketcall and ipc stand for count with both numbers.
    /// </summary>
    public void Mention(int index, in Multiplexed multiplexed)
    {
        _largest = Math.Max(_largest, SyscallTable.Number(index, Arch));
        if (_multiplexed && multiplexed.Number >= 0) _largest = Math.Max(_largest, multiplexed.Number);
    }

    /// <summary>Adds a rule; false when it contradicts an earlier one.</summary>
    public bool Add(int index, in Multiplexed multiplexed, ReadOnlySpan<Condition> conditions, uint action)
    {
        if (_multiplexed && multiplexed.Number >= 0)
        {
            Span<Condition> changed = stackalloc Condition[7];
            // The first argument is which function is called; the call's own arguments are behind a pointer. libseccomp, too, lets the
            // function take the place of a condition on the first argument and keeps conditions on others.
            changed[0] = new Condition(0, Comparison.Equal, ulong.MaxValue, (ulong)multiplexed.Function);
            int count = 1;
            foreach (ref readonly Condition c in conditions) if (c.Argument != 0) changed[count++] = c;
            if (!Add(multiplexed.Number, changed[..count], action)) return false;
        }
        int number = SyscallTable.Number(index, Arch);
        return number < 0 || Add(number, conditions, action);
    }

    private bool Add(int number, ReadOnlySpan<Condition> conditions, uint action)
    {
        ref CallRule call = ref _calls[number];
        // The first rule without conditions covers everything, before and after it.
        if (call.Kind == CallKind.Always) return true;
        if (!conditions.IsEmpty) return AddConditional(ref call, conditions, action);
        call = new CallRule(CallKind.Always, (int)action);
        return true;
    }

    private bool AddConditional(ref CallRule call, ReadOnlySpan<Condition> conditions, uint action)
    {
        Span<Condition> needed = stackalloc Condition[7];
        int count = 0;
        foreach (ref readonly Condition c in conditions) if (!c.IsTautology(_wide)) needed[count++] = c;
        if (count == 0)
        {
            call = new CallRule(CallKind.Always, (int)action);
            return true;
        }
        int root = call.Kind == CallKind.Conditional ? call.Value : ArgumentTree.None;
        bool good = tree.Add(ref root, needed[..count], _wide, action);
        call = new CallRule(CallKind.Conditional, root);
        return good;
    }

    /// <summary>What becomes of a call whatever its arguments are, or null where they matter.</summary>
    /// <param name="index">The call.</param>
    /// <param name="otherwise">The action without a rule.</param>
    public uint? ActionOf(int index, uint otherwise)
    {
        CallRule call = _calls[SyscallTable.Number(index, Arch)];
        return call.Kind switch { CallKind.None => otherwise, CallKind.Always => (uint)call.Value, _ => null };
    }

    /// <summary>
    /// The profile names a call above 0, so that there is a telling what it knew; runc, too, leaves an architecture alone where it does
    /// not.
    /// </summary>
    public bool KnowsNewest => _largest > 0;

    /// <summary>Puts this architecture's numbers into the map, which says "otherwise" so far.</summary>
    /// <param name="map">The map.</param>
    /// <param name="graph">The filter.</param>
    /// <param name="checks">Argument checks.</param>
    /// <param name="otherwise">Target of calls without a rule.</param>
    /// <param name="newer">Target of calls newer than the profile, or null when they are like all others.</param>
    public void Fill(NumberMap map, FilterGraph graph, ArgumentChecks checks, int otherwise, int? newer)
    {
        // Most calls have the same action.
        int action = (int)SeccompFilter.RET_ALLOW, always = graph.Return(SeccompFilter.RET_ALLOW);
        bool isS390 = Arch is SeccompArch.S390 or SeccompArch.S390X;
        for (int number = 0; number < _calls.Length; number++)
        {
            CallRule call = _calls[number];
            // On s390 a number that the kernel does not know arrives as 0, setup(2).
            if (number == 0 && isS390 && newer is not null) call = new CallRule(CallKind.None, 0);
            else if (call.Kind == CallKind.None) continue;
            uint at = SeccompArchs.KernelNumber(Arch, number);
            bool common = call.Kind == CallKind.Always && call.Value == action;
            map.From(at, common ? always : Target(call, graph, checks, newer ?? otherwise));
            map.From(at + 1, otherwise);
        }
        if (newer is not null) map.From(SeccompArchs.KernelNumber(Arch, _largest) + 1, newer.Value);
    }

    private static int Target(CallRule call, FilterGraph graph, ArgumentChecks checks, int setup) => call.Kind switch
    {
        CallKind.Always => graph.Return((uint)call.Value),
        CallKind.Conditional => checks.Build(call.Value),
        _ => setup,
    };

    private enum CallKind : byte
    {
        None, Always, Conditional,
    }

    /// <summary>Always: the action; Conditional: the tree's first test.</summary>
    private readonly record struct CallRule(CallKind Kind, int Value);
}

/// <summary>A call that socketcall(2) or ipc(2) stands for on some architectures.</summary>
/// <param name="Number">Table number of socketcall or ipc, or -1.</param>
/// <param name="Function">Their first argument.</param>
internal readonly record struct Multiplexed(int Number, int Function);
