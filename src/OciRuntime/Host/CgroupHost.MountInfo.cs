using System.Text;

namespace OciRuntime.Host;

/// <content>Hierarchies from /proc/self/mountinfo, proc_pid_mountinfo(5).</content>
internal sealed partial class CgroupHost
{
    /// <summary>Finds the cgroup mounts in the text of a mountinfo file.</summary>
    /// <remarks>
    /// A hierarchy may be mounted many times, below other containers' root file systems too: the mount under /sys/fs/cgroup is taken,
    /// else the first. Of mounts on one and the same directory the last is on top.
    /// </remarks>
    internal static CgroupHost FromMountInfo(ReadOnlySpan<byte> text)
    {
        List<CgroupHierarchy> found = new(12);
        bool v1 = false, v2 = false;
        while (!text.IsEmpty)
        {
            int end = text.IndexOf((byte)'\n');
            ReadOnlySpan<byte> line = end < 0 ? text : text[..end];
            text = end < 0 ? default : text[(end + 1)..];
            if (ParseMount(line) is not { } hierarchy || !Keep(found, hierarchy)) continue;
            if (hierarchy.Unified) v2 = true;
            else v1 = true;
        }
        // First, because there processes can be killed at once and waited for; CgroupControl relies on it.
        int unified = found.FindIndex(h => h.Unified);
        if (unified > 0)
        {
            CgroupHierarchy first = found[unified];
            found.RemoveAt(unified);
            found.Insert(0, first);
        }
        CgroupMode mode = v1 ? v2 ? CgroupMode.Hybrid : CgroupMode.V1 : v2 ? CgroupMode.V2 : CgroupMode.None;
        return new CgroupHost(mode, [.. found]);
    }

    private static bool Keep(List<CgroupHierarchy> found, CgroupHierarchy candidate)
    {
        for (int i = 0; i < found.Count; i++)
        {
            CgroupHierarchy old = found[i];
            if (old.Label != candidate.Label) continue;
            bool onTop = old.MountPoint == candidate.MountPoint;
            bool better = IsStandard(candidate) && !IsStandard(old);
            if (onTop || better) found[i] = candidate;
            return true;
        }
        found.Add(candidate);
        return true;
    }

    private static bool IsStandard(CgroupHierarchy hierarchy) =>
        hierarchy.MountPoint.StartsWith(Root, StringComparison.Ordinal)
        && (hierarchy.MountPoint.Length == Root.Length || hierarchy.MountPoint[Root.Length] == '/');

    private static CgroupHierarchy? ParseMount(ReadOnlySpan<byte> line)
    {
        // 36 35 98:0 /root /mnt/point rw,noatime master:1 - cgroup cgroup rw,cpu,cpuacct
        int separator = line.IndexOf(" - cgroup"u8);
        if (separator < 0) return null;
        ReadOnlySpan<byte> tail = line[(separator + 3)..];
        ReadOnlySpan<byte> type = Field(tail, 0);
        bool unified = type.SequenceEqual("cgroup2"u8);
        if (!unified && !type.SequenceEqual("cgroup"u8)) return null;
        string root = Unescape(Field(line, 3)), point = Unescape(Field(line, 4));
        if (unified) return new CgroupHierarchy(point, [], null, Unified: true, root);
        List<string> controllers = new(2);
        string? name = null;
        ReadOnlySpan<byte> options = Field(tail, 2);
        while (!options.IsEmpty)
        {
            int comma = options.IndexOf((byte)',');
            ReadOnlySpan<byte> option = comma < 0 ? options : options[..comma];
            options = comma < 0 ? default : options[(comma + 1)..];
            if (option.StartsWith("name="u8)) name = Encoding.UTF8.GetString(option[5..]);
            else if (!IsFlag(option)) controllers.Add(Encoding.UTF8.GetString(option));
        }
        if (name is null && controllers.Count == 0) return null;
        return new CgroupHierarchy(point, [.. controllers], controllers.Count == 0 ? name : null, Unified: false, root);
    }

    // What cgroup1_show_options() prints beside controllers and the name (kernel/cgroup/cgroup-v1.c), and security labels.
    // A controller this program does not know is thus still joined.
    private static bool IsFlag(ReadOnlySpan<byte> option) =>
        option.Contains((byte)'=') || option.SequenceEqual("rw"u8) || option.SequenceEqual("ro"u8) || option.SequenceEqual("xattr"u8)
        || option.SequenceEqual("noprefix"u8) || option.SequenceEqual("clone_children"u8) || option.SequenceEqual("cpuset_v2_mode"u8)
        || option.SequenceEqual("favordynmods"u8) || option.SequenceEqual("seclabel"u8);

    private static ReadOnlySpan<byte> Field(ReadOnlySpan<byte> line, int index)
    {
        while (true)
        {
            int space = line.IndexOf((byte)' ');
            if (index-- == 0) return space < 0 ? line : line[..space];
            if (space < 0) return default;
            line = line[(space + 1)..];
        }
    }

    // mangle_path(): blank, tab, newline and backslash come as three octal digits.
    private static string Unescape(ReadOnlySpan<byte> field)
    {
        if (!field.Contains((byte)'\\')) return Encoding.UTF8.GetString(field);
        byte[] plain = new byte[field.Length];
        int n = 0;
        for (int i = 0; i < field.Length; i++)
        {
            if (field[i] == '\\' && i + 3 < field.Length)
            {
                plain[n++] = (byte)(((field[i + 1] - '0') << 6) | ((field[i + 2] - '0') << 3) | (field[i + 3] - '0'));
                i += 3;
            }
            else
            {
                plain[n++] = field[i];
            }
        }
        return Encoding.UTF8.GetString(plain, 0, n);
    }
}
