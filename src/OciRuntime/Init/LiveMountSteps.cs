using OciRuntime.Linux;

namespace OciRuntime.Init;

internal unsafe struct AttachMountArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.AttachMount;

    /// <summary>The descriptor of the mount, which an earlier step leaves there.</summary>
    public int* Mount;
    public MountTarget Target;

    /// <summary>Packed, see <see cref="Init.Propagation"/>.</summary>
    public ulong Propagation;

    /// <summary>MOUNT_ATTR_… to set last.</summary>
    public ulong Late;

    /// <summary>See <see cref="MountFilesystemArguments.InheritMode"/>.</summary>
    public bool InheritMode;
}

internal unsafe struct RemoveMountArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.RemoveMount;

    /// <summary>The descriptor of the mount, which the step that only looks leaves there for the one that removes.</summary>
    public int* Mount;
    public MountTarget Target;

    /// <summary>Only looks whether it could be removed.</summary>
    public bool OnlyLooks;

    /// <summary>An earlier step takes away what is there or above; what comes to light then is looked up anew.</summary>
    public bool IsUncovered;

    /// <summary>Numbers of mounts that must stay.</summary>
    public NativeArray<ulong> Protective;
}

/// <summary>
/// Mounts of a container that runs. Its processes may rename, replace and mount over directories between any two system calls, so a
/// destination is looked up once and held: what is attached to, or detached, is what the descriptor stands for.
/// </summary>
internal static unsafe class LiveMountSteps
{
    // A call that is under way when it is killed, and that is not a look-up, ends in no time.
    private const int ClonesEndMilliseconds = 500;

    /// <summary>The exit status of a guard that has taken everything back.</summary>
    public const int TakenBack = 1;

    /// <summary>Asks the parent to let go; then its death no longer ends this process.</summary>
    public static long Commit(ref InitState s)
    {
        long result = Sync.Ask(ref s, SyncKind.Commit, 0);
        return result < 0 ? result : Processes.Prctl(Processes.PR_SET_PDEATHSIG, 0);
    }

    /// <summary>
    /// Goes on in a clone. A look-up in the container may wait for a file system that the container serves for as long as that likes,
    /// killed or not; this process looks nothing up. It waits for the clone, and if that fails, or the parent sends SIGTERM, ends it and
    /// takes back what it has attached. A clone that is killed in the middle of a look-up makes no other call, and so attaches nothing any
    /// more.
    /// </summary>
    public static long Guard(ref InitState s)
    {
        int pidfd = -1;
        // To take back needs it, when it is too late to fail.
        long proc = s.HostProc();
        if (proc < 0) return proc;
        long word = Processes.SignalFd(1UL << (Processes.SIGTERM - 1), 0);
        if (word < 0) return word;
        long pid = Processes.Fork(&pidfd);
        if (pid <= 0) return pid;
        PollFd* fds = stackalloc PollFd[2];
        fds[0] = new PollFd { Fd = pidfd, Events = Processes.POLLIN };
        fds[1] = new PollFd { Fd = (int)word, Events = Processes.POLLIN };
        // Only EINTR could end it early, and that is none here (Kernel.CallBlocking).
        Processes.Poll(fds, 2, -1);
        if (fds[0].Returned == 0)
        {
            // ESRCH: it has ended just now. Whether it ends in time is seen below.
            Processes.PidFdSendSignal(pidfd, Processes.SIGKILL);
            Processes.Poll(fds, 1, ClonesEndMilliseconds);
        }
        int status = 1;
        // What cannot be reaped has not succeeded.
        if (fds[0].Returned != 0) Processes.Wait((int)pid, out status, 0);
        if (status == 0) Processes.Exit(0);
        s.StepIndex = s.Plan->StepCount - 1;
        Undo(ref s);
        Processes.Exit(TakenBack);
        return 0;
    }

    /// <summary>Attaches a mount that an earlier step made. Its descriptor stays open, for <see cref="Undo"/>.</summary>
    public static long Attach(ref InitState s, AttachMountArguments* attachment)
    {
        int mount = *attachment->Mount;
        long result = Files.Stat(mount, out Statx stat);
        if (result >= 0) result = MountSteps.OpenTarget(ref s, attachment->Target, stat.IsDirectory);
        if (result < 0) return result;
        int target = (int)result;
        result = !attachment->InheritMode || s.TargetWasMissing ? 0 : TakeMode(ref s, mount, target);
        if (result >= 0 && attachment->Late != 0)
        {
            s.Detail = InitDetail.Attributes;
            result = Mounts.SetAttributes(mount, new MountAttr { Set = attachment->Late }, recursive: false);
        }
        if (result >= 0) result = MountSteps.AttachTo(ref s, mount, target, attachment->Propagation);
        Files.Close(target);
        return result;
    }

    /// <summary>
    /// Detaches the topmost mount at a path, with those below it: the one that was found there when all were looked at, so that little can
    /// fail between the first and the last.
    /// </summary>
    public static long Remove(ref InitState s, RemoveMountArguments* removal)
    {
        if (!removal->OnlyLooks)
        {
            s.Detail = InitDetail.Detach;
            long detached = Unmount(ref s, *removal->Mount);
            // EINVAL: that one is gone. Where no step of ours has done it the container has, and nothing else is taken instead.
            if (detached != -Errno.EINVAL || !removal->IsUncovered) return detached;
        }
        s.Detail = InitDetail.Target;
        int nofollow = removal->Target.NoFollow ? Files.O_NOFOLLOW : 0;
        ulong resolve = removal->Target.Proc == ProcPlace.Inside ? Files.RESOLVE_NO_SYMLINKS : 0;
        long fd = RootPath.Open(s.RootFd, removal->Target.Path, Files.O_PATH | nofollow, resolve);
        if (fd < 0) return fd;
        long result = CheckMountPoint(ref s, removal, (int)fd);
        if (result >= 0 && removal->OnlyLooks)
        {
            *removal->Mount = (int)fd;
            return 0;
        }
        if (result >= 0)
        {
            s.Detail = InitDetail.Detach;
            result = Unmount(ref s, (int)fd);
        }
        Files.Close((int)fd);
        return result;
    }

    /// <summary>
    /// After a failed step: takes back what the steps before it attached, last first. What was not attached the kernel refuses to detach.
    /// </summary>
    public static void Undo(ref InitState s)
    {
        for (int i = s.StepIndex; i >= 0; i--)
        {
            InitStep* step = s.Plan->Steps + i;
            // The error to tell is the one that led here.
            if (step->Op == InitOp.AttachMount) Unmount(ref s, *step->As<AttachMountArguments>()->Mount);
        }
    }

    /// <summary>
    /// The container may have moved another of its mount points to the path by renaming a directory above it, or have put a link there.
    /// That must not uncover what the configuration hides or makes read-only: neither those mounts go, whose numbers the plan has, nor one
    /// that they are on, nor one in /proc.
    /// </summary>
    private static long CheckMountPoint(ref InitState s, RemoveMountArguments* removal, int fd)
    {
        long result = Files.Stat(fd, out Statx stat, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
        if (result < 0) return result;
        bool isRoot = false;
        if (stat.IsDirectory) result = MountSteps.IsRoot(ref s, fd, out isRoot);
        if (result < 0) return result;
        s.Detail = isRoot ? InitDetail.TargetIsRoot : (stat.Attributes & Files.STATX_ATTR_MOUNT_ROOT) == 0 ? InitDetail.NotMounted
            : InitDetail.None;
        if (s.Detail != InitDetail.None) return -Errno.EINVAL;
        for (int i = 0; i < removal->Protective.Count && result == 0; i++)
            result = MountTree.IsOn(ref s, removal->Protective[i], stat.MountId);
        if (result == 0 && removal->Target.Proc != ProcPlace.Inside)
        {
            result = MountTree.IsInProc(ref s, fd, out bool isProc);
            // Whoever names it means it.
            if (result > 0 && isProc && removal->Target.Proc == ProcPlace.Itself) result = 0;
        }
        if (result <= 0) return result;
        s.Detail = InitDetail.Covering;
        return -Errno.EPERM;
    }

    /// <summary>
    /// umount2(2) takes a path only: the descriptor's link in the host's own procfs, below a directory that is held. It is no place where
    /// the container could put something, and leads to the very mount, so UMOUNT_NOFOLLOW would only be in the way.
    /// </summary>
    private static long Unmount(ref InitState s, int fd)
    {
        byte* path = stackalloc byte[40];
        InitState.FdPath(path, fd);
        long result = Files.ChangeDirectory(s.ProcFd);
        return result < 0 ? result : Mounts.Unmount(path, Mounts.MNT_DETACH);
    }

    /// <summary>
    /// Gives a new tmpfs the mode of the directory that it is about to cover; by its link, as the mount's descriptor only stands for it.
    /// </summary>
    public static long TakeMode(ref InitState s, int mount, int target)
    {
        s.Detail = InitDetail.TakeMode;
        byte* path = stackalloc byte[40];
        InitState.FdPath(path, mount);
        long proc = s.HostProc();
        if (proc < 0) return proc;
        long result = Files.Stat(target, out Statx stat);
        return result < 0 ? result : Files.ChmodAt((int)proc, path, stat.Mode & FileModes.All);
    }
}
