using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// v2: gives the cgroup to a user, the directory and the files that the kernel lists for this (cgroups(7), "Cgroups delegation").
/// </summary>
/// <param name="Directory">See <see cref="CgroupStep"/>.</param>
/// <param name="Uid">On the host.</param>
/// <param name="Tolerance">See <see cref="CgroupStep"/>.</param>
internal sealed record DelegateToUser(int Directory, uint Uid, CgroupTolerance Tolerance) : CgroupStep(Directory, "", Tolerance)
{
    private const string List = "/sys/kernel/cgroup/delegate";

    public override string Describe(CgroupDirectory place) => $"chown {place.Path} and the files of {List} in it to uid {Uid}";

    public override long Do(CgroupRun run, CgroupDirectory place, int directory)
    {
        long result = Files.Chown(directory, Uid, uint.MaxValue);
        if (result < 0) return result;
        byte[]? list = Files.ReadFileAt(Files.AT_FDCWD, List, 65536, out _);
        string text = list is null ? $"{ControlFile.Procs}\n{ControlFile.Threads}\n{ControlFile.SubtreeControl}"
            : Encoding.UTF8.GetString(list);
        foreach (string name in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            result = Files.ChownAt(directory, name, Uid, uint.MaxValue, Files.AT_SYMLINK_NOFOLLOW);
            if (result < 0 && result != -Errno.ENOENT) return result;
        }
        return 0;
    }
}
