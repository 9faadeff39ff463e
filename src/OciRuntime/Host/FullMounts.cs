namespace OciRuntime.Host;

/// <summary>Complete file systems in this mount namespace: mounts whose root is the file system's own.</summary>
internal static class FullMounts
{
    /// <summary>Where complete proc and sysfs mounts are, except those at or below <paramref name="except"/>.</summary>
    public static List<string> ProcAndSysfs(string except) => MountTable.Read()
        .FindAll(m => m is { Root: "/", Type: "proc" or "sysfs" } && m.Point != except
        && !m.Point.StartsWith(except + "/", StringComparison.Ordinal))
        .ConvertAll(static m => m.Point);

    /// <summary>Where the resctrl file system is; null when it is not mounted.</summary>
    public static string? Resctrl() => MountTable.Read().FindLast(static m => m is { Root: "/", Type: "resctrl" }).Point;

    /// <summary>
    /// Mount points below /proc: parts of it that are covered. Directories that procfs keeps empty for the purpose do not count
    /// (fs_fully_visible).
    /// </summary>
    public static List<string> CoveringProc() => MountTable.Read().ConvertAll(static m => m.Point)
        .FindAll(static p => p.StartsWith("/proc/", StringComparison.Ordinal) && p is not ("/proc/sys/fs/binfmt_misc" or "/proc/fs/nfsd"));
}
