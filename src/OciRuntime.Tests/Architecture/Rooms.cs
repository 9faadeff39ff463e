using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Architecture;

/// <summary>A room of the program, as docs/architecture.md has it.</summary>
/// <param name="Knows">The rooms whose types it uses.</param>
/// <param name="IsUnsafe">It may have unsafe code.</param>
internal sealed record Room(string[] Knows, bool IsUnsafe);

/// <summary>The table of rooms in docs/architecture.md.</summary>
internal static class Rooms
{
    private const string Header = "| folder | what is in it | knows | unsafe code |";

    /// <summary>By their names; Program.cs, which is in none, is left out.</summary>
    public static readonly Dictionary<string, Room> All = Read();

    /// <summary>A room; one that knows nothing when there is none of that name.</summary>
    public static Room Find(string name) => All.GetValueOrDefault(name, new Room([], false));

    private static Dictionary<string, Room> Read()
    {
        string[] lines = File.ReadAllLines(Path.Combine(Ocirun.RepositoryRoot, "docs/architecture.md"));
        Dictionary<string, Room> rooms = [];
        foreach (string line in lines.SkipWhile(static line => line != Header).Skip(2).TakeWhile(static line => line.StartsWith('|')))
        {
            string[] cells = line.Split('|', StringSplitOptions.TrimEntries);
            if (!cells[1].EndsWith("/`", StringComparison.Ordinal)) continue;
            string[] knows = cells[3] == "nothing" ? [] : cells[3].Split(',', StringSplitOptions.TrimEntries);
            bool isUnsafe = cells[4] switch { "yes" => true, "no" => false, _ => throw new FormatException(line) };
            rooms.Add(cells[1].Trim('`', '/'), new Room(knows, isUnsafe));
        }
        return rooms.Count > 0 ? rooms : throw new FormatException("docs/architecture.md has no table of rooms");
    }
}
