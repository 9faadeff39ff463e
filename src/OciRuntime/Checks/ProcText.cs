using System.Globalization;
using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Checks;

/// <summary>Files of procfs and sysfs, as text. What cannot be read is empty: a sandbox may show less of them.</summary>
internal static class ProcText
{
    private const int Limit = 1 << 20;

    public static string Text(string path) => Encoding.UTF8.GetString(Files.ReadFileAt(Files.AT_FDCWD, path, Limit, out _) ?? []);

    /// <summary>How many lines a file has that may be of any length, such as a mount table; null where it cannot be read.</summary>
    public static long? Lines(string path)
    {
        long fd = Files.OpenAt(Files.AT_FDCWD, path, Files.O_RDONLY);
        if (fd < 0) return null;
        using Fd file = new((int)fd);
        Span<byte> buffer = stackalloc byte[1 << 14];
        long lines = 0, length;
        while ((length = Files.Read(file.Number, buffer)) > 0) lines += buffer[..(int)length].Count((byte)'\n');
        return length < 0 ? null : lines;
    }

    /// <summary>The first line of a file in /proc/sys, or null.</summary>
    /// <param name="name">As sysctl(8) takes it, with slashes: kernel/pid_max.</param>
    public static string? Setting(string name) => Text("/proc/sys/" + name).Split('\n')[0] is { Length: > 0 } line ? line.Trim() : null;

    /// <summary>The same as a number, or null.</summary>
    public static long? Number(string name) => Files.ReadNumber("/proc/sys/" + name);

    /// <summary>A field of /proc/self/status, or null.</summary>
    public static string? Status(string field)
    {
        foreach (string line in Text("/proc/self/status").Split('\n'))
            if (line.StartsWith(field + ":", StringComparison.Ordinal)) return line[(field.Length + 1)..].Trim();
        return null;
    }

    public static long? Parse(string? digits) =>
        long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;
}
