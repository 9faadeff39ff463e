using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>A mount; see <see cref="MountLine"/>.</summary>
internal readonly record struct MountEntry(string Device, string Root, string Point, string Type, ulong Id = 0, ulong Parent = 0,
    string Options = "", string FileSystemOptions = "", bool IsShared = false, bool IsSlave = false,
    bool IsUnbindable = false)
{
    public bool IsReadOnly => Options == "ro" || Options.StartsWith("ro,", StringComparison.Ordinal);
}

/// <summary>The mounts of a mount namespace, this process's or another's.</summary>
internal static class MountTable
{
    // Beyond the usual table by far: fs.mount-max is 100,000 mounts by default.
    private const int Limit = 64 << 20;

    /// <exception cref="OciException">There is no /proc, or no such process.</exception>
    public static List<MountEntry> Read(string process = "self") => Parse(ReadText(process));

    /// <summary>Lines for <see cref="MountLine"/>.</summary>
    /// <exception cref="OciException">As above.</exception>
    public static byte[] ReadText(string process = "self") =>
        Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{process}/mountinfo", Limit, out long error)
        ?? throw OciException.FromResult(error, $"read /proc/{process}/mountinfo");

    internal static List<MountEntry> Parse(ReadOnlySpan<byte> text)
    {
        List<MountEntry> found = [];
        while (MountLine.TryTake(ref text, out MountLine m))
        {
            found.Add(new(Text(m.Device), m.Root, m.Point, Text(m.Type), m.Id, m.Parent, Text(m.Options), Text(m.FileSystemOptions),
                m.IsShared, m.IsSlave, m.IsUnbindable));
        }
        return found;
    }

    private static string Text(ReadOnlySpan<byte> field) => Encoding.UTF8.GetString(field);
}
