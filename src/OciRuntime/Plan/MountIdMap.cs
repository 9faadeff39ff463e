using System.Globalization;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>
/// How an id-mapped bind mount shows the ids of its source (mount_setattr(2), MOUNT_ATTR_IDMAP): the id that the file system has stored is
/// <see cref="IdMapping.ContainerID"/>, the one seen through the mount, in the runtime's own ids, <see cref="IdMapping.HostID"/>.
/// </summary>
/// <param name="Uids">User ids; empty together with <paramref name="Gids"/> for the mapping of the container's user namespace.</param>
/// <param name="Gids">Group ids.</param>
/// <param name="Recursive">The mounts below the source, too (ridmap).</param>
internal sealed record MountIdMap(IdMapping[] Uids, IdMapping[] Gids, bool Recursive)
{
    /// <summary>The map is that of the container's own user namespace.</summary>
    public bool IsContainers => Uids.Length == 0;

    /// <summary>The map that a mount asks for, or null where it asks for none.</summary>
    /// <param name="mount">Its uidMappings and gidMappings, which are both empty or both not.</param>
    /// <param name="word">Its option idmap or ridmap, or null. crun's form is followed by "=uids=…;gids=…".</param>
    /// <param name="linux">The container's own maps.</param>
    /// <param name="namespaces">Tells whether it has a user namespace, and whether that is a new one.</param>
    /// <exception cref="FormatException">What is wrong with the option or with its use here.</exception>
    public static MountIdMap? Build(Mount mount, string? word, LinuxConfig linux, NamespacePlan namespaces)
    {
        bool listed = mount.UidMappings.Length > 0;
        if (word is null && !listed) return null;
        bool recursive = word?[0] == 'r';
        int equals = word?.IndexOf('=') ?? -1;
        if (equals >= 0 && listed)
            throw new FormatException("the mapping is given twice: in the option and in uidMappings and gidMappings");
        (IdMapping[] uids, IdMapping[] gids) = equals >= 0 ? Parse(word![(equals + 1)..], linux) : (mount.UidMappings, mount.GidMappings);
        if (uids.Length == 0 && !namespaces.Has(Linux.Processes.CLONE_NEWUSER))
        {
            throw new FormatException(
                "needs uidMappings and gidMappings, as the container has no user namespace whose mapping could be used");
        }
        // Kubernetes repeats the pod's own mapping: its user namespace is there already.
        bool same = namespaces.NewUser && IsSame(uids, linux.UidMappings) && IsSame(gids, linux.GidMappings);
        return same ? new([], [], recursive) : new(uids, gids, recursive);
    }

    /// <summary>"uid 0-9 as 1000-1009, gid 5 as 7", or that it is the container's.</summary>
    public string Describe() => IsContainers ? "as in the container's user namespace" : $"{Describe("uid", Uids)}, {Describe("gid", Gids)}";

    private static string Describe(string kind, IdMapping[] mappings) =>
        string.Join(", ", Array.ConvertAll(mappings, m => $"{kind} {Range(m.ContainerID, m.Size)} as {Range(m.HostID, m.Size)}"));

    private static string Range(uint first, uint size) => size == 1 ? $"{first}" : $"{first}-{first + size - 1}";

    private static bool IsSame(IdMapping[] a, IdMapping[] b)
    {
        if (a.Length != b.Length) return false;
        for (int i = 0; i < a.Length; i++)
        {
            if (a[i].ContainerID != b[i].ContainerID || a[i].HostID != b[i].HostID || a[i].Size != b[i].Size) return false;
        }
        return true;
    }

    /// <summary>crun's inline form (crun(1), "idmap mount options"): uids=0-1000-10#10-5000-1;gids=@0-0-10.</summary>
    private static (IdMapping[] Uids, IdMapping[] Gids) Parse(string text, LinuxConfig linux)
    {
        IdMapping[] uids = [], gids = [];
        foreach (string part in text.Split(';'))
        {
            if (part.StartsWith("uids=", StringComparison.Ordinal)) uids = Ranges(part, linux.UidMappings);
            else if (part.StartsWith("gids=", StringComparison.Ordinal)) gids = Ranges(part, linux.GidMappings);
            else throw new FormatException($"\"{part}\": must be uids=… or gids=…");
        }
        return uids.Length > 0 && gids.Length > 0 ? (uids, gids) : throw new FormatException("needs both uids= and gids=");
    }

    private static IdMapping[] Ranges(string part, IdMapping[] container)
    {
        List<IdMapping> ranges = [];
        foreach (string text in part[5..].Split('#'))
        {
            bool relative = text.StartsWith('@');
            string[] numbers = (relative ? text[1..] : text).Split('-');
            if (numbers.Length != 3 || !Number(numbers[0], out uint stored) || !Number(numbers[1], out uint seen)
                || !Number(numbers[2], out uint size) || size == 0
                || (ulong)stored + size > uint.MaxValue || (ulong)seen + size > uint.MaxValue)
            {
                throw new FormatException($"\"{text}\": must be three numbers, stored-seen-count");
            }
            if (relative) AddRelative(ranges, stored, seen, size, container, text);
            else ranges.Add(new IdMapping { ContainerID = stored, HostID = seen, Size = size });
        }
        return [.. ranges];
    }

    private static bool Number(string text, out uint value) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    /// <summary>The second number is an id of the container: cut where the container's own ranges end.</summary>
    private static void AddRelative(List<IdMapping> ranges, uint stored, uint seen, uint size, IdMapping[] container, string text)
    {
        while (size > 0)
        {
            IdMapping range = Array.Find(container, m => seen >= m.ContainerID && seen - m.ContainerID < m.Size)
                ?? throw new FormatException($"\"{text}\": id {seen} is not mapped in the container");
            uint offset = seen - range.ContainerID, count = Math.Min(size, range.Size - offset);
            ranges.Add(new IdMapping { ContainerID = stored, HostID = range.HostID + offset, Size = count });
            stored += count;
            seen += count;
            size -= count;
        }
    }
}
