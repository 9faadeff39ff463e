using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Error texts: what was done, where config.json asked for it, the errno, and why the kernel says so, where that is known.</summary>
internal static class CgroupHints
{
    private const string NotTheParents = "the parent cgroup does not allow it";

    /// <summary>A step failed.</summary>
    public static OciException Failure(CgroupPlan plan, in CgroupStep step, int directory, long result)
    {
        string doing = plan.Describe(step);
        if (step.Pointer.Length > 0) doing = step.Pointer + ": " + doing;
        return Failure(plan, result, doing, Hint(step, directory, plan.Directories[step.Directory], (int)-result));
    }

    /// <summary>Something else failed.</summary>
    public static OciException Failure(CgroupPlan plan, long result, string doing, string? hint = null)
    {
        if (plan.Rootless && result is -Errno.EPERM or -Errno.EACCES or -Errno.EROFS)
        {
            hint = "rootless needs no limits + no cgrouppath when no permission is granted for cgroups";
        }
        OciException plain = OciException.FromResult(result, doing);
        return hint is null ? plain : new OciException(plain.Message + ": " + hint, plain.Errno);
    }

    /// <summary>A limit needs a v2 controller that does not reach the cgroup.</summary>
    public static OciException NoController(
        CgroupPlan plan, CgroupDirectory directory, in CgroupStep step, string controller, string root, long stuck, string stuckAt)
    {
        string mount = directory.Hierarchy.MountPoint;
        string limit = step.Pointer;
        foreach (CgroupStep other in plan.Steps)
        {
            if (other.Kind == CgroupStepKind.Write && other.File.StartsWith(controller + ".", StringComparison.Ordinal))
            {
                limit = other.Pointer;
                break;
            }
        }
        bool offered = (" " + root + " ").Contains(" " + controller + " ");
        string why = !offered
            ? $"{mount}/cgroup.controllers offers only [{root}]; it may be mounted as cgroup v1, disabled on the kernel's command line, or not delegated to this user"
            : stuck switch
            {
                -Errno.EBUSY => $"{stuckAt} has processes of its own, and such a cgroup cannot hand controllers down (no internal processes rule); use a cgroupsPath elsewhere",
                -Errno.EPERM or -Errno.EACCES or -Errno.EROFS => $"{stuckAt}/cgroup.subtree_control may not be written by this user",
                -Errno.EOPNOTSUPP or -Errno.EINVAL => $"{stuckAt} is a threaded cgroup, or its controllers cannot be handed down",
                _ => $"it is not enabled in cgroup.subtree_control of {stuckAt}",
            };
        return new OciException($"{limit}: no controller {controller} in {directory.Path}: {why}", stuck == 0 ? Errno.ENOENT : (int)-stuck);
    }

    /// <summary>A device rule was refused while a container is running.</summary>
    public static OciException DeviceRule(long result, string file, in DeviceFilterRule rule)
    {
        string place = rule.Pointer.Length == 0 ? "/linux/resources/devices" : rule.Pointer;
        OciException plain = OciException.FromResult(result, $"{place}: write {file} = {rule.KernelText}");
        return result == -Errno.EPERM ? new OciException($"{plain.Message}: {NotTheParents}", plain.Errno) : plain;
    }

    private static string? Hint(in CgroupStep step, int directory, CgroupDirectory place, int errno)
    {
        bool unified = place.Hierarchy.Unified;
        string file = step.File;
        switch (errno)
        {
            case Errno.EBUSY when file is "memory.limit_in_bytes" or "memory.max" or "memory.memsw.limit_in_bytes":
                string use = CgroupFiles.Read(directory, unified ? "memory.current" : "memory.usage_in_bytes", out _);
                string peak = CgroupFiles.Read(directory, unified ? "memory.peak" : "memory.max_usage_in_bytes", out _);
                return $"unable to set memory limit to {step.Value} (current usage: {use}, peak usage: {peak})";
            case Errno.ENOENT when file == "memory.memsw.limit_in_bytes":
                return "this kernel does no swap accounting (command line swapaccount=1)";
            case Errno.ENOENT when file is "memory.swap.max":
                return "this kernel does no swap accounting, or has no swap";
            case Errno.EOPNOTSUPP when file.Contains("weight", StringComparison.Ordinal) && step.Value.Contains(':'):
                return "the device's I/O scheduler has no weights; BFQ has (/sys/block/DEVICE/queue/scheduler)";
            case Errno.ENOENT when file.Contains("leaf_weight", StringComparison.Ordinal):
                return "leaf weights went with the CFQ scheduler in Linux 5.0";
            case Errno.ENOENT when file.Contains("weight", StringComparison.Ordinal):
                return "this kernel has no weights for block devices (neither CFQ nor BFQ)";
            case Errno.ENOENT when unified && Controller(file) is { } controller && !IsEnabled(directory, controller):
                return $"the controller {controller} is not enabled in this cgroup";
            case Errno.ENOENT:
                return "this kernel has no such file";
            case Errno.EINVAL when file is "memory.limit_in_bytes" or "memory.memsw.limit_in_bytes" && IsCrossed(directory, file, step.Value):
                return "the memory limit must not exceed the limit of memory and swap together";
            case Errno.EINVAL when file is "cpu.cfs_quota_us" or "cpu.cfs_period_us":
                return "the period is 1000 to 1000000 us, the quota at least 1000 us and not less than the burst, and their ratio at most that of the parent cgroup"
                    + $" and at least those of cgroups below (now {Quota(directory)}; parent {ParentQuota(place)})";
            case Errno.EINVAL when file is "cpu.max":
                return "the period is 1000 to 1000000 us, the quota at least 1000 us and not less than the burst";
            case Errno.EINVAL when file is "cpu.cfs_burst_us" or "cpu.max.burst":
                return "the burst must not be more than the quota";
            case Errno.EBUSY when file is "cpuset.cpus" or "cpuset.mems":
                return "a cgroup below this one uses others";
            case Errno.EINVAL when file is "cpu.weight" or "cpu.shares" && CgroupFiles.Read(directory, "cpu.idle", out _) == "1":
                return "a cgroup with cpu.idle = 1 has no weight";
            case Errno.EINVAL when file is "cpu.rt_runtime_us" or "cpu.rt_period_us":
                return "the runtime must not be more than the period, and the parent cgroup must have as much real-time budget to give";
            case Errno.EINVAL or Errno.EACCES or Errno.ERANGE or Errno.ENODEV when file is "cpuset.cpus" or "cpuset.mems":
                return $"it must be a part of what the parent cgroup has and what is online ({Parent(directory, file, unified)})";
            case Errno.EPERM when file is "devices.allow":
                return NotTheParents;
            case Errno.EPERM when step.Kind == CgroupStepKind.UpdateDevices && !unified:
                return NotTheParents;
            case Errno.EINVAL when step.Kind == CgroupStepKind.UpdateDevices && !unified:
                return "with cgroups below the container's own, cgroup v1 does not change what is allowed by default";
            case Errno.EOPNOTSUPP when step.Kind == CgroupStepKind.EnableControllers:
                return "the cgroup above is threaded, and so this one can only be threaded, too";
            case Errno.ENODEV when file.StartsWith("blkio.", StringComparison.Ordinal) || file.StartsWith("io.", StringComparison.Ordinal):
                return BlockDevice(step.Value[..Math.Max(0, step.Value.IndexOf(' '))]);
            default:
                return null;
        }
    }

    /// <summary>Partitions have no limits of their own (blkg_conf_open_bdev() in the kernel's block/blk-cgroup.c).</summary>
    private static string? BlockDevice(string number)
    {
        string device = $"/sys/dev/block/{number}";
        return Files.StatAt(Files.AT_FDCWD, $"{device}/partition", 0, out _) >= 0 ? "it is a partition, and limits are for whole disks"
            : Files.StatAt(Files.AT_FDCWD, device, 0, out _) == -Errno.ENOENT ? "there is no such block device" : null;
    }

    private static string? Controller(string file) => file.IndexOf('.') is var dot and > 0 && file[..dot] != "cgroup" ? file[..dot] : null;

    private static bool IsEnabled(int directory, string controller) => Array.IndexOf(CgroupFiles.Read(directory, "cgroup.controllers", out _).Split(' '), controller) >= 0;

    /// <summary>Whether the limit of memory, one of the two being the new one, is above that of memory and swap together.</summary>
    private static bool IsCrossed(int directory, string file, string value)
    {
        const string memory = "memory.limit_in_bytes", both = "memory.memsw.limit_in_bytes";
        string other = CgroupFiles.Read(directory, file == memory ? both : memory, out _);
        // -1 is no limit, more than any other.
        return ulong.TryParse(other, out ulong there) && long.TryParse(value, out long given) && (file == memory ? (ulong)given > there : there > (ulong)given);
    }

    private static string Quota(int directory) =>
        $"{CgroupFiles.Read(directory, "cpu.cfs_quota_us", out _)} of {CgroupFiles.Read(directory, "cpu.cfs_period_us", out _)} us";

    private static string ParentQuota(CgroupDirectory place)
    {
        long fd = CgroupFiles.OpenPath(place.Path[..place.Path.LastIndexOf('/')], Files.O_PATH, out _);
        if (fd < 0) return "unknown";
        string text = Quota((int)fd);
        Files.Close((int)fd);
        return text;
    }

    // The effective mask of the container's own cgroup is that of the parent while none is set; v1 was seeded with it.
    private static string Parent(int directory, string file, bool unified)
    {
        string effective = unified ? file + ".effective" : file == "cpuset.cpus" ? "cpuset.effective_cpus" : "cpuset.effective_mems";
        string value = CgroupFiles.Read(directory, effective, out _);
        return value.Length == 0 ? "unknown" : value;
    }
}
