using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>A line of mountinfo (proc_pid_mountinfo(5)), as far as it is read here.</summary>
/// <param name="Device">The file system's device number, major:minor.</param>
/// <param name="Root">The directory of the file system that is mounted; "/" for all of it.</param>
/// <param name="Point">Where.</param>
/// <param name="Type">The file system's type.</param>
internal readonly record struct MountEntry(string Device, string Root, string Point, string Type);

/// <summary>The mounts of this mount namespace.</summary>
internal static class MountTable
{
    private const int Limit = 16 << 20;

    /// <exception cref="OciException">There is no /proc.</exception>
    public static List<MountEntry> Read() => Parse(
        Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/mountinfo", Limit, out long error) ?? throw OciException.FromResult(error, "read /proc/self/mountinfo"));

    internal static List<MountEntry> Parse(ReadOnlySpan<byte> text)
    {
        List<MountEntry> found = [];
        foreach (string line in Encoding.UTF8.GetString(text).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] fields = line.Split(' ');
            int separator = Array.IndexOf(fields, "-", Math.Min(6, fields.Length));
            if (separator >= 0 && separator + 1 < fields.Length) found.Add(new(fields[2], fields[3], Unescape(fields[4]), fields[separator + 1]));
        }
        return found;
    }

    // Blank, tab, newline and backslash stand as three octal digits.
    private static string Unescape(string path) =>
        path.Replace("\\040", " ").Replace("\\011", "\t").Replace("\\012", "\n").Replace("\\134", "\\");
}
