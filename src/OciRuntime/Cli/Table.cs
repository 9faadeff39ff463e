namespace OciRuntime.Cli;

/// <summary>Aligned columns.</summary>
public sealed class Table(params string[] header)
{
    private readonly List<string[]> _rows = [header];

    public void Add(params string[] cells) => _rows.Add(cells);

    public override string ToString() => throw new NotImplementedException();
}
