using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>A line of mountinfo (proc_pid_mountinfo(5)), as far as it is read here.</summary>
/// <param name="Device">The file system's device number, major:minor.</param>
/// <param name="Root">The directory of the file system that is mounted; "/" for all of it.</param>
/// <param name="Point">Where.</param>
/// <param name="Type">The file system's type.</param>
/// <param name="Id">The mount's number, which statx(2) and fdinfo have, too.</param>
/// <param name="Parent">That of the mount it is on.</param>
/// <param name="Options">The mount's own options, not the file system's.</param>
/// <param name="FileSystemOptions">The file system's.</param>
internal readonly record struct MountEntry(string Device, string Root, string Point, string Type, ulong Id = 0, ulong Parent = 0, string Options = "", string FileSystemOptions = "")
{
    public bool IsReadOnly => Options == "ro" || Options.StartsWith("ro,", StringComparison.Ordinal);
}

/// <summary>The mounts of a mount namespace, this process's or another's.</summary>
internal static class MountTable
{
    private const int Limit = 16 << 20;

    /// <exception cref="OciException">There is no /proc, or no such process.</exception>
    public static List<MountEntry> Read(string process = "self") => Parse(
        Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{process}/mountinfo", Limit, out long error) ?? throw OciException.FromResult(error, $"read /proc/{process}/mountinfo"));

    internal static List<MountEntry> Parse(ReadOnlySpan<byte> text)
    {
        List<MountEntry> found = [];
        foreach (string line in Encoding.UTF8.GetString(text).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] fields = line.Split(' ');
            int separator = Array.IndexOf(fields, "-", Math.Min(6, fields.Length));
            if (separator >= 0 && separator + 1 < fields.Length) found.Add(new(fields[2], Unescape(fields[3]), Unescape(fields[4]), fields[separator + 1], ulong.Parse(fields[0]), ulong.Parse(fields[1]), fields[5], fields[^1]));
        }
        return found;
    }

    // Blank, tab, newline and backslash stand as three octal digits.
    private static string Unescape(string path) =>
        path.Replace("\\040", " ").Replace("\\011", "\t").Replace("\\012", "\n").Replace("\\134", "\\");
}
