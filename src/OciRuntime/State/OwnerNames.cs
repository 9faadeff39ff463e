using System.Globalization;
using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>Names of the users that own container directories, from /etc/passwd: a static binary has no other name service.</summary>
internal sealed class OwnerNames
{
    private const int MaxPasswdBytes = 4 << 20;

    private Dictionary<uint, string>? _names;

    /// <summary>The user's name, or <c>#uid</c>.</summary>
    public string Of(ContainerEntry entry)
    {
        OciException.Check(Files.Stat(entry.Directory, out Statx stat), $"stat {entry.Path}");
        _names ??= Parse(Files.ReadFileAt(Files.AT_FDCWD, "/etc/passwd", MaxPasswdBytes, out _) ?? []);
        return _names.TryGetValue(stat.Uid, out string? name) ? name : $"#{stat.Uid}";
    }

    /// <summary>The first line for a user ID wins, as getpwuid(3) has it.</summary>
    internal static Dictionary<uint, string> Parse(ReadOnlySpan<byte> passwd)
    {
        Dictionary<uint, string> names = [];
        Span<Range> fields = stackalloc Range[4];
        string text = Encoding.UTF8.GetString(passwd);
        // Not EnumerateLines(): a user chooses his full name (chfn(1)), and U+0085 or U+2028 in it begins no line of another's.
        foreach (Range r in text.AsSpan().Split('\n'))
        {
            ReadOnlySpan<char> line = text.AsSpan(r);
            if (line.Split(fields, ':') == 4
                && uint.TryParse(line[fields[2]], NumberStyles.None, CultureInfo.InvariantCulture, out uint uid))
            {
                names.TryAdd(uid, line[fields[0]].ToString());
            }
        }
        return names;
    }
}
