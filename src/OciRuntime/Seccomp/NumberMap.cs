using OciRuntime.Linux;

namespace OciRuntime.Seccomp;

/// <summary>
/// What happens for each of the 2^32 numbers of a system call, as ranges with one target each; and the search tree over them. Neighbours
/// with the same target are one range, which is why the tree is far smaller than the list of calls.
/// </summary>
internal sealed class NumberMap
{
    private Range[] _ranges = new Range[128];
    private int _count;

    /// <summary>
    /// From this number on, until the next call says otherwise, calls go to a target. Numbers ascend; the same one again replaces.
    /// </summary>
    public void From(uint number, int target)
    {
        if (_count > 0 && _ranges[_count - 1].Start == number) _count--;
        if (_count > 0 && _ranges[_count - 1].Target == target) return;
        if (_count == _ranges.Length) Array.Resize(ref _ranges, 2 * _count);
        _ranges[_count++] = new Range(number, target);
    }

    /// <summary>The search. The accumulator holds the number.</summary>
    public int Build(FilterGraph graph)
    {
        JoinExceptions();
        return Build(graph, 0, _count);
    }

    /// <summary>A range that a single number interrupts is one range with an exception: one test where the tree would need two.</summary>
    private void JoinExceptions()
    {
        int kept = 0;
        for (int i = 0; i < _count; i++)
        {
            Range range = _ranges[i];
            while (i + 2 < _count && range.Exceptions < Range.MaxExceptions && _ranges[i + 2].Start == _ranges[i + 1].Start + 1
                && _ranges[i + 2].Target == range.Target)
            {
                range = range.With(_ranges[i + 1]);
                i += 2;
            }
            _ranges[kept++] = range;
        }
        _count = kept;
    }

    private int Build(FilterGraph graph, int first, int end)
    {
        if (end - first > 1)
        {
            int middle = (first + end) / 2;
            return graph.Test(SeccompFilter.JumpGreaterEqual, _ranges[middle].Start, Build(graph, middle, end),
                Build(graph, first, middle));
        }
        Range range = _ranges[first];
        int node = range.Target;
        if (range.Exceptions > 1) node = graph.Test(SeccompFilter.JumpEqual, range.Number2, range.Target2, node);
        if (range.Exceptions > 0) node = graph.Test(SeccompFilter.JumpEqual, range.Number1, range.Target1, node);
        return node;
    }

    private readonly record struct Range(uint Start, int Target)
    {
        public const int MaxExceptions = 2;

        public int Exceptions { get; private init; }
        public uint Number1 { get; private init; }
        public int Target1 { get; private init; }
        public uint Number2 { get; private init; }
        public int Target2 { get; private init; }

        public Range With(Range single) => Exceptions == 0
            ? this with { Exceptions = 1, Number1 = single.Start, Target1 = single.Target }
            : this with { Exceptions = 2, Number2 = single.Start, Target2 = single.Target };
    }
}
