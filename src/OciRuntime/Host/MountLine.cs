using System.Buffers.Text;
using System.Text;

namespace OciRuntime.Host;

/// <summary>
/// A line of mountinfo (proc_pid_mountinfo(5)), taken apart where it lies: a table may have thousands, of which a handful is of interest.
/// <c>36 35 98:0 /root /mnt/point rw,noatime master:1 - cgroup cgroup rw,cpu,cpuacct</c>
/// </summary>
internal readonly ref struct MountLine
{
    // Up to the separator, which optional fields precede, and from there on. No field has a blank of its own (see Unescape).
    private readonly ReadOnlySpan<byte> _mount, _fileSystem;

    private MountLine(ReadOnlySpan<byte> line, int separator)
    {
        _mount = line[..separator];
        _fileSystem = line[(separator + 3)..];
    }

    /// <summary>The mount's number, which statx(2) and fdinfo have, too.</summary>
    public ulong Id => Number(0);

    /// <summary>That of the mount it is on.</summary>
    public ulong Parent => Number(1);

    /// <summary>The file system's device number, major:minor.</summary>
    public ReadOnlySpan<byte> Device => Field(_mount, 2);

    /// <summary>The directory of the file system that is mounted; "/" for all of it.</summary>
    public string Root => Unescape(Field(_mount, 3));

    /// <summary>Where.</summary>
    public string Point => Unescape(Field(_mount, 4));

    /// <summary>The mount's own options, not the file system's.</summary>
    public ReadOnlySpan<byte> Options => Field(_mount, 5);

    /// <summary>It has peers: what is mounted on it, or on one of them, is on all (mount_namespaces(7)).</summary>
    public bool IsShared => _mount.IndexOf(" shared:"u8) >= 0;

    /// <summary>What is mounted on its master, or on a peer of that, is on it, too.</summary>
    public bool IsSlave => _mount.IndexOf(" master:"u8) >= 0;

    /// <summary>It cannot be bound.</summary>
    public bool IsUnbindable => _mount.IndexOf(" unbindable"u8) >= 0;

    /// <summary>The file system's type.</summary>
    public ReadOnlySpan<byte> Type => Field(_fileSystem, 0);

    /// <summary>The file system's options.</summary>
    public ReadOnlySpan<byte> FileSystemOptions => Field(_fileSystem, 2);

    /// <summary>Takes the next line off a text; false at its end.</summary>
    public static bool TryTake(ref ReadOnlySpan<byte> text, out MountLine line)
    {
        while (!text.IsEmpty)
        {
            int end = text.IndexOf((byte)'\n');
            ReadOnlySpan<byte> whole = end < 0 ? text : text[..end];
            text = end < 0 ? default : text[(end + 1)..];
            int separator = whole.IndexOf(" - "u8);
            if (separator < 0) continue;
            line = new MountLine(whole, separator);
            return true;
        }
        line = default;
        return false;
    }

    private ulong Number(int index) => Utf8Parser.TryParse(Field(_mount, index), out ulong number, out _) ? number : 0;

    private static ReadOnlySpan<byte> Field(ReadOnlySpan<byte> fields, int index)
    {
        while (true)
        {
            int space = fields.IndexOf((byte)' ');
            if (index-- == 0) return space < 0 ? fields : fields[..space];
            if (space < 0) return default;
            fields = fields[(space + 1)..];
        }
    }

    /// <summary>The same of a parameter of a file system.</summary>
    public static string Unescape(string text) => Unescape(Encoding.UTF8.GetBytes(text));

    /// <summary>mangle_path() in the kernel: blank, tab, newline, backslash and "#" come as three octal digits.</summary>
    private static string Unescape(ReadOnlySpan<byte> field)
    {
        if (!field.Contains((byte)'\\')) return Encoding.UTF8.GetString(field);
        byte[] plain = new byte[field.Length];
        int n = 0;
        for (int i = 0; i < field.Length; i++)
        {
            bool escaped = field[i] == '\\' && i + 3 < field.Length;
            plain[n++] = escaped ? (byte)((field[i + 1] - '0') << 6 | (field[i + 2] - '0') << 3 | (field[i + 3] - '0')) : field[i];
            if (escaped) i += 3;
        }
        return Encoding.UTF8.GetString(plain, 0, n);
    }
}
