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
        bool ok = false;
        using Fd? freezer = Found(OpenFreezer());
        bool tried = freezer is not null && FreezeV1(freezer.Number, timeout, out ok);
        using Fd? unified = tried ? null : Found(OpenUnified());
        if (unified is not null) tried = FreezeV2(unified.Number, timeout, out ok);
        if (ok) return;
        string where = Paths.Length > 0 ? Paths[0] : "";
        if (!tried) throw new OciException($"unable to freeze {where}: no freezer among the container's cgroups", Errno.ENOENT);
        Thaw();
        throw new OciException($"unable to freeze {where}: a process did not stop within {timeout} ms", Errno.ETIMEDOUT);
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

    private static bool IsMissing(long result) => result is -Errno.ENOENT or -Errno.ENODEV or -Errno.EXDEV;

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
    private static bool FreezeV1(int directory, int timeout, out bool ok)
    {
        ok = false;
        using Fd? state = Found(CgroupFiles.OpenFile(directory, "freezer.state", Files.O_RDWR));
        if (state is null) return false;
        long deadline = Environment.TickCount64 + timeout;
        for (int i = 1; ; i++)
        {
            if (CgroupFiles.WriteTo(state.Number, "FROZEN") < 0) break;
            for (int look = 0; look < 20 && !ok; look++)
            {
                ok = CgroupFiles.ReadFrom(state.Number, out long error) == "FROZEN";
                if (error < 0) break;
            }
            if (ok || Environment.TickCount64 > deadline) break;
            // Only to begin anew: what is wrong with it shows in the next round.
            if (i % 50 == 0) CgroupFiles.WriteTo(state.Number, "THAWED");
            Processes.Sleep(i < 10 ? 1 : 10);
        }
        return true;
    }

    private static bool FreezeV2(int directory, int timeout, out bool ok)
    {
        ok = false;
        long result = CgroupFiles.Write(directory, ControlFile.Freeze, "1");
        if (IsMissing(result)) return false;
        OciException.Check(result, "freeze the container's cgroup");
        ok = WaitForEvent(directory, "frozen", 1, Environment.TickCount64 + timeout);
        return true;
    }

    /// <summary>
    /// Waits until cgroup.events has a value; the kernel wakes pollers with POLLPRI on each change, nobody sleeps longer than needed.
    /// </summary>
    private static bool WaitForEvent(int directory, string key, long wanted, long deadline)
    {
        long fd = CgroupFiles.OpenFile(directory, ControlFile.Events, Files.O_RDONLY);
        if (fd < 0) return false;
        bool reached;
        while (true)
        {
            reached = CgroupFiles.Keyed(CgroupFiles.ReadFrom((int)fd, out long error), key) == wanted;
            long left = deadline - Environment.TickCount64;
            if (reached || error < 0 || left <= 0) break;
            // However it ends, the file is read again.
            Processes.Poll([new() { Fd = (int)fd, Events = Processes.POLLPRI }], (int)left);
        }
        Files.Close((int)fd);
        return reached;
    }
}
