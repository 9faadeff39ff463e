using OciRuntime.Linux;

namespace OciRuntime.Init;

internal struct MaskPathArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.MaskPath;
    public NativeText Path;

    /// <summary>Of what hides directories.</summary>
    public NativeArray<TextPair> Options;
}

internal struct ReadonlyPathArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.ReadonlyPath;
    public NativeText Path;
}

/// <summary>What hides paths of the container, or makes them read-only.</summary>
internal static unsafe class ProtectionSteps
{
    /// <summary>
    /// Hides a file behind the host's /dev/null and a directory behind one shared empty tmpfs. The null device is the host's and its number
    /// is checked: an image's own /dev/null may be a link to anything (CVE-2025-31133).
    /// </summary>
    public static long Mask(ref InitState s, MaskPathArguments* mask)
    {
        long target = RootPath.Open(s.RootFd, mask->Path, Files.O_PATH);
        if (target is -Errno.ENOENT or -Errno.ENOTDIR) return 0;
        if (target < 0) return target;
        long result = Files.Stat((int)target, out Statx stat);
        if (result >= 0) result = stat.IsDirectory ? EmptyDirectory(ref s, mask->Options) : NullFile(ref s);
        if (result >= 0) result = Note(ref s, result);
        return MountSteps.Attach(ref s, result, (int)target, 0);
    }

    /// <summary>Binds a path onto itself, read-only with everything below it.</summary>
    public static long Readonly(ref InitState s, ReadonlyPathArguments* place)
    {
        long target = RootPath.Open(s.RootFd, place->Path, Files.O_PATH);
        if (target is -Errno.ENOENT or -Errno.ENOTDIR) return 0;
        if (target < 0) return target;
        byte empty = 0;
        long tree = Mounts.OpenTree((int)target, &empty, Mounts.OPEN_TREE_CLONE | Files.AT_EMPTY_PATH | Files.AT_RECURSIVE);
        if (tree >= 0) tree = MountSteps.WithAttributes(ref s, (int)tree, Mounts.MOUNT_ATTR_RDONLY, 0, recursive: true);
        if (tree >= 0) tree = Note(ref s, tree);
        return MountSteps.Attach(ref s, tree, (int)target, 0);
    }

    /// <summary>
    /// Notes the number of a mount that protects a path, for <see cref="LiveMountSteps.Remove"/>; gives it back, or closes it and gives the
    /// errno.
    /// </summary>
    public static long Note(ref InitState s, long mount)
    {
        // There is room for one of each step, which is where this is called from.
        if (s.ProtectiveMounts >= s.Plan->ProtectiveMounts.Count) return MountSteps.Dropped(mount, -Errno.EOVERFLOW);
        byte empty = 0;
        // Nothing but the number: no server of a network or FUSE file system is asked for it.
        long result = Files.StatAt((int)mount, &empty, Files.AT_EMPTY_PATH | Files.AT_STATX_DONT_SYNC, out Statx stat, Files.STATX_MNT_ID);
        if (result < 0) return MountSteps.Dropped(mount, result);
        s.Plan->ProtectiveMounts[s.ProtectiveMounts++] = stat.MountId;
        return mount;
    }

    /// <summary>A mount of the empty read-only tmpfs that all covered directories share.</summary>
    public static long EmptyDirectory(ref InitState s, NativeArray<TextPair> options)
    {
        byte empty = 0;
        if (s.EmptyFd >= 0) return Mounts.OpenTree(s.EmptyFd, &empty, Mounts.OPEN_TREE_CLONE | Files.AT_EMPTY_PATH);
        fixed (byte* type = "tmpfs\0"u8, blocks = "nr_blocks\0"u8, inodes = "nr_inodes\0"u8, one = "1\0"u8)
        {
            long context = Mounts.FsOpen(type);
            if (context < 0) return context;
            long result = MountSteps.SetOptions(ref s, options, (int)context);
            if (result >= 0) s.Detail = InitDetail.Superblock;
            if (result >= 0) result = Mounts.FsConfig((int)context, Mounts.FSCONFIG_SET_STRING, blocks, one);
            if (result >= 0) result = Mounts.FsConfig((int)context, Mounts.FSCONFIG_SET_STRING, inodes, one);
            if (result >= 0) result = Mounts.FsConfig((int)context, Mounts.FSCONFIG_CMD_CREATE, null, null);
            if (result >= 0)
            {
                result = Mounts.FsMount((int)context, Mounts.MOUNT_ATTR_RDONLY | Mounts.MOUNT_ATTR_NOSUID | Mounts.MOUNT_ATTR_NODEV
                    | Mounts.MOUNT_ATTR_NOEXEC);
            }
            Files.Close((int)context);
            if (result < 0) return result;
            s.EmptyFd = (int)result;
            return Files.Fcntl(s.EmptyFd, Files.F_DUPFD_CLOEXEC, 3);
        }
    }

    /// <summary>
    /// A read-only mount of the host's null device: its mode and owner are the host's, and no container's root may change them.
    /// </summary>
    private static long NullFile(ref InitState s)
    {
        byte empty = 0;
        if (s.NullFd >= 0) return Mounts.OpenTree(s.NullFd, &empty, Mounts.OPEN_TREE_CLONE | Files.AT_EMPTY_PATH);
        fixed (byte* path = "/dev/null\0"u8)
        {
            s.Detail = InitDetail.Source;
            long mount = Mounts.OpenTree(Files.AT_FDCWD, path, Mounts.OPEN_TREE_CLONE | Files.AT_SYMLINK_NOFOLLOW);
            if (mount < 0) return mount;
            long result = Files.Stat((int)mount, out Statx stat);
            if (result >= 0 && (stat.Type != Files.S_IFCHR || stat.RdevMajor != 1 || stat.RdevMinor != 3))
            {
                s.Detail = InitDetail.NotADevice;
                result = -Errno.ENODEV;
            }
            if (result < 0) return MountSteps.Dropped(mount, result);
            mount = MountSteps.WithAttributes(ref s, (int)mount, Mounts.MOUNT_ATTR_RDONLY, 0, recursive: false);
            if (mount < 0) return mount;
            s.NullFd = (int)mount;
            return Files.Fcntl(s.NullFd, Files.F_DUPFD_CLOEXEC, 3);
        }
    }
}
