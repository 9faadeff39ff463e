using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// Walks a plan as far as that is nobody's affair but this process's: it makes namespaces of its own, sets what is theirs, becomes the
/// container's user; and what a step would make in a file system, or mount, is only looked for. Goes on after what fails, unless the rest
/// depends on it. Obeys the same rule as <see cref="InitMain"/>.
/// </summary>
internal static unsafe class Rehearsal
{
    /// <summary>Runs the plan, reports each step, with 0 for one that would be done, and ends.</summary>
    /// <param name="plan">Without hooks, programs and what takes descriptors.</param>
    /// <param name="ownsNamespaces">All are made in a new user namespace: file systems can be, too, as nothing of the host's is touched
    /// by them.</param>
    /// <param name="mayLend">The runtime has sources that the user namespace hides.</param>
    public static void Run(InitPlan* plan, bool ownsNamespaces, bool mayLend)
    {
        InitState s = new(plan);
        long result = InitMain.Prepare(ref s);
        for (int i = 0; i < plan->StepCount && result >= 0; i++)
        {
            s.StepIndex = i;
            s.Detail = InitDetail.None;
            s.Value = s.TextLength = 0;
            long done = Step(ref s, plan->Steps + i, ownsNamespaces, mayLend);
            result = Sync.TellResult(ref s, done);
            if (done < 0 && IsNeeded(plan->Steps[i].Op)) break;
        }
        Processes.Exit(0);
    }

    /// <summary>What comes later fails for the same reason, or means something else without it.</summary>
    private static bool IsNeeded(InitOp op) => op is InitOp.Unshare or InitOp.AwaitIdMaps or InitOp.BecomeRoot or InitOp.HostPropagation
        or InitOp.BoundingSet or InitOp.SetUser or InitOp.Capabilities;

    private static long Step(ref InitState s, InitStep* step, bool ownsNamespaces, bool mayLend) => step->Op switch
    {
        InitOp.Unshare or InitOp.AwaitIdMaps or InitOp.BecomeRoot or InitOp.TimeOffsets or InitOp.LoopbackUp or InitOp.Hostname
            or InitOp.Domainname or InitOp.Sysctl or InitOp.Scheduler or InitOp.IoPriority or InitOp.Personality
            or InitOp.MemoryPolicy or InitOp.BoundingSet or InitOp.SetUser or InitOp.Capabilities => InitMain.Execute(ref s, step),
        InitOp.EnterNetwork => Network(),
        InitOp.HostPropagation => Leave(ref s),
        InitOp.BindRootfs => Root(ref s, step->As<BindRootfsArguments>()),
        // Without a root file system nothing can be said about what is in it.
        _ when s.RootFd < 0 => 0,
        InitOp.MountFilesystem => Filesystem(ref s, step->As<MountFilesystemArguments>(), ownsNamespaces),
        InitOp.MountBind => Bind(ref s, step->As<MountBindArguments>(), ownsNamespaces && mayLend),
        InitOp.DeviceNode => Node(ref s, step->As<DeviceNodeArguments>()),
        InitOp.DeviceBind => Device(ref s, step->As<DeviceBindArguments>()),
        InitOp.MakeDirectory => LookForDirectory(ref s, step->As<MakeDirectoryArguments>()->Path),
        _ => 0,
    };

    /// <summary>The runtime would make it and pass it on.</summary>
    private static long Network()
    {
        long result = Processes.Unshare(Processes.CLONE_NEWNET);
        return result < 0 ? result : NamespaceSteps.LoopbackUp();
    }

    /// <summary>Whatever the plan says of propagation: nothing that is mounted here may be seen elsewhere.</summary>
    private static long Leave(ref InitState s)
    {
        s.LeaveHost();
        long result = Processes.Unshare(Processes.CLONE_NEWNS);
        fixed (byte* root = "/\0"u8) return result < 0 ? result : Mounts.SetPropagation(root, Mounts.MS_PRIVATE | Mounts.MS_REC);
    }

    /// <summary>One that cannot be searched makes every look at it fail.</summary>
    private static long Root(ref InitState s, BindRootfsArguments* bind)
    {
        long result = RootSteps.BindRootfs(ref s, bind);
        if (result < 0) return result;
        s.Detail = InitDetail.None;
        result = Files.AccessOf(s.RootFd, Files.X_OK);
        if (result >= 0) return result;
        result = MountSteps.Dropped(s.RootFd, result);
        s.RootFd = -1;
        return result;
    }

    private static long Filesystem(ref InitState s, MountFilesystemArguments* mounted, bool ownsNamespaces)
    {
        long target = Look(ref s, mounted->Target, directory: true);
        if (target < 0) return target;
        long result = Configure(ref s, mounted);
        if (result >= 0 && ownsNamespaces) result = MayMake(ref s, mounted);
        // Where something else is bound then.
        if (result is -Errno.EPERM or -Errno.EBUSY && !mounted->Fallback.IsNull) result = 0;
        s.Value = result < 0 ? 0 : Source(mounted);
        if (target == 0) return result;
        // A copy of what it would cover stands for it: by the mount it is seen that what is below cannot be told.
        long mark = result < 0 ? result : Mounts.OpenTree((int)target, Mounts.OPEN_TREE_CLONE | (uint)Files.AT_RECURSIVE);
        return Cover(ref s, mark, target);
    }

    /// <summary>Type and options, without making it.</summary>
    private static long Configure(ref InitState s, MountFilesystemArguments* mounted)
    {
        s.Detail = InitDetail.FilesystemType;
        long context = Mounts.FsOpen(mounted->Type);
        if (context < 0) return context;
        // What is too long for fsconfig(2) goes by another call.
        long result = mounted->Call is null ? MountSteps.SetOptions(ref s, mounted->Options, (int)context) : 0;
        if (result < 0) MountSteps.ReadKernelMessage(ref s, (int)context);
        Files.Close((int)context);
        return result;
    }

    /// <summary>
    /// Whether the kernel lets a user namespace have one, without options: those with a source would be read. It says so first
    /// (mount_capable()), and anything but EPERM is no word on that.
    /// </summary>
    private static long MayMake(ref InitState s, MountFilesystemArguments* mounted)
    {
        long context = Mounts.FsOpen(mounted->Type);
        if (context < 0) return context;
        s.Detail = InitDetail.Superblock;
        long result = Mounts.FsConfig((int)context, Mounts.FSCONFIG_CMD_CREATE, null, null);
        if (result >= 0)
        {
            s.Detail = InitDetail.MountObject;
            result = Mounts.FsMount((int)context, mounted->Attributes);
        }
        if (result == -Errno.EPERM) MountSteps.ReadKernelMessage(ref s, (int)context);
        Files.Close((int)context);
        if (result >= 0) Files.Close((int)result);
        return result == -Errno.EPERM ? result : 0;
    }

    /// <summary>Why it is no block device: an errno, or 0. The parent knows which file systems are on one.</summary>
    private static long Source(MountFilesystemArguments* mounted)
    {
        byte* source = mounted->Call is null ? null : (byte*)mounted->Call->Source;
        for (int i = 0; i < mounted->Options.Count; i++)
            if (CString.Is(mounted->Options[i].Key, "source"u8)) source = mounted->Options[i].Value;
        if (source is null) return Errno.EINVAL;
        long result = Files.StatAt(Files.AT_FDCWD, source, 0, out Statx stat);
        return result < 0 ? -result : stat.Type == Files.S_IFBLK ? 0 : Errno.ENOTBLK;
    }

    private static long Bind(ref InitState s, MountBindArguments* bind, bool isLent)
    {
        s.Detail = InitDetail.Source;
        uint flags = MountSteps.CloneFlags(bind->Recursive, bind->SourceNoFollow);
        long tree = Mounts.OpenTree(Files.AT_FDCWD, bind->Source, flags);
        if (tree == -Errno.ENOENT && !bind->Fallback.IsNull) tree = Mounts.OpenTree(Files.AT_FDCWD, bind->Fallback, flags);
        if (tree == -Errno.ENOENT && bind->SkipMissing) return 0;
        // The runtime may have it and pass it on.
        if (isLent && tree is -Errno.EACCES or -Errno.EINVAL) return 0;
        if (tree < 0) return tree;
        long result = Files.Stat((int)tree, out Statx stat);
        if (result >= 0) result = Look(ref s, bind->Target, stat.IsDirectory);
        if (result < 0) return MountSteps.Dropped(tree, result);
        BindAttributes* attributes = &bind->Attributes;
        int target = (int)result;
        tree = MountSteps.WithAttributes(ref s, (int)tree, attributes->Set, attributes->Clear, recursive: false, attributes->Unnamed);
        if (tree >= 0) tree = MountSteps.WithAttributes(ref s, (int)tree, attributes->TreeSet, attributes->TreeClear, recursive: true);
        return Cover(ref s, tree, target);
    }

    private static long Device(ref InitState s, DeviceBindArguments* bind)
    {
        long source = DeviceSteps.OpenSource(ref s, bind);
        if (source < 0) return source;
        Files.Close((int)source);
        return Drop(Look(ref s, bind->Target, directory: false));
    }

    /// <summary>The right to make one shows in a file system of one's own.</summary>
    private static long Node(ref InitState s, DeviceNodeArguments* node)
    {
        byte* buffer = stackalloc byte[Kernel.PathMax];
        if (RootPath.SplitParent(node->Path, buffer) is null) return -Errno.ENAMETOOLONG;
        long result = LookForDirectory(ref s, buffer);
        if (result < 0) return result;
        fixed (byte* type = "tmpfs\0"u8, name = "node\0"u8)
        {
            MountFilesystemArguments tmpfs = new() { Type = new NativeText(type) };
            long mount = MountSteps.CreateFilesystem(ref s, &tmpfs, -1);
            if (mount < 0) return mount;
            s.Detail = InitDetail.CreateTarget;
            return MountSteps.Dropped(mount, Files.MakeNodeAt((int)mount, name, node->Device.Mode, node->Device.Number));
        }
    }

    /// <summary>Puts a mount over what was found, or passes on its errno; closes both.</summary>
    private static long Cover(ref InitState s, long mount, long target)
    {
        // What is yet to be made is not there to be covered.
        if (target != 0) return MountSteps.Attach(ref s, mount, (int)target, 0);
        return Drop(mount);
    }

    private static long Drop(long fd)
    {
        if (fd > 0) Files.Close((int)fd);
        return fd < 0 ? fd : 0;
    }

    /// <summary>The destination of a mount: a descriptor, 0 where it can be made, or a negated errno.</summary>
    private static long Look(ref InitState s, in MountTarget target, bool directory)
    {
        bool strict = target.RealDirectory || target.Proc == ProcPlace.Inside;
        int flags = Files.O_PATH | (target.NoFollow ? Files.O_NOFOLLOW : 0);
        long result = Look(ref s, target.Path, directory, flags, strict ? Files.RESOLVE_NO_SYMLINKS : 0, out int fd);
        if (result == -Errno.ELOOP && strict) s.Detail = InitDetail.TargetIsSymlink;
        return result < 0 || fd < 0 ? result : target.Proc == ProcPlace.Inside ? fd : MountSteps.Judge(ref s, target, fd, directory);
    }

    private static long LookForDirectory(ref InitState s, byte* path)
    {
        long result = Look(ref s, path, directory: true, Files.O_PATH, 0, out int fd);
        if (fd >= 0) Files.Close(fd);
        // There is nothing else to it.
        s.Detail = InitDetail.None;
        return result;
    }

    /// <summary>Whether something is there and of this kind, or could be made.</summary>
    /// <param name="s">The state.</param>
    /// <param name="path">Below the root.</param>
    /// <param name="directory">What it is to be.</param>
    /// <param name="flags">To open it with.</param>
    /// <param name="resolve">RESOLVE_….</param>
    /// <param name="found">Its descriptor; -1 where it is not there.</param>
    private static long Look(ref InitState s, byte* path, bool directory, int flags, ulong resolve, out int found)
    {
        found = -1;
        s.Detail = InitDetail.Target;
        long fd = RootPath.Open(s.RootFd, path, flags, resolve);
        if (fd < 0) return Missing(ref s, path, fd);
        long result = IsKnown(ref s, (int)fd, out Statx stat);
        bool isOther = result > 0 && stat.IsDirectory != directory;
        if (result <= 0 || isOther) return MountSteps.Dropped(fd, isOther ? -Errno.ENOTDIR : result);
        found = (int)fd;
        return 0;
    }

    /// <summary>Whether it is the image's own: what is on another mount may look otherwise once all are made.</summary>
    /// <returns>1 or 0, or a negated errno.</returns>
    private static long IsKnown(ref InitState s, int fd, out Statx stat)
    {
        Statx root = default;
        long result = Files.Stat(fd, out stat, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
        if (result >= 0) result = Files.Stat(s.RootFd, out root, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
        return result < 0 ? result : stat.MountId == root.MountId ? 1 : 0;
    }

    /// <summary>Whether what is missing can be made in the nearest directory above that is there; any other error is one.</summary>
    private static long Missing(ref InitState s, byte* path, long error)
    {
        byte* work = stackalloc byte[Kernel.PathMax];
        byte* link = stackalloc byte[1];
        int cut = InitText.Append(work, 0, Kernel.PathMax, path);
        if (cut < 0) return -Errno.ENAMETOOLONG;
        long fd = error;
        fixed (byte* root = ".\0"u8)
        {
            while (fd < 0 && cut > 0)
            {
                do cut--;
                while (cut > 0 && work[cut] != '/');
                if (cut > 0) work[cut] = 0;
                fd = RootPath.Open(s.RootFd, cut > 0 ? work : root, Files.O_PATH);
            }
        }
        if (fd < 0) return fd;
        long result = IsKnown(ref s, (int)fd, out Statx stat);
        byte* name = cut > 0 ? work + cut + 1 : work;
        if (result > 0 && error != -Errno.ENOENT) result = error;
        // Where a dangling link leads is not looked for.
        else if (result > 0 && Files.ReadLinkAt((int)fd, name, link, 1) < 0)
            result = stat.IsDirectory ? Files.AccessOf((int)fd, Files.W_OK | Files.X_OK) : -Errno.ENOTDIR;
        return MountSteps.Dropped(fd, result < 0 ? result : 0);
    }
}
