using OciRuntime.Linux;

namespace OciRuntime.Seccomp;

/// <summary>
/// Lays a graph out as a program. BPF jumps forwards only, and a conditional jump over at most 255 instructions; so the program is written
/// from its end: what an instruction jumps to is there already, and where it is too far away a copy of the return, or a long jump, is put
/// in between and serves everything before it, too.
/// </summary>
internal sealed class FilterAssembler
{
    private const int MaxDistance = 255;
    private readonly FilterGraph _graph;

    // Nearest place of each node, counted from the end of the program; -1 before it has one.
    private readonly int[] _place;
    private SockFilter[] _program = new SockFilter[256];
    private int _length;

    private FilterAssembler(FilterGraph graph)
    {
        _graph = graph;
        _place = new int[graph.Count];
        Array.Fill(_place, -1);
    }

    /// <summary>The program that begins with this node.</summary>
    public static SockFilter[] Assemble(FilterGraph graph, int root)
    {
        FilterAssembler assembler = new(graph);
        assembler.Place(root);
        if (assembler._length > SeccompFilter.MaxInstructions)
        {
            throw new OciException(
                $"/linux/seccomp: the filter has {assembler._length} instructions, the kernel takes {SeccompFilter.MaxInstructions}");
        }
        SockFilter[] program = assembler._program.AsSpan(0, assembler._length).ToArray();
        Array.Reverse(program);
        return program;
    }

    /// <summary>No recursion: a graph is deeper than a small stack has room for.</summary>
    private void Place(int root)
    {
        Stack<int> open = new([root]);
        while (open.TryPeek(out int index))
        {
            FilterNode node = _graph[index];
            // The outcome placed last comes right behind the test: false, as most tests of a list fail.
            if (IsMissing(node, node.True)) open.Push(node.True);
            else if (IsMissing(node, node.False)) open.Push(node.False);
            else PlaceNode(open.Pop(), node);
        }
    }

    /// <summary>Whether it has to have a place before what leads to it. Of a return a copy will do, unless it follows directly.</summary>
    private bool IsMissing(in FilterNode node, int next) =>
        node.Code != SeccompFilter.Return && _place[next] < 0
        && (_graph[next].Code != SeccompFilter.Return || node.Code is SeccompFilter.LoadWord or SeccompFilter.And);

    private void PlaceNode(int index, in FilterNode node)
    {
        switch (node.Code)
        {
            case SeccompFilter.Return: break;
            case SeccompFilter.LoadWord or SeccompFilter.And:
                if (_place[node.True] != _length - 1) Bring(node.True);
                break;
            default:
                // A copy for one outcome moves the other one away.
                while (!Reaches(node.True) || !Reaches(node.False))
                {
                    if (!Reaches(node.True)) Bring(node.True);
                    if (!Reaches(node.False)) Bring(node.False);
                }
                break;
        }
        bool test = node.True != node.False;
        Emit(new SockFilter(node.Code, test ? Distance(node.True) : (byte)0, test ? Distance(node.False) : (byte)0, node.Constant));
        _place[index] = _length - 1;
    }

    private bool Reaches(int node) => _place[node] >= 0 && _length - _place[node] - 1 <= MaxDistance;

    private byte Distance(int node) => (byte)(_length - _place[node] - 1);

    /// <summary>Makes a node available right here: a return as a copy, anything else by a jump without limit.</summary>
    private void Bring(int index)
    {
        FilterNode node = _graph[index];
        Emit(node.Code == SeccompFilter.Return ? new SockFilter(node.Code, 0, 0, node.Constant)
            : new SockFilter(SeccompFilter.Jump, 0, 0, (uint)(_length - _place[index] - 1)));
        _place[index] = _length - 1;
    }

    private void Emit(SockFilter instruction)
    {
        if (_length == _program.Length) Array.Resize(ref _program, 2 * _length);
        _program[_length++] = instruction;
    }
}
