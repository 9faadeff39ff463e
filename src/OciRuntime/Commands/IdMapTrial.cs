using OciRuntime.Checks;
using OciRuntime.Host;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Commands;

/// <summary>Tries whether a directory or file can be mounted with mapped ids, on a mount that is attached nowhere.</summary>
internal static class IdMapTrial
{
    // Any will do, where it is the container's that is asked for: the file system says whether it takes one.
    private static readonly IdMapping[] Some = [new() { ContainerID = 0, HostID = 100_000, Size = 65_536 }];

    /// <summary>It takes the right to map the ids of the host's file systems, and writes maps by the numbers of processes.</summary>
    public static bool IsPossible(HostFacts host) =>
        !host.InUserNamespace && host.Has(Credentials.CAP_SYS_ADMIN) && ProcChecks.IsOwn;

    /// <summary>The file systems of the places where engines keep images and volumes.</summary>
    public static Finding OfUsualPlaces()
    {
        const string Topic = "kernel", Name = "id-mapped mounts";
        List<string> able = [], unable = [];
        OciException? fault = null;
        HashSet<(uint, uint)> seen = [];
        List<MountEntry> mounts = MountTable.Read();
        foreach (string path in (ReadOnlySpan<string>)["/", "/var/lib", "/home", "/srv", "/tmp"])
        {
            if (Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat) < 0 || !seen.Add((stat.DevMajor, stat.DevMinor))) continue;
            string type = mounts.FindLast(one => one.Device == $"{stat.DevMajor}:{stat.DevMinor}").Type ?? "its file system";
            OciException? refusal = Try(path, null, path);
            // What the kernel says of a file system that takes none; anything else is no word on the file system.
            if (refusal is null or { Errno: Errno.EINVAL }) (refusal is null ? able : unable).Add($"{path} ({type})");
            else fault = refusal;
        }
        if (fault is not null)
        {
            return new(Topic, Name, Verdict.Limited, fault.Message, "a configuration that maps the ids of a mount fails", fault.Errno switch
            {
                Errno.ENOSPC => "raise user.max_user_namespaces",
                Errno.EAGAIN => LimitChecks.OfProcesses(),
                _ => "",
            });
        }
        return unable.Count == 0 ? new(Topic, Name, Verdict.Ok, string.Join(", ", able))
            : new(Topic, Name, Verdict.Limited, $"not of what is in {string.Join(", ", unable)}",
                "a configuration that maps the ids of a mount from there fails, as pods with a user namespace of their own do",
                "keep images and volumes on another file system, or take a newer kernel");
    }

    /// <summary>Why not; "" when it can, or when that cannot be told.</summary>
    /// <param name="path">On the host.</param>
    /// <param name="map">The map; null for any.</param>
    /// <param name="what">What is tried, for the message.</param>
    public static string Fault(string path, MountIdMap? map, string what) => Try(path, map, what)?.Message ?? "";

    private static OciException? Try(string path, MountIdMap? map, string what)
    {
        bool recursive = map?.Recursive ?? false;
        uint below = recursive ? (uint)Files.AT_RECURSIVE : 0;
        long tree = Mounts.OpenTree(Files.AT_FDCWD, path, Mounts.OPEN_TREE_CLONE | below);
        if (tree < 0) return null;
        using Fd mount = new((int)tree);
        using MountIdMapper mapper = new();
        try
        {
            mapper.Map(map is null or { IsContainers: true } ? new(Some, Some, recursive) : map, mount.Number, what);
            return null;
        }
        catch (OciException e)
        {
            return e;
        }
    }
}
