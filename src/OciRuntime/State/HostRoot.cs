using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>
/// Which mount on the host is a container's root, so that whoever undoes it takes away this one and no other: where it lies, an engine may
/// have mounted the root file system itself, and the kernel gives numbers of mounts out again.
/// </summary>
/// <param name="Id">Its number (statx(2), STATX_MNT_ID).</param>
/// <param name="UniqueId">Its number that is never given out again (STATX_MNT_ID_UNIQUE, Linux 6.8), or 0.</param>
/// <param name="Parent">The number of the mount it is on.</param>
/// <param name="Inode">The directory that is mounted.</param>
/// <param name="Namespace">The mount namespace it is in, by the inode of its file.</param>
internal readonly record struct HostMount(ulong Id, ulong UniqueId, ulong Parent, ulong Inode, ulong Namespace);

/// <summary>
/// The root of a container without a mount namespace of its own. All that is mounted for it is mounted on one mount, a private copy of the
/// root file system's over itself: none of the host's mounts is changed, nothing spreads from it to others, and to detach it undoes
/// everything.
/// </summary>
internal static class HostRoot
{
    /// <summary>Makes the mount; it is attached nowhere yet, and gone with its descriptor.</summary>
    public static Fd Clone(string rootfs, out HostMount identity)
    {
        using Fd place = OpenPath(rootfs);
        Fd tree = Fd.Of(Mounts.OpenTree(place.Number, Mounts.OPEN_TREE_CLONE), $"/root/path: bind {rootfs}");
        try
        {
            // A copy of a shared mount is shared with it: what is mounted on the one would appear on the other.
            MakePrivate(tree.Number, rootfs);
            identity = Identify(tree.Number, Stat(place.Number, rootfs, Files.STATX_MNT_ID).MountId);
            return tree;
        }
        catch
        {
            tree.Dispose();
            throw;
        }
    }

    /// <summary>Attaches it over the directory. What is mounted below that, by an engine, is mounted on it again.</summary>
    /// <exception cref="OciException">Among others: it would not be where the journal has it.</exception>
    public static void Attach(Fd tree, string rootfs, HostMount identity)
    {
        List<(string Path, Fd Mount)> below = CloneBelow(rootfs);
        try
        {
            using Fd place = OpenPath(rootfs);
            OciException.Check(Mounts.Move(tree.Number, place.Number), $"/root/path: bind {rootfs} onto itself");
            // On a mount that is shared it became so; its copies elsewhere have nothing on them and go with it.
            MakePrivate(tree.Number, rootfs);
            if (MountTable.Read().Find(m => m.Id == identity.Id).Parent != identity.Parent)
            {
                TakeAway(tree, rootfs);
                throw new OciException($"/root/path: {rootfs}: something else has been mounted there meanwhile", Errno.EBUSY);
            }
            foreach ((string path, Fd mount) in below)
            {
                long target = Files.OpenAt2(tree.Number, path[(rootfs.Length + 1)..], Files.O_PATH, Files.RESOLVE_BENEATH
                    | Files.RESOLVE_NO_SYMLINKS);
                using Fd directory = Fd.Of(target, $"/root/path: open {path}");
                OciException.Check(Mounts.Move(mount.Number, directory.Number), $"/root/path: bind {path} onto itself");
            }
        }
        finally
        {
            foreach ((_, Fd mount) in below) mount.Dispose();
        }
    }

    /// <summary>Detaches it with all that is on it. One that is not there, or not there yet, needs nothing.</summary>
    /// <exception cref="OciException">Somebody has mounted something over it.</exception>
    public static void Detach(HostMount mount)
    {
        MountEntry entry = MountTable.Read().Find(m => m.Id == mount.Id && m.Parent == mount.Parent);
        if (entry.Point is null)
        {
            if (mount.Namespace != Namespace("self") && ProcessIn(mount.Namespace) is { } process)
            {
                throw new OciException(
                    $"the container's root is mounted in another mount namespace, that of process {process}, and can only be unmounted "
                    + $"there (nsenter --mount --target {process})", Errno.EBUSY);
            }
            return;
        }
        using Fd root = OpenPath(entry.Point, $"open {entry.Point}, the container's root");
        HostMount topmost = Identify(root.Number, mount.Parent);
        if (topmost.Id != mount.Id)
        {
            throw new OciException(
                $"{entry.Point}, the container's root, cannot be unmounted: something else is mounted over it: unmount that first",
                Errno.EBUSY);
        }
        // The number is another's by now: the create was killed before it attached the mount.
        if (topmost != mount) return;
        TakeAway(root, entry.Point);
    }

    private static void TakeAway(Fd root, string point) =>
        OciException.Check(Mounts.Unmount($"/proc/self/fd/{root.Number}", Mounts.MNT_DETACH), $"unmount {point}, the container's root");

    /// <summary>The mount namespace of a process, or 0: it has ended, or may not be looked at.</summary>
    private static ulong Namespace(string process) =>
        Files.StatAt(Files.AT_FDCWD, $"/proc/{process}/ns/mnt", 0, out Statx stat) < 0 ? 0 : stat.Inode;

    /// <summary>A process in a mount namespace; without one it has most likely ended, with its mounts.</summary>
    private static string? ProcessIn(ulong mountNamespace) =>
        mountNamespace == 0 ? null : Files.ListDirectory("/proc")
        .Find(name => char.IsAsciiDigit(name[0]) && Namespace(name) == mountNamespace);

    private static HostMount Identify(int fd, ulong parent)
    {
        Statx stat = Stat(fd, "the container's root", Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
        Statx unique = Stat(fd, "the container's root", Files.STATX_MNT_ID_UNIQUE);
        return new HostMount(stat.MountId, (unique.Mask & Files.STATX_MNT_ID_UNIQUE) != 0 ? unique.MountId
            : 0, parent, stat.Inode, Namespace("self"));
    }

    private static Statx Stat(int fd, string what, int mask)
    {
        OciException.Check(Files.Stat(fd, out Statx stat, mask), $"stat {what}");
        return stat;
    }

    /// <summary>The topmost mounts below a directory, each with those below it.</summary>
    private static List<(string Path, Fd Mount)> CloneBelow(string rootfs)
    {
        List<(string Path, Fd Mount)> found = [];
        foreach (MountEntry entry in MountTable.Read())
        {
            if (!entry.Point.StartsWith(rootfs + "/", StringComparison.Ordinal)
                || found.Exists(one => entry.Point == one.Path || entry.Point.StartsWith(one.Path + "/", StringComparison.Ordinal)))
            {
                continue;
            }
            // Out of sight below another mount.
            if (Files.StatAt(Files.AT_FDCWD, entry.Point, Files.AT_SYMLINK_NOFOLLOW | Files.AT_STATX_DONT_SYNC, out Statx top) < 0
                || (top.Attributes & Files.STATX_ATTR_MOUNT_ROOT) == 0)
            {
                continue;
            }
            const uint Flags = Mounts.OPEN_TREE_CLONE | Files.AT_RECURSIVE | Files.AT_SYMLINK_NOFOLLOW;
            Fd tree = Fd.Of(Mounts.OpenTree(Files.AT_FDCWD, entry.Point, Flags), $"/root/path: bind {entry.Point}");
            found.Add((entry.Point, tree));
            MakePrivate(tree.Number, entry.Point);
        }
        return found;
    }

    private static void MakePrivate(int mount, string path) =>
        OciException.Check(Mounts.SetAttributes(mount, new MountAttr { Propagation = Mounts.MS_PRIVATE }, recursive: true),
        $"make the container's own mount of {path} private");

    private static Fd OpenPath(string path, string? doing = null) =>
        Fd.Open(path, Files.O_PATH | Files.O_DIRECTORY | Files.O_NOFOLLOW, doing ?? $"/root/path: open {path}");
}
