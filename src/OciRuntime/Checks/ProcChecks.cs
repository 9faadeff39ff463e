using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Checks;

/// <summary>The file system by which the kernel tells about processes, which every other check and every launch reads.</summary>
internal static class ProcChecks
{
    private const string Topic = "kernel", Name = "/proc";
    private const int Named = 3;

    /// <summary>Processes have the numbers there that they have here: it shows whoever reads it under his own.</summary>
    public static bool IsOwn => Files.ReadLink("/proc/self") == Processes.Pid().ToString();

    /// <returns>False where no more can be looked at.</returns>
    public static bool Add(Report report)
    {
        if (Files.StatFs("/proc", out Statfs fs) < 0 || fs.Type != Files.PROC_SUPER_MAGIC)
        {
            report.Add(new(Topic, Name, Verdict.Missing, "no procfs is mounted there", "no container can be made, and no more can be told",
                "mount -t proc proc /proc"));
            return false;
        }
        report.Add(IsOwn ? new(Topic, Name, Verdict.Ok, "that of this pid namespace")
            : new(Topic, Name, Verdict.Limited, "that of another pid namespace: processes have other numbers there",
                "a configuration with a user namespace fails, and what is told of a container is told of other processes",
                "mount -t proc proc /proc, or unshare --mount-proc"));
        AddCovered(report);
        return true;
    }

    /// <summary>The kernel shows nobody in a new procfs what is hidden from him in the one that he has (mount_too_revealing()).</summary>
    private static void AddCovered(Report report)
    {
        List<string> covered = FullMounts.CoveringProc();
        bool isOnly = MountTable.Read().FindAll(static one => one is { Type: "proc", Root: "/" }).Count == 1;
        if (covered.Count == 0 || !isOnly) return;
        string more = covered.Count > Named ? ", …" : "";
        report.Add(new(Topic, "proc in a user namespace", Verdict.Limited,
            $"{string.Join(", ", covered.Take(Named))}{more} are covered here",
            "a configuration with a user namespace cannot mount proc, as those of ordinary users do",
            "call it where nothing of /proc is hidden (docker run --security-opt systempaths=unconfined), or bind /proc"));
    }
}
