using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>
/// How the id maps of a new user namespace come to be written (user_namespaces(7), "Defining user and group ID mappings"). Who has the
/// capability writes any map; who has not may map only himself, and needs newuidmap and newgidmap for the ranges that /etc/subuid and
/// /etc/subgid give him.
/// </summary>
internal sealed class IdMapPlan
{
    public required IdMap Uids { get; init; }
    public required IdMap Gids { get; init; }

    /// <summary>
    /// setgroups(2) is given up before the gid map is written. The kernel asks this of whoever maps his own group without privilege, as he
    /// could otherwise shed a group that denies access; newgidmap answers for the groups of a range.
    /// </summary>
    public required bool DenySetgroups { get; init; }

    /// <exception cref="OciException">A helper is needed and not there.</exception>
    public static IdMapPlan Build(LinuxConfig linux, HostFacts host)
    {
        bool ownGid = !host.Has(Credentials.CAP_SETGID) && IsOwn(linux.GidMappings, host.Gid);
        return new IdMapPlan
        {
            Uids = new("uid", linux.UidMappings, host.Has(Credentials.CAP_SETUID) || IsOwn(linux.UidMappings, host.Uid) ? null
                : Helper("newuidmap", "uid", host, host.Uid)),
            Gids = new("gid", linux.GidMappings, host.Has(Credentials.CAP_SETGID) || ownGid ? null
                : Helper("newgidmap", "gid", host, host.Gid)),
            DenySetgroups = ownGid,
        };
    }

    private static bool IsOwn(IdMapping[] mappings, uint id) => mappings is [{ Size: 1 } only] && only.HostID == id;

    private static string Helper(string name, string kind, HostFacts host, uint own) => host.Find(name) ?? throw new OciException(
        $"/linux/{kind}Mappings: without privilege only the caller's own {kind}, {own}, can be mapped, alone (size 1); anything else "
        + $"takes the program {name}, which is not in PATH: {SubordinateIds.InstallMappers}");
}

/// <summary>One of the two maps.</summary>
/// <param name="Kind">"uid" or "gid".</param>
/// <param name="Mappings">Its lines.</param>
/// <param name="Helper">Path of the program that writes it, or null: the runtime does.</param>
internal sealed record IdMap(string Kind, IdMapping[] Mappings, string? Helper)
{
    /// <summary>Where config.json asks for it.</summary>
    public string Pointer => $"/linux/{Kind}Mappings";

    /// <summary>The file below /proc/PID.</summary>
    public string File => $"{Kind}_map";

    /// <summary>The file's content, for one write: the kernel accepts exactly one.</summary>
    public string Lines => Text(Mappings);

    /// <summary>Mappings as a map file has them.</summary>
    public static string Text(IdMapping[] mappings) =>
        string.Concat(Array.ConvertAll(mappings, static m => $"{m.ContainerID} {m.HostID} {m.Size}\n"));

    /// <summary>The same on one line, for messages.</summary>
    public string Words => Lines.TrimEnd().Replace("\n", ", ");

    /// <summary>argv of the helper.</summary>
    public string[] Arguments(string pid) => [Helper!, pid, .. Lines.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries)];
}
