using OciRuntime.Linux;

namespace OciRuntime.Seccomp;

/// <summary>
/// A filter as a graph: each node an instruction, with the nodes that follow it instead of jump distances. Equal nodes are one, so equal
/// tails of argument checks exist once. <see cref="FilterAssembler"/> turns it into a program.
/// </summary>
internal sealed class FilterGraph
{
    // Every node becomes an instruction: what has so many more than a program may have cannot become one.
    private const int MaxNodes = 2 * SeccompFilter.MaxInstructions;
    private FilterNode[] _nodes = new FilterNode[256];
    private int[] _hash = new int[512];

    public int Count { get; private set; }

    public ref readonly FilterNode this[int node] => ref _nodes[node];

    /// <summary>Ends with an action.</summary>
    public int Return(uint action) => Node(SeccompFilter.Return, action, 0, 0);

    /// <summary>Loads a word of seccomp_data.</summary>
    public int Load(uint offset, int next) => Node(SeccompFilter.LoadWord, offset, next, next);

    public int And(uint mask, int next) => Node(SeccompFilter.And, mask, next, next);

    /// <summary>A comparison; none at all when both outcomes go the same way.</summary>
    public int Test(ushort code, uint constant, int whenTrue, int whenFalse) =>
        whenTrue == whenFalse ? whenTrue : Node(code, constant, whenTrue, whenFalse);

    /// <summary>What is said of a filter that is not written down any further.</summary>
    public static OciException TooLong() =>
        new($"/linux/seccomp: the filter is far longer than the {SeccompFilter.MaxInstructions} instructions that the kernel takes");

    private int Node(ushort code, uint constant, int whenTrue, int whenFalse)
    {
        FilterNode node = new(code, constant, whenTrue, whenFalse);
        int mask = _hash.Length - 1;
        int at = (int)node.Hash & mask;
        for (; _hash[at] != 0; at = (at + 1) & mask) if (_nodes[_hash[at] - 1] == node) return _hash[at] - 1;
        if (Count == MaxNodes) throw TooLong();
        if (Count == _nodes.Length)
        {
            Grow();
            return Node(code, constant, whenTrue, whenFalse);
        }
        _nodes[Count] = node;
        _hash[at] = ++Count;
        return Count - 1;
    }

    private void Grow()
    {
        Array.Resize(ref _nodes, 2 * _nodes.Length);
        _hash = new int[2 * _nodes.Length];
        for (int i = 0; i < Count; i++) Rehash(i);
    }

    private void Rehash(int node)
    {
        int mask = _hash.Length - 1;
        int at = (int)_nodes[node].Hash & mask;
        while (_hash[at] != 0) at = (at + 1) & mask;
        _hash[at] = node + 1;
    }
}

/// <summary>An instruction and what follows it; for all but comparisons both are the same.</summary>
internal readonly record struct FilterNode(ushort Code, uint Constant, int True, int False)
{
    public uint Hash
    {
        get
        {
            uint h = (Code * 0x9e3779b1) ^ (Constant * 0x85ebca6b) ^ ((uint)True * 0xc2b2ae35) ^ ((uint)False * 0x27d4eb2f);
            return h ^ (h >> 15);
        }
    }
}
