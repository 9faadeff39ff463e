using System.Text;
using System.Text.Json.Nodes;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>
/// A configuration that promises much, a program that tells what of it the kernel gave, and its words without what differs from run to run.
/// </summary>
internal static class Promises
{
    /// <summary>The last that the program says.</summary>
    internal const string End = "# acct\n99\n";

    private static readonly string[] OfStatus =
    [
        "Umask", "Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Cap", "Cpus_allowed_list", "Mems_allowed_list", "SigBlk", "SigIgn",
        "Threads",
    ];

    internal static string[] Program =>
    [
        "/bin/probe", "tell", "/proc/self/status", "/proc/self/mountinfo", "/proc/self/uid_map", "/proc/self/gid_map",
        "/proc/self/setgroups", "/proc/self/limits", "/proc/self/cgroup", "/proc/self/oom_score_adj", "/proc/self/environ",
        "/proc/self/cwd", "/proc/self/root", "/proc/self/fd", "/proc/self/ns", "/proc/self/cmdline",
        "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname", "/proc/sys/net/ipv4/ip_forward",
        "/proc/keys", "/proc/timer_list", "/dev", "/dev/pts", "/copied", "/etc/fixed",
        "/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/cpu/cpu.shares",
        "/sys/fs/cgroup/devices/devices.list", "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/cpu.weight",
    ];

    /// <summary>A bundle with it.</summary>
    /// <param name="userNamespace">It has a user namespace of its own.</param>
    /// <param name="goesOn">The program does, when it has told all.</param>
    internal static TestBundle Bundle(bool userNamespace = false, bool goesOn = false)
    {
        string[] program = goesOn ? [Program[0], "stay", .. Program[2..]] : Program;
        TestBundle bundle = new TestBundle().WithCgroup().RunProbe().Args(program).Env("PROMISE=kept").User(0, 0, 7, 8)
            .Capabilities("CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_DAC_OVERRIDE");
        // Where the kernel gives no sysfs there, the host's is the documented way out: nothing that two runs could be compared by.
        if (userNamespace) bundle.WithUserNamespace().RemoveMount("/sys/fs/cgroup").RemoveMount("/sys");
        bundle.Writable().WriteFile("/copied/file", "copied").WriteFile("/etc/fixed", "fixed");
        Directory.CreateDirectory(bundle.InRootfs("/new/one"));
        bundle.Config["root"]!["readonly"] = true;
        bundle.Config["domainname"] = "promised";
        bundle.Process["oomScoreAdj"] = 321;
        bundle.Process["cwd"] = "/home";
        bundle.Process["user"]!["umask"] = 23;
        bundle.AddMount("/copied", "tmpfs", "tmpfs", "nosuid", "noexec", "size=2m", "tmpcopyup");
        bundle.AddMount("/home", "bind", bundle.InRootfs("/var"), "rbind", "ro", "nodev", "nosuid");
        bundle.Linux["sysctl"] = new JsonObject { ["net.ipv4.ip_forward"] = "1" };
        bundle.Linux["readonlyPaths"]!.AsArray().Add("/etc");
        bundle.Linux["maskedPaths"]!.AsArray().Add("/root");
        bundle.Linux["rootfsPropagation"] = "private";
        bundle.Linux["seccomp"] = JsonNode.Parse(
            """
            { "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": [ "acct" ], "action": "SCMP_ACT_ERRNO", "errnoRet": 99 } ] }
            """);
        bundle.Resources["pids"] = new JsonObject { ["limit"] = 200 };
        bundle.Resources["memory"] = new JsonObject { ["limit"] = 67108864 };
        bundle.Resources["cpu"] = new JsonObject { ["shares"] = 512 };
        return bundle;
    }

    /// <summary>What the program has said, by which two runs can be compared.</summary>
    internal static string Digest(string said)
    {
        StringBuilder text = new();
        foreach (string part in said.Split("# ", StringSplitOptions.RemoveEmptyEntries))
        {
            string[] halves = part.Split('\n', 2);
            text.Append("# ").Append(halves[0]).Append('\n').Append(Normal(halves[0], halves[^1])).Append('\n');
        }
        return text.ToString();
    }

    /// <summary>The limits of a process's cgroup that a configuration promises, on v1 or v2.</summary>
    internal static string Limits(int pid) =>
        $"{Read(pid, "pids", "pids.max")} {Read(pid, "memory", "memory.limit_in_bytes", "memory.max")} "
        + Read(pid, "cpu", "cpu.shares", "cpu.weight");

    /// <summary>A file of a process's cgroup, by one of its names; "" where there is none.</summary>
    internal static string Read(int pid, string controller, params string[] names) =>
        string.Join("", names.Select(name => ProcessTree.ReadOrEmpty($"{new ProcessView(pid).CgroupDirectory(controller)}/{name}"))).Trim();

    /// <summary>Without the numbers that the kernel gives out.</summary>
    internal static string Normal(string path, string content) =>
        path switch
        {
            "/proc/self/status" => Lines(content, static line => OfStatus.Any(line.StartsWith) ? line : null),
            "/proc/self/mountinfo" => Lines(content, static line => Words(MountInfo.Parse(line))),
            "/proc/self/ns" => Lines(content, static line => line.Contains('[') ? Namespace(line) : null),
            // What it is where the image's passwd cannot be read.
            "/proc/self/environ" => content.Replace("HOME=/\0", "HOME=/root\0", StringComparison.Ordinal),
            // The pid of the program itself.
            "/proc/self/fd" => Lines(content, static line => line.EndsWith("/fd", StringComparison.Ordinal) ? "itself" : Target(line)),
            _ => content,
        };

    private static string Words(MountInfo mount) =>
        $"{mount.Type} {mount.MountPoint} {mount.Root} {mount.Source} {string.Join(',', mount.Options)} {mount.PropagationType} "
        + string.Join(',', mount.SuperOptions);

    private static string Target(string line) => line.Contains("memfd:", StringComparison.Ordinal) ? $"{line.Split(' ')[0]} memfd"
        : line.Split(":[")[0];

    private static string Namespace(string line)
    {
        string[] words = line.Split(' ');
        return $"{words[0]} {(new FileInfo($"/proc/self/ns/{words[0]}").LinkTarget == words[1] ? "host" : "own")}";
    }

    private static string Lines(string content, Func<string, string?> normal) =>
        string.Join('\n', content.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(normal).Where(static line => line is not null));
}
