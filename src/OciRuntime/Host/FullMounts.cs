using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>Complete proc and sysfs mounts of this mount namespace, read from mountinfo (proc_pid_mountinfo(5)).</summary>
internal static class FullMounts
{
    private const int Limit = 16 << 20;

    /// <summary>Mount points whose root is the file system's root, except those below <paramref name="except"/>.</summary>
    public static List<string> ProcAndSysfs(string except)
    {
        byte[] text = Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/mountinfo", Limit, out long error) ?? throw OciException.FromResult(error, "read /proc/self/mountinfo");
        List<string> found = [];
        foreach (string line in Encoding.UTF8.GetString(text).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] fields = line.Split(' ');
            int separator = Array.IndexOf(fields, "-", 6);
            if (separator < 0 || fields[3] != "/" || fields[separator + 1] is not ("proc" or "sysfs")) continue;
            string point = Unescape(fields[4]);
            if (point != except && !point.StartsWith(except + "/", StringComparison.Ordinal)) found.Add(point);
        }
        return found;
    }

    /// <summary>Mount points below /proc: parts of it that are covered. Directories that procfs keeps empty for the purpose do not count (fs_fully_visible).</summary>
    public static List<string> CoveringProc()
    {
        byte[] text = Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/mountinfo", Limit, out _) ?? [];
        List<string> found = [];
        foreach (string line in Encoding.UTF8.GetString(text).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string point = Unescape(line.Split(' ')[4]);
            if (point.StartsWith("/proc/", StringComparison.Ordinal) && point is not ("/proc/sys/fs/binfmt_misc" or "/proc/fs/nfsd")) found.Add(point);
        }
        return found;
    }

    // Blank, tab, newline and backslash stand as three octal digits.
    private static string Unescape(string path) =>
        path.Replace("\\040", " ").Replace("\\011", "\t").Replace("\\012", "\n").Replace("\\134", "\\");
}
