using System.Globalization;
using OciRuntime.Cgroups;
using OciRuntime.Host;

namespace OciRuntime.Verify;

/// <summary>
/// Parameters of a file system, as far as the kernel shows them (proc_pid_mountinfo(5)), in its own words: 2 is "invisible", what it would
/// have taken anyway is left out, and ids are those of the first user namespace.
/// </summary>
/// <param name="uids">From an id of the container to what is shown; null where that is not known.</param>
/// <param name="gids">The same of groups.</param>
internal sealed class FileSystemOptions(Func<uint, uint?>? uids, Func<uint, uint?>? gids)
{
    // Documentation/filesystems/proc.rst, "Mount Options", each by the number that older kernels show.
    private static readonly string[][] HidePid = [["0", "off"], ["1", "noaccess"], ["2", "invisible"], ["3"], ["4", "ptraceable"]];

    /// <summary>What is not as promised; "" for nothing.</summary>
    /// <param name="type">The file system.</param>
    /// <param name="wanted">What it was mounted with; of several of one name the last one counts.</param>
    /// <param name="entry">The mount.</param>
    public string Differ(string type, List<KeyValuePair<string, string?>> wanted, MountEntry entry)
    {
        if (entry.Type != type) return "";
        for (int i = 0; i < wanted.Count; i++)
        {
            (string key, string? value) = wanted[i];
            if (value is null || wanted.FindLastIndex(option => option.Key == key) != i) continue;
            string? shown = Shown(entry.FileSystemOptions, key);
            if (!Agree(type, key, value, shown)) return $"it has {(shown is null ? $"no {key}" : $"{key}={shown}")}, not {key}={value}";
        }
        return "";
    }

    private static string? Shown(string options, string key)
    {
        string? word = Array.Find(options.Split(','),
            one => one.Length > key.Length && one[key.Length] == '=' && one.StartsWith(key, StringComparison.Ordinal));
        return word?[(key.Length + 1)..];
    }

    private bool Agree(string type, string key, string value, string? shown) => (type, key) switch
    {
        // In KiB, in whole pages.
        ("tmpfs", "size") => IsAtMost(value, shown, Environment.SystemPageSize),
        // What is not shown is what the kernel would give.
        ("tmpfs", "nr_inodes") => shown is null || IsAtMost(value, shown, slack: 0),
        ("tmpfs", "mode") => IsMode(value, shown ?? "1777"),
        ("tmpfs" or "devpts", "uid") => IsId(uids, value, shown),
        ("tmpfs" or "devpts" or "proc", "gid") => IsId(gids, value, shown),
        ("devpts", "mode" or "ptmxmode") => shown is null || IsMode(value, shown),
        ("devpts", "max") => shown is null || value == shown,
        ("proc", "hidepid") => Level(value) is not { } least || Level(shown ?? "0") is not { } its || its >= least,
        ("proc", "subset") => value == shown,
        ("overlay", "lowerdir" or "upperdir" or "workdir") => shown is null || Plain(value) == Plain(shown),
        _ => true,
    };

    private static bool IsAtMost(string value, string? shown, long slack) =>
        FileValue.Read("", value) is not Amount { Number: > 0 and var most }
        || (shown is not null && FileValue.Read("", shown) is Amount { Number: > 0 and var its } && its <= most + (ulong)slack);

    /// <summary>No bit of what it lets through is more.</summary>
    private static bool IsMode(string value, string shown) =>
        Octal(value) is not { } wanted || Octal(shown) is not { } its || ((its & ~wanted & 511) == 0 && (its >> 9) == (wanted >> 9));

    private static uint? Octal(string digits)
    {
        uint mode = 0;
        foreach (char digit in digits)
        {
            if (digit is < '0' or > '7' || mode > 4095) return null;
            mode = mode << 3 | (uint)(digit - '0');
        }
        return mode & 4095;
    }

    private static bool IsId(Func<uint, uint?>? ids, string value, string? shown) =>
        ids is null || !uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out uint id) || ids(id) is not { } wanted
        || (uint.TryParse(shown ?? "0", NumberStyles.None, CultureInfo.InvariantCulture, out uint its) && its == wanted);

    private static int? Level(string text) => Array.FindIndex(HidePid, words => words.Contains(text)) is >= 0 and var level ? level : null;

    /// <summary>Without what escapes signs in it: the kernel's octal digits (seq_show_option()), and overlay's own backslashes.</summary>
    private static string Plain(string text) => MountLine.Unescape(text).Replace("\\", "");
}
