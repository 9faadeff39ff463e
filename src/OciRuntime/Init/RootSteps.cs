using OciRuntime.Linux;

namespace OciRuntime.Init;

internal struct HostPropagationArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.HostPropagation;

    /// <summary>MS_….</summary>
    public ulong Flags;

    /// <summary>Its parent mount becomes private.</summary>
    public NativeText Rootfs;
}

internal struct BindRootfsArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.BindRootfs;
    public NativeText Rootfs;
}

internal struct ChangeRootArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.ChangeRoot;

    /// <summary>The root where it is no mount of its own.</summary>
    public NativeText Rootfs;
}

internal struct DetachMountArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.DetachMount;
    public NativeText Path;
}

internal struct RootPropagationArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.RootPropagation;

    /// <summary>MS_….</summary>
    public ulong Flags;
}

internal struct MakeDirectoryArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.MakeDirectory;
    public NativeText Path;
}

/// <summary>From the host's tree to the container's: propagation, the rootfs as a mount of its own, and the switch.</summary>
internal static unsafe class RootSteps
{
    /// <summary>
    /// Propagation of the host's tree in this namespace. With a shared one the rootfs's parent mount must be private, as pivot_root(2)
    /// refuses a shared parent and the bind below would appear on the host; the parent is found by walking up until the kernel agrees
    /// that the path is a mount point.
    /// </summary>
    public static long HostPropagation(ref InitState s, HostPropagationArguments* tree)
    {
        s.LeaveHost();
        fixed (byte* root = "/\0"u8)
        {
            long result = Mounts.SetPropagation(root, tree->Flags);
            if (result < 0 || (tree->Flags & Mounts.MS_SHARED) == 0) return result;
        }
        s.Detail = InitDetail.Parent;
        byte* path = stackalloc byte[Kernel.PathMax];
        int length = InitText.Append(path, 0, Kernel.PathMax, tree->Rootfs);
        while (length > 0)
        {
            long result = Mounts.SetPropagation(path, Mounts.MS_PRIVATE);
            if (result != -Errno.EINVAL || length == 1) return result;
            do length--;
            while (length > 1 && path[length] != '/');
            path[length] = 0;
        }
        return -Errno.ENAMETOOLONG;
    }

    /// <summary>
    /// Clones the rootfs tree and attaches it over itself, so that it is a mount that pivot_root accepts; keeps its root open.
    /// </summary>
    public static long BindRootfs(ref InitState s, BindRootfsArguments* bind)
    {
        long place = Files.OpenAt(Files.AT_FDCWD, bind->Rootfs, Files.O_PATH | Files.O_DIRECTORY);
        if (place < 0) return place;
        byte empty = 0;
        long tree = Mounts.OpenTree((int)place, &empty, Mounts.OPEN_TREE_CLONE | Files.AT_EMPTY_PATH | Files.AT_RECURSIVE);
        if (tree >= 0)
        {
            s.Detail = InitDetail.Attach;
            long moved = Mounts.Move((int)tree, (int)place);
            if (moved < 0)
            {
                Files.Close((int)tree);
                tree = moved;
            }
        }
        Files.Close((int)place);
        if (tree < 0) return tree;
        s.RootFd = (int)tree;
        return 0;
    }

    /// <summary>
    /// The mount that the parent made over the root file system, in the mount namespace that the container shares with it.
    /// </summary>
    public static long HostRoot(ref InitState s)
    {
        s.RootFd = s.Plan->Fds.Root;
        s.LeaveHost();
        return 0;
    }

    /// <summary>
    /// pivot_root(".", ".") stacks the old root on the new one, so no directory for it is needed in the image; then it is detached.
    /// </summary>
    public static long Pivot(ref InitState s)
    {
        fixed (byte* root = "/\0"u8, dot = ".\0"u8)
        {
            long old = Files.OpenAt(Files.AT_FDCWD, root, Files.O_PATH | Files.O_DIRECTORY);
            if (old < 0) return old;
            long result = Files.ChangeDirectory(s.RootFd);
            if (result >= 0) result = Mounts.PivotRoot(dot, dot);
            s.Detail = InitDetail.OldRoot;
            if (result >= 0) result = Files.ChangeDirectory((int)old);
            // The detach must not propagate to the host; slave first, private would pin mounts the host unmounts meanwhile.
            if (result >= 0) result = Mounts.SetPropagation(dot, Mounts.MS_SLAVE | Mounts.MS_REC);
            if (result >= 0) result = Mounts.Unmount(dot, Mounts.MNT_DETACH);
            if (result >= 0) result = Files.ChangeDirectory(root);
            Files.Close((int)old);
            return result;
        }
    }

    /// <summary>Without pivot_root (root on initramfs): the rootfs covers "/". The host's tree stays below, unreachable by path.</summary>
    public static long Move(ref InitState s)
    {
        fixed (byte* root = "/\0"u8, dot = ".\0"u8)
        {
            long place = Files.OpenAt(Files.AT_FDCWD, root, Files.O_PATH | Files.O_DIRECTORY);
            if (place < 0) return place;
            long result = Mounts.Move(s.RootFd, (int)place);
            Files.Close((int)place);
            if (result >= 0) result = Files.ChangeDirectory(s.RootFd);
            if (result >= 0) result = Mounts.ChangeRoot(dot);
            return result < 0 ? result : Files.ChangeDirectory(root);
        }
    }

    /// <summary>Without a mount namespace there is nothing to move: chroot only.</summary>
    public static long ChangeRoot(ref InitState s, ChangeRootArguments* root)
    {
        if (s.RootFd < 0)
        {
            long fd = Files.OpenAt(Files.AT_FDCWD, root->Rootfs, Files.O_PATH | Files.O_DIRECTORY);
            if (fd < 0) return fd;
            s.RootFd = (int)fd;
            s.LeaveHost();
        }
        fixed (byte* slash = "/\0"u8, dot = ".\0"u8)
        {
            long result = Files.ChangeDirectory(s.RootFd);
            if (result >= 0) result = Mounts.ChangeRoot(dot);
            return result < 0 ? result : Files.ChangeDirectory(slash);
        }
    }

    /// <summary>A host mount that must not stay reachable below a moved root; one the kernel has locked is covered instead.</summary>
    public static long DetachMount(ref InitState s, DetachMountArguments* mount)
    {
        long result = Mounts.Unmount(mount->Path, Mounts.MNT_DETACH);
        if (result is not (-Errno.EINVAL or -Errno.EPERM)) return result;
        long place = Files.OpenAt(Files.AT_FDCWD, mount->Path, Files.O_PATH);
        return place < 0 ? place : MountSteps.Attach(ref s, ProtectionSteps.EmptyDirectory(ref s, default), (int)place, 0);
    }

    /// <summary>Propagation of the container's own "/", after the switch: unbindable would have made the binds impossible.</summary>
    public static long Propagate(RootPropagationArguments* propagation)
    {
        fixed (byte* root = "/\0"u8) return Mounts.SetPropagation(root, propagation->Flags);
    }

    /// <summary>The working directory, made where missing.</summary>
    public static long MakeDirectory(ref InitState s, MakeDirectoryArguments* directory)
    {
        long fd = RootPath.OpenDirectory(ref s, directory->Path);
        if (fd < 0) return fd;
        Files.Close((int)fd);
        return 0;
    }
}
