using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>Why the kernel refused a mount, where its errno alone leaves one guessing.</summary>
internal static class MountHints
{
    // statfs(2), f_flags. The first four have the values of MOUNT_ATTR_….
    private const long ST_NOATIME = 1024, ST_NODIRATIME = 2048, ST_RELATIME = 4096;

    // Of mounts that cover parts of /proc so many are named.
    private const int Named = 5;

    public static string Of(PlanStep step, InitMessage message) => (message.Detail, message.Errno) switch
    {
        (InitDetail.Attributes, Errno.EPERM) => Locked(step, message.Value),
        (InitDetail.Superblock or InitDetail.MountObject, Errno.EPERM) when step.Text1 == "proc" => Proc(),
        (InitDetail.Superblock or InitDetail.MountObject, Errno.EPERM) when step.Text1 == "sysfs" => ": in a user namespace it takes a new network namespace; else bind /sys",
        (InitDetail.Superblock or InitDetail.MountObject, Errno.EPERM) =>
            $": the kernel lets a user namespace mount {step.Text1} only where its file system is made for that (tmpfs, proc, sysfs, devpts, mqueue, cgroup, overlay, fuse)",
        (InitDetail.Source, Errno.EACCES) => ": the container's root user cannot reach it: check the permissions on the way to it",
        (InitDetail.Source, Errno.EINVAL) when (step.Flags & InitFlags.Recursive) == 0 => ": a user namespace can bind a mount of the host that has others below it only with them (option rbind)",
        (InitDetail.Superblock, Errno.EINVAL) when step.Op == InitOp.ReconfigureFilesystem && step.Options!.Exists(static option => option.Key == "dirsync") => ": a remount cannot change dirsync",
        (InitDetail.Attach or InitDetail.Target, Errno.ENOTDIR) => ": a directory can only be mounted on a directory, and a file on a file",
        (InitDetail.Target, Errno.EROFS) when step.Op == InitOp.AttachMount => ": it does not exist, and where it would have to be made is read-only",
        (InitDetail.CopyUp, Errno.ENOSPC) => ": it does not fit into the tmpfs (options size= and nr_inodes=)",
        (InitDetail.CopyUpOwner, Errno.EINVAL) => ": the owner has no mapping in the user namespace (/linux/uidMappings, /linux/gidMappings)",
        (InitDetail.CopyUpDevice, Errno.EPERM) => ": not possible in a user namespace",
        _ => "",
    };

    /// <summary>
    /// A mount namespace with a less privileged user namespace gets its mounts with ro, nosuid, nodev, noexec and the access time mode locked
    /// as they are (mount_namespaces(7)). Setting more of the four is possible; only what the configuration clears or changes is refused.
    /// </summary>
    private static string Locked(PlanStep step, long flags)
    {
        (ulong set, ulong clear) = step.Op switch
        {
            InitOp.MountBind => (step.Bind.Set | step.Bind.TreeSet, step.Bind.Clear | step.Bind.TreeClear),
            InitOp.SetMountAttributes => ((ulong)step.A, (ulong)step.B),
            _ => ((ulong)step.A, 0UL),
        };
        List<string> names = [];
        foreach ((ulong flag, string name) in (ReadOnlySpan<(ulong, string)>)
            [
                (Mounts.MOUNT_ATTR_RDONLY, "ro"), (Mounts.MOUNT_ATTR_NOSUID, "nosuid"), (Mounts.MOUNT_ATTR_NODEV, "nodev"), (Mounts.MOUNT_ATTR_NOEXEC, "noexec"),
            ])
        {
            if ((clear & (ulong)flags & flag) != 0) names.Add(name);
        }
        const ulong atime = Mounts.MOUNT_ATTR__ATIME | Mounts.MOUNT_ATTR_NODIRATIME;
        if (((set | clear) & atime) != 0)
        {
            names.Add((flags & ST_NOATIME) != 0 ? "noatime" : (flags & ST_RELATIME) != 0 ? "relatime" : "strictatime");
            if ((flags & ST_NODIRATIME) != 0) names.Add("nodiratime");
        }
        bool tree = (step.Bind.TreeSet | step.Bind.TreeClear) != 0 || (step.Flags & InitFlags.Recursive) != 0;
        if (names.Count == 0 && !tree) return "";
        string which = names.Count == 0 ? "a mount below has options that are locked" : $"the mount is {string.Join(',', names)} on the host, which is locked";
        return $": {which}: a user namespace cannot take that back";
    }

    /// <summary>The rule behind EPERM is the kernel's mount_too_revealing: a fresh procfs must show nothing that the present one hides.</summary>
    private static string Proc()
    {
        List<string> covering = FullMounts.CoveringProc();
        string hidden = covering.Count == 0 ? "" : $"; here it is covered at {string.Join(", ", covering.GetRange(0, Math.Min(Named, covering.Count)))}{(covering.Count > Named ? ", …" : "")}";
        return ": a user namespace may mount proc only with a pid namespace of its own, and where the host's /proc is mounted, visible in full and not stricter in ro and"
            + $" access times{hidden}. A bind of /proc is possible";
    }
}
