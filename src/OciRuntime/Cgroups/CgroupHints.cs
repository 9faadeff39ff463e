using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// Error texts: what was done, where config.json asked for it, the errno, and why the kernel says so, where that is known.
/// </summary>
internal static class CgroupHints
{
    public const string NotTheParents = "the parent cgroup does not allow it", NoSuchFile = "this kernel has no such file";

    /// <summary>A step failed.</summary>
    public static OciException Failure(CgroupPlan plan, CgroupStep step, int directory, long result)
    {
        CgroupDirectory place = plan.Directories[step.Directory];
        string doing = step.Describe(place);
        if (step.Pointer.Length > 0) doing = step.Pointer + ": " + doing;
        return Failure(plan, result, doing, step.Hint(place, directory, (int)-result));
    }

    /// <summary>Something else failed.</summary>
    public static OciException Failure(CgroupPlan plan, long result, string doing, string? hint = null)
    {
        if (plan.Rootless && result is -Errno.EPERM or -Errno.EACCES or -Errno.EROFS)
            hint = "rootless needs no limits + no cgrouppath when no permission is granted for cgroups";
        OciException plain = OciException.FromResult(result, doing);
        return hint is null ? plain : new OciException(plain.Message + ": " + hint, plain.Errno);
    }

    /// <summary>A limit needs a v2 controller that does not reach the cgroup.</summary>
    /// <param name="place">The cgroup.</param>
    /// <param name="needed">The controller.</param>
    /// <param name="root">Those that the root of the mount has.</param>
    /// <param name="stuck">Why it went no further, as a negated errno; or 0.</param>
    /// <param name="stuckAt">Where.</param>
    public static OciException NoController(CgroupDirectory place, NeededController needed, string root, long stuck, string stuckAt)
    {
        string mount = place.Hierarchy.MountPoint;
        bool offered = (" " + root + " ").Contains(" " + needed.Name + " ");
        string why = !offered
            ? $"{mount}/cgroup.controllers offers only [{root}]; it may be mounted as cgroup v1, disabled on the kernel's command line, "
            + $"or not delegated to this user"
            : stuck switch
            {
                -Errno.EBUSY =>
                    $"{stuckAt} has processes of its own, and such a cgroup cannot hand controllers down (no internal processes rule); "
                    + $"use a cgroupsPath elsewhere",
                -Errno.EPERM or -Errno.EACCES or -Errno.EROFS => $"{stuckAt}/cgroup.subtree_control may not be written by this user",
                -Errno.EOPNOTSUPP or -Errno.EINVAL => $"{stuckAt} is a threaded cgroup, or its controllers cannot be handed down",
                _ => $"it is not enabled in cgroup.subtree_control of {stuckAt}",
            };
        return new OciException($"{needed.Pointer}: no controller {needed.Name} in {place.Path}: {why}", stuck == 0 ? Errno.ENOENT
            : (int)-stuck);
    }

    /// <summary>The kernel lets no process begin in a cgroup (clone3, CLONE_INTO_CGROUP).</summary>
    public static OciException NotEntered(int cgroup, long result)
    {
        OciException plain = OciException.FromResult(result, $"clone3 into the cgroup {Files.PathOf(cgroup, out _)}");
        string enabled = CgroupFiles.Read(cgroup, ControlFile.SubtreeControl, out _);
        return enabled.Length == 0 ? plain : new OciException(
            $"{plain.Message}: it hands controllers down ({ControlFile.SubtreeControl}: {enabled}), and such a cgroup takes no processes "
            + "of its own (no internal processes rule)", plain.Errno);
    }

    /// <summary>A device rule was refused while a container is running.</summary>
    public static OciException DeviceRule(long result, string file, in DeviceFilterRule rule)
    {
        string place = rule.Pointer.Length == 0 ? "/linux/resources/devices" : rule.Pointer;
        OciException plain = OciException.FromResult(result, $"{place}: write {file} = {rule.KernelText}");
        return result == -Errno.EPERM ? new OciException($"{plain.Message}: {NotTheParents}", plain.Errno) : plain;
    }

    /// <summary>Why the kernel refuses to read or write a file, where that is known.</summary>
    public static string? OfFile(string file, FileValue value, CgroupDirectory place, int directory, int errno)
    {
        bool unified = place.Hierarchy.Unified;
        switch (errno)
        {
            case Errno.EBUSY when file is ControlFile.MemoryLimit or ControlFile.MemoryMax or ControlFile.MemoryAndSwapLimit:
                string use = CgroupFiles.Read(directory, unified ? ControlFile.MemoryCurrent : ControlFile.MemoryUsage, out _);
                string peak = CgroupFiles.Read(directory, unified ? "memory.peak" : "memory.max_usage_in_bytes", out _);
                return $"unable to set memory limit to {value} (current usage: {use}, peak usage: {peak})";
            case Errno.ENOENT when file == ControlFile.MemoryAndSwapLimit:
                return "this kernel does no swap accounting (command line swapaccount=1)";
            case Errno.ENOENT when file == ControlFile.SwapMax:
                return "this kernel does no swap accounting, or has no swap";
            case Errno.EOPNOTSUPP when file.Contains("weight", StringComparison.Ordinal) && value.ToString().Contains(':'):
                return "the device's I/O scheduler has no weights; BFQ has (/sys/block/DEVICE/queue/scheduler)";
            case Errno.ENOENT when file.Contains("leaf_weight", StringComparison.Ordinal):
                return "leaf weights went with the CFQ scheduler in Linux 5.0";
            case Errno.ENOENT when file.Contains("weight", StringComparison.Ordinal):
                return "this kernel has no weights for block devices (neither CFQ nor BFQ)";
            case Errno.ENOENT when unified && ControlFile.Controller(file) is not "cgroup" and var controller
                && !IsEnabled(directory, controller):
                return $"the controller {controller} is not enabled in this cgroup";
            case Errno.ENOENT:
                return NoSuchFile;
            case Errno.EINVAL when file is ControlFile.MemoryLimit or ControlFile.MemoryAndSwapLimit && IsCrossed(directory, file, value):
                return "the memory limit must not exceed the limit of memory and swap together";
            case Errno.EINVAL when file is ControlFile.CfsQuota or ControlFile.CfsPeriod:
                return "the period is 1000 to 1000000 us, the quota at least 1000 us and not less than the burst, and their ratio at most "
                    + "that of the parent cgroup"
                    + $" and at least those of cgroups below (now {Quota(directory)}; parent {ParentQuota(place)})";
            case Errno.EINVAL when file == ControlFile.CpuMax:
                return "the period is 1000 to 1000000 us, the quota at least 1000 us and not less than the burst";
            case Errno.EINVAL when file is ControlFile.CfsBurst or ControlFile.CpuBurst:
                return "the burst must not be more than the quota";
            case Errno.EBUSY when file is ControlFile.CpusetCpus or ControlFile.CpusetMems:
                return "a cgroup below this one uses others";
            case Errno.ENOSPC when file is ControlFile.CpusetCpus or ControlFile.CpusetMems:
                return "a cgroup that has processes must keep some";
            case Errno.EINVAL when file is ControlFile.CpuWeight or ControlFile.CpuShares
                && CgroupFiles.Read(directory, ControlFile.CpuIdle, out _) == "1":
                return "a cgroup with cpu.idle = 1 has no weight";
            case Errno.EINVAL when file is ControlFile.RealtimeRuntime or ControlFile.RealtimePeriod:
                return "the runtime must not be more than the period, and the parent cgroup must have as much real-time budget to give";
            case Errno.EINVAL or Errno.EACCES or Errno.ERANGE or Errno.ENODEV when file is ControlFile.CpusetCpus or ControlFile.CpusetMems:
                return $"it must be a part of what the parent cgroup has and what is online ({Parent(directory, file, unified)})";
            case Errno.EPERM when file == ControlFile.DevicesAllow:
                return NotTheParents;
            case Errno.ENODEV when file.StartsWith("blkio.", StringComparison.Ordinal) || file.StartsWith("io.", StringComparison.Ordinal):
                return value.ToString() is var text && text.IndexOf(' ') is var blank and > 0 ? BlockDevice(text[..blank]) : null;
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

    private static bool IsEnabled(int directory, string controller) =>
        Array.IndexOf(CgroupFiles.Read(directory, ControlFile.Controllers, out _).Split(' '), controller) >= 0;

    /// <summary>Whether the limit of memory, one of the two being the new one, is above that of memory and swap together.</summary>
    private static bool IsCrossed(int directory, string file, FileValue value)
    {
        bool isMemory = file == ControlFile.MemoryLimit;
        if (value is not Amount amount
            || !ulong.TryParse(CgroupFiles.Read(directory, isMemory ? ControlFile.MemoryAndSwapLimit : ControlFile.MemoryLimit, out _),
            out ulong other))
        {
            return false;
        }
        ulong given = amount.Number ?? ulong.MaxValue;
        return isMemory ? given > other : other > given;
    }

    private static string Quota(int directory) =>
        $"{CgroupFiles.Read(directory, ControlFile.CfsQuota, out _)} of {CgroupFiles.Read(directory, ControlFile.CfsPeriod, out _)} us";

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
        string effective = unified ? file + ".effective" : file == ControlFile.CpusetCpus ? "cpuset.effective_cpus"
            : "cpuset.effective_mems";
        string value = CgroupFiles.Read(directory, effective, out _);
        return value.Length == 0 ? "unknown" : value;
    }
}
