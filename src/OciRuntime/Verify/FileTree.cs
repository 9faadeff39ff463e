using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Verify;

/// <summary>A file that was looked up, held open.</summary>
/// <param name="Descriptor">O_PATH.</param>
/// <param name="Stat">What it is.</param>
/// <param name="Mount">The mount it is on.</param>
internal sealed record Place(Fd Descriptor, Statx Stat, MountEntry Mount) : IDisposable
{
    public bool IsMountRoot => (Stat.Attributes & Files.STATX_ATTR_MOUNT_ROOT) != 0;

    public void Dispose() => Descriptor.Dispose();
}

/// <summary>
/// Files, looked up name by name from the root of a process: the container's from that of its first one, the host's from this one's own.
/// Nothing is looked up on a mount that a program or another machine serves: who waits for such an answer may wait for ever, and cannot be
/// killed. The host's paths lead there, too: what is bound into a container is often the container's to change.
/// </summary>
internal sealed class FileTree : IDisposable
{
    private const int MaxLinks = 40, MaxNames = 4096;

    private readonly ProcessFiles _process;
    private readonly Fd _root;

    // The devices of file systems whose server is trusted to answer.
    private readonly List<string> _trusted = [];

    private FileTree(ProcessFiles process, Fd root)
    {
        _process = process;
        _root = root;
    }

    /// <summary>What is mounted in it; nothing where <see cref="Untold"/> says why.</summary>
    public List<MountEntry> Mounts { get; private set; } = [];

    /// <summary>Why it cannot be told what is mounted in it; "" where it can.</summary>
    public string Untold { get; private set; } = "";

    /// <param name="process">Whose root it is.</param>
    /// <param name="other">Another tree: who serves its root is trusted here, too.</param>
    /// <exception cref="OciException">The process may not be looked into, or has ended.</exception>
    public static FileTree Open(ProcessFiles process, FileTree? other = null)
    {
        FileTree tree = new(process, Fd.Of(process.OpenLink("root", Files.O_PATH | Files.O_DIRECTORY), $"open /proc/{process.Pid}/root"));
        List<MountEntry>? mounts = process.Mounts(out long error);
        if (mounts is null && error != -Errno.EOVERFLOW) throw OciException.FromResult(error, $"read /proc/{process.Pid}/mountinfo");
        tree.Mounts = mounts ?? [];
        if (mounts is null) tree.Untold = ProcessFiles.TooManyMounts;
        // The root's own file system is the engine's, whoever serves it, and the program itself waits for it.
        long root = Files.MountOf(tree._root.Number);
        tree._trusted.AddRange(tree.Mounts.Where(mount => (long)mount.Id == root).Select(static mount => mount.Device));
        if (other is not null) tree._trusted.AddRange(other._trusted);
        return tree;
    }

    /// <summary>The root itself.</summary>
    public Place? Root(out string why) => Find(".", followLast: true, out _, out why);

    /// <summary>Opens what is at a path.</summary>
    /// <param name="path">From the root.</param>
    /// <param name="followLast">If it is a symbolic link, what that leads to.</param>
    /// <param name="isMissing">There is no such file.</param>
    /// <param name="why">Why it is not looked at.</param>
    public Place? Find(string path, bool followLast, out bool isMissing, out string why)
    {
        Stack<string> ahead = new(Names(path));
        List<string> resolved = [];
        isMissing = false;
        why = Untold;
        if (why.Length > 0) return null;
        Place? at = Enter(_root.Number, ".", ref isMissing, ref why);
        for (int links = 0, names = 0; at is not null && ahead.TryPop(out string? name);)
        {
            if (++names > MaxNames) return Give(at, "its path is too long", out why);
            if (name == "..")
            {
                // From the root again: the directory above is looked up by its names, never by a descriptor that may have been moved.
                if (resolved.Count > 0) resolved.RemoveAt(resolved.Count - 1);
                for (int i = resolved.Count - 1; i >= 0; i--) ahead.Push(resolved[i]);
                resolved.Clear();
                at.Dispose();
                at = Enter(_root.Number, ".", ref isMissing, ref why);
                continue;
            }
            if (IsServed(at.Mount)) return Give(at, Served(at.Mount), out why);
            Place? next = Enter(at.Descriptor.Number, name, ref isMissing, ref why);
            // A link that is mounted (option src-nofollow) is what was promised to be there.
            if (next is { Stat.IsSymlink: true, IsMountRoot: false } && (followLast || ahead.Count > 0))
            {
                string? target = IsMagic(at, next) ? "" : Files.ReadLinkAt(next.Descriptor.Number, "", out _);
                next.Dispose();
                if (target is "") return Give(at, "it leads over a link of the kernel's", out why);
                if (target is null || ++links > MaxLinks) return Give(at, "it leads over too many symbolic links", out why);
                foreach (string part in Names(target)) ahead.Push(part);
                if (!target.StartsWith('/')) continue;
                resolved.Clear();
                next = Enter(_root.Number, ".", ref isMissing, ref why);
            }
            else
            {
                resolved.Add(name);
            }
            at.Dispose();
            at = next;
        }
        return at;
    }

    /// <summary>Opens what has a name, which need not be text, in a directory; null where nothing is there any more.</summary>
    public Place? In(Place directory, ReadOnlySpan<byte> name)
    {
        bool isMissing = false;
        string why = "";
        return IsServed(directory.Mount) ? null
            : Take(Files.OpenAt2(directory.Descriptor.Number, name, Files.O_PATH | Files.O_NOFOLLOW, Files.RESOLVE_NO_MAGICLINKS),
                ref isMissing, ref why);
    }

    private static Place? Give(Place at, string reason, out string why)
    {
        at.Dispose();
        why = reason;
        return null;
    }

    // The last first, for a stack. Of "." there is nothing to look up.
    private static IEnumerable<string> Names(string path) =>
        path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(static name => name != ".").Reverse();

    /// <summary>
    /// What /proc/PID/root and others like it read is not where they lead, which is any mount of any process. Those in procfs's own root
    /// ("self") are links like others.
    /// </summary>
    private static bool IsMagic(Place directory, Place link) =>
        link.Mount.Type == "proc" && !(directory.IsMountRoot && directory.Mount.Root == "/");

    private Place? Enter(int directory, string name, ref bool isMissing, ref string why) => Take(
        Files.OpenAt2(directory, name, Files.O_PATH | Files.O_NOFOLLOW, Files.RESOLVE_NO_MAGICLINKS), ref isMissing, ref why);

    private Place? Take(long fd, ref bool isMissing, ref string why)
    {
        isMissing = fd is -Errno.ENOENT or -Errno.ENOTDIR;
        if (fd < 0)
        {
            why = ErrnoText.Full((int)-fd);
            return null;
        }
        Fd open = new((int)fd);
        if (Look(open, ref why) is { } place) return place;
        open.Dispose();
        return null;
    }

    private Place? Look(Fd open, ref string why)
    {
        long id = Files.MountOf(open.Number);
        long result = id;
        if (id >= 0)
        {
            if (MountOf((ulong)id, ref why) is not { } mount) return null;
            if (IsAsked(mount))
            {
                why = Served(mount);
                return null;
            }
            const int Flags = Files.AT_EMPTY_PATH | Files.AT_STATX_DONT_SYNC;
            result = Files.StatAt(open.Number, "", Flags, out Statx stat);
            if (result >= 0) return new(open, stat, mount);
        }
        why = ErrnoText.Full((int)-result);
        return null;
    }

    private MountEntry? MountOf(ulong id, ref string why)
    {
        if (Find(id) is { } known) return known;
        // Made since the table was read.
        if (_process.Mounts(out long error) is { } now)
        {
            Mounts = now;
            if (Find(id) is { } made) return made;
        }
        why = error == -Errno.EOVERFLOW ? ProcessFiles.TooManyMounts : "it is on a mount that the mount table does not have";
        return null;
    }

    private MountEntry? Find(ulong id)
    {
        int at = Mounts.FindIndex(mount => mount.Id == id);
        return at < 0 ? null : Mounts[at];
    }

    private static string Served(MountEntry mount) => $"a program or another machine serves {mount.Point} ({mount.Type})";

    /// <summary>
    /// To look something up on it may be to wait for whoever serves it: an overlay's layers may be such mounts themselves.
    /// </summary>
    private bool IsServed(MountEntry mount) => IsAsked(mount) || (!_trusted.Contains(mount.Device)
        && (mount.Type.StartsWith("fuse", StringComparison.Ordinal)
            || mount.Type is "nfs" or "nfs4" or "virtiofs" or "ceph" or "afs" or "autofs" or "overlay"));

    /// <summary>
    /// Its server is asked even for what the kernel knows: these do not heed AT_STATX_DONT_SYNC (v9fs_vfs_getattr(), cifs_getattr() and so
    /// on).
    /// </summary>
    private bool IsAsked(MountEntry mount) =>
        !_trusted.Contains(mount.Device) && mount.Type is "9p" or "cifs" or "smb3" or "orangefs" or "coda";

    public void Dispose() => _root.Dispose();
}
