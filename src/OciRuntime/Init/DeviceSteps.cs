using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>Device nodes and links below the image's /dev, each made under a descriptor of its directory (CVE-2026-41579, CVE-2026-47766).</summary>
internal static unsafe class DeviceSteps
{
    /// <summary>Opens /dev, once for all that is made there.</summary>
    public static long OpenDev(ref InitState s)
    {
        s.Detail = InitDetail.Target;
        fixed (byte* path = "dev\0"u8)
        {
            long fd = RootPath.OpenDirectory(ref s, path);
            if (fd < 0) return fd;
            s.DevFd = (int)fd;
            return HostFiles.AreDevices(ref s, s.DevFd, out s.DevIsHosts);
        }
    }

    /// <summary>
    /// mknod with the exact mode (the child's umask is 0), then owner; an existing node must be the same device. In the host's /dev nothing is made, and what
    /// is there stays as it is.
    /// </summary>
    public static long Node(ref InitState s, InitStep* step)
    {
        byte* buffer = stackalloc byte[Kernel.PathMax];
        long directory = OpenPlace(ref s, step->Text1, buffer, out byte* name);
        if (directory < 0) return directory;
        bool hosts = s.DevIsHosts;
        long result = directory == s.DevFd ? 0 : HostFiles.AreDevices(ref s, (int)directory, out hosts);
        if (result >= 0 && hosts) result = Expect(ref s, step, (int)directory, name);
        else if (result >= 0)
        {
            s.Detail = InitDetail.CreateTarget;
            result = Files.MakeNodeAt((int)directory, name, (uint)step->A, (ulong)step->B);
            if (result is 0 or -Errno.EEXIST) result = Adopt(ref s, step, (int)directory, name, existed: result != 0);
        }
        ClosePlace(ref s, directory);
        return result;
    }

    /// <summary>The directory of a node or link: the one that is held, or one opened now.</summary>
    private static long OpenPlace(ref InitState s, byte* path, byte* buffer, out byte* name)
    {
        s.Detail = InitDetail.Target;
        name = RootPath.SplitParent(path, buffer);
        bool isDev = buffer[0] == 'd' && buffer[1] == 'e' && buffer[2] == 'v' && buffer[3] == 0;
        return isDev && s.DevFd >= 0 ? s.DevFd : RootPath.OpenDirectory(ref s, buffer);
    }

    private static void ClosePlace(ref InitState s, long directory)
    {
        if (directory != s.DevFd) Files.Close((int)directory);
    }

    private static long Expect(ref InitState s, InitStep* step, int directory, byte* name)
    {
        long result = Files.StatAt(directory, name, Files.AT_SYMLINK_NOFOLLOW, out Statx stat);
        if (result == -Errno.ENOENT && (step->Flags & InitFlags.SkipMissing) != 0) return 0;
        if (result < 0)
        {
            s.Detail = InitDetail.HostsFileSystem;
            return result;
        }
        s.Detail = InitDetail.ExistingNode;
        return IsDevice(stat, step) ? 0 : -Errno.EEXIST;
    }

    private static long Adopt(ref InitState s, InitStep* step, int directory, byte* name, bool existed)
    {
        uint uid = (uint)step->C, gid = (uint)(step->C >> 32);
        if (!existed && (uid | gid) == 0) return 0;
        long fd = Files.OpenAt(directory, name, Files.O_PATH | Files.O_NOFOLLOW);
        if (fd < 0) return fd;
        s.Detail = InitDetail.ExistingNode;
        long result = Files.Stat((int)fd, out Statx stat);
        if (result >= 0 && !IsDevice(stat, step)) result = -Errno.EEXIST;
        byte empty = 0;
        if (result >= 0) result = Files.ChownAt((int)fd, &empty, uid, gid, Files.AT_EMPTY_PATH);
        if (result >= 0 && existed && (stat.Mode & 0xfff) != (step->A & 0xfff)) result = ChangeMode(ref s, (int)fd, (uint)step->A & 0xfff);
        Files.Close((int)fd);
        return result;
    }

    private static bool IsDevice(in Statx stat, InitStep* step) =>
        stat.Type == ((int)step->A & Files.S_IFMT) && Files.MakeDevice(stat.RdevMajor, stat.RdevMinor) == (ulong)step->B;

    /// <summary>chmod of an O_PATH descriptor: only its link in the host's own procfs allows that before Linux 6.6.</summary>
    private static long ChangeMode(ref InitState s, int fd, uint mode)
    {
        long proc = s.HostProc();
        if (proc < 0) return proc;
        byte* path = stackalloc byte[40];
        InitState.FdPath(path, fd);
        return Files.ChmodAt((int)proc, path, mode);
    }

    /// <summary>In a user namespace mknod is refused (EPERM); the host's node is bound instead, if it is what is asked for.</summary>
    public static long Bind(ref InitState s, InitStep* step)
    {
        s.Detail = InitDetail.Source;
        long source = Mounts.OpenTree(Files.AT_FDCWD, step->Text1, Mounts.OPEN_TREE_CLONE | Files.AT_SYMLINK_NOFOLLOW);
        if (source < 0) return source;
        long target = Files.Stat((int)source, out Statx stat);
        if (target >= 0 && !IsDevice(stat, step))
        {
            s.Detail = InitDetail.NotADevice;
            target = -Errno.ENODEV;
        }
        // As the container sees it: this process is in its user namespace.
        if (target >= 0 && !IsAsAsked(stat, step))
        {
            s.Detail = InitDetail.OtherOwner;
            target = -Errno.EPERM;
        }
        if (target >= 0) target = MountSteps.OpenTarget(ref s, step, directory: false);
        if (target >= 0) return MountSteps.Attach(ref s, source, (int)target, 0);
        Files.Close((int)source);
        return target;
    }

    private static bool IsAsAsked(in Statx stat, InitStep* step)
    {
        uint uid = (uint)step->C, gid = (uint)(step->C >> 32);
        bool sameMode = (step->Flags & InitFlags.SameMode) == 0 || (stat.Mode & 0xfff) == (step->A & 0xfff);
        return sameMode && (uid == InitPlan.AnyId || stat.Uid == uid) && (gid == InitPlan.AnyId || stat.Gid == gid);
    }

    /// <summary>A node that the parent makes, with the owner and mode it is to have.</summary>
    public static long Mount(ref InitState s, InitStep* step)
    {
        long target = MountSteps.OpenTarget(ref s, step, directory: false);
        if (target < 0) return target;
        s.Detail = InitDetail.Source;
        return MountSteps.Attach(ref s, Sync.Ask(ref s, SyncKind.Device, 0), (int)target, 0);
    }

    /// <summary>
    /// A symbolic link. What is there already stays, unless the plan replaces it or asks for the same link. In the host's /dev none is made: of the usual ones
    /// it has its own.
    /// </summary>
    public static long Link(ref InitState s, InitStep* step)
    {
        byte* buffer = stackalloc byte[Kernel.PathMax];
        long directory = OpenPlace(ref s, step->Text2, buffer, out byte* name);
        if (directory < 0) return directory;
        long result = 0;
        bool usual = (step->Flags & InitFlags.SameLink) == 0, make = directory != s.DevFd || !s.DevIsHosts;
        if (make && !usual && !IsLink((int)directory, name, step->Text1)) result = HostFiles.Refuse(ref s, (int)directory);
        if (make && result >= 0) result = MakeLink(ref s, step, (int)directory, name);
        ClosePlace(ref s, directory);
        return result;
    }

    private static long MakeLink(ref InitState s, InitStep* step, int directory, byte* name)
    {
        s.Detail = InitDetail.CreateTarget;
        long result = Files.SymlinkAt(step->Text1, directory, name);
        if (result == -Errno.EEXIST && (step->Flags & InitFlags.Replace) != 0)
        {
            result = Files.UnlinkAt(directory, name);
            if (result >= 0) result = Files.SymlinkAt(step->Text1, directory, name);
        }
        else if (result == -Errno.EEXIST) result = (step->Flags & InitFlags.SameLink) == 0 || IsLink(directory, name, step->Text1) ? 0 : result;
        if (result == -Errno.EEXIST) s.Detail = InitDetail.ExistingNode;
        return result;
    }

    private static bool IsLink(int directory, byte* name, byte* target)
    {
        byte* link = stackalloc byte[Kernel.PathMax];
        long n = Files.ReadLinkAt(directory, name, link, Kernel.PathMax);
        for (int i = 0; i < n; i++)
        {
            // An end of the target comes out as a difference, too.
            if (link[i] != target[i]) return false;
        }
        return n >= 0 && target[n] == 0;
    }
}
