using OciRuntime.Linux;

namespace OciRuntime.Checks;

/// <summary>The directory that containers are recorded in.</summary>
internal static class StateChecks
{
    private const string Topic = "state";

    // A container's own is some 50 KB at most.
    private const long LeastBytes = 1 << 20;

    /// <param name="report">Where it goes.</param>
    /// <param name="root">Its path, absolute and clean.</param>
    public static void Add(Report report, string root)
    {
        string there = root;
        while (there != "/" && Files.StatAt(Files.AT_FDCWD, there, 0, out _) < 0) there = Path.GetDirectoryName(there)!;
        string where = there == root ? root : $"{root}, to be made in {there}";
        string fault = FaultOf(there, out bool isInMemory);
        if (fault.Length > 0)
        {
            report.Add(new(Topic, "directory", Verdict.Missing, $"{where}: {fault}", "no container can be made",
                "mend that, or name another directory with --root"));
        }
        else if (isInMemory)
        {
            report.Add(new(Topic, "directory", Verdict.Ok, where));
        }
        else
        {
            report.Add(new(Topic, "directory", Verdict.Limited, $"{where}: is on no tmpfs",
                "what is recorded of a container outlasts a restart of the machine, until it is deleted; each launch takes longer",
                "mount a tmpfs there, or name a directory on one with --root"));
        }
    }

    private static string FaultOf(string directory, out bool isInMemory)
    {
        long result = Files.StatFs(directory, out Statfs fs);
        isInMemory = fs.Type is Files.TMPFS_MAGIC or Files.RAMFS_MAGIC;
        if (result >= 0 && (fs.Flags & Files.ST_RDONLY) != 0) return "its file system is read-only";
        if (result >= 0) result = Files.AccessAsEffective(directory, Files.W_OK | Files.X_OK);
        if (result < 0) return ErrnoText.Full((int)-result);
        // A ramfs has no size, and says 0 blocks.
        return fs is { Blocks: > 0 } && (long)fs.BlocksAvailable * fs.BlockSize < LeastBytes || fs is { Files: > 0, FilesFree: 0 }
            ? "its file system is full" : "";
    }
}
