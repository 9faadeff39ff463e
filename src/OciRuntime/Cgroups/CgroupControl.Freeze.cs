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
        long fd = OpenFreezer();
        bool frozen = fd >= 0 && CgroupFiles.Read((int)fd, "freezer.state", out _) is not ("" or "THAWED");
        if (fd >= 0) Files.Close((int)fd);
        if (frozen || (fd = OpenUnified()) < 0) return frozen;
        frozen = CgroupFiles.Read((int)fd, "cgroup.freeze", out _) == "1"
            || CgroupFiles.Keyed(CgroupFiles.Read((int)fd, "cgroup.events", out _), "frozen") == 1;
        Files.Close((int)fd);
        return frozen;
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
        long fd = OpenFreezer();
        bool tried = fd >= 0 && FreezeV1((int)fd, timeout, out ok);
        if (fd >= 0) Files.Close((int)fd);
        if (!tried && (fd = OpenUnified()) >= 0)
        {
            tried = FreezeV2((int)fd, timeout, out ok);
            Files.Close((int)fd);
        }
        if (ok) return;
        string where = Paths.Count > 0 ? Paths[0] : "";
        if (!tried) throw new OciException($"unable to freeze {where}: no freezer among the container's cgroups", Errno.ENOENT);
        Thaw();
        throw new OciException($"unable to freeze {where}: a process did not stop within {timeout} ms", Errno.ETIMEDOUT);
    }

    /// <summary>Lets them go on; returns at once when they already run.</summary>
    /// <exception cref="OciException">The kernel refuses.</exception>
    public void Thaw()
    {
        ThawV1();
        long fd = OpenUnified();
        if (fd < 0) return;
        long result = CgroupFiles.Write((int)fd, "cgroup.freeze", "0");
        Files.Close((int)fd);
        if (result < 0 && !CgroupFiles.IsGone(result)) throw OciException.FromResult(result, $"thaw {Paths[0]}");
    }

    private void ThawV1()
    {
        // Also when the state reads THAWED a moment before: another runtime may be freezing, and the write costs no more than the look.
        long fd = OpenFreezer();
        if (fd < 0) return;
        long result = CgroupFiles.Write((int)fd, "freezer.state", "THAWED");
        Files.Close((int)fd);
        if (result < 0 && !CgroupFiles.IsGone(result)) throw OciException.FromResult(result, "thaw the v1 freezer cgroup");
    }

    /// <summary>Thaws also what the container itself has frozen in v1 cgroups that it made: there a frozen process does not even die.</summary>
    public void ThawTree()
    {
        Thaw();
        long fd = OpenFreezer();
        if (fd < 0) return;
        // With time up the kill that follows is a try, and says so itself when it fails.
        new ThawWalk().Run((int)fd);
        Files.Close((int)fd);
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

    private long OpenUnified()
    {
        if (Paths.Count == 0) return -Errno.ENOENT;
        long fd = CgroupFiles.OpenPath(Paths[0], Files.O_RDONLY, out bool unified);
        if (fd < 0 || unified) return fd;
        Files.Close((int)fd);
        return -Errno.ENOENT;
    }

    // The v1 freezer's directory: by the usual name of its mount, else by its file.
    private long OpenFreezer()
    {
        foreach (string path in Paths)
        {
            if (path.Contains("/freezer/", StringComparison.Ordinal) && OpenFreezer(path) is var fd and >= 0) return fd;
        }
        foreach (string path in Paths)
        {
            if (path.Contains("/freezer/", StringComparison.Ordinal)) return -Errno.ENOENT; // Known, and gone.
        }
        foreach (string path in Paths)
        {
            if (OpenFreezer(path) is var fd and >= 0) return fd;
        }
        return -Errno.ENOENT;
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
        long fd = CgroupFiles.OpenFile(directory, "freezer.state", Files.O_RDWR);
        if (fd < 0) return false;
        long deadline = Environment.TickCount64 + timeout;
        for (int i = 1; ; i++)
        {
            if (CgroupFiles.WriteTo((int)fd, "FROZEN") < 0) break;
            for (int look = 0; look < 20 && !ok; look++)
            {
                ok = CgroupFiles.ReadFrom((int)fd, out long error) == "FROZEN";
                if (error < 0) break;
            }
            if (ok || Environment.TickCount64 > deadline) break;
            // Only to begin anew: what is wrong with it shows in the next round.
            if (i % 50 == 0) CgroupFiles.WriteTo((int)fd, "THAWED");
            Processes.Sleep(i < 10 ? 1 : 10);
        }
        Files.Close((int)fd);
        return true;
    }

    private static bool FreezeV2(int directory, int timeout, out bool ok)
    {
        ok = false;
        if (CgroupFiles.Write(directory, "cgroup.freeze", "1") < 0) return false;
        ok = WaitForEvent(directory, "frozen", 1, Environment.TickCount64 + timeout);
        return true;
    }

    /// <summary>Waits until cgroup.events has a value; the kernel wakes pollers with POLLPRI on each change, nobody sleeps longer than needed.</summary>
    private static unsafe bool WaitForEvent(int directory, string key, long wanted, long deadline)
    {
        long fd = CgroupFiles.OpenFile(directory, "cgroup.events", Files.O_RDONLY);
        if (fd < 0) return false;
        bool reached;
        while (true)
        {
            reached = CgroupFiles.Keyed(CgroupFiles.ReadFrom((int)fd, out long error), key) == wanted;
            long left = deadline - Environment.TickCount64;
            if (reached || error < 0 || left <= 0) break;
            PollFd poll = new() { Fd = (int)fd, Events = Processes.POLLPRI };
            // However it ends, the file is read again.
            Processes.Poll(&poll, 1, (int)left);
        }
        Files.Close((int)fd);
        return reached;
    }
}
