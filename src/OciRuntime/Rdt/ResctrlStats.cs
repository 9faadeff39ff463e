using System.Globalization;
using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Rdt;

/// <summary>What resctrl tells about a class of service (the kernel's Documentation/filesystems/resctrl.rst).</summary>
internal sealed class ResctrlStats
{
    private const int MaxFile = 1 << 20;

    /// <summary>Files of info/L3: cbm_mask, min_cbm_bits, num_closids; empty without cache allocation.</summary>
    public Dictionary<string, string> L3Info { get; } = [];

    /// <summary>Files of info/MB: bandwidth_gran, delay_linear, min_bandwidth, num_closids; empty without bandwidth allocation.</summary>
    public Dictionary<string, string> BandwidthInfo { get; } = [];

    /// <summary>The schemata of the default class and of the container's, line by line.</summary>
    public required string[] RootSchemata { get; init; }
    public required string[] Schemata { get; init; }

    /// <summary>Counters by domain, in the order of their names; null without monitoring.</summary>
    public List<ulong>? TotalBytes { get; private set; }
    public List<ulong>? LocalBytes { get; private set; }
    public List<ulong>? Occupancy { get; private set; }

    /// <param name="root">The mounted resctrl file system.</param>
    /// <param name="group">Directory of the class of service.</param>
    /// <param name="id">The container, whose own monitoring group is read when there is one.</param>
    public static ResctrlStats Read(string root, string group, string id)
    {
        ResctrlStats stats = new() { RootSchemata = Lines($"{root}/schemata"), Schemata = Lines($"{group}/schemata") };
        foreach (string file in (string[])["cbm_mask", "min_cbm_bits", "num_closids"]) Note(stats.L3Info, $"{root}/info/L3", file);
        foreach (string file in (string[])["bandwidth_gran", "delay_linear", "min_bandwidth", "num_closids"])
            Note(stats.BandwidthInfo, $"{root}/info/MB", file);
        string own = $"{group}/mon_groups/{id}";
        string data = $"{(ResctrlPlan.Exists(own) ? own : group)}/mon_data";
        stats.TotalBytes = Counters(data, "mbm_total_bytes");
        stats.LocalBytes = Counters(data, "mbm_local_bytes");
        stats.Occupancy = Counters(data, "llc_occupancy");
        return stats;
    }

    /// <summary>The line of a resource in a schemata file, or null.</summary>
    public static string? Line(string[] schemata, string resource) =>
        Array.Find(schemata, line => line.StartsWith(resource, StringComparison.Ordinal));

    private static void Note(Dictionary<string, string> info, string directory, string file)
    {
        if (Text($"{directory}/{file}") is { Length: > 0 } text) info[file] = text;
    }

    private static List<ulong>? Counters(string data, string file)
    {
        List<string> domains = Files.ListDirectory(data).FindAll(static name => name.StartsWith("mon_L3_", StringComparison.Ordinal));
        domains.Sort(StringComparer.Ordinal);
        List<ulong> counters = [];
        foreach (string domain in domains)
        {
            // "Unavailable" and "Error" are possible, too.
            if (Text($"{data}/{domain}/{file}") is { } text)
                counters.Add(ulong.TryParse(text, NumberStyles.None, null, out ulong value) ? value : 0);
        }
        return counters.Count == 0 ? null : counters;
    }

    private static string[] Lines(string path) =>
        (Text(path) ?? "").Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    private static string? Text(string path) =>
        Files.ReadFileAt(Files.AT_FDCWD, path, MaxFile, out _) is { } bytes ? Encoding.UTF8.GetString(bytes).Trim() : null;
}
