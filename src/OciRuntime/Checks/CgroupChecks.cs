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
        else if (Array.Find(host.Hierarchies, h => !h.Unified && !IsWritable(host.OwnDirectory(h))) is { } denied)
        {
            report.Add(NotOurs(host.OwnDirectory(denied)));
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
        else report.Add(NotOurs(own));
    }

    private static bool IsRoot => Processes.EffectiveUid() == 0;

    private static bool IsWritable(string cgroup) => Files.AccessAsEffective(cgroup, Files.W_OK) >= 0;

    private static Finding NotOurs(string cgroup) => IsRoot
        ? new(Topic, "delegation", Verdict.Missing, $"{cgroup} is not ours to write to", "no cgroup can be made",
            "mount it writable, or --cgroup-manager disabled")
        : new(Topic, "delegation", Verdict.Limited, $"{cgroup} is not ours to write to",
            "containers stay in the caller's cgroup, and limits are refused",
            "on v2 with systemd: systemd-run --user --scope -p Delegate=yes, or --systemd-cgroup");

    private static void AddControllers(Report report, string[] there, string[] wanted, string where)
    {
        string[] missing = Array.FindAll(wanted, name => !there.Contains(name));
        report.Add(missing.Length == 0 ? new(Topic, "controllers", Verdict.Ok, string.Join(", ", there))
            : new(Topic, "controllers", Verdict.Limited, $"without {string.Join(", ", missing)}{where}",
                "a configuration with limits of theirs is refused",
                where.Length > 0 ? "give them to users: systemctl edit user@.service, [Service] Delegate=cpu cpuset io memory pids"
                : "the kernel's command line may have turned them off (cgroup_disable=, cgroup_enable=memory on some boards)"));
    }
}
