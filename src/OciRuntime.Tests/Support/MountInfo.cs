using System.Text;

namespace OciRuntime.Tests.Support;

/// <summary>One line of /proc/PID/mountinfo; see proc_pid_mountinfo(5).</summary>
public sealed record MountInfo(
    int Id, int ParentId, string Device, string Root, string MountPoint, string[] Options, string[] Propagation, string Type, string Source,
        string[] SuperOptions)
{
    /// <summary>All mounts of a process, or of the tests themselves.</summary>
    public static IReadOnlyList<MountInfo> Of(int? pid = null) =>
        [.. File.ReadAllLines($"/proc/{pid?.ToString() ?? "self"}/mountinfo").Select(Parse)];

    /// <summary>`shared`, `private`, `slave` or `unbindable`, with `shared,slave` for both.</summary>
    public string PropagationType
    {
        get
        {
            string[] names = [.. Propagation.Select(tag => tag.Split(':')[0]).Where(name => name != "propagate_from")
                .Select(name => name == "master" ? "slave" : name)];
            return names.Length == 0 ? "private" : string.Join(',', names.Order());
        }
    }

    /// <summary>Parses one line.</summary>
    public static MountInfo Parse(string line)
    {
        string[] halves = line.Split(" - ", 2);
        string[] left = halves[0].Split(' ');
        string[] right = halves[1].Split(' ');
        return new MountInfo(int.Parse(left[0]), int.Parse(left[1]), left[2], Unescape(left[3]), Unescape(left[4]),
            left[5].Split(','), left[6..],
            Unescape(right[0]), Unescape(right[1]), right.Length > 2 ? right[2].Split(',') : []);
    }

    /// <summary>Blank, tab, newline and backslash are written as three octal digits.</summary>
    private static string Unescape(string text)
    {
        if (!text.Contains('\\')) return text;
        StringBuilder plain = new();
        for (int i = 0; i < text.Length; i++)
        {
            bool escaped = text[i] == '\\' && i + 3 < text.Length;
            plain.Append(escaped ? (char)Convert.ToInt32(text.Substring(i + 1, 3), 8) : text[i]);
            i += escaped ? 3 : 0;
        }
        return plain.ToString();
    }
}
