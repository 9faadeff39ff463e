using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// v1: fills empty cpuset.cpus and cpuset.mems of a cgroup and of those above it, each from its parent, outermost first (cpusets.rst: a new
/// cpuset has none, and no task can enter it).
/// </summary>
internal sealed record SeedCpuset(int Directory) : CgroupStep(Directory, "")
{
    private const int MaxDepth = 256;

    public override string Describe(CgroupDirectory place) =>
        $"fill {place.Path}/{ControlFile.CpusetCpus} and {ControlFile.CpusetMems} from the parent";

    public override long Do(CgroupRun run, CgroupDirectory place, int directory)
    {
        long mount = CgroupFiles.OpenMount(place.Hierarchy);
        if (mount < 0) return mount;
        long result = Seed((int)mount, place.Relative, directory, ControlFile.CpusetCpus, 0, out _);
        if (result >= 0) result = Seed((int)mount, place.Relative, directory, ControlFile.CpusetMems, 0, out _);
        Files.Close((int)mount);
        return result;
    }

    public override string? Hint(CgroupDirectory place, int directory, int errno) =>
        CgroupHints.OfFile(ControlFile.CpusetCpus, new Line(""), place, directory, errno);

    private static long Seed(int mount, string relative, int open, string file, int depth, out string value)
    {
        value = "";
        if (depth > MaxDepth) return -Errno.ELOOP;
        long fd = relative.Length == 0 ? mount : open >= 0 ? open : CgroupFiles.OpenDirectory(mount, relative, Files.O_PATH);
        if (fd < 0) return fd;
        value = CgroupFiles.Read((int)fd, file, out long result);
        if (result >= 0 && value.Length == 0 && relative.Length > 0)
        {
            int slash = relative.LastIndexOf('/');
            result = Seed(mount, slash < 0 ? "" : relative[..slash], -1, file, depth + 1, out value);
            if (result >= 0) result = CgroupFiles.Write((int)fd, file, value);
        }
        if (relative.Length > 0 && open < 0) Files.Close((int)fd);
        return result;
    }
}
