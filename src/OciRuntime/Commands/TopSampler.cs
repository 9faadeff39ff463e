using System.Diagnostics;
using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>Looks at all containers, and remembers what it saw: the next sample tells by the difference how fast they are.</summary>
internal sealed class TopSampler(ContainerStore store)
{
    // A journal is read again only when it was replaced: parsing it would be half of the work.
    private sealed record Seen(ContainerState State, (ulong, long, long) Journal, CgroupUsage Usage, long Time);

    private readonly CgroupHost _host = CgroupHost.Probe();
    private Dictionary<string, Seen> _last = [];

    /// <summary>
    /// Every container that is there now. One that goes meanwhile is left out, one that cannot be read does not hide the others.
    /// </summary>
    public List<TopRow> Take()
    {
        List<string> ids = store.List();
        List<TopRow> rows = new(ids.Count);
        Dictionary<string, Seen> seen = new(ids.Count);
        foreach (string id in ids)
        {
            try
            {
                using ContainerEntry? entry = store.TryOpen(id);
                if (entry is not null && Look(entry, seen) is { } row) rows.Add(row);
            }
            catch (OciException)
            {
                rows.Add(new TopRow(id, "unreadable", default, null, null, null));
            }
        }
        _last = seen;
        return rows;
    }

    private TopRow? Look(ContainerEntry entry, Dictionary<string, Seen> seen)
    {
        // Without a journal a container is about to come or to go.
        if (Files.StatAt(entry.Directory, ContainerEntry.JournalName, Files.AT_SYMLINK_NOFOLLOW, out Statx stat) < 0) return null;
        (ulong, long, long) journal = (stat.Inode, stat.ModificationTime.Seconds, stat.ModificationTime.Nanoseconds);
        Seen? last = _last.GetValueOrDefault(entry.Id);
        if (last?.Journal != journal) last = null;
        if ((last?.State ?? entry.TryReadState()?.ForProbing()) is not { } state) return null;
        ContainerStatus status = entry.Probe(state);
        CgroupUsage usage = status == ContainerStatus.Stopped ? default : CgroupUsage.Of(_host, state.CgroupDirectories);
        Seen now = new(state, journal, usage, Stopwatch.GetTimestamp());
        seen.Add(entry.Id, now);
        return new TopRow(entry.Id, status.Name(), usage, Rate(last, now, static u => u.Cpu) / 1e7, Rate(last, now, static u => u.Read),
            Rate(last, now, static u => u.Written));
    }

    /// <summary>Per second. Unknown in the first sample, and when a counter began anew.</summary>
    private static double? Rate(Seen? last, Seen now, Func<CgroupUsage, ulong?> counter)
    {
        if (last is null || counter(last.Usage) is not { } before || counter(now.Usage) is not { } after || after < before) return null;
        return (after - before) / Stopwatch.GetElapsedTime(last.Time, now.Time).TotalSeconds;
    }
}
