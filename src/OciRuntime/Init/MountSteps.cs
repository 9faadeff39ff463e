using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>Where a destination is, seen from the container's /proc.</summary>
internal enum ProcPlace
{
    Outside,

    /// <summary>What is mounted on /proc must itself be procfs (CVE-2019-19921), and may cover one.</summary>
    Itself,

    /// <summary>One of the few places below it that may be covered.</summary>
    Inside,
}

/// <summary>The destination of a mount.</summary>
internal struct MountTarget
{
    public NativeText Path;
    public ProcPlace Proc;

    /// <summary>It must be a real directory: a symlinked /proc or /sys would land masks and labels elsewhere (CVE-2023-27561).</summary>
    public bool RealDirectory;

    /// <summary>If it is a symbolic link, that is covered itself.</summary>
    public bool NoFollow;
}

internal unsafe struct MountFilesystemArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.MountFilesystem;
    public NativeText Type;
    public MountTarget Target;

    /// <summary>MOUNT_ATTR_….</summary>
    public ulong Attributes;

    /// <summary>Packed, see <see cref="Init.Propagation"/>.</summary>
    public ulong Propagation;

    /// <summary>For fsconfig(2).</summary>
    public NativeArray<TextPair> Options;

    /// <summary>It is made by mount(2) instead; null where fsconfig(2) will do.</summary>
    public MountCall* Call;

    /// <summary>What is bound if the file system is refused, or null.</summary>
    public NativeText Fallback;

    /// <summary>
    /// The mount is made only, and its descriptor left here for <see cref="InitOp.AttachMount"/>; null to attach it at once.
    /// </summary>
    public int* Detached;

    /// <summary>
    /// tmpfs: takes the mode of the directory it covers, as no mode= was given. Where there was none it keeps its own, 1777.
    /// </summary>
    public bool InheritMode;

    /// <summary>tmpfs: begins with what the directory that it covers has.</summary>
    public bool CopyUp;

    /// <summary>A <see cref="Fallback"/> that does not exist is skipped.</summary>
    public bool SkipMissing;

    /// <summary>The new file system is devtmpfs: the host's, as there is one only.</summary>
    public bool HostDevices;

    /// <summary>The parent makes the file system where this process may not open the device it is on.</summary>
    public bool OnDevice;
}

/// <summary>
/// Mount attributes of a bind, for its top mount and for the whole tree (the recursive option words), and its propagation words in order.
/// </summary>
internal struct BindAttributes
{
    public ulong Set, Clear, TreeSet, TreeClear, PropagationWords;

    /// <summary>What the source may have of these goes as well, where a user namespace has not locked it.</summary>
    public ulong Unnamed;
}

internal unsafe struct MountBindArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.MountBind;
    public NativeText Source;
    public MountTarget Target;
    public BindAttributes Attributes;

    /// <summary>Bound, read-only, if the source does not exist; or null.</summary>
    public NativeText Fallback;

    /// <summary>As <see cref="MountFilesystemArguments.Detached"/>.</summary>
    public int* Detached;

    /// <summary>Copy the tree below, not only the mount.</summary>
    public bool Recursive;

    /// <summary>A source that is a symbolic link is bound itself.</summary>
    public bool SourceNoFollow;

    /// <summary>The parent sets the id mapping of the mount before it is attached.</summary>
    public bool MapIds;

    /// <summary>A missing source is skipped.</summary>
    public bool SkipMissing;
}

internal struct SetMountAttributesArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.SetMountAttributes;
    public NativeText Path;

    /// <summary>MOUNT_ATTR_….</summary>
    public ulong Set, Clear;

    /// <summary>Packed, see <see cref="Init.Propagation"/>.</summary>
    public ulong Propagation;

    /// <summary>Of the mounts below, too.</summary>
    public bool Recursive;
}

internal struct ReconfigureFilesystemArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.ReconfigureFilesystem;
    public NativeText Path;
    public NativeArray<TextPair> Options;
}

/// <summary>Mounts, each made detached, configured by descriptor and attached to a descriptor: no path is resolved twice.</summary>
internal static unsafe class MountSteps
{
    /// <summary>A new file system at its destination.</summary>
    public static long Filesystem(ref InitState s, MountFilesystemArguments* mounted)
    {
        if (mounted->Detached is not null) return Keep(mounted->Detached, CreateFilesystem(ref s, mounted, -1));
        long target = OpenTarget(ref s, mounted->Target, directory: true);
        if (target < 0) return target;
        long mount = CreateFilesystem(ref s, mounted, (int)target);
        if (mount == -Errno.EPERM && s.Detail == InitDetail.Superblock && mounted->OnDevice)
        {
            // The kernel's words were about this try.
            s.TextLength = 0;
            mount = Sync.Ask(ref s, SyncKind.Filesystem, 0);
        }
        if (mount < 0 && !mounted->Fallback.IsNull && (mount == -Errno.EPERM || mount == -Errno.EBUSY))
        {
            mount = Mounts.OpenTree(Files.AT_FDCWD, mounted->Fallback, Mounts.OPEN_TREE_CLONE | Files.AT_RECURSIVE);
            if (mount == -Errno.ENOENT && mounted->SkipMissing)
            {
                Files.Close((int)target);
                return 0;
            }
            if (mount >= 0) mount = WithAttributes(ref s, (int)mount, mounted->Attributes, 0, recursive: true);
        }
        if (mount >= 0 && mounted->CopyUp)
        {
            long copied = CopyUp.Fill(ref s, (int)target, (int)mount);
            if (copied < 0) mount = Dropped(mount, copied);
        }
        return Attach(ref s, mount, (int)target, mounted->Propagation);
    }

    /// <summary>A bind mount.</summary>
    public static long Bind(ref InitState s, MountBindArguments* bind)
    {
        long tree = CloneSource(ref s, bind, out bool isLent);
        // What is shown instead is others', and not for writing.
        bool isFallback = tree == -Errno.ENOENT && !bind->Fallback.IsNull;
        if (isFallback) tree = Mounts.OpenTree(Files.AT_FDCWD, bind->Fallback, CloneFlags(bind->Recursive, bind->SourceNoFollow));
        if (tree == -Errno.ENOENT && bind->SkipMissing) return 0;
        if (tree < 0) return tree;
        bool detached = bind->Detached is not null;
        Statx stat = default;
        long target = Files.Stat((int)tree, out stat);
        if (target >= 0) target = CheckProcSource(ref s, bind, (int)tree);
        if (target >= 0 && bind->MapIds) target = Sync.Ask(ref s, SyncKind.MapIds, 0, (int)tree);
        if (target >= 0 && !detached) target = OpenTarget(ref s, bind->Target, stat.IsDirectory);
        if (target < 0) return Dropped(tree, target);
        BindAttributes* attributes = &bind->Attributes;
        // On a mount that the runtime lends nothing is locked. It must not lose more than one that this process could clone itself.
        ulong unnamed = attributes->Unnamed & (isLent ? Mounts.MOUNT_ATTR_NOSYMFOLLOW : ulong.MaxValue);
        tree = WithAttributes(ref s, (int)tree, attributes->Set | (isFallback ? Mounts.MOUNT_ATTR_RDONLY : 0), attributes->Clear,
            recursive: false, unnamed);
        if (tree >= 0) tree = WithAttributes(ref s, (int)tree, attributes->TreeSet, attributes->TreeClear, recursive: true);
        if (tree >= 0 && s.Plan->Fds.Root >= 0) tree = Apart(ref s, (int)tree);
        return detached ? Keep(bind->Detached, tree) : Attach(ref s, tree, (int)target, attributes->PropagationWords);
    }

    /// <summary>
    /// In the host's own mount namespace the copy of a shared mount is shared with it, and what is mounted on it would appear on the
    /// host's. As a slave it is as in a mount namespace of its own, before the words of its options.
    /// </summary>
    private static long Apart(ref InitState s, int tree)
    {
        s.Detail = InitDetail.Propagation;
        long result = Mounts.SetAttributes(tree, new MountAttr { Propagation = Mounts.MS_SLAVE }, recursive: true);
        return result < 0 ? Dropped(tree, result) : tree;
    }

    /// <summary>Keeps a mount for a later step, or passes on its errno.</summary>
    private static long Keep(int* place, long mount)
    {
        if (mount < 0) return mount;
        *place = (int)mount;
        return 0;
    }

    /// <summary>Later attributes of an existing mount, for example a /dev that had to be writable until now.</summary>
    public static long SetAttributes(ref InitState s, SetMountAttributesArguments* change)
    {
        long fd = RootPath.Open(s.RootFd, change->Path, Files.O_PATH);
        if (fd < 0) return fd;
        long result = WithAttributes(ref s, (int)fd, change->Set, change->Clear, change->Recursive);
        if (result < 0) return result;
        result = Propagate(ref s, (int)fd, change->Propagation);
        Files.Close((int)fd);
        return result;
    }

    /// <summary>The option remount: new parameters for a file system that is mounted already.</summary>
    public static long Reconfigure(ref InitState s, ReconfigureFilesystemArguments* change)
    {
        long fd = RootPath.Open(s.RootFd, change->Path, Files.O_PATH);
        if (fd < 0) return fd;
        // Options of a file system that exists once would be the host's.
        long context = HostFiles.Refuse(ref s, (int)fd);
        if (context >= 0) context = Mounts.FsPick((int)fd);
        Files.Close((int)fd);
        if (context < 0) return context;
        long result = SetOptions(ref s, change->Options, (int)context);
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
    /// Opens the destination in the image, making it where missing, and refuses what is in the container's /proc and not meant to be
    /// covered. Other procfs are fair game: monitoring agents have the host's at /hostfs/proc, and bind it there a second time.
    /// </summary>
    public static long OpenTarget(ref InitState s, in MountTarget target, bool directory)
    {
        bool strict = target.RealDirectory || target.Proc == ProcPlace.Inside;
        ulong resolve = strict ? Files.RESOLVE_NO_SYMLINKS : 0;
        s.Detail = InitDetail.Target;
        s.TargetWasMissing = false;
        long fd = -Errno.ENOENT;
        if (target.NoFollow)
            fd = RootPath.Open(s.RootFd, target.Path, Files.O_PATH | Files.O_NOFOLLOW | (directory ? Files.O_DIRECTORY : 0), resolve);
        if (fd == -Errno.ENOENT)
        {
            fd = directory ? RootPath.OpenDirectory(ref s, target.Path, resolve, out s.TargetWasMissing)
                : RootPath.OpenFile(ref s, target.Path, resolve);
        }
        if (fd == -Errno.ELOOP && strict) s.Detail = InitDetail.TargetIsSymlink;
        return fd < 0 || target.Proc == ProcPlace.Inside ? fd : Judge(ref s, target, (int)fd, directory);
    }

    /// <summary>A destination that was opened, if it may be covered; else a negated errno, and it is closed.</summary>
    public static long Judge(ref InitState s, in MountTarget target, int fd, bool directory)
    {
        bool isProc = false;
        long result = Files.StatFs(fd, out Statfs fs);
        if (result >= 0) result = fs.Type == Files.PROC_SUPER_MAGIC ? MountTree.IsInProc(ref s, fd, out isProc) : 0;
        bool inProc = result > 0 && !(isProc && target.Proc == ProcPlace.Itself);
        // An image's link to "/" would have the mount cover the root, where nobody can see it.
        bool isRoot = false;
        if (result >= 0 && !inProc && directory) result = IsRoot(ref s, fd, out isRoot);
        if (result >= 0 && !inProc && !isRoot) return fd;
        s.Detail = isRoot ? InitDetail.TargetIsRoot : InitDetail.TargetInProc;
        Files.Close(fd);
        return result < 0 ? result : -Errno.EPERM;
    }

    /// <summary>Whether it is the root of the container's tree.</summary>
    public static long IsRoot(ref InitState s, int fd, out bool isRoot)
    {
        long result = Files.Stat(fd, out Statx target, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
        Statx root = default;
        if (result >= 0) result = Files.Stat(s.RootFd, out root, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
        isRoot = result >= 0 && target.Identity == root.Identity && target.MountId == root.MountId;
        return result;
    }

    /// <summary>
    /// A new file system that is attached nowhere; the descriptor of its mount. The target is what a tmpfs takes its mode from.
    /// </summary>
    public static long CreateFilesystem(ref InitState s, MountFilesystemArguments* mounted, int target)
    {
        if (mounted->Call is not null) return CreateByMountCall(ref s, mounted, target);
        s.Detail = InitDetail.FilesystemType;
        bool foreignProc = s.PidNamespace >= 0 && CString.Is(mounted->Type, "proc"u8);
        long context = foreignProc ? ProcContext.Open(ref s) : Mounts.FsOpen(mounted->Type);
        if (context < 0) return context;
        long result = Configure(ref s, mounted, (int)context, target);
        if (result >= 0)
        {
            s.Detail = InitDetail.MountObject;
            result = Mounts.FsMount((int)context, mounted->Attributes);
            if (result >= 0 && foreignProc) result = ProcContext.Check((int)result);
        }
        if (result >= 0 && mounted->HostDevices && HostFiles.NoteDevices(ref s, (int)result) is var noted and < 0)
            result = Dropped(result, noted);
        if (result < 0) ReadKernelMessage(ref s, (int)context);
        Files.Close((int)context);
        return result;
    }

    private static long CreateByMountCall(ref InitState s, MountFilesystemArguments* mounted, int target)
    {
        long mount = MountCalls.Make(ref s, mounted);
        // What mount(2) has for the superblock the mount has got, too.
        if (mount >= 0)
        {
            mount = WithAttributes(ref s, (int)mount, mounted->Attributes, Mounts.MOUNT_ATTR_RDONLY & ~mounted->Attributes,
                recursive: false);
        }
        if (mount < 0 || !mounted->InheritMode || s.TargetWasMissing) return mount;
        long mode = LiveMountSteps.TakeMode(ref s, (int)mount, target);
        return mode < 0 ? Dropped(mount, mode) : mount;
    }

    private static long Configure(ref InitState s, MountFilesystemArguments* mounted, int context, int target)
    {
        long result = SetOptions(ref s, mounted->Options, context);
        if (result < 0) return result;
        if (mounted->InheritMode && !s.TargetWasMissing)
        {
            long inherited = InheritMode(context, target);
            if (inherited < 0) return inherited;
        }
        s.Detail = InitDetail.Superblock;
        return Mounts.FsConfig(context, Mounts.FSCONFIG_CMD_CREATE, null, null);
    }

    /// <summary>Gives a file system context its parameters.</summary>
    public static long SetOptions(ref InitState s, NativeArray<TextPair> options, int context)
    {
        s.Detail = InitDetail.Option;
        for (int i = 0; i < options.Count; i++)
        {
            uint command = options[i].Value.IsNull ? Mounts.FSCONFIG_SET_FLAG : Mounts.FSCONFIG_SET_STRING;
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
        InitText.Number(mode, stat.Mode & FileModes.All, radix: 8);
        fixed (byte* key = "mode\0"u8) return Mounts.FsConfig(context, Mounts.FSCONFIG_SET_STRING, key, mode);
    }

    /// <summary>What the file system context did not like.</summary>
    public static void ReadKernelMessage(ref InitState s, int context)
    {
        fixed (byte* text = s.Text) s.TextLength = Mounts.ReadMessage(context, text, SyncMessage.TextSize);
    }

    /// <summary>open_tree(2) flags for the source of a bind.</summary>
    public static uint CloneFlags(bool recursive, bool noFollow) =>
        Mounts.OPEN_TREE_CLONE | (recursive ? (uint)Files.AT_RECURSIVE : 0) | (noFollow ? (uint)Files.AT_SYMLINK_NOFOLLOW : 0);

    private static long CloneSource(ref InitState s, MountBindArguments* bind, out bool isLent)
    {
        s.Detail = InitDetail.Source;
        long tree = Mounts.OpenTree(Files.AT_FDCWD, bind->Source, CloneFlags(bind->Recursive, bind->SourceNoFollow));
        // Root of a user namespace may lack the way to a volume that its owner may well give it, and may not have a directory without the
        // mounts below it, which could hide something from it (mount_namespaces(7), "Restrictions on mount namespaces").
        isLent = tree is -Errno.EACCES or -Errno.EINVAL;
        if (!isLent) return tree;
        long given = Sync.Ask(ref s, SyncKind.Source, 0);
        // A runtime without privilege may clone no mount at all: what was met here is the reason to tell.
        return given == -Errno.EPERM ? tree : given;
    }

    private static long CheckProcSource(ref InitState s, MountBindArguments* bind, int tree)
    {
        if (bind->Target.Proc != ProcPlace.Itself) return 0;
        s.Detail = InitDetail.SourceNotProc;
        long result = Files.StatFs(tree, out Statfs fs);
        return result < 0 ? result : fs.Type == Files.PROC_SUPER_MAGIC ? 0 : -Errno.EPERM;
    }

    /// <summary>Applies attributes and gives the mount back, or closes it and gives the errno.</summary>
    /// <param name="s">The state.</param>
    /// <param name="mount">The mount.</param>
    /// <param name="set">Attributes to set.</param>
    /// <param name="clear">Attributes to clear.</param>
    /// <param name="recursive">For the tree.</param>
    /// <param name="unnamed">Attributes to clear if that is possible.</param>
    public static long WithAttributes(ref InitState s, int mount, ulong set, ulong clear, bool recursive, ulong unnamed = 0)
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
        if (result == -Errno.EPERM && unnamed != 0)
        {
            result = Mounts.SetAttributes(mount,
                new MountAttr { Set = set, Clear = clear | (unnamed & Mounts.MOUNT_ATTR_NOSYMFOLLOW) }, recursive);
        }
        if (result >= 0) return mount;
        // What the mount has tells the parent which of it a user namespace may not change (mount_namespaces(7), locked flags).
        s.Value = result == -Errno.EPERM && Files.StatFs(mount, out Statfs fs) >= 0 ? fs.Flags : 0;
        return Dropped(mount, result);
    }

    /// <summary>Closes a mount that has failed, and gives the errno on.</summary>
    public static long Dropped(long mount, long error)
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
