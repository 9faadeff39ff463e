using System.Globalization;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// Numbers from the control files of one cgroup directory. What is missing or unknown reads as nothing: kernels differ in what they count.
/// </summary>
internal readonly struct StatReader(int directory)
{
    /// <summary>A file with one number; "max" is ulong.MaxValue, a missing file 0.</summary>
    public ulong Number(string file) => Parse(CgroupFiles.Read(directory, file, out _));

    /// <summary>The same for a file that may be negative.</summary>
    public long Signed(string file) =>
        long.TryParse(CgroupFiles.Read(directory, file, out _), NumberStyles.AllowLeadingSign, null, out long value) ? value : 0;

    public string Text(string file) => CgroupFiles.Read(directory, file, out _);

    public bool Has(string file)
    {
        long fd = CgroupFiles.OpenFile(directory, file, Files.O_RDONLY);
        if (fd >= 0) Files.Close((int)fd);
        return fd >= 0;
    }

    /// <summary>Blank-separated numbers on one line.</summary>
    public ulong[] Numbers(string file) => Array.ConvertAll(Words(Text(file)), static w => Parse(w));

    /// <summary>Calls back with each "name value" line.</summary>
    public void EachPair(string file, Action<string, ulong> take)
    {
        foreach (string line in Lines(Text(file)))
        {
            string[] words = Words(line);
            if (words.Length == 2 && ulong.TryParse(words[1], out ulong value)) take(words[0], value);
        }
    }

    /// <summary>A pressure file, or null where the kernel has none (or was booted with psi=0: the read then fails).</summary>
    public Pressure? Pressure(string file)
    {
        PressureLine some = default, full = default;
        bool any = false;
        foreach (string line in Lines(Text(file)))
        {
            string[] words = Words(line);
            if (words.Length == 0) continue;
            PressureLine parsed =
                new(Share(words, "avg10="), Share(words, "avg60="), Share(words, "avg300="), Parse(Value(words, "total=")));
            any |= words[0] is "some" or "full";
            if (words[0] == "some") some = parsed;
            else if (words[0] == "full") full = parsed;
        }
        return any ? new Pressure(some, full) : null;
    }

    /// <summary>Adds the number of tasks and its limit, which have the same files in v1 and v2.</summary>
    public void AddPids(CgroupStats stats)
    {
        stats.PidsCurrent = Number(ControlFile.PidsCurrent);
        stats.PidsLimit = Number(ControlFile.PidsMax) is var limit and not ulong.MaxValue ? limit : 0;
    }

    /// <summary>
    /// Adds the use of huge pages of those sizes that the cgroup counts: reservations where it does (Linux 5.7), as they are what is
    /// refused.
    /// </summary>
    public void AddHugePages(CgroupStats stats, string file, Func<StatReader, string, MemoryUse> read)
    {
        foreach (string directory in Files.ListDirectory("/sys/kernel/mm/hugepages"))
        {
            if (PageSize(directory) is not { } size) continue;
            string name = $"hugetlb.{size}";
            if (Has($"{name}.rsvd.{file}")) name += ".rsvd";
            if (Has($"{name}.{file}")) stats.HugePages[size] = read(this, name);
        }
    }

    /// <summary>"hugepages-2048kB" as the files of the controller spell it: "2MB".</summary>
    internal static string? PageSize(string directory)
    {
        const string Prefix = "hugepages-";
        if (!directory.StartsWith(Prefix, StringComparison.Ordinal) || !directory.EndsWith("kB", StringComparison.Ordinal)) return null;
        if (!ulong.TryParse(directory.AsSpan()[Prefix.Length..^2], NumberStyles.None, null, out ulong kilobytes)) return null;
        return kilobytes >= 1 << 20 ? $"{kilobytes >> 20}GB" : kilobytes >= 1 << 10 ? $"{kilobytes >> 10}MB" : $"{kilobytes}KB";
    }

    public static string[] Lines(string text) => text.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public static string[] Words(string line) => line.Split((char[])[' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries);

    public static ulong Parse(ReadOnlySpan<char> text) =>
        text.SequenceEqual("max") ? ulong.MaxValue : ulong.TryParse(text, NumberStyles.None, null, out ulong value) ? value : 0;

    /// <summary>A device number such as "8:16".</summary>
    public static bool Device(ReadOnlySpan<char> text, out ulong major, out ulong minor)
    {
        minor = 0;
        int colon = text.IndexOf(':');
        major = 0;
        return colon > 0 && ulong.TryParse(text[..colon], NumberStyles.None, null, out major)
            && ulong.TryParse(text[(colon + 1)..], NumberStyles.None, null, out minor);
    }

    private static double Share(string[] words, string key) =>
        double.TryParse(Value(words, key), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) ? value : 0;

    private static string Value(string[] words, string key) =>
        Array.Find(words, w => w.StartsWith(key, StringComparison.Ordinal)) is { } word ? word[key.Length..] : "";
}
