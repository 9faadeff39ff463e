using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Checks;

/// <summary>Which cgroups are there, and which of their controllers this user may give to a container.</summary>
internal static class CgroupChecks
{
    private const string Topic = "cgroups";

    // What limits are mostly about.
    private static readonly string[] Usual = ["cpu", "cpuset", "memory", "pids"];

    public static void Add(Report report)
    {
        CgroupHost host = CgroupHost.Probe();
        switch (host.Mode)
        {
            case CgroupMode.None:
                report.Add(new(Topic, "layout", Verdict.Missing, $"none is mounted at {CgroupHost.Root}",
                    "only containers that stay in the caller's cgroup can be made",
                    $"mount -t cgroup2 cgroup2 {CgroupHost.Root}, or --cgroup-manager disabled"));
                return;
            case CgroupMode.V2: report.Add(new(Topic, "layout", Verdict.Ok, "v2")); break;
            case CgroupMode.V1: report.Add(new(Topic, "layout", Verdict.Ok, "v1")); break;
            default: report.Add(new(Topic, "layout", Verdict.Ok, "v1, and v2 without controllers beside it")); break;
        }
        if (host is { Mode: CgroupMode.V2, Unified: { } unified })
        {
            AddUnified(report, host, unified);
        }
        else if (Array.Find(host.Hierarchies, h => !IsWritable(host.OwnDirectory(h))) is { } denied)
        {
            report.Add(NotOurs(host, host.OwnDirectory(denied)));
        }
        else
        {
            AddControllers(report, [.. host.Hierarchies.SelectMany(static h => h.Controllers)],
                [.. Usual, "blkio", "devices", "freezer"], "");
        }
    }

    private static void AddUnified(Report report, CgroupHost host, CgroupHierarchy unified)
    {
        // Root has the whole tree; others what they were given, below their own cgroup.
        string own = IsRoot ? unified.MountPoint : host.OwnDirectory(unified);
        string[] there = ProcText.Text(own + "/cgroup.controllers").Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        if (IsWritable(own)) AddControllers(report, there, [.. Usual, "io"], IsRoot ? "" : $" in {own}");
        else report.Add(NotOurs(host, own));
    }

    private static bool IsRoot => Processes.EffectiveUid() == 0;

    private static bool IsWritable(string cgroup) => Files.AccessAsEffective(cgroup, Files.W_OK) >= 0;

    private static Finding NotOurs(CgroupHost host, string cgroup) => IsRoot
        ? new(Topic, "delegation", Verdict.Missing, $"{cgroup} is not ours to write to", "no cgroup can be made",
            "mount it writable, or --cgroup-manager disabled")
        : new(Topic, "delegation", Verdict.Limited, $"{cgroup} is not ours to write to",
            "containers stay in the caller's cgroup, and limits are refused",
            host.Mode != CgroupMode.V2 ? "boot with cgroup v2 alone (with systemd: systemd.unified_cgroup_hierarchy=1): v1 is not given to "
            + "users"
            : UserChecks.IsSystemdThere ? "systemd-run --user --scope -p Delegate=yes, or --systemd-cgroup"
            : "have root make a cgroup with this process in it, and give that directory and its cgroup.procs, cgroup.threads and "
            + "cgroup.subtree_control to this user (chown)");

    private static void AddControllers(Report report, string[] there, string[] wanted, string where)
    {
        string[] missing = Array.FindAll(wanted, name => !there.Contains(name));
        report.Add(missing.Length == 0 ? new(Topic, "controllers", Verdict.Ok, string.Join(", ", there))
            : new(Topic, "controllers", Verdict.Limited, $"without {string.Join(", ", missing)}{where}",
                "a configuration with limits of theirs is refused",
                where.Length > 0 ? "give them to users: systemctl edit user@.service, [Service] Delegate=cpu cpuset io memory pids"
                : string.Join("; ", missing.Select(WhereIs).GroupBy(static one => one.Reason, static one => one.Name)
                .Select(static group => $"{string.Join(", ", group)}: {group.Key}"))));
    }

    /// <summary>The kernel tells of those that v1 knows (cgroups(7), /proc/cgroups): name, hierarchy, how many, whether it is on.</summary>
    private static (string Name, string Reason) WhereIs(string name)
    {
        string old = name == "io" ? "blkio" : name;
        string[]? line = Array.Find(Array.ConvertAll(ProcText.Text("/proc/cgroups").Split('\n'), static one => one.Split('\t')),
            one => one.Length == 4 && one[0] == old);
        return (name, line is [_, _, _, "0"] ? "turned off by the kernel's command line: take it out of cgroup_disable= there "
            + "(memory on some boards: cgroup_enable=memory)"
            : line is [_, not "0", _, _] ? "in use by a hierarchy of cgroup v1: unmount that, or boot with cgroup v2 alone"
            : line is null ? "none that this kernel tells of: take one that is built with it"
            : "in no hierarchy here: mount it");
    }
}
