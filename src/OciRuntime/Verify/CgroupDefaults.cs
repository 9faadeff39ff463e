using OciRuntime.Cgroups;
using OciRuntime.Linux;

namespace OciRuntime.Verify;

/// <summary>
/// What the kernel gives a new cgroup: a limit that has this value, where another one was promised, was most likely never applied.
/// </summary>
internal static class CgroupDefaults
{
    /// <summary>Whether a file says what it said when the cgroup was made. What stands for no limit is not looked for here.</summary>
    /// <param name="directory">The cgroup.</param>
    /// <param name="file">Its control file.</param>
    /// <param name="its">What that says; of one with a line for each of several things, the one line.</param>
    public static bool Are(int directory, string file, FileValue its) => its switch
    {
        Amount { Number: { } number } => file switch
        {
            ControlFile.CpuShares => number == 1024,
            ControlFile.CpuWeight or ControlFile.IoWeight or ControlFile.IoBfqWeight or ControlFile.BlockBfqWeight => number == 100,
            // That of CFQ, and that of BFQ under its name.
            ControlFile.BlockWeight => number is 500 or 100,
            "blkio.leaf_weight" => number == 500,
            ControlFile.CfsPeriod => number == Quota.DefaultPeriod,
            // default_rt_period() in the kernel.
            ControlFile.RealtimePeriod => number == 1_000_000,
            // These are there to be raised.
            ControlFile.RealtimeRuntime or ControlFile.CfsBurst or ControlFile.CpuBurst or ControlFile.CpuIdle
                or ControlFile.MemoryLow or ControlFile.MemoryMin or ControlFile.OomGroup or ControlFile.OomControl
                or "net_cls.classid" => number == 0,
            "memory.swappiness" => IsParents(directory, file, its),
            _ => false,
        },
        // A line that is not there has been made up (CgroupUndo.OldValue()).
        Line { Text: var text } when text.IndexOf(' ') is > 0 and var blank => text[(blank + 1)..] is "0" or "default",
        Line => file is ControlFile.CpusetCpus or ControlFile.CpusetMems && IsParents(directory, file, its),
        _ => false,
    };

    /// <summary>It was taken over from the cgroup above, by the kernel, or, of a cpuset of v1, by whoever made the directory.</summary>
    private static bool IsParents(int directory, string file, FileValue its)
    {
        long fd = Files.OpenAt(directory, "..", Files.O_RDONLY | Files.O_DIRECTORY);
        if (fd < 0) return false;
        using Fd parent = new((int)fd);
        string text = CgroupFiles.Read(parent.Number, file, out long error);
        return error >= 0 && FileValue.Read(file, text) == its;
    }
}
