using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>A cgroup directory of the container.</summary>
/// <param name="Hierarchy">The mounted hierarchy it is in.</param>
/// <param name="Relative">Path below the mount point, without a leading slash and without "." and "..".</param>
internal sealed record CgroupDirectory(CgroupHierarchy Hierarchy, string Relative)
{
    /// <summary>Absolute path on the host.</summary>
    public string Path { get; } = Hierarchy.MountPoint + "/" + Relative;
}

/// <summary>linux.cgroupsPath to a place in each hierarchy.</summary>
internal static class CgroupPaths
{
    private const string Pointer = "/linux/cgroupsPath";

    /// <summary>The container's cgroup in every hierarchy of the host.</summary>
    /// <exception cref="OciException">The path leaves its place, names the root, or is one for systemd.</exception>
    public static CgroupDirectory[] Resolve(CgroupHost host, string id, string? cgroupsPath)
    {
        bool isDefault = string.IsNullOrEmpty(cgroupsPath);
        string wanted = isDefault ? id : cgroupsPath!;
        if (!isDefault && IsSystemdForm(wanted))
        {
            throw new OciException(
                $"{Pointer}: \"{wanted}\" has the form slice:prefix:name, which needs the systemd cgroup driver (--systemd-cgroup); the "
                + $"cgroupfs driver takes a path",
                Errno.EINVAL);
        }
        bool absolute = !isDefault && wanted[0] == '/';
        string below = Normalize(wanted, isDefault ? "container id" : Pointer);
        CgroupDirectory[] directories = new CgroupDirectory[host.Hierarchies.Length];
        for (int i = 0; i < directories.Length; i++)
        {
            CgroupHierarchy hierarchy = host.Hierarchies[i];
            string relative = absolute ? below : Join(Base(host, hierarchy), below);
            directories[i] = new CgroupDirectory(hierarchy, relative);
        }
        return directories;
    }

    /// <summary>
    /// Splits a path into its components, drops empty ones and ".", refuses "..", and puts them together again without a leading slash.
    /// </summary>
    public static string Normalize(string path, string what)
    {
        if (path.AsSpan().IndexOfAny('\0', '\n') >= 0)
            throw new OciException($"{what}: a cgroup name has no NUL and no line break", Errno.EINVAL);
        string result = "";
        bool clean = path.Length > 0;
        foreach (Range r in path.AsSpan().Split('/'))
        {
            ReadOnlySpan<char> part = path.AsSpan(r);
            if (part.SequenceEqual("..")) throw new OciException($"{what}: \"{path}\" has a component \"..\"", Errno.EINVAL);
            if (part.IsEmpty || part.SequenceEqual(".")) clean = false;
        }
        if (clean) return path;
        foreach (Range r in path.AsSpan().Split('/'))
        {
            ReadOnlySpan<char> part = path.AsSpan(r);
            if (part.IsEmpty || part.SequenceEqual(".")) continue;
            result = result.Length == 0 ? part.ToString() : string.Concat(result, "/", part);
        }
        if (result.Length == 0)
            throw new OciException($"{what}: \"{path}\" names the root cgroup, which is not the container's to have", Errno.EINVAL);
        return result;
    }

    private static bool IsSystemdForm(string path)
    {
        int colons = 0;
        foreach (char c in path)
        {
            if (c == '/') return false;
            if (c == ':') colons++;
        }
        return colons == 2;
    }

    // As runc: on v1 below the cgroup of the runtime; on v2 beside it, because a cgroup that has processes cannot hand down
    // controllers to children (no internal processes, cgroup-v2.rst), and the runtime's own has at least one.
    private static string Base(CgroupHost host, CgroupHierarchy hierarchy)
    {
        string own = host.OwnPath(hierarchy);
        if (host.Mode != CgroupMode.V2) return own;
        int slash = own.LastIndexOf('/');
        return slash <= 0 ? "/" : own[..slash];
    }

    private static string Join(string parent, string below) => parent == "/" ? below : parent[1..] + "/" + below;
}
