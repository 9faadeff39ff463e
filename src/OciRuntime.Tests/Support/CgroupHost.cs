namespace OciRuntime.Tests.Support;

/// <summary>Which cgroup file systems the host has at /sys/fs/cgroup.</summary>
public enum CgroupMode
{
    /// <summary>Only v1 hierarchies.</summary>
    V1,

    /// <summary>v1 hierarchies and a v2 one beside them.</summary>
    Hybrid,

    /// <summary>One v2 hierarchy.</summary>
    V2,
}

/// <summary>One line of /proc/PID/cgroup. On v2 the hierarchy is 0 and there are no controllers.</summary>
public sealed record CgroupEntry(int Hierarchy, string[] Controllers, string Path)
{
    /// <summary>Parses the content of /proc/PID/cgroup.</summary>
    public static IReadOnlyList<CgroupEntry> ParseAll(string text) =>
        [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(Parse)];

    private static CgroupEntry Parse(string line)
    {
        string[] fields = line.Split(':', 3);
        return new CgroupEntry(int.Parse(fields[0]), fields[1].Split(',', StringSplitOptions.RemoveEmptyEntries), fields[2]);
    }
}

/// <summary>The host's cgroup hierarchies, as seen by the tests.</summary>
public static class CgroupHost
{
    /// <summary>Mounts of type cgroup and cgroup2.</summary>
    public static IReadOnlyList<MountInfo> Mounts =>
        [.. MountInfo.Of()
        .Where(mount => mount.Type is "cgroup" or "cgroup2" && mount.MountPoint.StartsWith("/sys/fs/cgroup", StringComparison.Ordinal))];

    /// <summary>v1, hybrid or v2.</summary>
    public static CgroupMode Mode
    {
        get
        {
            IReadOnlyList<MountInfo> mounts = Mounts;
            bool v1 = mounts.Any(mount => mount.Type == "cgroup");
            bool v2 = mounts.Any(mount => mount.Type == "cgroup2");
            return (v1, v2) switch { (true, true) => CgroupMode.Hybrid, (true, false) => CgroupMode.V1, _ => CgroupMode.V2 };
        }
    }

    /// <summary>The mount point of a v1 controller (`name=systemd` for the named one), or null.</summary>
    public static string? V1MountPoint(string controller) =>
        Mounts.FirstOrDefault(mount => mount.Type == "cgroup" && mount.SuperOptions.Contains(controller))?.MountPoint;

    /// <summary>The mount point of the v2 hierarchy, or null.</summary>
    public static string? V2MountPoint => Mounts.FirstOrDefault(mount => mount.Type == "cgroup2")?.MountPoint;

    /// <summary>True when the controller exists on v1 or v2.</summary>
    public static bool HasController(string controller) => V1MountPoint(controller) is not null || V2Controllers.Contains(controller);

    /// <summary>What the v2 root offers.</summary>
    public static string[] V2Controllers =>
        V2MountPoint is { } root ? ProcessTree.ReadOrEmpty($"{root}/cgroup.controllers").Split(' ', '\n') : [];

    /// <summary>Every cgroup directory whose path contains the text, in all hierarchies, deepest first.</summary>
    public static IReadOnlyList<string> Find(string text)
    {
        EnumerationOptions everywhere =
            new()
            { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None, IgnoreInaccessible = true };
        return [.. Mounts.SelectMany(mount => Directory.EnumerateDirectories(mount.MountPoint, "*", everywhere))
            .Where(path => path.Contains(text, StringComparison.Ordinal)).Distinct().OrderByDescending(path => path.Length)];
    }
}
