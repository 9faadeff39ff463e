using System.Globalization;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Use of huge pages, for each size that the kernel has.</summary>
internal static class HugePages
{
    /// <summary>Adds those sizes that the cgroup counts: reservations where it does (Linux 5.7), as they are what is refused.</summary>
    public static void Add(CgroupStats stats, StatReader reader, string file, Func<StatReader, string, MemoryUse> read)
    {
        foreach (string directory in Files.ListDirectory("/sys/kernel/mm/hugepages"))
        {
            if (Size(directory) is not { } size) continue;
            string name = $"hugetlb.{size}";
            if (reader.Has($"{name}.rsvd.{file}")) name += ".rsvd";
            if (reader.Has($"{name}.{file}")) stats.HugePages[size] = read(reader, name);
        }
    }

    /// <summary>"hugepages-2048kB" as the files of the controller spell it: "2MB".</summary>
    internal static string? Size(string directory)
    {
        const string Prefix = "hugepages-";
        if (!directory.StartsWith(Prefix, StringComparison.Ordinal) || !directory.EndsWith("kB", StringComparison.Ordinal)) return null;
        if (!ulong.TryParse(directory.AsSpan()[Prefix.Length..^2], NumberStyles.None, null, out ulong kilobytes)) return null;
        return kilobytes >= 1 << 20 ? $"{kilobytes >> 20}GB" : kilobytes >= 1 << 10 ? $"{kilobytes >> 10}MB" : $"{kilobytes}KB";
    }
}
