using OciRuntime.DBus;
using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Checks;

/// <summary>What an ordinary user needs besides, and programs that some commands call.</summary>
internal static class UserChecks
{
    /// <summary>The topic of programs that are called.</summary>
    public const string Helpers = "programs and services";

    private const string Ids = "ids of an ordinary user";
    private const uint SetUserId = 0x800;

    public static void Add(Report report, HostFacts host)
    {
        bool isMapped = UserNamespace.Maps(host.Uid);
        if (!isMapped)
        {
            // Files and programs that are for the user of this number are not for this one.
            report.Add(new(Ids, "own id", Verdict.Missing, "this process's user has no id in its user namespace (/proc/self/uid_map)",
                "it can make no user namespace, and no container", NamespaceChecks.MapOwn));
        }
        else if (host.Uid != 0)
        {
            report.Add(Range(host.Uid, "/etc/subuid", "uid"));
            report.Add(Range(host.Uid, "/etc/subgid", "gid"));
        }
        if (isMapped && (host.Uid != 0 || !host.InUserNamespace))
        {
            report.Add(Mapper("newuidmap", "cap_setuid", host.Uid != 0));
            report.Add(Mapper("newgidmap", "cap_setgid", host.Uid != 0));
        }
        report.Add(Systemd(host.Uid));
        report.Add(AppArmor(host));
        report.Add(new(Helpers, "SELinux", Verdict.Ok, !host.Selinux ? "off: a configuration with /process/selinuxLabel is refused"
            : ProcText.Text("/sys/fs/selinux/enforce") == "0" ? "on, permissive: what its policy denies is logged, and done"
            : "on, enforcing"));
    }

    private static Finding Range(uint uid, string file, string kind)
    {
        string ranges = SubordinateIds.Of(uid, file);
        return ranges.Length > 0 ? new(Ids, file, Verdict.Ok, ranges)
            : new(Ids, file, Verdict.Limited, $"has no range of uid {uid}", $"a container has one {kind}, the user's own",
                $"usermod --add-sub{kind}s 100000-165535 LOGIN");
    }

    private static Finding Mapper(string name, string capability, bool isNeeded)
    {
        const string Cost = "an ordinary user can map no id but his own";
        Verdict verdict = isNeeded ? Verdict.Limited : Verdict.Ok;
        if (ProgramPath.Find(name) is not { } path)
            return new(Ids, name, verdict, "is not in PATH", isNeeded ? Cost : "", isNeeded ? SubordinateIds.InstallMappers : "");
        // Either keeps execve from giving rights (execve(2)).
        if (Files.StatFs(path, out Statfs fs) >= 0 && (fs.Flags & Files.ST_NOSUID) != 0)
        {
            return new(Ids, name, Verdict.Limited, $"{path} is on a mount with nosuid: it gets no rights", Cost,
                "mount that without nosuid");
        }
        if (isNeeded && ProcText.Status("NoNewPrivs") == "1")
        {
            return new(Ids, name, Verdict.Limited, $"{path} gets no rights: this process may not gain any (no_new_privs)", Cost,
                "call it without: a service has NoNewPrivileges=, a container the option no-new-privileges");
        }
        if (Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat) >= 0 && stat.Uid == 0 && (stat.Mode & SetUserId) != 0)
            return new(Ids, name, Verdict.Ok, $"{path}, setuid root");
        if (Files.HasFileCapabilities(path)) return new(Ids, name, Verdict.Ok, $"{path}, with file capabilities");
        return new(Ids, name, Verdict.Limited, $"{path} has no rights: neither setuid root nor file capabilities", Cost,
            $"setcap {capability}=ep {path}, or chmod u+s {path}");
    }

    private static Finding AppArmor(HostFacts host)
    {
        const string Name = "AppArmor";
        if (!host.AppArmor) return new(Helpers, Name, Verdict.Ok, "off: a configuration with /process/apparmorProfile is refused");
        string own = ProcText.Text("/proc/self/attr/apparmor/current").TrimEnd('\n', '\0');
        if (own.Length == 0) own = ProcText.Text("/proc/self/attr/current").TrimEnd('\n', '\0');
        return own.EndsWith(" (enforce)", StringComparison.Ordinal)
            ? new(Helpers, Name, Verdict.Limited, $"on, and confines this process by the profile {own}",
                "what the profile does not allow fails: changing to a container's profile, too", "call it from what is not confined")
            : new(Helpers, Name, Verdict.Ok, "on, and does not confine this process");
    }

    /// <summary>As sd_booted(3) has it.</summary>
    public static bool IsSystemdThere =>
        Files.StatAt(Files.AT_FDCWD, "/run/systemd/system", Files.AT_SYMLINK_NOFOLLOW, out Statx stat) >= 0 && stat.IsDirectory;

    private static Finding Systemd(uint uid)
    {
        const string Name = "systemd";
        if (!IsSystemdThere)
            return new(Helpers, Name, Verdict.Ok, "does not run here: --systemd-cgroup is not for this machine");
        try
        {
            const int Seconds = 5;
            BusAddress address = uid == 0 ? BusAddress.System() : BusAddress.User();
            using BusConnection bus = BusConnection.Open(address, Seconds);
            return new(Helpers, Name, Verdict.Ok, $"answers on the {address.Name}");
        }
        catch (OciException e)
        {
            return new(Helpers, Name, Verdict.Limited, e.Message, "--systemd-cgroup fails",
                uid == 0 ? "start dbus" : "log in as this user, or: loginctl enable-linger");
        }
    }
}
