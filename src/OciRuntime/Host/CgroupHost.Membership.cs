using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <content>Own membership from /proc/self/cgroup, cgroups(7).</content>
internal sealed partial class CgroupHost
{
    private string? _membership;
    private CgroupHierarchy? _unifiedWithRoot;

    /// <summary>The directory of this process's cgroup in a hierarchy, as far as it is in sight.</summary>
    public string OwnDirectory(CgroupHierarchy hierarchy) =>
        hierarchy.MountPoint + (OwnPath(hierarchy) is var own and not "/" ? own : "");

    /// <summary>The cgroup of this process in a hierarchy, relative to its mount point: "/" or "/a/b". Read on first use.</summary>
    /// <remarks>
    /// The kernel gives paths relative to the cgroup namespace, the mount shows what is below its own root; in a container without a
    /// cgroup namespace both are deep, and only their difference is a path. A process outside its namespace's root ("/..") counts as at the
    /// root.
    /// </remarks>
    public string OwnPath(CgroupHierarchy hierarchy)
    {
        _membership ??= ReadMembership();
        string own = Membership(_membership, hierarchy);
        string root = hierarchy.MountRoot;
        if (Mode == CgroupMode.V2 && root == "/" && own != "/") root = UnifiedRoot(hierarchy);
        return Relative(own, root);
    }

    /// <summary>The path of a hierarchy in the text of a /proc/PID/cgroup file; "/" when it is not listed.</summary>
    internal static string Membership(ReadOnlySpan<char> text, CgroupHierarchy hierarchy)
    {
        // Not EnumerateLines(): a cgroup's name has no line feed (cgroup_mkdir() in the kernel), but it may have all else that ends a line.
        foreach (Range r in text.Split('\n'))
        {
            ReadOnlySpan<char> line = text[r];
            // hierarchy-id:controllers:path, and the path may hold colons.
            int first = line.IndexOf(':');
            if (first < 0) continue;
            ReadOnlySpan<char> rest = line[(first + 1)..];
            int second = rest.IndexOf(':');
            if (second < 0) continue;
            ReadOnlySpan<char> controllers = rest[..second];
            bool match = hierarchy.Unified
                ? controllers.IsEmpty && line[..first].SequenceEqual("0")
                : hierarchy.Name is not null ? controllers.StartsWith("name=") && controllers[5..].SequenceEqual(hierarchy.Name)
                : Lists(controllers, hierarchy);
            if (match) return rest[(second + 1)..].ToString();
        }
        return "/";
    }

    /// <summary>Subtracts a mount root from a membership path.</summary>
    internal static string Relative(string own, string root)
    {
        if (own == "/.." || own.StartsWith("/../", StringComparison.Ordinal)) return "/";
        if (root == "/") return own;
        if (own == root) return "/";
        return own.StartsWith(root + "/", StringComparison.Ordinal) ? own[root.Length..] : "/";
    }

    // Names of cgroups are bytes. Those of the caller become part of paths in the journal, which is JSON.
    private static string ReadMembership()
    {
        // A line for each hierarchy.
        byte[] text = Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/cgroup", 1 << 20, out long error)
            ?? throw OciException.FromResult(error, "read /proc/self/cgroup");
        return System.Text.Unicode.Utf8.IsValid(text) ? Encoding.UTF8.GetString(text)
            : throw new OciException("/proc/self/cgroup: the runtime runs in a cgroup whose name is not UTF-8", Errno.EINVAL);
    }

    private static bool Lists(ReadOnlySpan<char> controllers, CgroupHierarchy hierarchy)
    {
        if (hierarchy.Controllers.Length == 0) return false;
        foreach (Range r in controllers.Split(',')) if (controllers[r].SequenceEqual(hierarchy.Controllers[0])) return true;
        return false;
    }

    // The statfs(2) fast path did not see which cgroup the mount shows. Usually it is the first of all, which the kernel gives the inode 1
    // (cgroup_setup_root()); where it is not, the mount table tells, which may be long.
    private string UnifiedRoot(CgroupHierarchy hierarchy)
    {
        if (_unifiedWithRoot is null && Files.StatAt(Files.AT_FDCWD, hierarchy.MountPoint, 0, out Statx top) >= 0 && top.Inode == 1)
            _unifiedWithRoot = hierarchy;
        if (_unifiedWithRoot is null)
        {
            _unifiedWithRoot = hierarchy;
            foreach (CgroupHierarchy h in FromMountInfo(MountTable.ReadText()).Hierarchies)
            {
                if (h.Unified && h.MountPoint == hierarchy.MountPoint) _unifiedWithRoot = h;
            }
        }
        return _unifiedWithRoot.MountRoot;
    }
}
