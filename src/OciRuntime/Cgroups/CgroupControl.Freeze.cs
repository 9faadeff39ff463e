using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <content>Freezing: freezer.state (cgroup-v1/freezer-subsystem.rst), cgroup.freeze (cgroup-v2.rst).</content>
internal sealed partial class CgroupControl
{
    // Milliseconds: a process in an uninterruptible wait stops when that ends. To kill it need not stop first, only better had.
    private const int FreezeTimeout = 10_000, FreezeToKillTimeout = 500;

    /// <summary>Whether the cgroup is frozen, or was told to freeze.</summary>
    public bool IsFrozen()
    {
        using Fd? unified = Found(OpenUnified());
        if (unified is not null && IsFrozen(unified.Number, unified: true)) return true;
        // Where v2 has all controllers there is no other one to look for.
        if (unified is not null && Paths.Length == 1) return false;
        using Fd? freezer = Found(OpenFreezer());
        return freezer is not null && IsFrozen(freezer.Number, unified: false);
    }

    /// <summary>The same for one cgroup that is open.</summary>
    internal static bool IsFrozen(int directory, bool unified)
    {
        if (!unified) return CgroupFiles.ReadIfThere(directory, "freezer.state") is not (null or "THAWED");
        return CgroupFiles.ReadIfThere(directory, ControlFile.Freeze) == "1"
            || CgroupFiles.Keyed(CgroupFiles.ReadIfThere(directory, ControlFile.Events), "frozen") == 1;
    }

    /// <summary>The cgroup whose freezer is used, for those who freeze it themselves; null when there is none.</summary>
    public string? FreezerPath()
    {
        foreach (string path in Paths)
        {
            if (OpenFreezer(path) is not (var fd and >= 0)) continue;
            Files.Close((int)fd);
            return path;
        }
        long unified = OpenUnified();
        if (unified < 0) return null;
        Files.Close((int)unified);
        return Paths[0];
    }

    /// <summary>Stops all processes and returns once they stand; thaws again when that fails.</summary>
    /// <exception cref="OciException">There is no freezer, or a process did not stop in time.</exception>
    public void Freeze() => Freeze(FreezeTimeout);

    private void Freeze(int timeout)
    {
        // On a hybrid host the v1 freezer is the one that others look at.
        using Fd? freezer = Found(OpenFreezer());
        long result = freezer is null ? -Errno.ENOENT : FreezeV1(freezer.Number, timeout);
        using Fd? unified = IsMissing(result) ? Found(OpenUnified()) : null;
        if (unified is not null) result = FreezeV2(unified.Number, timeout);
        if (result == 0) return;
        string doing = $"unable to freeze {(Paths.Length > 0 ? Paths[0] : "")}";
        if (IsMissing(result)) throw new OciException($"{doing}: no freezer among the container's cgroups", Errno.ENOENT);
        OciException failure = result != -Errno.ETIMEDOUT ? OciException.FromResult(result, doing)
            : new($"{doing}: a process did not stop within {timeout} ms", Errno.ETIMEDOUT);
        try
        {
            Thaw();
        }
        catch (OciException e)
        {
            throw new OciException($"{failure.Message}; and {e.Message}", failure.Errno);
        }
        throw failure;
    }

    /// <summary>Lets them go on; returns at once when they already run.</summary>
    /// <exception cref="OciException">The kernel refuses.</exception>
    public void Thaw()
    {
        ThawV1();
        using Fd? unified = Found(OpenUnified());
        if (unified is null) return;
        long result = CgroupFiles.Write(unified.Number, ControlFile.Freeze, "0");
        if (result < 0 && !CgroupFiles.IsGone(result)) throw OciException.FromResult(result, $"thaw {Paths[0]}");
    }

    private void ThawV1()
    {
        // Also when the state reads THAWED a moment before: another runtime may be freezing, and the write costs no more than the look.
        using Fd? freezer = Found(OpenFreezer());
        if (freezer is null) return;
        long result = CgroupFiles.Write(freezer.Number, "freezer.state", "THAWED");
        if (result < 0 && !CgroupFiles.IsGone(result)) throw OciException.FromResult(result, "thaw the v1 freezer cgroup");
    }

    /// <summary>
    /// Thaws also what the container itself has frozen in v1 cgroups that it made: there a frozen process does not even die.
    /// </summary>
    public void ThawTree()
    {
        Thaw();
        long fd = OpenFreezer();
        if (fd < 0) return;
        using Fd freezer = new((int)fd);
        // With time up the kill that follows is a try, and says so itself when it fails.
        new ThawWalk().Run(freezer.Number);
    }

    private sealed class ThawWalk() : CgroupWalk(Environment.TickCount64 + WalkMilliseconds)
    {
        protected override bool Enter(int directory)
        {
            // Each write makes the kernel visit all below, so not where nothing was frozen. One that has gone meanwhile holds nobody.
            if (CgroupFiles.Read(directory, "freezer.self_freezing", out _) != "0") CgroupFiles.Write(directory, "freezer.state", "THAWED");
            return true;
        }
    }

    /// <summary>
    /// What was opened, or null where there is none. Any other failure is an error: with one freezer overlooked the other would be used,
    /// and the container taken for what it is not.
    /// </summary>
    private static Fd? Found(long fd) => IsMissing(fd) ? null : Fd.Of(fd, "open the cgroup that freezes the container");

    private static bool IsMissing(long result) => CgroupFiles.IsGone(result) || result == -Errno.EXDEV;

    private long OpenUnified()
    {
        if (Paths.Length == 0) return -Errno.ENOENT;
        long fd = CgroupFiles.OpenPath(Paths[0], Files.O_RDONLY, out bool unified);
        if (fd < 0 || unified) return fd;
        Files.Close((int)fd);
        return -Errno.ENOENT;
    }

    // The v1 freezer's directory: by the usual name of its mount, else by its file.
    private long OpenFreezer()
    {
        long fd = -Errno.ENOENT;
        foreach (string path in Paths)
        {
            if (path.Contains("/freezer/", StringComparison.Ordinal) && (fd = OpenFreezer(path)) >= 0) return fd;
        }
        // Known, and gone.
        if (Array.Exists(Paths, static path => path.Contains("/freezer/", StringComparison.Ordinal))) return fd;
        foreach (string path in Paths) if ((fd = OpenFreezer(path)) >= 0) return fd;
        return fd;
    }

    private static long OpenFreezer(string path)
    {
        long fd = CgroupFiles.OpenPath(path, Files.O_RDONLY, out bool unified);
        if (fd < 0) return fd;
        long state = unified ? -Errno.ENOENT : CgroupFiles.OpenFile((int)fd, "freezer.state", Files.O_RDONLY);
        if (state >= 0)
        {
            Files.Close((int)state);
            return fd;
        }
        Files.Close((int)fd);
        return state;
    }

    // A write of FROZEN reaches the tasks of that moment; one that forks or is moved meanwhile leaves the state at FREEZING, and
    // nobody but the next write or read pushes it on. Some tasks only stop after having run again (runc #2767), hence the thaws.
    private static long FreezeV1(int directory, int timeout)
    {
        using Fd? state = Found(CgroupFiles.OpenFile(directory, "freezer.state", Files.O_RDWR));
        if (state is null) return -Errno.ENOENT;
        long deadline = Environment.TickCount64 + timeout;
        for (int i = 1; ; i++)
        {
            long result = CgroupFiles.WriteTo(state.Number, "FROZEN");
            for (int look = 0; look < 20 && result >= 0; look++)
                if (CgroupFiles.ReadFrom(state.Number, out result) == "FROZEN") return 0;
            if (result < 0) return result;
            if (Environment.TickCount64 > deadline) return -Errno.ETIMEDOUT;
            // Only to begin anew: what is wrong with it shows in the next round.
            if (i % 50 == 0) CgroupFiles.WriteTo(state.Number, "THAWED");
            Processes.Sleep(i < 10 ? 1 : 10);
        }
    }

    private static long FreezeV2(int directory, int timeout)
    {
        long result = CgroupFiles.Write(directory, ControlFile.Freeze, "1");
        return result < 0 ? result : WaitForEvent(directory, "frozen", 1, Environment.TickCount64 + timeout);
    }

    /// <summary>
    /// Waits until cgroup.events has a value; the kernel wakes pollers with POLLPRI on each change, nobody sleeps longer than needed.
    /// </summary>
    /// <returns>0, or a negated errno: ETIMEDOUT when it has not until the deadline.</returns>
    private static long WaitForEvent(int directory, string key, long wanted, long deadline)
    {
        long fd = CgroupFiles.OpenFile(directory, ControlFile.Events, Files.O_RDONLY);
        if (fd < 0) return fd;
        using Fd events = new((int)fd);
        while (true)
        {
            if (CgroupFiles.Keyed(CgroupFiles.ReadFrom(events.Number, out long error), key) == wanted) return 0;
            long left = deadline - Environment.TickCount64;
            if (error < 0) return error;
            if (left <= 0) return -Errno.ETIMEDOUT;
            // However it ends, the file is read again.
            Processes.Poll([new() { Fd = events.Number, Events = Processes.POLLPRI }], (int)left);
        }
    }
}
