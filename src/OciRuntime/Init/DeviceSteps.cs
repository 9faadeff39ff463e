using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>A device as mknod(2) makes it.</summary>
internal struct DeviceIdentity
{
    /// <summary>No certain uid or gid.</summary>
    public const uint AnyId = uint.MaxValue;

    /// <summary>Mode with the type.</summary>
    public uint Mode;
    public ulong Number;
    public uint Uid, Gid;

    /// <summary>Type and number are these.</summary>
    public readonly bool Is(in Statx stat) =>
        stat.Type == (Mode & Files.S_IFMT) && Files.MakeDevice(stat.RdevMajor, stat.RdevMinor) == Number;
}

internal struct DeviceNodeArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.DeviceNode;
    public NativeText Path;
    public DeviceIdentity Device;

    /// <summary>Nobody listed it: in a /dev of the host's it may be missing.</summary>
    public bool IsDefault;
}

/// <summary>The host's device must be this one, with this owner.</summary>
internal struct DeviceBindArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.DeviceBind;
    public NativeText Source;
    public MountTarget Target;
    public DeviceIdentity Device;

    /// <summary>It must have the mode, too.</summary>
    public bool SameMode;
}

internal struct DeviceMountArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.DeviceMount;
    public MountTarget Target;

    /// <summary>Of the file system that the parent makes it in.</summary>
    public NativeArray<TextPair> Options;
}

/// <summary>What becomes of a file that is there already.</summary>
internal enum ExistingLink
{
    Stays,
    IsReplaced,

    /// <summary>It must be the same link.</summary>
    MustBeSame,
}

internal struct SymlinkArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Symlink;

    /// <summary>What it leads to.</summary>
    public NativeText Content;
    public NativeText Path;
    public ExistingLink Existing;
}

/// <summary>
/// Device nodes and links below the image's /dev, each made under a descriptor of its directory (CVE-2026-41579, CVE-2026-47766).
/// </summary>
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
    /// mknod with the exact mode (the child's umask is 0), then owner; an existing node must be the same device. In the host's /dev nothing
    /// is made, and what is there stays as it is.
    /// </summary>
    public static long Node(ref InitState s, DeviceNodeArguments* node)
    {
        byte* buffer = stackalloc byte[Kernel.PathMax];
        long directory = OpenPlace(ref s, node->Path, buffer, out byte* name);
        if (directory < 0) return directory;
        bool hosts = s.DevIsHosts;
        long result = directory == s.DevFd ? 0 : HostFiles.AreDevices(ref s, (int)directory, out hosts);
        if (result >= 0 && hosts)
        {
            result = Expect(ref s, node, (int)directory, name);
        }
        else if (result >= 0)
        {
            s.Detail = InitDetail.CreateTarget;
            result = Files.MakeNodeAt((int)directory, name, node->Device.Mode, node->Device.Number);
            if (result is 0 or -Errno.EEXIST) result = Adopt(ref s, node->Device, (int)directory, name, existed: result != 0);
        }
        ClosePlace(ref s, directory);
        return result;
    }

    /// <summary>The directory of a node or link: the one that is held, or one opened now.</summary>
    private static long OpenPlace(ref InitState s, byte* path, byte* buffer, out byte* name)
    {
        s.Detail = InitDetail.Target;
        name = RootPath.SplitParent(path, buffer);
        if (name is null) return -Errno.ENAMETOOLONG;
        bool isDev = buffer[0] == 'd' && buffer[1] == 'e' && buffer[2] == 'v' && buffer[3] == 0;
        return isDev && s.DevFd >= 0 ? s.DevFd : RootPath.OpenDirectory(ref s, buffer);
    }

    private static void ClosePlace(ref InitState s, long directory)
    {
        if (directory != s.DevFd) Files.Close((int)directory);
    }

    private static long Expect(ref InitState s, DeviceNodeArguments* node, int directory, byte* name)
    {
        long result = Files.StatAt(directory, name, Files.AT_SYMLINK_NOFOLLOW, out Statx stat);
        if (result == -Errno.ENOENT && node->IsDefault) return 0;
        if (result < 0)
        {
            s.Detail = InitDetail.HostsFileSystem;
            return result;
        }
        s.Detail = InitDetail.ExistingNode;
        return node->Device.Is(stat) ? 0 : -Errno.EEXIST;
    }

    private static long Adopt(ref InitState s, in DeviceIdentity device, int directory, byte* name, bool existed)
    {
        if (!existed && (device.Uid | device.Gid) == 0) return 0;
        long fd = Files.OpenAt(directory, name, Files.O_PATH | Files.O_NOFOLLOW);
        if (fd < 0) return fd;
        s.Detail = InitDetail.ExistingNode;
        long result = Files.Stat((int)fd, out Statx stat);
        if (result >= 0 && !device.Is(stat)) result = -Errno.EEXIST;
        byte empty = 0;
        if (result >= 0) result = Files.ChownAt((int)fd, &empty, device.Uid, device.Gid, Files.AT_EMPTY_PATH);
        if (result >= 0 && existed && ((stat.Mode ^ device.Mode) & FileModes.All) != 0)
            result = ChangeMode(ref s, (int)fd, device.Mode & FileModes.All);
        Files.Close((int)fd);
        return result;
    }

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
    public static long Bind(ref InitState s, DeviceBindArguments* bind)
    {
        long source = OpenSource(ref s, bind);
        if (source < 0) return source;
        long target = MountSteps.OpenTarget(ref s, bind->Target, directory: false);
        return target < 0 ? MountSteps.Dropped(source, target) : MountSteps.Attach(ref s, source, (int)target, 0);
    }

    /// <summary>A mount of the host's node, if that is what is asked for.</summary>
    public static long OpenSource(ref InitState s, DeviceBindArguments* bind)
    {
        s.Detail = InitDetail.Source;
        long source = Mounts.OpenTree(Files.AT_FDCWD, bind->Source, Mounts.OPEN_TREE_CLONE | Files.AT_SYMLINK_NOFOLLOW);
        if (source < 0) return source;
        long result = Files.Stat((int)source, out Statx stat);
        if (result >= 0 && !bind->Device.Is(stat))
        {
            s.Detail = InitDetail.NotADevice;
            result = -Errno.ENODEV;
        }
        // As the container sees it: this process is in its user namespace.
        if (result >= 0 && !IsAsAsked(stat, bind))
        {
            s.Detail = InitDetail.OtherOwner;
            result = -Errno.EPERM;
        }
        return result < 0 ? MountSteps.Dropped(source, result) : source;
    }

    private static bool IsAsAsked(in Statx stat, DeviceBindArguments* bind)
    {
        uint uid = bind->Device.Uid, gid = bind->Device.Gid;
        bool sameMode = !bind->SameMode || ((stat.Mode ^ bind->Device.Mode) & FileModes.All) == 0;
        return sameMode && (uid == DeviceIdentity.AnyId || stat.Uid == uid) && (gid == DeviceIdentity.AnyId || stat.Gid == gid);
    }

    /// <summary>A node that the parent makes, with the owner and mode it is to have.</summary>
    public static long Mount(ref InitState s, DeviceMountArguments* device)
    {
        long target = MountSteps.OpenTarget(ref s, device->Target, directory: false);
        if (target < 0) return target;
        s.Detail = InitDetail.Source;
        return MountSteps.Attach(ref s, Sync.Ask(ref s, SyncKind.Device, 0), (int)target, 0);
    }

    /// <summary>
    /// A symbolic link. What is there already stays, unless the plan replaces it or asks for the same link. In the host's /dev none is
    /// made: of the usual ones it has its own.
    /// </summary>
    public static long Link(ref InitState s, SymlinkArguments* link)
    {
        byte* buffer = stackalloc byte[Kernel.PathMax];
        long directory = OpenPlace(ref s, link->Path, buffer, out byte* name);
        if (directory < 0) return directory;
        long result = 0;
        bool usual = link->Existing != ExistingLink.MustBeSame, make = directory != s.DevFd || !s.DevIsHosts;
        if (make && !usual && !IsLink((int)directory, name, link->Content)) result = HostFiles.Refuse(ref s, (int)directory);
        if (make && result >= 0) result = MakeLink(ref s, link, (int)directory, name);
        ClosePlace(ref s, directory);
        return result;
    }

    private static long MakeLink(ref InitState s, SymlinkArguments* link, int directory, byte* name)
    {
        s.Detail = InitDetail.CreateTarget;
        long result = Files.SymlinkAt(link->Content, directory, name);
        if (result == -Errno.EEXIST && link->Existing == ExistingLink.IsReplaced)
        {
            result = Files.UnlinkAt(directory, name);
            if (result >= 0) result = Files.SymlinkAt(link->Content, directory, name);
        }
        else if (result == -Errno.EEXIST)
        {
            result = link->Existing == ExistingLink.Stays || IsLink(directory, name, link->Content) ? 0 : result;
        }

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
