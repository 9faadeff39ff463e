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

    /// <summary>Descriptor of the directory that accounts for memory, or -1; <paramref name="unified"/> tells whose files it has.</summary>
    public int MemoryDirectory(out bool unified)
    {
        foreach ((CgroupDirectory place, Fd fd) in _directories)
        {
            unified = place.Hierarchy.Unified;
            if (place.Hierarchy.Has("memory") || unified && new StatReader(fd.Number).Has("memory.events")) return fd.Number;
        }
        unified = false;
        return -1;
    }

    public void Dispose()
    {
        foreach ((_, Fd fd) in _directories) fd.Dispose();
    }
}
