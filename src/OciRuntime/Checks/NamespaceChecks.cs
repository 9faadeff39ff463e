using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Checks;

/// <summary>Each kind of namespaces, by making one, and what keeps users without privilege from theirs.</summary>
internal static class NamespaceChecks
{
    /// <summary>Of a process whose own user is none of its user namespace's.</summary>
    public const string MapOwn = "map this user in its user namespace: unshare --map-root-user, or write its uid_map and gid_map";

    private const string Topic = "namespaces",
        Allow = "give that sysctl another value, or users an AppArmor profile with \"userns,\" for the program where it is AppArmor's";

    public static void Add(Report report, HostFacts host)
    {
        // Who may not make the others makes them below one of these.
        bool privileged = host.Has(Credentials.CAP_SYS_ADMIN);
        List<string> made = [];
        foreach (NamespaceKind kind in NamespaceNames.Kinds)
        {
            long result = privileged || kind.Name == "user" ? Make(kind.Flag) : Make(Processes.CLONE_NEWUSER, kind.Flag);
            if (result >= 0)
            {
                made.Add(kind.Name);
                continue;
            }
            bool needed = kind.Name == "user" ? !privileged : kind.Name is not ("cgroup" or "time");
            report.Add(new(Topic, kind.Name, needed ? Verdict.Missing : Verdict.Limited,
                $"refused: {ErrnoText.Full((int)-result)}{UserNamespace.Obstacle()}",
                needed ? "no container can be made that has one of its own, as all usual ones do"
                : "a configuration that asks for one fails",
                Remedy((int)-result, kind, host)));
            // The others would fail for the same reason.
            if (!privileged && (kind.Name == "user" || result is -Errno.EPERM or -Errno.EACCES)) break;
        }
        if (made.Count > 0) report.Add(new(Topic, "new ones", Verdict.Ok, string.Join(", ", made)));
        if (privileged) report.Add(OfOthers(host));
        if (host.Uid == 0) report.Add(Capabilities(host));
    }

    /// <summary>In a new user namespace a process has them all (user_namespaces(7)).</summary>
    private static Finding Capabilities(HostFacts host)
    {
        const string Name = "without a user namespace";
        string[] missing = [.. ((int[])[Credentials.CAP_SETGID, Credentials.CAP_SETPCAP, Credentials.CAP_NET_ADMIN,
            Credentials.CAP_SYS_ADMIN, Credentials.CAP_MKNOD]).Where(one => !host.Has(one)).Select(static one => CapabilityNames.All[one])];
        return missing.Length == 0 ? new(Topic, Name, Verdict.Ok, "root has the capabilities that it takes")
            : new(Topic, Name, Verdict.Limited, $"this process does not have {string.Join(", ", missing)}",
                "usual configurations, which have no user namespace of their own, fail",
                "call it with these capabilities: the container or service that it is called in has dropped them");
    }

    /// <summary>What root cannot try: it is not refused what others are.</summary>
    private static Finding OfOthers(HostFacts host)
    {
        const string Name = "users without privilege";
        string obstacle = UserNamespace.Obstacle();
        if (host.InUserNamespace) return new(Topic, Name, Verdict.Ok, "not asked about: this is a user namespace already");
        return obstacle.Length == 0 ? new(Topic, Name, Verdict.Ok, "nothing is known to keep them from user namespaces")
            : new(Topic, Name, Verdict.Limited, obstacle[2..], "rootless containers fail", Allow);
    }

    /// <summary>As a launch does: where root of the new user namespace has no power (AppArmor), one can be made and is of no use.</summary>
    private static long Make(ulong flags, ulong later = 0)
    {
        using Pipe pipe = new();
        long pid = NamespaceHolder.Clone(flags, pipe.Reader.Number, pipe.Writer.Number, later);
        pipe.Writer.Dispose();
        if (pid < 0) return pid;
        // It ends with the pipe, and nobody else waits for it.
        Processes.Reap((int)pid, out WaitStatus status);
        return status.IsKilled ? -Errno.EINTR : -status.ExitStatus;
    }

    private static string Remedy(int errno, NamespaceKind kind, HostFacts host) => errno switch
    {
        Errno.ENOSPC => $"raise user.max_{kind.File}_namespaces, here or in a user namespace above",
        Errno.EINVAL => "a kernel that is built with them",
        Errno.ENOSYS => "a seccomp filter that allows clone3",
        Errno.EAGAIN => LimitChecks.OfProcesses(),
        Errno.EPERM or Errno.EACCES => Permission(host),
        _ => "",
    };

    /// <summary>Each of these is a reason by itself; of a filter nobody is told what it denies, so it comes last.</summary>
    private static string Permission(HostFacts host)
    {
        if (!UserNamespace.Maps(host.Uid)) return MapOwn;
        if (Files.StatAt(Files.AT_FDCWD, "/", 0, out Statx root) >= 0 && (root.Attributes & Files.STATX_ATTR_MOUNT_ROOT) == 0)
            return "run it outside of the chroot, in which the kernel allows no user namespace";
        return UserNamespace.Obstacle().Length > 0 ? Allow
            : ProcText.Status("Seccomp") != "2" ? ""
            : "if the seccomp filter of this process denies it, run it without one, or with one that allows new namespaces (docker run "
            + "--security-opt seccomp=unconfined)";
    }
}
