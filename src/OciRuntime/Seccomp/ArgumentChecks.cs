using OciRuntime.Linux;

namespace OciRuntime.Seccomp;

/// <summary>Turns the tests of an <see cref="ArgumentTree"/> into nodes of the filter's graph.</summary>
internal sealed class ArgumentChecks(FilterGraph graph, ArgumentTree tree, bool bigEndian, int otherwise)
{
    // What the accumulator holds when a test is entered decides its first instructions: three forms of a test, each made once.
    private const int Reload = 0, Loaded = 1, Masked = 2, Forms = 3;
    private int[] _made = [];

    /// <summary>The check of a call's arguments; a call that no rule fits goes to the default action.</summary>
    public int Build(int root) => Enter(root, new Accumulator(SeccompFilter.NumberOffset, uint.MaxValue));

    private int Enter(int index, Accumulator accumulator)
    {
        TreeTest test = tree[index];
        // No bit of this half matters: nothing to test, and what follows depends on the accumulator as it is.
        if (test.Mask == 0) return Follow(index, test.True, accumulator);
        Accumulator wanted = new(Offset(test.Word), test.Mask);
        int form = accumulator == wanted ? Masked : accumulator == new Accumulator(wanted.Offset, uint.MaxValue) ? Loaded : Reload;
        int slot = index * Forms + form;
        if (slot >= _made.Length) Array.Resize(ref _made, Math.Max(2 * _made.Length, slot + 64));
        if (_made[slot] != 0) return _made[slot] - 1;
        int node = Make(index, test, wanted, form);
        _made[slot] = node + 1;
        return node;
    }

    private int Make(int index, in TreeTest test, Accumulator wanted, int form)
    {
        bool masked = test.Mask != uint.MaxValue;
        // A test of bits leaves the accumulator as loaded.
        bool bits = masked && form != Masked && (test.Value == 0 || (test.Value == test.Mask && uint.IsPow2(test.Mask)));
        Accumulator after = bits ? wanted with { Mask = uint.MaxValue } : wanted;
        int whenTrue = Follow(index, test.True, after), whenFalse = Follow(index, test.False, after);
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
        if (whenTrue == whenFalse) return node;
        if (masked && !bits && form != Masked) node = graph.And(test.Mask, node);
        return form == Reload ? graph.Load(wanted.Offset, node) : node;
    }

    private int Follow(int index, Branch branch, Accumulator accumulator) => branch.Kind switch
    {
        BranchKind.Action => graph.Return(branch.Value),
        BranchKind.Level => Enter((int)branch.Value, accumulator),
        _ => Leave(index, accumulator),
    };

    /// <summary>The next test of the level, or of the nearest level above that has one left.</summary>
    private int Leave(int index, Accumulator accumulator)
    {
        for (int at = index; at != ArgumentTree.None; at = tree[at].Parent)
        {
            if (tree[at].Next != ArgumentTree.None) return Enter(tree[at].Next, accumulator);
        }
        return otherwise;
    }

    private uint Offset(byte word) => SeccompFilter.ArgumentsOffset + (8 * ((uint)word >> 1)) + (((word & 1) != 0) == bigEndian ? 0u : 4u);

    private static ushort Code(WordTest test) => test switch
    {
        WordTest.Greater => SeccompFilter.JumpGreater,
        WordTest.GreaterOrEqual => SeccompFilter.JumpGreaterEqual,
        _ => SeccompFilter.JumpEqual,
    };

    private readonly record struct Accumulator(uint Offset, uint Mask);
}
