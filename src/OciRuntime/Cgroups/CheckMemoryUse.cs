using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// v2: compares the memory in use with a limit that is about to be set, and refuses it: the kernel would kill to get there.
/// </summary>
/// <param name="Directory">See <see cref="CgroupStep"/>.</param>
/// <param name="Limit">In bytes.</param>
/// <param name="Pointer">See <see cref="CgroupStep"/>.</param>
internal sealed record CheckMemoryUse(int Directory, long Limit, string Pointer) : CgroupStep(Directory, Pointer)
{
    public override string Describe(CgroupDirectory place) => $"check {place.Path}/{ControlFile.MemoryCurrent} <= {Limit}";

    public override long Do(CgroupRun run, CgroupDirectory place, int directory)
    {
        string use = CgroupFiles.Read(directory, ControlFile.MemoryCurrent, out long error);
        if (error < 0) return error;
        if (long.TryParse(use, out long current) && current > Limit)
            throw new OciException($"{Pointer}: rejecting memory limit {Limit} < usage {current}", Errno.EBUSY);
        return 0;
    }

    public override string? Hint(CgroupDirectory place, int directory, int errno) =>
        CgroupHints.OfFile(ControlFile.MemoryCurrent, new Line(""), place, directory, errno);
}
