using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Verify;

/// <summary>The container's files: its root, what is mounted on what, what is hidden and what is read-only.</summary>
/// <param name="report">Takes what is found.</param>
/// <param name="subject">The container.</param>
/// <param name="tree">Its files.</param>
/// <param name="host">Those of the host.</param>
internal sealed class MountProof(Report report, Subject subject, FileTree tree, FileTree host)
{
    private const string Title = "mounts", Hidden = "protected paths", RootTitle = "root";

    // Who may mount may also remount and unmount, but for what came with a mount namespace of more privilege.
    private readonly bool _mayMount = subject.MayHave(Credentials.CAP_SYS_ADMIN)
        || subject.HasMadeOwn(Array.Find(NamespaceNames.Kinds, static kind => kind.Flag == Processes.CLONE_NEWNS)!);
    private readonly List<ExpectedMount> _expected = ExpectedMount.Of(subject.Plan);
    private readonly FileSystemOptions _options = new(PrivilegeProof.Shown(subject, "uid_map"), PrivilegeProof.Shown(subject, "gid_map"));
    private readonly Dictionary<MountBindStep, List<(string Device, string Root)>> _origins = [];

    public void Add()
    {
        AddRoot();
        for (int i = 0; i < _expected.Count; i++)
        {
            ExpectedMount mount = _expected[i];
            report.Add(Title, mount.Step.Origin.ToString(), mount.Step.Describe(), IsCovered(i) ? Covered(mount) : Visible(mount));
        }
        AddProtectiveMounts();
        foreach (PlanStep step in subject.Plan.Steps)
        {
            if (step is MaskPathStep mask) report.Add(Hidden, step.Origin.ToString(), $"{Full(mask.Path)} hidden", Masked(mask.Path));
            if (step is ReadonlyPathStep fix) report.Add(Hidden, step.Origin.ToString(), $"{Full(fix.Path)} read-only", ReadOnly(fix.Path));
        }
    }

    private static string Full(string path) => ContainerPath.Absolute(path);

    private Seen Other(string found) => Subject.Other(_mayMount, found);

    private void AddRoot()
    {
        using Place? root = tree.Root(out string why);
        if (root is null)
        {
            report.Add(RootTitle, "/root/path", "the root directory", Seen.Unchecked(why));
            return;
        }
        using Place? present = host.Find(subject.State.Rootfs, followLast: true, out _, out why);
        // A root file system that is mounted for the container may not be where the caller is, or gone there.
        report.Add(RootTitle, "/root/path", $"{subject.State.Rootfs} as the root directory",
            present is null ? Seen.Unchecked($"{subject.State.Rootfs}: {why}")
            : present.Stat.Identity == root.Stat.Identity ? Seen.Held
            : IsHosts(root) ? new(Outcome.Broken, "it is the host's")
            : Seen.Unchecked("something else is there now, as seen from here"));
        foreach (PlanStep step in subject.Plan.Steps)
        {
            if (step is SetMountAttributesStep { Path: "." } set)
            {
                string missing = ExpectedMount.Missing(set.Set, root.Mount.Options, root.Mount.FileSystemOptions);
                report.Add(RootTitle, step.Origin.ToString(), "the root read-only",
                    missing.Length == 0 ? Seen.Held : Other($"it lacks {missing}"));
            }
        }
        // A joined mount namespace is another's, and has what that gave it.
        if (!subject.Namespaces.Has(Processes.CLONE_NEWNS)) return;
        // Without a word for it, and with "slave", what the host mounts may come in, if the host lets it.
        (ulong wanted, string words) = subject.Spec.Linux?.RootfsPropagation switch
        {
            "shared" or "rshared" => (Mounts.MS_SHARED, "the root shared"),
            "private" or "rprivate" => (Mounts.MS_PRIVATE, "the root private"),
            "unbindable" or "runbindable" => (Mounts.MS_UNBINDABLE, "the root unbindable"),
            _ => (Mounts.MS_SLAVE, "the root not shared"),
        };
        string differs = Spreads(wanted, root.Mount);
        report.Add(RootTitle, "/linux/rootfsPropagation", words, differs.Length == 0 ? Seen.Held : Other(differs));
    }

    /// <summary>What is not as promised of a mount's propagation; "" for nothing.</summary>
    /// <param name="wanted">MS_SHARED, MS_PRIVATE …; 0 where nothing is.</param>
    /// <param name="entry">The mount.</param>
    private static string Spreads(ulong wanted, MountEntry entry) => wanted switch
    {
        Mounts.MS_SHARED => entry.IsShared ? "" : "it is not shared",
        0 => "",
        _ when entry.IsShared => "it is shared",
        // Of a mount that had no peers "slave" makes a private one (mount_namespaces(7)).
        Mounts.MS_SLAVE => "",
        _ when entry.IsSlave => "it is a slave: what is mounted on its master is on it, too",
        Mounts.MS_UNBINDABLE => entry.IsUnbindable ? "" : "it can be bound",
        _ => "",
    };

    private bool IsHosts(Place root)
    {
        using Place? own = host.Root(out _);
        return own?.Stat.Identity == root.Stat.Identity;
    }

    /// <summary>Whether a later one hides it.</summary>
    private bool IsCovered(int index)
    {
        string path = _expected[index].Path;
        for (int i = index + 1; i < _expected.Count; i++)
            if (_expected[i].Step is IMountStep && ContainerPath.IsBelow(path, _expected[i].Path)) return true;
        return subject.Plan.Steps.Exists(step => step is MaskPathStep mask && ContainerPath.IsBelow(path, mask.Path));
    }

    // It cannot be looked up, and is in the table all the same.
    private Seen Covered(ExpectedMount mount)
    {
        if (tree.Untold.Length > 0) return Seen.Unchecked(tree.Untold);
        string found = "nothing is mounted there";
        foreach (MountEntry entry in tree.Mounts)
        {
            if (entry.Point != Full(mount.Path)) continue;
            found = Differs(mount, entry);
            if (found.Length == 0) return Seen.Held;
        }
        return Other(found);
    }

    private Seen Visible(ExpectedMount mount)
    {
        bool follow = mount.Step is not IMountStep { Target.NoFollow: true };
        using Place? place = tree.Find(mount.Path, follow, out bool isMissing, out string why);
        bool maySkip = mount.Step is MountFilesystemStep { SkipMissing: true } or MountBindStep { SkipMissing: true };
        if (place is null && !isMissing) return Seen.Unchecked(why);
        if (place is null || (!place.IsMountRoot && mount.Step is IMountStep))
        {
            if (maySkip) return Seen.Unchecked("nothing is mounted there, as may be where the runtime has no right to it");
            // The directories above it may have another name by now: a mount goes with them.
            string[] elsewhere = [.. tree.Mounts.Where(entry => IsThat(mount, entry) && !IsAnothers(mount, entry))
                .Select(static entry => entry.Point)];
            return elsewhere.Contains(Full(mount.Path)) ? Other("another mount covers it")
                : place is null && elsewhere.Length > 0 ? new(Outcome.Drifted, $"it is at {elsewhere[0]}")
                : Other("nothing is mounted there");
        }
        if (mount.Step is MountBindStep bind && Source(bind, place) is { Outcome: not Outcome.Held } seen) return seen;
        string differs = Differs(mount, place.Mount);
        if (differs.Length > 0) return Other(differs);
        if (mount.Step is MountFilesystemStep { OnDevice: true } file && Device(file, place.Mount) is { Outcome: not Outcome.Held } device)
            return device;
        Seen ids = mount.Step is MountBindStep { IdMap: { } map } ? Ids(map, place) : Seen.Held;
        if (ids.Outcome > Outcome.Unchecked) return ids;
        bool mapsTree = mount.Step is MountBindStep { IdMap.Recursive: true };
        // What came in from the host by propagation has the attributes of the host.
        foreach (MountEntry below in tree.Mounts)
        {
            if ((mount.TreeSet | mount.TreePropagation) == 0 && !mapsTree) break;
            if (below.Id == place.Mount.Id || !ContainerPath.IsBelow(below.Point, place.Mount.Point)) continue;
            // Others have promises of their own.
            if (_expected.Exists(one => one != mount && one.Path.Length > mount.Path.Length
                && ContainerPath.IsBelow(below.Point, Full(one.Path))))
            {
                continue;
            }
            string missing = ExpectedMount.Missing(mount.TreeSet, below.Options, below.FileSystemOptions);
            if (missing.Length > 0) return Subject.Other(!subject.IsWaiting, $"{below.Point} below it lacks {missing}");
            // Those that the launch has put there to protect what is below are its own.
            string spreads = IsProtective(below) ? "" : Spreads(mount.TreePropagation, below);
            if (spreads.Length > 0) return Subject.Other(!subject.IsWaiting, $"{below.Point} below it: {spreads}");
            if (mapsTree && !IsProtective(below) && !IsMapped(below))
                return Subject.Other(!subject.IsWaiting, $"{below.Point} below it is not id-mapped");
        }
        return ids;
    }

    private static bool IsMapped(MountEntry entry) => entry.Options.Split(',').Contains("idmapped");

    /// <summary>The kernel's word for it in the mount table, and where it has that (Linux 6.15) the map itself.</summary>
    private Seen Ids(MountIdMap map, Place place)
    {
        if (!IsMapped(place.Mount)) return Other("it is not id-mapped");
        long fd = subject.Init.OpenLink("ns/mnt", Files.O_RDONLY);
        if (fd < 0) return Seen.Unchecked($"its ids are mapped; the map: {ErrnoText.Full((int)-fd)}");
        using Fd mounts = new((int)fd);
        long result = Mounts.IdMaps(place.Descriptor.Number, mounts.Number, out string[] uids, out string[] gids);
        if (result == -Errno.ENOSYS) return Seen.Unchecked("its ids are mapped; this kernel does not show how");
        if (result < 0) return Seen.Unchecked($"its ids are mapped; the map: {ErrnoText.Full((int)-result)}");
        foreach ((string kind, string[] its, IdMapping[] wanted) in
            ((string, string[], IdMapping[])[])[("uid", uids, map.Uids), ("gid", gids, map.Gids)])
        {
            string? text = map.IsContainers ? subject.IdMap($"{kind}_map", out string why) : IdMap.Text(wanted);
            if (text is null) return Seen.Unchecked("its ids are mapped; the map of the user namespace cannot be read");
            if (!NamespaceProof.IsSameMap(text, string.Join('\n', its)))
                return Other($"its {kind} map is {string.Join(", ", its)}");
        }
        return Seen.Held;
    }

    /// <summary>Of a file system on a device, which has that one's number, if it does not have one of its own.</summary>
    private Seen Device(MountFilesystemStep file, MountEntry entry)
    {
        if (entry.Device.StartsWith("0:", StringComparison.Ordinal)) return Seen.Held;
        string source = file.Options.Find(static option => option.Key == "source").Value ?? "";
        using Place? present = host.Find(source, followLast: true, out _, out string why);
        if (present is null) return Seen.Unchecked($"{source}: {why}");
        string number = $"{present.Stat.RdevMajor}:{present.Stat.RdevMinor}";
        if (present.Stat.Type == Files.S_IFBLK && number == entry.Device) return Seen.Held;
        // A name of the host's may be another device's by now.
        return _mayMount || subject.IsWaiting ? Other($"it is the device {entry.Device}, and {source} is {number}")
            : Seen.Unchecked($"it is the device {entry.Device}, and {source} is {number} now");
    }

    private bool IsThat(ExpectedMount mount, MountEntry entry) => mount.Step switch
    {
        MountFilesystemStep file => entry.Type == file.Type && Differs(mount, entry).Length == 0,
        MountBindStep bind => IsOrigin(bind, entry),
        _ => false,
    };

    private bool IsAnothers(ExpectedMount mount, MountEntry entry) =>
        IsProtective(entry) || _expected.Exists(one => one.Path != mount.Path && Full(one.Path) == entry.Point);

    /// <summary>What is not as promised of a mount that is there; "" for nothing.</summary>
    private string Differs(ExpectedMount mount, MountEntry entry)
    {
        if (mount.Step is MountFilesystemStep file)
        {
            bool isType = entry.Type == file.Type || entry.Type.StartsWith(file.Type + ".", StringComparison.Ordinal);
            if (!isType && file.Fallback is null) return $"a {entry.Type} is there";
            if (_options.Differ(file.Type, mount.Options, entry) is { Length: > 0 } other) return other;
        }
        string missing = ExpectedMount.Missing(mount.Set, entry.Options, entry.FileSystemOptions);
        return missing.Length > 0 ? $"it lacks {missing}" : Spreads(mount.Propagation, entry);
    }

    private Seen Source(MountBindStep bind, Place place)
    {
        using Place? present = host.Find(bind.Source, !bind.SourceNoFollow, out _, out string why);
        if (present?.Stat.Identity == place.Stat.Identity) return Seen.Held;
        if (bind.Fallback is { } fallback)
        {
            using Place? other = host.Find(fallback, followLast: true, out _, out _);
            if (other?.Stat.Identity == place.Stat.Identity) return Seen.Held;
        }
        if (IsOrigin(bind, place.Mount)) return new(Outcome.Drifted, $"{bind.Source} is another file now: this one is what it was");
        if (!IsProtective(place.Mount) && tree.Mounts.Exists(below => below.Id == place.Mount.Parent && below.Point == place.Mount.Point
            && IsOrigin(bind, below)))
        {
            return Other("another mount covers it");
        }
        if (present is null) return Seen.Unchecked($"{bind.Source}: {why}");
        string found = $"it is {place.Mount.Root} of {place.Mount.Type} {place.Mount.Device}";
        // What the host has at a path is its own affair, once a program runs: it may have unmounted there what was bound. Before that it
        // had no time, but what it has not mounted at all may be of whoever made the container, in another mount namespace.
        bool isHosts = host.Mounts.Exists(mount => mount.Device == place.Mount.Device);
        return _mayMount || (subject.IsWaiting && isHosts) ? Other(found)
            : Seen.Unchecked($"{found}, and something else is at {bind.Source} now, as seen from here");
    }

    /// <summary>
    /// Whether it is mounted from where the source is in its file system: a file that was replaced had the same place.
    /// </summary>
    private bool IsOrigin(MountBindStep bind, MountEntry entry)
    {
        if (!_origins.TryGetValue(bind, out List<(string Device, string Root)>? origins)) _origins[bind] = origins = Origins(bind);
        return origins.Exists(one => entry.Device == one.Device && (entry.Root == one.Root || entry.Root == one.Root + "//deleted"));
    }

    /// <summary>By the mount that is there now, and by the one that its directory is on.</summary>
    private List<(string Device, string Root)> Origins(MountBindStep bind)
    {
        List<(string Device, string Root)> found = [];
        using Place? present = host.Find(bind.Source, !bind.SourceNoFollow, out _, out _);
        if (present is { IsMountRoot: true }) found.Add((present.Mount.Device, present.Mount.Root));
        string source = bind.Source.TrimEnd('/');
        int slash = source.LastIndexOf('/');
        if (slash < 0) return found;
        using Place? parent = host.Find(source[..slash], followLast: true, out _, out _);
        if (parent is null || Files.PathOf(parent.Descriptor.Number, out _) is not { } path) return found;
        string point = parent.Mount.Point.TrimEnd('/');
        if (ContainerPath.IsBelow(path, point))
            found.Add((parent.Mount.Device, Join(Join(parent.Mount.Root, path[point.Length..].Trim('/')), source[(slash + 1)..])));
        return found;
    }

    private static string Join(string directory, string name) => name.Length == 0 ? directory : $"{directory.TrimEnd('/')}/{name}";

    /// <summary>By their numbers, which the launch has noted.</summary>
    private void AddProtectiveMounts()
    {
        if (subject.State.ProtectiveMounts is not { Length: > 0 } noted) return;
        string words = $"the {noted.Length} mounts that hide paths or make them read-only";
        if (tree.Untold.Length > 0)
        {
            report.Add(Hidden, "", words, Seen.Unchecked(tree.Untold));
            return;
        }
        int gone = noted.Count(id => !tree.Mounts.Exists(mount => mount.Id == id));
        report.Add(Hidden, "", words, gone == 0 ? Seen.Held : Other($"{gone} of them are gone"));
    }

    private bool IsProtective(MountEntry mount) => Array.IndexOf(subject.State.ProtectiveMounts ?? [], mount.Id) >= 0;

    private bool AllProtectiveMountsAreThere =>
        subject.State.ProtectiveMounts is { } noted && Array.TrueForAll(noted, id => tree.Mounts.Exists(mount => mount.Id == id));

    private Seen Masked(string path)
    {
        using Place? place = tree.Find(path, followLast: true, out bool isMissing, out string why);
        if (place is null) return isMissing ? Seen.Held : Seen.Unchecked(why);
        if (!place.IsMountRoot) return Unprotected("it is there to be seen");
        if (!place.Stat.IsDirectory)
        {
            return place.Stat is { Type: Files.S_IFCHR, RdevMajor: 1, RdevMinor: 3 } ? Seen.Held
                : Other("something other than the null device is there");
        }
        if (place.Mount.Type != "tmpfs") return Other($"a {place.Mount.Type} is there");
        long fd = Files.OpenAt(place.Descriptor.Number, ".", Files.O_RDONLY | Files.O_DIRECTORY);
        if (fd < 0) return Seen.Unchecked(ErrnoText.Full((int)-fd));
        using Fd directory = new((int)fd);
        if (Files.ListDirectory(directory.Number, out _, most: 1).Count > 0) return Other("it is not empty");
        return IsWritable(place.Mount) ? Other("what hides it can be written to") : Seen.Held;
    }

    private static bool IsWritable(MountEntry mount) =>
        ExpectedMount.Missing(Mounts.MOUNT_ATTR_RDONLY, mount.Options, mount.FileSystemOptions).Length > 0;

    private Seen ReadOnly(string path)
    {
        using Place? place = tree.Find(path, followLast: true, out bool isMissing, out string why);
        if (place is null) return isMissing ? Seen.Held : Seen.Unchecked(why);
        if (IsWritable(place.Mount)) return IsProtective(place.Mount) ? Other("it can be written to") : Unprotected("it can be written to");
        foreach (MountEntry below in tree.Mounts)
        {
            if (below.Id == place.Mount.Id || below.Point == place.Mount.Point || !ContainerPath.IsBelow(below.Point, Full(path))) continue;
            if (IsWritable(below)) return Subject.Other(!subject.IsWaiting, $"{below.Point} below it can be written to");
        }
        return Seen.Held;
    }

    /// <summary>What was not there when the container was made, as a file that came with a kernel's module, was not protected.</summary>
    private Seen Unprotected(string found) => !subject.IsWaiting && AllProtectiveMountsAreThere
        ? new(Outcome.Drifted, $"{found}, and all that was protected at the start still is: it has come into being since") : Other(found);
}
