using OciRuntime.Host;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Checkpoint;

/// <summary>
/// A mount whose source is outside of the container: criu keeps its name in the images, and restore says what it stands for. The name is
/// the destination as config.json has it, never one that was found by way of the image's links (CVE-2026-119101).
/// </summary>
/// <param name="Name">The destination in the configuration; or, of what is bound in many places, the source.</param>
/// <param name="Source">The host's path.</param>
/// <param name="Origin">For messages.</param>
/// <param name="Recursive">Mounts below the source belong to it.</param>
/// <param name="ReadOnly">It is not to become writable.</param>
/// <param name="Anywhere">Every mount of this source is meant, not only the one at the destination.</param>
internal sealed record ExternalMount(string Name, string Source, Origin Origin, bool Recursive, bool ReadOnly, bool Anywhere)
{
    /// <summary>The host's null device, which covers files that are to be hidden.</summary>
    public const string NullDevice = "/dev/null";

    private const string NotifyName = "/run/notify";

    /// <summary>Those of a container. What hides files is the host's null device in many places.</summary>
    /// <param name="plan">Its launch plan: each bind is a step.</param>
    /// <param name="stateDirectory">Its directory below the state root.</param>
    public static List<ExternalMount> Of(LaunchPlan plan, string stateDirectory)
    {
        List<ExternalMount> mounts = [];
        foreach (PlanStep step in plan.Steps)
        {
            if (step is DeviceBindStep device) mounts.Add(new(device.Source, device.Source, step.Origin, false, false, true));
            if (step is DeviceMountStep node)
            {
                throw new OciException(
                    $"{step.Origin} {ContainerPath.Absolute(node.Path)}: device nodes that the runtime has made for a user namespace "
                    + $"cannot be checkpointed: criu could only bind the host's in their place");
            }
            // Whether there is one depends on who calls; below it is looked for in any case.
            if (step is not MountBindStep bind || step.Origin == Origin.Runtime) continue;
            if (bind.IdMap is not null)
            {
                throw new OciException(
                    $"{step.Origin} {ContainerPath.Absolute(bind.Target.Path)}: id-mapped mounts cannot be checkpointed: criu would "
                    + $"restore them without the mapping");
            }
            bool readOnly = ((bind.Attributes.Set | bind.Attributes.TreeSet) & Mounts.MOUNT_ATTR_RDONLY) != 0;
            mounts.Add(new(ContainerPath.Absolute(bind.Target.Path), bind.Source, step.Origin, bind.Recursive, readOnly, false));
        }
        mounts.Add(new(NotifyName, NotifyProxy.DirectoryOf(stateDirectory), Origin.Runtime, false, true, true));
        if (!mounts.Exists(static m => m.Name == NullDevice)) mounts.Add(new(NullDevice, NullDevice, Origin.Runtime, false, false, true));
        mounts.ForEach(static m => Check(m.Name, m.Origin));
        return mounts;
    }

    /// <summary>criu makes mounts in a mount namespace of its own, and would save or make the host's.</summary>
    /// <exception cref="OciException">The container's mounts are the host's.</exception>
    public static void RefuseHosts(LaunchPlan plan)
    {
        if (plan.MountsOnHost)
        {
            throw new OciException(
                "/linux/namespaces: a container without a mount namespace, whose mounts are the host's, can be neither saved nor restored");
        }
    }

    /// <summary>Tells criu where in a container they are.</summary>
    /// <param name="mounts">The container's.</param>
    /// <param name="pid">Its first process.</param>
    /// <param name="options">The request.</param>
    public static void Dump(List<ExternalMount> mounts, int pid, CriuOptions options)
    {
        List<MountEntry> host = MountTable.Read(), inside = MountTable.Read($"{pid}");
        HashSet<ulong> named = [];
        foreach (ExternalMount mount in mounts)
        {
            (string Device, string Root)? identity = Identify(mount.Source, host);
            List<MountEntry> found = inside.FindAll(m => !named.Contains(m.Id) && m.Point != "/"
                && (mount.Anywhere ? (m.Device, m.Root) == identity : m.Point == mount.Name));
            // A link in the image led elsewhere.
            if (found.Count == 0 && !mount.Anywhere)
                found = inside.FindAll(m => !named.Contains(m.Id) && m.Point != "/" && (m.Device, m.Root) == identity);
            // Of several at one place the last one is on top; the others are hidden, and for criu an error of its own.
            if (found.Count > 1 && !mount.Anywhere) found = [found[^1]];
            foreach (MountEntry entry in found) Add(mount, entry, inside, mounts, named, options);
        }
    }

    private static void Add(ExternalMount mount, MountEntry entry, List<MountEntry> inside, List<ExternalMount> mounts,
        HashSet<ulong> named, CriuOptions options)
    {
        named.Add(entry.Id);
        Check(entry.Point, mount.Origin);
        options.Set(CriuOption.External, $"mnt[{entry.Point}]:{mount.Name}");
        if (!mount.Recursive) return;
        HashSet<ulong> tree = [entry.Id];
        foreach (MountEntry below in inside)
        {
            // mountinfo has parents before children. What the configuration mounts below is not of this tree.
            if (!tree.Contains(below.Parent) || mounts.Exists(m => m.Name == below.Point)
                || !ContainerPath.IsBelow(below.Point, entry.Point) || below.Point == entry.Point)
            {
                continue;
            }
            tree.Add(below.Id);
            if (!named.Add(below.Id)) continue;
            Check(below.Point, mount.Origin);
            options.Set(CriuOption.External, $"mnt[{below.Point}]:{mount.Name}{below.Point[entry.Point.Length..]}");
        }
    }

    /// <summary>Tells criu what the names stand for here. Names that are not in the images do no harm.</summary>
    public static void Restore(List<ExternalMount> mounts, CriuOptions options)
    {
        List<MountEntry> host = MountTable.Read();
        foreach (ExternalMount mount in mounts)
        {
            // criu takes what is at the path, and of a symbolic link (/bin, /var/run) there is no mount to be made.
            string source = RealPath(mount.Source) ?? mount.Source;
            options.Set(CriuOption.External, $"mnt[{mount.Name}]:{source}");
            if (!mount.Recursive) continue;
            foreach (MountEntry below in host)
            {
                if (below.Point == source || !ContainerPath.IsBelow(below.Point, source.TrimEnd('/'))) continue;
                string suffix = below.Point[source.TrimEnd('/').Length..];
                if (!suffix.Contains(']')) options.Set(CriuOption.External, $"mnt[{mount.Name}{suffix}]:{below.Point}");
            }
        }
    }

    /// <summary>
    /// Before the restored processes run: criu gives a mount the flags it had in the images, and those may be older than the configuration,
    /// or somebody else's. What is to be read-only has to be.
    /// </summary>
    public static void CheckRestored(List<ExternalMount> mounts, int pid, bool readOnlyRoot)
    {
        List<MountEntry> host = MountTable.Read(), inside = MountTable.Read($"{pid}");
        if (readOnlyRoot && !inside.Exists(static m => m.Point == "/" && m.IsReadOnly))
            throw new OciException("/root/readonly: criu has restored the root writable");
        foreach (ExternalMount mount in mounts)
        {
            if (!mount.ReadOnly || Identify(mount.Source, host) is not { } identity) continue;
            if (mounts.Exists(m => !m.ReadOnly && Identify(m.Source, host) == identity)) continue;
            MountEntry writable = inside.Find(m => (m.Device, m.Root) == identity && !m.IsReadOnly);
            if (writable.Point is not null)
            {
                throw new OciException(
                    $"{mount.Origin} {mount.Name}: {mount.Source} is to be read-only, and in the checkpoint it is writable at "
                    + $"{writable.Point}");
            }
        }
    }

    /// <summary>
    /// File system and path in it, which a bind mount of a file or directory has in common with it; null when it is not there.
    /// </summary>
    private static (string Device, string Root)? Identify(string path, List<MountEntry> host)
    {
        long opened = Files.OpenAt(Files.AT_FDCWD, path, Files.O_PATH);
        if (opened < 0) return null;
        using Fd file = new((int)opened);
        if (Files.Stat(file.Number, out Statx stat, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID) < 0) return null;
        MountEntry on = host.Find(m => m.Id == stat.MountId);
        if (on.Point is null || Files.PathOf(file.Number, out _) is not { } real
            || !real.StartsWith(on.Point, StringComparison.Ordinal))
        {
            return null;
        }
        string below = real[(on.Point == "/" ? 0 : on.Point.Length)..];
        return (on.Device, on.Root == "/" ? (below.Length == 0 ? "/" : below) : on.Root + (below == "/" ? "" : below));
    }

    private static string? RealPath(string path)
    {
        long opened = Files.OpenAt(Files.AT_FDCWD, path, Files.O_PATH);
        if (opened < 0) return null;
        using Fd file = new((int)opened);
        return Files.PathOf(file.Number, out _);
    }

    /// <summary>In criu's syntax, mnt[PLACE]:NAME, a bracket would end the place (CVE-2026-119101).</summary>
    private static void Check(string path, Origin origin)
    {
        if (path.Contains(']') || path.AsSpan().ContainsAnyInRange('\0', '\x1f'))
        {
            throw new OciException(
                $"{origin}: criu cannot be told of a mount at \"{path.Replace('\n', ' ')}\": it may have no ] and no control character");
        }
    }
}
