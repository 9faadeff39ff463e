using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// File systems of which there is one only, which every mount shows: what is made in them is made on the host. Of a devtmpfs, whose files
/// are like those of any tmpfs, the device number tells.
/// </summary>
internal static unsafe class HostFiles
{
    /// <summary>
    /// Refuses (EPERM) a directory in which a new name would be a device file of the host's, or an object of the kernel's: a cgroup, a
    /// tracing instance, an EFI variable, a class of service.
    /// </summary>
    public static long Refuse(ref InitState s, int directory)
    {
        long result = Files.StatFs(directory, out Statfs fs);
        if (result < 0) return result;
        bool hosts = Files.IsHostWide(fs);
        if (!hosts && s.HostDevices != 0 && fs.Type is Files.TMPFS_MAGIC or Files.RAMFS_MAGIC)
            result = AreDevices(ref s, directory, out hosts);
        if (result < 0 || !hosts) return result;
        s.Detail = InitDetail.HostsFileSystem;
        return -Errno.EPERM;
    }

    /// <summary>Remembers the device number of a devtmpfs that the configuration mounts.</summary>
    public static long NoteDevices(ref InitState s, int mount)
    {
        long result = Files.Stat(mount, out Statx stat);
        if (result >= 0) s.HostDevices = Device(stat);
        return result;
    }

    /// <summary>
    /// Whether a directory is in the host's /dev: the root file system came with it mounted, or the configuration mounts it.
    /// </summary>
    public static long AreDevices(ref InitState s, int directory, out bool hosts)
    {
        hosts = false;
        if (s.HostDevices == 0) FindDevices(ref s);
        if (s.HostDevices == 0) return 0;
        long result = Files.Stat(directory, out Statx stat, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
        if (result < 0 || Device(stat) != s.HostDevices) return result;
        // The root file system itself is the container's, whatever it lies on.
        result = Files.Stat(s.RootFd, out Statx root, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID);
        hosts = result >= 0 && stat.MountId != root.MountId;
        return result;
    }

    /// <summary>
    /// The runtime's own /dev: in a container it is no devtmpfs. A plain directory says nothing about what else is in its file system.
    /// </summary>
    private static void FindDevices(ref InitState s)
    {
        fixed (byte* path = "/dev\0"u8)
        {
            if (Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat) >= 0 && (stat.Attributes & Files.STATX_ATTR_MOUNT_ROOT) != 0)
                s.HostDevices = Device(stat);
        }
    }

    private static ulong Device(in Statx stat) => Files.MakeDevice(stat.DevMajor, stat.DevMinor);
}
