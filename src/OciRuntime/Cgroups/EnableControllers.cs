using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>A v2 controller, and where config.json asks for what it does.</summary>
internal readonly record struct NeededController(string Name, string Pointer);

/// <summary>v2: hands the available controllers down, from the root to the cgroup's parent.</summary>
/// <param name="Directory">See <see cref="CgroupStep"/>.</param>
/// <param name="Needed">Those that must arrive.</param>
internal sealed record EnableControllers(int Directory, NeededController[] Needed)
    : CgroupStep(Directory, Needed.Length > 0 ? "/linux/resources" : "")
{
    public override string Describe(CgroupDirectory place) =>
        $"enable controllers in {ControlFile.SubtreeControl} from {place.Hierarchy.MountPoint} down to the parent of {place.Path}"
        + (Needed.Length > 0 ? $" (needed: {string.Join(' ', Array.ConvertAll(Needed, static one => one.Name))})" : "");

    /// <remarks>Reads before it writes: a write takes the kernel's cgroup lock, and nearly always all is enabled already.</remarks>
    /// <exception cref="OciException">A needed controller does not arrive; the message says where it got stuck.</exception>
    public override long Do(CgroupRun run, CgroupDirectory place, int directory)
    {
        long mount = CgroupFiles.OpenMount(place.Hierarchy);
        if (mount < 0) return mount;
        string offered = CgroupFiles.Read((int)mount, ControlFile.Controllers, out _), available = offered;
        string path = place.Hierarchy.MountPoint, stuckAt = path;
        long stuck = 0;
        bool threaded = false;
        string relative = place.Relative;
        int fd = (int)mount;
        for (int slash = -1; ;)
        {
            string enabled = Enable(fd, available, out long error);
            threaded |= error == -Errno.EOPNOTSUPP;
            if (error < 0 && stuck == 0)
            {
                stuck = error;
                stuckAt = path;
            }
            available = enabled;
            if (fd != (int)mount) Files.Close(fd);
            slash = relative.IndexOf('/', slash + 1);
            if (slash < 0 || available.Length == 0) break;
            path = place.Hierarchy.MountPoint + "/" + relative[..slash];
            long inner = CgroupFiles.OpenDirectory((int)mount, relative[..slash], Files.O_PATH);
            if (inner < 0) break;
            fd = (int)inner;
        }
        Files.Close((int)mount);
        foreach (NeededController needed in Needed)
        {
            if (!Has(available, needed.Name)) throw CgroupHints.NoController(place, needed, offered, stuck, stuckAt);
        }
        // Below a threaded cgroup a new one takes no process until it is threaded, too (cgroup-v2.rst, "Threads").
        bool invalid = threaded && CgroupFiles.Read(directory, "cgroup.type", out _) == "domain invalid";
        return invalid ? CgroupFiles.Write(directory, "cgroup.type", "threaded") : 0;
    }

    public override string? Hint(CgroupDirectory place, int directory, int errno) =>
        errno == Errno.EOPNOTSUPP ? "the cgroup above is threaded, and so this one can only be threaded, too"
        : base.Hint(place, directory, errno);

    // All in one write; where the kernel refuses one it refuses all, so then each by itself.
    private static string Enable(int fd, string available, out long error)
    {
        error = 0;
        string enabled = CgroupFiles.Read(fd, ControlFile.SubtreeControl, out _);
        string missing = "";
        foreach (Range r in available.AsSpan().Split(' '))
        {
            ReadOnlySpan<char> controller = available.AsSpan(r);
            if (!controller.IsEmpty && !Has(enabled, controller))
                missing = string.Concat(missing, missing.Length == 0 ? "+" : " +", controller);
        }
        if (missing.Length == 0) return enabled;
        error = CgroupFiles.Write(fd, ControlFile.SubtreeControl, missing);
        // A cgroup with processes takes the threaded controllers by themselves, but that makes it a threaded domain, whose children take no
        // process any more (cgroup-v2.rst, "Threads"): damage to somebody else's cgroup, and no use to the container.
        if (error < 0 && error != -Errno.EBUSY)
        {
            error = 0;
            foreach (string one in missing.Split(' '))
            {
                long result = CgroupFiles.Write(fd, ControlFile.SubtreeControl, one);
                if (result < 0) error = result;
            }
        }
        return CgroupFiles.Read(fd, ControlFile.SubtreeControl, out _);
    }

    private static bool Has(string list, ReadOnlySpan<char> word)
    {
        foreach (Range r in list.AsSpan().Split(' ')) if (list.AsSpan(r).SequenceEqual(word)) return true;
        return false;
    }
}
