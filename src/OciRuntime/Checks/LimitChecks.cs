using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Checks;

/// <summary>Limits of the machine that containers use up, and how much of them is left.</summary>
internal static class LimitChecks
{
    private const string Topic = "limits";

    // Of a limit, in percent: from here on it is worth a word.
    private const int Near = 80;

    public static void Add(Report report, uint uid)
    {
        Add(report, "mounts", ProcText.Lines("/proc/self/mountinfo"), ProcText.Number("fs/mount-max"), "sysctl fs.mount-max",
            "a container's mounts fail (ENOSPC)");
        // 0.00 0.00 0.00 RUNNABLE/ALL LAST (proc_loadavg(5)).
        string[] load = ProcText.Text("/proc/loadavg").Split(' ', '/');
        Add(report, "processes", load.Length > 4 ? ProcText.Parse(load[4]) : null, ProcText.Number("kernel/pid_max"),
            "sysctl kernel.pid_max", "no process can be made (EAGAIN)");
        string[] files = (ProcText.Setting("fs/file-nr") ?? "").Split('\t');
        Add(report, "open files", ProcText.Parse(files[0]), files.Length > 2 ? ProcText.Parse(files[2]) : null, "sysctl fs.file-max",
            "no file can be opened (ENFILE)");
        if (OfCgroup() is { } own)
            Add(report, "processes of this cgroup", own.Used, own.Most, $"pids.max of {own.Path}", "no process can be made (EAGAIN)");
        AddKeys(report, uid);
        report.Add(Inotify());
        report.Add(OfThisProcess(uid));
    }

    /// <summary>Nobody is told how many a user has: so many more as a few programs want are made, and closed again.</summary>
    private static Finding Inotify()
    {
        const int Wanted = 16;
        const string Name = "inotify", Cost = "programs that watch files fail in containers: tail -f, systemd, many servers";
        List<Fd> made = [];
        try
        {
            long result = 0;
            while (made.Count < Wanted && (result = Linux.Inotify.Make()) >= 0) made.Add(new((int)result));
            // The limit of this process has the same errno, and is nobody else's.
            if (result == -Errno.EMFILE && Processes.EventFd() is >= 0 and var other)
            {
                Files.Close((int)other);
                return new(Topic, Name, Verdict.Limited,
                    $"{made.Count} more of {ProcText.Number("fs/inotify/max_user_instances")} instances are left to this user", Cost,
                    "raise sysctl fs.inotify.max_user_instances");
            }
            return made.Count > 0 && Linux.Inotify.Watch(made[0].Number, "/") == -Errno.ENOSPC
                ? new(Topic, Name, Verdict.Limited, "this user can watch no more files", Cost,
                    "raise sysctl fs.inotify.max_user_watches")
                : new(Topic, Name, Verdict.Ok, "this user can have more instances, and watch more files");
        }
        finally
        {
            foreach (Fd one in made) one.Dispose();
        }
    }

    /// <summary>What its caller has tied it to, as services and shells do.</summary>
    private static Finding OfThisProcess(uint uid)
    {
        const string Name = "this process";
        // A journal and a copy of config.json; descriptors of a lock, a socket, cgroups, mounts.
        const ulong Bytes = 1 << 20, Descriptors = 64, Tasks = 16;
        // The host's root is not held to it (getrlimit(2)).
        if (uid != 0 && Own("RLIMIT_NPROC") < Tasks)
        {
            return new(Topic, Name, Verdict.Limited, $"its user can have {Own("RLIMIT_NPROC")} processes and threads at most",
                "no container can be made once there are so many (EAGAIN): a launch has several", "ulimit -u unlimited");
        }
        if (Own("RLIMIT_FSIZE") < Bytes)
        {
            return new(Topic, Name, Verdict.Limited, $"it can write files of {Own("RLIMIT_FSIZE")} bytes at most",
                "no container can be made whose record is longer (EFBIG)", "ulimit -f unlimited");
        }
        return Own("RLIMIT_NOFILE") >= Descriptors ? new(Topic, Name, Verdict.Ok, $"it can have {Own("RLIMIT_NOFILE")} files open")
            : new(Topic, Name, Verdict.Limited, $"it can have {Own("RLIMIT_NOFILE")} files open",
                "launches fail (EMFILE): each has some 20 open, on cgroup v1 one more for each controller, and those of its mounts",
                "ulimit -n 1024");
    }

    private static ulong Own(string limit) =>
        Processes.GetLimit(0, ResourceNames.Number(limit), out ResourceLimit own) < 0 ? ulong.MaxValue : own.Soft;

    /// <summary>All limits that make the kernel say EAGAIN to a new process, with what they are (fork(2)).</summary>
    public static string OfProcesses()
    {
        List<string> limits = [$"RLIMIT_NPROC of this user ({Own("RLIMIT_NPROC")}; ulimit -u)"];
        if (OfCgroup() is { } cgroup) limits.Add($"pids.max of {cgroup.Path} ({cgroup.Most}, {cgroup.Used} are there)");
        limits.Add($"sysctl kernel.pid_max ({ProcText.Number("kernel/pid_max")})");
        limits.Add($"kernel.threads-max ({ProcText.Number("kernel/threads-max")})");
        return $"raise the limit on processes that is reached: {string.Join(", ", limits)}";
    }

    /// <summary>The cgroup, of this process's and those above it, that has the least room left; null where none has a limit.</summary>
    private static (string Path, long Used, long Most)? OfCgroup()
    {
        CgroupHost host = CgroupHost.Probe();
        if ((host.Find("pids") ?? host.Unified) is not { } hierarchy) return null;
        (string Path, long Used, long Most)? least = null;
        for (string path = host.OwnDirectory(hierarchy); path.Length >= hierarchy.MountPoint.Length; path = path[..path.LastIndexOf('/')])
        {
            if (Files.ReadNumber($"{path}/pids.max") is { } most && Files.ReadNumber($"{path}/pids.current") is { } used
                && (least is not { } other || most - used < other.Most - other.Used))
            {
                least = (path, used, most);
            }
        }
        return least;
    }

    /// <summary>A session keyring a container counts against the quota of the user who makes it (keyrings(7), /proc/key-users).</summary>
    private static void AddKeys(Report report, uint uid)
    {
        foreach (string line in ProcText.Text("/proc/key-users").Split('\n'))
        {
            string[] fields = line.Split([' ', ':', '/'], StringSplitOptions.RemoveEmptyEntries);
            // UID: USAGE KEYS/INSTANTIATED COUNTED/MAXIMUM BYTES/MAXIMUM
            if (fields.Length != 8 || fields[0] != uid.ToString()) continue;
            Add(report, "keys", ProcText.Parse(fields[4]), ProcText.Parse(fields[5]),
                uid == 0 ? "sysctl kernel.keys.root_maxkeys" : "sysctl kernel.keys.maxkeys", "no session keyring can be made (EDQUOT)");
        }
    }

    internal static void Add(Report report, string name, long? used, long? most, string setting, string cost)
    {
        if (used is not { } taken || most is not (> 0 and var all))
        {
            report.Add(new(Topic, name, Verdict.Ok, "cannot be told: a sandbox may not show how many there are, or may be"));
            return;
        }
        string found = $"{taken} of {all}";
        if (taken < all / 100.0 * Near) report.Add(new(Topic, name, Verdict.Ok, found));
        else report.Add(new(Topic, name, taken < all ? Verdict.Limited : Verdict.Missing, found, cost, $"raise {setting}"));
    }
}
