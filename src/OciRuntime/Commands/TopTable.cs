using System.Globalization;
using System.Text;

namespace OciRuntime.Commands;

/// <summary>
/// The table of <c>top</c>. What is too wide for the terminal goes column by column, what is too high below the last line.
/// </summary>
internal static class TopTable
{
    private const int Bar = 10, NarrowestName = 12;

    private sealed record Column(string Header, int Width, Func<TopRow, string> Cell);

    // The name comes last, with the width that is left. The order in which columns are given up is that of Dispensable.
    private static Column[] Columns =>
    [
        new("CPU%", 7, static r => r.Cpu is { } cpu ? cpu.ToString("F1", CultureInfo.InvariantCulture) : "-"),
        new("MEMORY", 7, static r => Size(r.Usage.Memory)),
        new("", -Bar - 2, static r => Gauge(r.Usage.Memory, r.Usage.MemoryLimit)),
        new("LIMIT", 7, static r => Size(r.Usage.MemoryLimit)),
        new("PIDS", 11, static r => Count(r.Usage.Pids) + (r.Usage.PidsLimit is { } limit ? "/" + Count(limit) : "")),
        new("READ/s", 7, static r => Size(r.Read)),
        new("WRITE/s", 7, static r => Size(r.Written)),
        new("STATE", -10, static r => r.Status),
    ];

    private static readonly int[] Dispensable = [2, 3, 5, 6, 4, 7];

    /// <param name="rows">Sorted.</param>
    /// <param name="width">Columns of the terminal; 0 for no limit.</param>
    /// <param name="height">Its lines; 0 for no limit.</param>
    public static List<string> Lines(List<TopRow> rows, int width, int height)
    {
        List<Column> columns = Fitting(width);
        List<string> lines = [Summary(rows), Line(columns, static c => c.Header, "NAME")];
        int shown = height == 0 || rows.Count + 2 <= height ? rows.Count : Math.Max(0, height - 3);
        foreach (TopRow row in rows.GetRange(0, shown)) lines.Add(Line(columns, c => c.Cell(row), row.Id));
        if (shown < rows.Count) lines.Add($"… and {rows.Count - shown} more");
        return width == 0 ? lines : lines.ConvertAll(line => line.Length <= width ? line : line[..width]);
    }

    private static List<Column> Fitting(int width)
    {
        Column[] all = Columns;
        List<Column> columns = [.. all];
        for (int i = 0; width > 0 && i < Dispensable.Length && columns.Sum(static c => Math.Abs(c.Width) + 1) + NarrowestName > width; i++)
            columns.Remove(all[Dispensable[i]]);
        return columns;
    }

    private static string Summary(List<TopRow> rows)
    {
        StringBuilder text = new($"{rows.Count} container{(rows.Count == 1 ? "" : "s")}");
        string separator = ": ";
        foreach (IGrouping<string, TopRow> group in rows.GroupBy(static r => r.Status).OrderBy(static g => g.Key, StringComparer.Ordinal))
        {
            text.Append(separator).Append(group.Count()).Append(' ').Append(group.Key);
            separator = ", ";
        }
        return text.ToString();
    }

    private static string Line(List<Column> columns, Func<Column, string> cell, string name)
    {
        StringBuilder line = new();
        foreach (Column column in columns)
            line.Append(column.Width < 0 ? cell(column).PadRight(-column.Width) : cell(column).PadLeft(column.Width)).Append(' ');
        return line.Append(name).ToString();
    }

    private static string Gauge(ulong? used, ulong? limit)
    {
        if (used is not { } now || limit is not { } most || most == 0) return "";
        int filled = (int)Math.Clamp(Math.Ceiling((double)now * Bar / most), 0, Bar);
        return $"[{new string('|', filled)}{new string(' ', Bar - filled)}]";
    }

    private static string Count(ulong? value) => value?.ToString(CultureInfo.InvariantCulture) ?? "-";

    /// <summary>Three digits and a unit: 512B, 30.4M, 1.20G; powers of 1024.</summary>
    internal static string Size(double? bytes)
    {
        if (bytes is not { } value) return "-";
        int unit = 0;
        for (; value >= 999.5 && unit < 6; unit++) value /= 1024;
        string format = unit == 0 || value >= 99.95 ? "F0" : value >= 9.995 ? "F1" : "F2";
        return value.ToString(format, CultureInfo.InvariantCulture) + "BKMGTPE"[unit];
    }
}
