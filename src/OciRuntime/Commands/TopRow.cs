using OciRuntime.Cgroups;
using OciRuntime.Cli;

namespace OciRuntime.Commands;

/// <summary>One container at one moment; null is what is not known.</summary>
/// <param name="Id">The container.</param>
/// <param name="Status">As in <c>state</c>, or "unreadable".</param>
/// <param name="Usage">What its cgroups say; nothing of a container that has stopped.</param>
/// <param name="Cpu">Percent of one processor since the last sample.</param>
/// <param name="Read">Bytes per second since then, from block devices.</param>
/// <param name="Written">The same to them.</param>
internal sealed record TopRow(string Id, string Status, CgroupUsage Usage, double? Cpu, double? Read, double? Written)
{
    /// <summary>Most first; those that are equal by name.</summary>
    public static void Sort(List<TopRow> rows, TopSort by) => rows.Sort((a, b) =>
    {
        int order = by == TopSort.Name ? 0 : b.Key(by).CompareTo(a.Key(by));
        return order != 0 ? order : string.CompareOrdinal(a.Id, b.Id);
    });

    private double Key(TopSort by) => by switch
    {
        TopSort.Cpu => Cpu ?? -1,
        TopSort.Memory => Usage.Memory ?? -1.0,
        TopSort.Pids => Usage.Pids ?? -1.0,
        _ => (Read ?? -1) + (Written ?? 0),
    };
}
