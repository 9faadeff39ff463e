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

    // Those of common file systems that a user namespace may mount (FS_USERNS_MOUNT in the kernel): their refusal has another reason.
    private static readonly string[] ForUserNamespaces = ["tmpfs", "ramfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay", "fuse", "bpf"];

    /// <summary>The hint as the end of a message, or "".</summary>
    /// <param name="plan">The plan: whether its steps are done in a user namespace.</param>
    /// <param name="step">The mount.</param>
    /// <param name="message">What the child says.</param>
    public static string Of(LaunchPlan plan, PlanStep step, InitMessage message) => (message.Detail, message.Errno) switch
    {
        (InitDetail.Attributes or InitDetail.Superblock or InitDetail.MountObject, Errno.EPERM) => Refused(plan, step, message),
        (InitDetail.Source, Errno.EACCES) => ": the container's root user cannot reach it: check the permissions on the way to it",
        (InitDetail.Source, Errno.EINVAL) when (step.Flags & InitFlags.Recursive) == 0 && plan.InUserNamespace && HasMountsBelow(step.Text1!) => ": a user namespace can bind a mount of the host that has others below it only with them (option rbind)",
        (InitDetail.Superblock, Errno.EINVAL) when step.Op == InitOp.ReconfigureFilesystem && step.Options!.Exists(static option => option.Key == "dirsync") => ": a remount cannot change dirsync",
        (InitDetail.Attach or InitDetail.Target, Errno.ENOTDIR) => ": a directory can only be mounted on a directory, and a file on a file, with nothing but directories above",
        (InitDetail.Target, Errno.EROFS) when step.Op == InitOp.AttachMount => ": it does not exist, and where it would have to be made is read-only",
        (InitDetail.CopyUp, Errno.ENOSPC) => ": it does not fit into the tmpfs (options size= and nr_inodes=)",
        (InitDetail.CopyUpOwner, Errno.EINVAL) => ": the owner has no mapping in the user namespace (/linux/uidMappings, /linux/gidMappings)",
        (InitDetail.CopyUpDevice, Errno.EPERM) when plan.InUserNamespace => ": not possible in a user namespace",
        _ => "",
    };

    /// <summary>An unbindable mount (mount(2), MS_UNBINDABLE) is EINVAL, too.</summary>
    private static bool HasMountsBelow(string source)
    {
        string below = source.TrimEnd('/') + "/";
        return MountTable.Read().Exists(mount => mount.Point.Length > below.Length && mount.Point.StartsWith(below, StringComparison.Ordinal));
    }

    /// <summary>EPERM: the rules of user namespaces, where there is one; else, of a file system on a device, those of the device cgroup.</summary>
    private static string Refused(LaunchPlan plan, PlanStep step, InitMessage message)
    {
        if (!plan.InUserNamespace) return message.Detail != InitDetail.Attributes && IsDenied(step) ? ": a device cgroup denies the device to the runtime, too" : "";
        if (message.Detail == InitDetail.Attributes) return Locked(step, message.Value);
        return step.Text1 switch
        {
            "proc" => Proc(),
            "sysfs" => ": in a user namespace it takes a new network namespace; else bind /sys",
            _ when Array.IndexOf(ForUserNamespaces, step.Text1) < 0 =>
                $": the kernel lets a user namespace mount {step.Text1} only where its file system is made for that (tmpfs, proc, sysfs, devpts, mqueue, cgroup, overlay, fuse)",
            _ => "",
        };
    }

    /// <summary>Opening the device is refused here as well, where ordinary permissions would give EACCES.</summary>
    private static bool IsDenied(PlanStep step)
    {
        if ((step.Flags & InitFlags.OnDevice) == 0 || step.Options!.Find(static option => option.Key == "source").Value is not { } device) return false;
        long opened = Files.OpenAt(Files.AT_FDCWD, device, Files.O_RDONLY | Files.O_NONBLOCK);
        if (opened >= 0) Files.Close((int)opened);
        return opened == -Errno.EPERM;
    }

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
