using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Checks;

/// <summary>The directory that containers are recorded in.</summary>
internal static class StateChecks
{
    private const string Topic = "state";

    // A container's own is some 50 KB at most.
    private const long LeastBytes = 1 << 20;

    /// <param name="report">Where it goes.</param>
    /// <param name="root">As the other verbs resolve it.</param>
    public static void Add(Report report, StateRoot root)
    {
        try
        {
            // The rule is its own: who may have made it, and which links are followed.
            root.TryOpen()?.Dispose();
        }
        catch (OciException e)
        {
            report.Add(Refused(e.Message));
            return;
        }
        string there = root.Path;
        Statx stat;
        while (Files.StatAt(Files.AT_FDCWD, there, Files.AT_SYMLINK_NOFOLLOW, out stat) < 0 && there != "/")
            there = Path.GetDirectoryName(there)!;
        string where = there == root.Path ? root.Path : $"{root.Path}, to be made in {there}";
        string fault = FaultOf(there, out bool isInMemory);
        if (fault.Length > 0 && stat.IsSymlink) fault = $"{there} is a symbolic link to what is not there";
        if (fault.Length > 0)
        {
            report.Add(Refused($"{where}: {fault}"));
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

    private static Finding Refused(string found) => new(Topic, "directory", Verdict.Missing, found, "no container can be made",
        "mend that, or name another directory with --root");

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
