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
        while (MountLine.TryTake(ref text, out MountLine line))
        {
            if (Hierarchy(line) is not { } hierarchy) continue;
            Keep(found, hierarchy);
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

    private static void Keep(List<CgroupHierarchy> found, CgroupHierarchy candidate)
    {
        int i = found.FindIndex(old => old.Label == candidate.Label);
        if (i < 0) found.Add(candidate);
        else if (found[i].MountPoint == candidate.MountPoint || (IsStandard(candidate) && !IsStandard(found[i]))) found[i] = candidate;
    }

    private static bool IsStandard(CgroupHierarchy hierarchy) =>
        hierarchy.MountPoint.StartsWith(Root, StringComparison.Ordinal)
        && (hierarchy.MountPoint.Length == Root.Length || hierarchy.MountPoint[Root.Length] == '/');

    private static CgroupHierarchy? Hierarchy(in MountLine line)
    {
        if (line.Type.SequenceEqual("cgroup2"u8)) return new CgroupHierarchy(line.Point, [], null, Unified: true, line.Root);
        if (!line.Type.SequenceEqual("cgroup"u8)) return null;
        List<string> controllers = new(2);
        string? name = null;
        ReadOnlySpan<byte> options = line.FileSystemOptions;
        while (!options.IsEmpty)
        {
            int comma = options.IndexOf((byte)',');
            ReadOnlySpan<byte> option = comma < 0 ? options : options[..comma];
            options = comma < 0 ? default : options[(comma + 1)..];
            if (option.StartsWith("name="u8)) name = Encoding.UTF8.GetString(option[5..]);
            else if (!IsFlag(option)) controllers.Add(Encoding.UTF8.GetString(option));
        }
        if (name is null && controllers.Count == 0) return null;
        return new CgroupHierarchy(line.Point, [.. controllers], controllers.Count == 0 ? name : null, Unified: false, line.Root);
    }

    // What cgroup1_show_options() prints beside controllers and the name (kernel/cgroup/cgroup-v1.c), and security labels.
    // A controller this program does not know is thus still joined.
    private static bool IsFlag(ReadOnlySpan<byte> option) =>
        option.Contains((byte)'=') || option.SequenceEqual("rw"u8) || option.SequenceEqual("ro"u8) || option.SequenceEqual("xattr"u8)
        || option.SequenceEqual("noprefix"u8) || option.SequenceEqual("clone_children"u8) || option.SequenceEqual("cpuset_v2_mode"u8)
        || option.SequenceEqual("favordynmods"u8) || option.SequenceEqual("seclabel"u8);
}
