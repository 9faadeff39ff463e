using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>A container's cgroups, held open, so that record after record costs no more than the reads.</summary>
internal sealed class StatsSource : IDisposable
{
    private readonly List<(CgroupDirectory Place, Fd Fd)> _directories = [];

    /// <summary>Opens what is there of the cgroups; those of a container that has just gone are not.</summary>
    public StatsSource(IReadOnlyList<string> paths)
    {
        foreach (CgroupDirectory directory in CgroupPlan.LocateAll(CgroupHost.Probe(), paths))
        {
            long fd = CgroupFiles.OpenPath(directory.Path, Files.O_RDONLY, out _);
            if (fd >= 0) _directories.Add((directory, new Fd((int)fd)));
        }
    }

    /// <summary>What is used now.</summary>
    public CgroupStats Read()
    {
        CgroupStats stats = new();
        foreach ((CgroupDirectory place, Fd fd) in _directories)
        {
            if (place.Hierarchy.Unified) StatsV2.Add(stats, fd.Number);
            else StatsV1.Add(stats, place.Hierarchy, fd.Number);
        }
        return stats;
    }

    /// <summary>There is no cgroup of the container's (any more).</summary>
    public bool IsEmpty => _directories.Count == 0;

    /// <summary>Whether cgroup v2 alone counts what the container uses, and not v1 beside it; then its files can be read.</summary>
    public bool IsUnified(out StatReader reader)
    {
        reader = new(_directories.Count == 0 ? -1 : _directories[0].Fd.Number);
        return _directories.Count == 1 && _directories[0].Place.Hierarchy.Unified;
    }

    /// <summary>Calls back with each line of v1's memory.oom_control.</summary>
    public void EachOomCount(Action<string, ulong> take)
    {
        int directory = MemoryDirectory(out bool unified);
        if (directory >= 0 && !unified) new StatReader(directory).EachPair(ControlFile.OomControl, take);
    }

    /// <summary>Descriptor of the directory that accounts for memory, or -1; <paramref name="unified"/> tells whose files it has.</summary>
    public int MemoryDirectory(out bool unified)
    {
        foreach ((CgroupDirectory place, Fd fd) in _directories)
        {
            unified = place.Hierarchy.Unified;
            if (place.Hierarchy.Has("memory") || unified && new StatReader(fd.Number).Has(ControlFile.MemoryEvents)) return fd.Number;
        }
        unified = false;
        return -1;
    }

    public void Dispose()
    {
        foreach ((_, Fd fd) in _directories) fd.Dispose();
    }
}
