using System.Text;

namespace OciRuntime.Cli;

/// <summary>Columns aligned as Go's tabwriter does for runc's list: at least 12 wide, 3 spaces between, nothing behind the last.</summary>
public sealed class Table(params string[] header)
{
    private const int MinimumWidth = 12;
    private const int Padding = 3;

    private readonly List<string[]> _rows = [header];

    public void Add(params string[] cells)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(cells.Length, _rows[0].Length);
        _rows.Add(cells);
    }

    public override string ToString()
    {
        int last = _rows[0].Length - 1;
        // Once for all rows: a host may have ten thousand containers.
        int[] widths = new int[last];
        for (int column = 0; column < last; column++) widths[column] = WidthOf(column);
        StringBuilder text = new();
        foreach (string[] row in _rows)
        {
            for (int column = 0; column < last; column++) text.Append(row[column]).Append(' ', widths[column] - Letters(row[column]));
            text.Append(row[last]).Append('\n');
        }
        return text.ToString();
    }

    private int WidthOf(int column) => Math.Max(MinimumWidth, _rows.Max(r => Letters(r[column])) + Padding);

    // Code points, as Go counts.
    private static int Letters(string text)
    {
        int count = 0;
        foreach (Rune _ in text.EnumerateRunes()) count++;
        return count;
    }
}
