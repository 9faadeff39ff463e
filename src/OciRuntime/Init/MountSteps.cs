using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>Mounts, each made detached, configured by descriptor and attached to a descriptor: no path is resolved twice.</summary>
internal static unsafe class MountSteps
{
    /// <summary>A new file system at its destination.</summary>
    public static long Filesystem(ref InitState s, InitStep* step)
    {
        if ((step->Flags & InitFlags.Detached) != 0) return Keep(ref s, step, CreateFilesystem(ref s, step, -1));
        long target = OpenTarget(ref s, step, directory: true);
        if (target < 0) return target;
        long mount = CreateFilesystem(ref s, step, (int)target);
        if (mount == -Errno.EPERM && s.Detail == InitDetail.Superblock && (step->Flags & InitFlags.OnDevice) != 0) mount = Sync.Ask(ref s, SyncKind.Filesystem, 0);
        if (mount < 0 && step->Fallback != null && (mount == -Errno.EPERM || mount == -Errno.EBUSY))
        {
            mount = Mounts.OpenTree(Files.AT_FDCWD, step->Fallback, Mounts.OPEN_TREE_CLONE | Files.AT_RECURSIVE);
            if (mount == -Errno.ENOENT && (step->Flags & InitFlags.SkipMissing) != 0)
            {
                Files.Close((int)target);
                return 0;
            }
            if (mount >= 0) mount = WithAttributes(ref s, (int)mount, (ulong)step->A, 0, recursive: true);
        }
        if (mount >= 0 && (step->Flags & InitFlags.CopyUp) != 0)
        {
            long copied = CopyUpStep.Fill(ref s, (int)target, (int)mount);
            if (copied < 0) mount = Dropped(mount, copied);
        }
        return Attach(ref s, mount, (int)target, (ulong)step->B);
    }

    /// <summary>A bind mount.</summary>
    public static long Bind(ref InitState s, InitStep* step)
    {
        long tree = CloneSource(ref s, step, out bool isLent);
        // What is shown instead is others', and not for writing.
        bool isFallback = tree == -Errno.ENOENT && step->Fallback != null;
        if (isFallback) tree = Mounts.OpenTree(Files.AT_FDCWD, step->Fallback, CloneFlags(step->Flags));
        if (tree == -Errno.ENOENT && (step->Flags & InitFlags.SkipMissing) != 0) return 0;
        if (tree < 0) return tree;
        bool detached = (step->Flags & InitFlags.Detached) != 0;
        Statx stat = default;
        long target = Files.Stat((int)tree, out stat);
        if (target >= 0) target = CheckProcSource(ref s, step, (int)tree);
        if (target >= 0 && (step->Flags & InitFlags.MapIds) != 0) target = Sync.Ask(ref s, SyncKind.MapIds, 0, (int)tree);
        if (target >= 0 && !detached) target = OpenTarget(ref s, step, stat.IsDirectory);
        if (target < 0) return Dropped(tree, target);
        BindAttributes* attributes = (BindAttributes*)step->Data;
        // On a mount that the runtime lends nothing is locked. It must not lose more than one that this process could clone itself.
        ulong unnamed = attributes->Unnamed & (isLent ? Mounts.MOUNT_ATTR_NOSYMFOLLOW : ulong.MaxValue);
        tree = WithAttributes(ref s, (int)tree, attributes->Set | (isFallback ? Mounts.MOUNT_ATTR_RDONLY : 0), attributes->Clear, recursive: false, unnamed);
        if (tree >= 0) tree = WithAttributes(ref s, (int)tree, attributes->TreeSet, attributes->TreeClear, recursive: true);
        if (tree >= 0 && s.Plan->RootFd >= 0) tree = Apart(ref s, (int)tree);
        return detached ? Keep(ref s, step, tree) : Attach(ref s, tree, (int)target, attributes->PropagationWords);
    }

    /// <summary>
    /// In the host's own mount namespace the copy of a shared mount is shared with it, and what is mounted on it would appear on the host's. As a
    /// slave it is as in a mount namespace of its own, before the words of its options.
    /// </summary>
    private static long Apart(ref InitState s, int tree)
    {
        s.Detail = InitDetail.Propagation;
        long result = Mounts.SetAttributes(tree, new MountAttr { Propagation = Mounts.MS_SLAVE }, recursive: true);
        return result < 0 ? Dropped(tree, result) : tree;
    }

    /// <summary>Keeps a mount for a later step, or passes on its errno.</summary>
    private static long Keep(ref InitState s, InitStep* step, long mount)
    {
        if (mount < 0) return mount;
        s.Plan->Fds[step->C] = (int)mount;
        return 0;
    }

    /// <summary>Later attributes of an existing mount, for example a /dev that had to be writable until now.</summary>
    public static long SetAttributes(ref InitState s, InitStep* step)
    {
        long fd = RootPath.Open(s.RootFd, step->Text1, Files.O_PATH);
        if (fd < 0) return fd;
        long result = WithAttributes(ref s, (int)fd, (ulong)step->A, (ulong)step->B, (step->Flags & InitFlags.Recursive) != 0);
        if (result < 0) return result;
        result = Propagate(ref s, (int)fd, (ulong)step->C);
        Files.Close((int)fd);
        return result;
    }

    /// <summary>The option remount: new parameters for a file system that is mounted already.</summary>
    public static long Reconfigure(ref InitState s, InitStep* step)
    {
        long fd = RootPath.Open(s.RootFd, step->Text1, Files.O_PATH);
        if (fd < 0) return fd;
        // Options of a file system that exists once would be the host's.
        long context = HostFiles.Refuse(ref s, (int)fd);
        if (context >= 0) context = Mounts.FsPick((int)fd);
        Files.Close((int)fd);
        if (context < 0) return context;
        long result = SetOptions(ref s, step, (int)context);
        if (result >= 0)
        {
            s.Detail = InitDetail.Superblock;
            result = Mounts.FsConfig((int)context, Mounts.FSCONFIG_CMD_RECONFIGURE, null, null);
        }
        if (result < 0) ReadKernelMessage(ref s, (int)context);
        Files.Close((int)context);
        return result;
    }

    /// <summary>
    /// Hides a file behind the host's /dev/null and a directory behind one shared empty tmpfs. The null device is the host's and its number
    /// is checked: an image's own /dev/null may be a link to anything (CVE-2025-31133).
    /// </summary>
    public static long Mask(ref InitState s, InitStep* step)
    {
        long target = RootPath.Open(s.RootFd, step->Text1, Files.O_PATH);
        if (target is -Errno.ENOENT or -Errno.ENOTDIR) return 0;
        if (target < 0) return target;
        long result = Files.Stat((int)target, out Statx stat);
        if (result >= 0) result = stat.IsDirectory ? EmptyDirectory(ref s, step) : NullFile(ref s);
        if (result >= 0) result = Note(ref s, result);
        return Attach(ref s, result, (int)target, 0);
    }

    /// <summary>Binds a path onto itself, read-only with everything below it.</summary>
    public static long Readonly(ref InitState s, InitStep* step)
    {
        long target = RootPath.Open(s.RootFd, step->Text1, Files.O_PATH);
        if (target is -Errno.ENOENT or -Errno.ENOTDIR) return 0;
        if (target < 0) return target;
        byte empty = 0;
        long tree = Mounts.OpenTree((int)target, &empty, Mounts.OPEN_TREE_CLONE | Files.AT_EMPTY_PATH | Files.AT_RECURSIVE);
        if (tree >= 0) tree = WithAttributes(ref s, (int)tree, Mounts.MOUNT_ATTR_RDONLY, 0, recursive: true);
        if (tree >= 0) tree = Note(ref s, tree);
        return Attach(ref s, tree, (int)target, 0);
    }

    /// <summary>Notes the number of a mount that protects a path, for <see cref="LiveMountSteps.Remove"/>; gives it back, or closes it and gives the errno.</summary>
    private static long Note(ref InitState s, long mount)
    {
        if (s.Plan->ProtectiveMounts == null) return mount;
        byte empty = 0;
        // Nothing but the number: no server of a network or FUSE file system is asked for it.
        long result = Files.StatAt((int)mount, &empty, Files.AT_EMPTY_PATH | Files.AT_STATX_DONT_SYNC, out Statx stat, Files.STATX_MNT_ID);
        if (result < 0) return Dropped(mount, result);
        s.Plan->ProtectiveMounts[s.ProtectiveMounts++] = stat.MountId;
        return mount;
    }

    /// <summary>
    /// Opens the destination in the image, making it where missing, and refuses what is in the container's /proc and not meant to be covered. Other procfs are
    /// fair game: monitoring agents have the host's at /hostfs/proc, and bind it there a second time.
    /// </summary>
    public static long OpenTarget(ref InitState s, InitStep* step, bool directory)
    {
        bool strict = (step->Flags & (InitFlags.RealDirectory | InitFlags.InsideProc)) != 0;
        ulong resolve = strict ? Files.RESOLVE_NO_SYMLINKS : 0;
        s.Detail = InitDetail.Target;
        s.TargetWasMissing = false;
        bool isProc = false;
        long fd = -Errno.ENOENT;
        if ((step->Flags & InitFlags.TargetNoFollow) != 0) fd = RootPath.Open(s.RootFd, step->Text2, Files.O_PATH | Files.O_NOFOLLOW | (directory ? Files.O_DIRECTORY : 0), resolve);
        if (fd == -Errno.ENOENT) fd = directory ? RootPath.OpenDirectory(ref s, step->Text2, resolve, out s.TargetWasMissing) : RootPath.OpenFile(ref s, step->Text2, resolve);
        if (fd == -Errno.ELOOP && strict) s.Detail = InitDetail.TargetIsSymlink;
        if (fd < 0 || (step->Flags & InitFlags.InsideProc) != 0) return fd;
        long result = Files.StatFs((int)fd, out Statfs fs);
        if (result >= 0) result = fs.Type == Files.PROC_SUPER_MAGIC ? MountTree.IsInProc(ref s, (int)fd, out isProc) : 0;
        bool inProc = result > 0 && !(isProc && (step->Flags & InitFlags.SourceIsProc) != 0);
        // An image's link to "/" would have the mount cover the root, where nobody can see it.
        bool isRoot = false;
        if (result >= 0 && !inProc && directory) result = IsRoot(ref s, (int)fd, out isRoot);
        if (result >= 0 && !inProc && !isRoot) return fd;
        s.Detail = isRoot ? InitDetail.TargetIsRoot : InitDetail.TargetInProc;
        Files.Close((int)fd);
        return result < 0 ? result : -Errno.EPERM;
    }

    /// <summary>Whether it is the root of the container's tree.</summary>
    public static long IsRoot(ref InitState s, int fd, out bool isRoot)
    {
        long result = Files.Stat(fd, out Statx target, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
        Statx root = default;
        if (result >= 0) result = Files.Stat(s.RootFd, out root, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
        isRoot = result >= 0 && target.Inode == root.Inode && target.MountId == root.MountId && target.DevMajor == root.DevMajor && target.DevMinor == root.DevMinor;
        return result;
    }

    /// <summary>A new file system that is attached nowhere; the descriptor of its mount. The target is what a tmpfs takes its mode from.</summary>
    public static long CreateFilesystem(ref InitState s, InitStep* step, int target)
    {
        if ((step->Flags & InitFlags.ByMountCall) != 0) return CreateByMountCall(ref s, step, target);
        s.Detail = InitDetail.FilesystemType;
        bool foreignProc = s.PidNamespace >= 0 && CString.Is(step->Text1, "proc"u8);
        long context = foreignProc ? ProcContext.Open(ref s) : Mounts.FsOpen(step->Text1);
        if (context < 0) return context;
        long result = Configure(ref s, step, (int)context, target);
        if (result >= 0)
        {
            s.Detail = InitDetail.MountObject;
            result = Mounts.FsMount((int)context, (ulong)step->A);
            if (result >= 0 && foreignProc) result = ProcContext.Check((int)result);
        }
        if (result >= 0 && (step->Flags & InitFlags.HostDevices) != 0 && HostFiles.NoteDevices(ref s, (int)result) is var noted and < 0) result = Dropped(result, noted);
        if (result < 0) ReadKernelMessage(ref s, (int)context);
        Files.Close((int)context);
        return result;
    }

    private static long CreateByMountCall(ref InitState s, InitStep* step, int target)
    {
        long mount = MountCalls.Make(ref s, step);
        // What mount(2) has for the superblock the mount has got, too.
        if (mount >= 0) mount = WithAttributes(ref s, (int)mount, (ulong)step->A, Mounts.MOUNT_ATTR_RDONLY & ~(ulong)step->A, recursive: false);
        if (mount < 0 || (step->Flags & InitFlags.InheritMode) == 0 || s.TargetWasMissing) return mount;
        long mode = LiveMountSteps.TakeMode(ref s, (int)mount, target);
        return mode < 0 ? Dropped(mount, mode) : mount;
    }

    private static long Configure(ref InitState s, InitStep* step, int context, int target)
    {
        long result = SetOptions(ref s, step, context);
        if (result < 0) return result;
        if ((step->Flags & InitFlags.InheritMode) != 0 && !s.TargetWasMissing)
        {
            long inherited = InheritMode(context, target);
            if (inherited < 0) return inherited;
        }
        s.Detail = InitDetail.Superblock;
        return Mounts.FsConfig(context, Mounts.FSCONFIG_CMD_CREATE, null, null);
    }

    private static long SetOptions(ref InitState s, InitStep* step, int context)
    {
        s.Detail = InitDetail.Option;
        TextPair* options = (TextPair*)step->Data;
        for (int i = 0; i < step->Count; i++)
        {
            uint command = options[i].Value == null ? Mounts.FSCONFIG_SET_FLAG : Mounts.FSCONFIG_SET_STRING;
            long result = Mounts.FsConfig(context, command, options[i].Key, options[i].Value);
            if (result < 0) return result;
        }
        return 0;
    }

    private static long InheritMode(int context, int target)
    {
        long result = Files.Stat(target, out Statx stat);
        if (result < 0) return result;
        byte* mode = stackalloc byte[24];
        InitText.Number(mode, stat.Mode & 0xfff, radix: 8);
        fixed (byte* key = "mode\0"u8) return Mounts.FsConfig(context, Mounts.FSCONFIG_SET_STRING, key, mode);
    }

    /// <summary>The file system context says in words what it did not like (fsopen(2)): "e tmpfs: Bad value for 'size'".</summary>
    private static void ReadKernelMessage(ref InitState s, int context)
    {
        fixed (byte* text = s.Text)
        {
            long n = Files.Read(context, text, SyncMessage.TextSize);
            s.TextLength = n > 0 ? (int)n : 0;
        }
    }

    /// <summary>open_tree(2) flags for the source of a bind.</summary>
    public static uint CloneFlags(InitFlags flags) => Mounts.OPEN_TREE_CLONE
        | ((flags & InitFlags.Recursive) != 0 ? (uint)Files.AT_RECURSIVE : 0)
        | ((flags & InitFlags.SourceNoFollow) != 0 ? (uint)Files.AT_SYMLINK_NOFOLLOW : 0);

    private static long CloneSource(ref InitState s, InitStep* step, out bool isLent)
    {
        s.Detail = InitDetail.Source;
        long tree = Mounts.OpenTree(Files.AT_FDCWD, step->Text1, CloneFlags(step->Flags));
        // Root of a user namespace may lack the way to a volume that its owner may well give it, and may not have a directory without the mounts
        // below it, which could hide something from it (mount_namespaces(7), "Restrictions on mount namespaces").
        isLent = tree is -Errno.EACCES or -Errno.EINVAL;
        if (!isLent) return tree;
        long given = Sync.Ask(ref s, SyncKind.Source, 0);
        // A runtime without privilege may clone no mount at all: what was met here is the reason to tell.
        return given == -Errno.EPERM ? tree : given;
    }

    private static long CheckProcSource(ref InitState s, InitStep* step, int tree)
    {
        if ((step->Flags & InitFlags.SourceIsProc) == 0) return 0;
        s.Detail = InitDetail.SourceNotProc;
        long result = Files.StatFs(tree, out Statfs fs);
        return result < 0 ? result : fs.Type == Files.PROC_SUPER_MAGIC ? 0 : -Errno.EPERM;
    }

    /// <summary>A mount of the empty read-only tmpfs that all covered directories share.</summary>
    public static long EmptyDirectory(ref InitState s, InitStep* step)
    {
        byte empty = 0;
        if (s.EmptyFd >= 0) return Mounts.OpenTree(s.EmptyFd, &empty, Mounts.OPEN_TREE_CLONE | Files.AT_EMPTY_PATH);
        fixed (byte* type = "tmpfs\0"u8, blocks = "nr_blocks\0"u8, inodes = "nr_inodes\0"u8, one = "1\0"u8)
        {
            long context = Mounts.FsOpen(type);
            if (context < 0) return context;
            long result = SetOptions(ref s, step, (int)context);
            if (result >= 0) s.Detail = InitDetail.Superblock;
            if (result >= 0) result = Mounts.FsConfig((int)context, Mounts.FSCONFIG_SET_STRING, blocks, one);
            if (result >= 0) result = Mounts.FsConfig((int)context, Mounts.FSCONFIG_SET_STRING, inodes, one);
            if (result >= 0) result = Mounts.FsConfig((int)context, Mounts.FSCONFIG_CMD_CREATE, null, null);
            if (result >= 0) result = Mounts.FsMount((int)context, Mounts.MOUNT_ATTR_RDONLY | Mounts.MOUNT_ATTR_NOSUID | Mounts.MOUNT_ATTR_NODEV | Mounts.MOUNT_ATTR_NOEXEC);
            Files.Close((int)context);
            if (result < 0) return result;
            s.EmptyFd = (int)result;
            return Files.Fcntl(s.EmptyFd, Files.F_DUPFD_CLOEXEC, 3);
        }
    }

    /// <summary>A read-only mount of the host's null device: its mode and owner are the host's, and no container's root may change them.</summary>
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
            if (result < 0) return Dropped(mount, result);
            mount = WithAttributes(ref s, (int)mount, Mounts.MOUNT_ATTR_RDONLY, 0, recursive: false);
            if (mount < 0) return mount;
            s.NullFd = (int)mount;
            return Files.Fcntl(s.NullFd, Files.F_DUPFD_CLOEXEC, 3);
        }
    }

    /// <summary>Applies attributes and gives the mount back, or closes it and gives the errno.</summary>
    /// <param name="s">The state.</param>
    /// <param name="mount">The mount.</param>
    /// <param name="set">Attributes to set.</param>
    /// <param name="clear">Attributes to clear.</param>
    /// <param name="recursive">For the tree.</param>
    /// <param name="unnamed">Attributes to clear if that is possible.</param>
    private static long WithAttributes(ref InitState s, int mount, ulong set, ulong clear, bool recursive, ulong unnamed = 0)
    {
        if ((set | clear | unnamed) == 0) return mount;
        // The kernel takes a new access time mode only when the old one is cleared in the same call (mount_setattr(2)).
        if ((set & Mounts.MOUNT_ATTR__ATIME) != 0) clear |= Mounts.MOUNT_ATTR__ATIME;
        s.Detail = InitDetail.Attributes;
        long result = Mounts.SetAttributes(mount, new MountAttr { Set = set, Clear = clear | unnamed }, recursive);
        // Before Linux 5.14 this attribute is not known here.
        if (result == -Errno.EINVAL && (unnamed & Mounts.MOUNT_ATTR_NOSYMFOLLOW) != 0)
        {
            unnamed &= ~Mounts.MOUNT_ATTR_NOSYMFOLLOW;
            result = Mounts.SetAttributes(mount, new MountAttr { Set = set, Clear = clear | unnamed }, recursive);
        }
        // What is locked stays, which is all but this one (mount_namespaces(7)); unless that very thing is to go, which is the error then.
        if (result == -Errno.EPERM && unnamed != 0) result = Mounts.SetAttributes(mount, new MountAttr { Set = set, Clear = clear | (unnamed & Mounts.MOUNT_ATTR_NOSYMFOLLOW) }, recursive);
        if (result >= 0) return mount;
        // What the mount has tells the parent which of it a user namespace may not change (mount_namespaces(7), locked flags).
        s.Value = result == -Errno.EPERM && Files.StatFs(mount, out Statfs fs) >= 0 ? fs.Flags : 0;
        return Dropped(mount, result);
    }

    private static long Dropped(long mount, long error)
    {
        Files.Close((int)mount);
        return error;
    }

    /// <summary>Attaches a mount (or passes on its errno), sets its propagation and closes both descriptors.</summary>
    public static long Attach(ref InitState s, long mount, int target, ulong propagation)
    {
        long result = mount;
        if (mount >= 0)
        {
            result = AttachTo(ref s, (int)mount, target, propagation);
            Files.Close((int)mount);
        }
        Files.Close(target);
        return result < 0 ? result : 0;
    }

    /// <summary>Attaches a mount and sets its propagation.</summary>
    public static long AttachTo(ref InitState s, int mount, int target, ulong propagation)
    {
        s.Detail = InitDetail.Attach;
        long result = Mounts.Move(mount, target);
        // mount(2) has an errno of its own for it, which Docker explains to its users.
        if (result == -Errno.EINVAL && IsDirectory(mount) != IsDirectory(target)) result = -Errno.ENOTDIR;
        return result < 0 ? result : Propagate(ref s, mount, propagation);
    }

    private static bool IsDirectory(int fd) => Files.Stat(fd, out Statx stat) >= 0 && stat.IsDirectory;

    private static long Propagate(ref InitState s, int mount, ulong words)
    {
        long result = 0;
        while (result >= 0 && words != 0)
        {
            s.Detail = InitDetail.Propagation;
            words = Propagation.Next(words, out ulong flag, out bool recursive);
            result = Mounts.SetAttributes(mount, new MountAttr { Propagation = flag }, recursive);
        }
        return result;
    }
}
