using OciRuntime.Linux;

namespace OciRuntime.Seccomp;

/// <summary>Test of one 32-bit word, which is all that classic BPF can load.</summary>
internal enum WordTest : byte
{
    Equal, MaskedEqual, Greater, GreaterOrEqual,
}

/// <summary>Where an outcome of a test leads.</summary>
/// <param name="Kind">What <paramref name="Value"/> is.</param>
/// <param name="Value">An action, or the first test of a level.</param>
internal readonly record struct Branch(BranchKind Kind, uint Value)
{
    public static Branch ToAction(uint action) => new(BranchKind.Action, action);

    public static Branch ToLevel(int test) => new(BranchKind.Level, (uint)test);
}

/// <summary>Kinds of branches. None goes on with the next test of the level, and after the last with the next of the level above.</summary>
internal enum BranchKind : byte
{
    None, Action, Level,
}

/// <summary>One test of the tree.</summary>
internal struct TreeTest
{
    /// <summary>The word: argument * 2, plus 1 for the more significant half.</summary>
    public byte Word;
    public WordTest Test;

    /// <summary>Operator of the rule that brought the test: decides its place in the level.</summary>
    public Comparison Origin;
    public uint Mask, Value;

    /// <summary>The whole 64-bit value of the rule.</summary>
    public ulong Full;
    public Branch True, False;

    /// <summary>The next test of the level, and the test whose branch the level is; -1 for none.</summary>
    public int Next, Parent;
}

/// <summary>
/// The conditional rules of a system call, merged: rules that begin with the same tests share them. A level is a list of tests, tried one
/// after the other, the most specific first, in libseccomp's order (docs/seccomp.md), because that order decides which of two rules with
/// different actions wins. All trees of a profile live in one list.
/// </summary>
internal sealed class ArgumentTree
{
    public const int None = -1;

    // Equal ones of different calls become one instruction, so that far more than a program has room for may be in order.
    public const int MaxTests = 16 * SeccompFilter.MaxInstructions;
    private TreeTest[] _tests = new TreeTest[64];
    private int _count;

    public ref readonly TreeTest this[int test] => ref _tests[test];

    /// <summary>Adds a rule. False when it contradicts an earlier one: the same conditions, but a different action.</summary>
    /// <param name="root">First test of the call's tree, or None for a new one.</param>
    /// <param name="rule">Conditions by ascending argument, each on another one, none a tautology.</param>
    /// <param name="wide">64-bit arguments.</param>
    /// <param name="action">The rule's action.</param>
    public bool Add(ref int root, ReadOnlySpan<Condition> rule, bool wide, uint action)
    {
        int chain = (int)Chain(rule, wide, action).Value;
        if (root != None) return Merge(ref root, chain, None);
        root = chain;
        _tests[chain].Parent = None;
        return true;
    }

    /// <summary>
    /// The rule on its own as tests. Where two outcomes go on with the next condition, each gets a copy: merging changes them separately.
    /// </summary>
    private Branch Chain(ReadOnlySpan<Condition> rule, bool wide, uint action)
    {
        if (rule.IsEmpty) return Branch.ToAction(action);
        Condition c = rule[0];
        ReadOnlySpan<Condition> rest = rule[1..];
        if (!wide) return Last(c, 0, Chain(rest, wide, action));
        switch (c.Operator)
        {
            case Comparison.Equal or Comparison.MaskedEqual:
                return Test(c, 1, Simple(c), Last(c, 0, Chain(rest, wide, action)), default);
            case Comparison.NotEqual:
                return Test(c, 1, WordTest.Equal, Last(c, 0, Chain(rest, wide, action)), Chain(rest, wide, action));
            default:
                // Above the value in the upper half decides; else equality leaves it to the lower half; else it is below.
                bool below = c.Operator is Comparison.Less or Comparison.LessOrEqual;
                Branch equal = Test(c, 1, WordTest.Equal, Last(c, 0, Chain(rest, wide, action)), below
                    ? Chain(rest, wide, action) : default);
                return Test(c, 1, WordTest.Greater, below ? default : Chain(rest, wide, action), equal);
        }
    }

    /// <summary>The test of the lower half, with the accepting outcome on the side that the operator has it.</summary>
    private Branch Last(in Condition c, int half, Branch accept)
    {
        bool negated = c.Operator is Comparison.NotEqual or Comparison.Less or Comparison.LessOrEqual;
        return Test(c, half, Simple(c), negated ? default : accept, negated ? accept : default);
    }

    /// <summary>BPF compares for =, &gt; and &gt;= only; the others are their negations.</summary>
    private static WordTest Simple(in Condition c) => c.Operator switch
    {
        Comparison.MaskedEqual => WordTest.MaskedEqual,
        Comparison.Greater or Comparison.LessOrEqual => WordTest.Greater,
        Comparison.GreaterOrEqual or Comparison.Less => WordTest.GreaterOrEqual,
        _ => WordTest.Equal,
    };

    /// <summary>What is said of rules that are not read any further.</summary>
    public static OciException TooMany() =>
        new("/linux/seccomp: the conditions on arguments, for each call and architecture, come to more than "
            + $"{MaxTests} tests, the limit of ocirun");

    private Branch Test(in Condition c, int half, WordTest test, Branch whenTrue, Branch whenFalse)
    {
        if (_count == MaxTests) throw TooMany();
        if (_count == _tests.Length) Array.Resize(ref _tests, 2 * _count);
        int index = _count++;
        uint mask = (uint)(c.Mask >> (32 * half));
        _tests[index] = new TreeTest
        {
            Word = (byte)(2 * c.Argument + half),
            Test = test,
            Origin = c.Operator,
            Mask = mask,
            Value = (uint)(c.Value >> (32 * half)) & mask,
            Full = c.Value,
            True = whenTrue,
            False = whenFalse,
            Next = None,
            Parent = None,
        };
        Adopt(index, whenTrue);
        Adopt(index, whenFalse);
        return Branch.ToLevel(index);
    }

    private void Adopt(int parent, Branch branch)
    {
        if (branch.Kind == BranchKind.Level) _tests[branch.Value].Parent = parent;
    }

    /// <summary>Puts a test with all below it into a level.</summary>
    private bool Merge(ref int level, int added, int parent)
    {
        int previous = None, length = 0;
        for (int at = level; at != None; previous = at, at = _tests[at].Next)
        {
            // They differ: each is an instruction of its own.
            if (++length == SeccompFilter.MaxInstructions) throw FilterGraph.TooLong();
            if (IsSame(_tests[at], _tests[added])) return MergeBranches(at, added);
            if (IsBefore(_tests[added], _tests[at])) return Insert(ref level, previous, at, added, parent);
        }
        return Insert(ref level, previous, None, added, parent);
    }

    private bool Insert(ref int level, int previous, int next, int added, int parent)
    {
        if (previous == None) level = added;
        else _tests[previous].Next = added;
        _tests[added].Next = next;
        _tests[added].Parent = parent;
        return true;
    }

    private bool MergeBranches(int at, int added)
    {
        Branch whenTrue = _tests[at].True, whenFalse = _tests[at].False;
        // Of two "greater" rules the one with the greater value is the more specific one; in the upper halves, which may be equal, the
        // whole values have to tell.
        bool replace = (_tests[added].Word & 1) != 0 && _tests[added].Full > _tests[at].Full;
        bool leaf = IsLeaf(at) || IsLeaf(added);
        bool good = MergeBranch(ref whenTrue, _tests[added].True, at, replace, leaf)
            && MergeBranch(ref whenFalse, _tests[added].False, at, false, leaf);
        _tests[at].True = whenTrue;
        _tests[at].False = whenFalse;
        return good;
    }

    private bool MergeBranch(ref Branch existing, Branch added, int parent, bool replace, bool leaf)
    {
        if (added.Kind == BranchKind.None) return true;
        if (existing.Kind == BranchKind.None)
        {
            existing = added;
            Adopt(parent, added);
            return true;
        }
        if (existing.Kind == BranchKind.Action)
        {
            // The earlier rule needs fewer conditions: it covers the new one.
            if (added.Kind == BranchKind.Level || added.Value == existing.Value) return true;
            if (replace) existing = added;
            return !leaf;
        }
        if (added.Kind == BranchKind.Action)
        {
            // The new rule covers earlier ones. With another action that would be a contradiction.
            if (!HasOnly((int)existing.Value, added.Value)) return false;
            existing = added;
            return true;
        }
        int level = (int)existing.Value;
        bool good = Merge(ref level, (int)added.Value, parent);
        existing = Branch.ToLevel(level);
        return good;
    }

    private bool IsLeaf(int test) => _tests[test].True.Kind != BranchKind.Level && _tests[test].False.Kind != BranchKind.Level;

    private bool HasOnly(int level, uint action)
    {
        for (int at = level; at != None; at = _tests[at].Next)
            if (!HasOnly(_tests[at].True, action) || !HasOnly(_tests[at].False, action)) return false;
        return true;
    }

    private bool HasOnly(Branch branch, uint action) => branch.Kind switch
    {
        BranchKind.None => true,
        BranchKind.Action => branch.Value == action,
        _ => HasOnly((int)branch.Value, action),
    };

    private static bool IsSame(in TreeTest a, in TreeTest b) =>
        a.Word == b.Word && a.Test == b.Test && a.Value == b.Value && a.Mask == b.Mask;

    /// <summary>
    /// Order in a level: higher arguments first and upper halves before lower ones; equality before "less" before "greater"; then the
    /// greater value first, for "less" the smaller one.
    /// </summary>
    private static bool IsBefore(in TreeTest a, in TreeTest b)
    {
        if (a.Word != b.Word) return a.Word > b.Word;
        int rankA = Rank(a.Origin), rankB = Rank(b.Origin);
        if (rankA != rankB) return rankA > rankB;
        return b.Origin is Comparison.Less or Comparison.LessOrEqual ? a.Value < b.Value : a.Value > b.Value;
    }

    private static int Rank(Comparison origin) => origin switch
    {
        Comparison.Greater or Comparison.GreaterOrEqual => 1,
        Comparison.Less or Comparison.LessOrEqual => 2,
        _ => 3,
    };
}
