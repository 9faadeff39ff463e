using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>Device nodes and links below the image's /dev, each made under a descriptor of its directory (CVE-2026-41579, CVE-2026-47766).</summary>
internal static unsafe class DeviceSteps
{
    /// <summary>mknod with the exact mode (the child's umask is 0), then owner; an existing node must be the same device.</summary>
    public static long Node(ref InitState s, InitStep* step)
    {
        byte* buffer = stackalloc byte[Kernel.PathMax];
        s.Detail = InitDetail.Target;
        long directory = RootPath.OpenParent(s.RootFd, step->Text1, buffer, out byte* name);
        if (directory < 0) return directory;
        s.Detail = InitDetail.CreateTarget;
        long result = Files.MakeNodeAt((int)directory, name, (uint)step->A, (ulong)step->B);
        if (result is 0 or -Errno.EEXIST) result = Adopt(ref s, step, (int)directory, name, existed: result != 0);
        Files.Close((int)directory);
        return result;
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

    /// <summary>In a user namespace mknod is refused (EPERM); the host's node is bound instead.</summary>
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
        if (target >= 0) target = MountSteps.OpenTarget(ref s, step, directory: false);
        if (target >= 0) return MountSteps.Attach(ref s, source, (int)target, 0);
        Files.Close((int)source);
        return target;
    }

    /// <summary>A symbolic link. What is there already stays, unless the plan replaces it or asks for the same link.</summary>
    public static long Link(ref InitState s, InitStep* step)
    {
        byte* buffer = stackalloc byte[Kernel.PathMax];
        s.Detail = InitDetail.Target;
        long directory = RootPath.OpenParent(s.RootFd, step->Text2, buffer, out byte* name);
        if (directory < 0) return directory;
        s.Detail = InitDetail.CreateTarget;
        long result = Files.SymlinkAt(step->Text1, (int)directory, name);
        if (result == -Errno.EEXIST && (step->Flags & InitFlags.Replace) != 0)
        {
            result = Files.UnlinkAt((int)directory, name);
            if (result >= 0) result = Files.SymlinkAt(step->Text1, (int)directory, name);
        }
        else if (result == -Errno.EEXIST) result = (step->Flags & InitFlags.SameLink) == 0 || IsLink((int)directory, name, step->Text1) ? 0 : result;
        if (result == -Errno.EEXIST) s.Detail = InitDetail.ExistingNode;
        Files.Close((int)directory);
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
