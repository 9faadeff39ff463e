using OciRuntime.Linux;

namespace OciRuntime.Seccomp;

/// <summary>Turns the tests of an <see cref="ArgumentTree"/> into nodes of the filter's graph.</summary>
internal sealed class ArgumentChecks(FilterGraph graph, ArgumentTree tree, bool bigEndian, int otherwise)
{
    // What the accumulator holds when a test is entered decides its first instructions: three forms of a test, each made once.
    private const int Reload = 0, Loaded = 1, Masked = 2, Forms = 3;
    private int[] _made = [];

    // No recursion: one test leads to the next, and a level has more of them than a small stack has room for.
    private readonly Stack<Entry> _unmade = new();

    /// <summary>The check of a call's arguments; a call that no rule fits goes to the default action.</summary>
    public int Build(int root)
    {
        int First() => Follow(ArgumentTree.None, Branch.ToLevel(root), new Accumulator(SeccompFilter.NumberOffset, uint.MaxValue));
        int made = First();
        if (made >= 0) return made;
        while (_unmade.TryPeek(out Entry entry)) if (TryMake(entry)) _unmade.Pop();
        return First();
    }

    /// <summary>False when what it leads to is to be made first.</summary>
    private bool TryMake(Entry entry)
    {
        TreeTest test = tree[entry.Index];
        Accumulator wanted = Wanted(test);
        bool masked = test.Mask != uint.MaxValue;
        // A test of bits leaves the accumulator as loaded.
        bool bits = masked && entry.Form != Masked && (test.Value == 0 || (test.Value == test.Mask && uint.IsPow2(test.Mask)));
        Accumulator after = bits ? wanted with { Mask = uint.MaxValue } : wanted;
        int whenTrue = Follow(entry.Index, test.True, after);
        if (whenTrue < 0) return false;
        int whenFalse = Follow(entry.Index, test.False, after);
        if (whenFalse < 0) return false;
        int node;
        if (bits)
        {
            node = test.Value == 0 ? graph.Test(SeccompFilter.JumpSet, test.Mask, whenFalse, whenTrue)
                : graph.Test(SeccompFilter.JumpSet, test.Mask, whenTrue, whenFalse);
        }
        else
        {
            node = graph.Test(Code(test.Test), test.Value, whenTrue, whenFalse);
        }
        if (whenTrue != whenFalse)
        {
            if (masked && !bits && entry.Form != Masked) node = graph.And(test.Mask, node);
            if (entry.Form == Reload) node = graph.Load(wanted.Offset, node);
        }
        _made[entry.Slot] = node + 1;
        return true;
    }

    /// <summary>The node that a branch of a test leads to; -1 when it is not made yet, and noted as missing.</summary>
    private int Follow(int index, Branch branch, Accumulator accumulator)
    {
        while (branch.Kind != BranchKind.Action)
        {
            index = branch.Kind == BranchKind.Level ? (int)branch.Value : Next(index);
            if (index == ArgumentTree.None) return otherwise;
            TreeTest test = tree[index];
            if (test.Mask != 0) return Enter(index, Wanted(test), accumulator);
            // No bit of this half matters: nothing to test, and what follows depends on the accumulator as it is.
            branch = test.True;
        }
        return graph.Return(branch.Value);
    }

    private int Enter(int index, Accumulator wanted, Accumulator accumulator)
    {
        int form = accumulator == wanted ? Masked : accumulator == new Accumulator(wanted.Offset, uint.MaxValue) ? Loaded : Reload;
        Entry entry = new(index, form);
        if (entry.Slot >= _made.Length) Array.Resize(ref _made, Math.Max(2 * _made.Length, entry.Slot + 64));
        if (_made[entry.Slot] == 0) _unmade.Push(entry);
        return _made[entry.Slot] - 1;
    }

    /// <summary>The next test of the level, or of the nearest level above that has one left.</summary>
    private int Next(int index)
    {
        for (int at = index; at != ArgumentTree.None; at = tree[at].Parent)
        {
            if (tree[at].Next != ArgumentTree.None) return tree[at].Next;
        }
        return ArgumentTree.None;
    }

    private Accumulator Wanted(in TreeTest test) => new(Offset(test.Word), test.Mask);

    private uint Offset(byte word) => SeccompFilter.ArgumentsOffset + (8 * ((uint)word >> 1)) + (((word & 1) != 0) == bigEndian ? 0u : 4u);

    private static ushort Code(WordTest test) => test switch
    {
        WordTest.Greater => SeccompFilter.JumpGreater,
        WordTest.GreaterOrEqual => SeccompFilter.JumpGreaterEqual,
        _ => SeccompFilter.JumpEqual,
    };

    private readonly record struct Accumulator(uint Offset, uint Mask);

    /// <summary>A test in one of its forms.</summary>
    private readonly record struct Entry(int Index, int Form)
    {
        public int Slot => Index * Forms + Form;
    }
}
