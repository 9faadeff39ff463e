using System.Text;
using System.Text.Json.Nodes;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>
/// A configuration that promises much, a program that tells what of it the kernel gave, and its words without what differs from run to run.
/// </summary>
internal static class Promises
{
    private const string LastQuestion = "# acct\n";

    /// <summary>The last that the program says.</summary>
    internal const string End = LastQuestion + "99\n";

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
        "/proc/keys", "/proc/timer_list", "/proc/self/timens_offsets", "/dev", "/dev/pts", "/copied", "/etc/fixed", "/mapped",
        "/sys/fs/cgroup/pids/pids.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/cpu/cpu.shares",
        "/sys/fs/cgroup/devices/devices.list", "/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/cpu.weight",
    ];

    /// <summary>A bundle with it.</summary>
    /// <param name="userNamespace">It has a user namespace of its own.</param>
    /// <param name="goesOn">The program does, when it has told all.</param>
    /// <param name="waits">It does until a SIGTERM, by which it succeeds.</param>
    internal static TestBundle Bundle(bool userNamespace = false, bool goesOn = false, bool waits = false)
    {
        string[] program = [Program[0], goesOn ? "stay" : waits ? "wait" : "tell", .. Program[2..]];
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

    /// <summary>The same with what few configurations ask for. The program goes on.</summary>
    /// <param name="network">The network namespace that it joins.</param>
    /// <param name="said">A file of the host, to which hooks of the host say which they are.</param>
    internal static TestBundle Rich(string network, string said)
    {
        TestBundle bundle = Bundle(goesOn: true).Terminal().AddNamespace("network", network).AddNamespace("time");
        foreach (string kind in HooksOfTheHost) bundle.AddHook(kind, "/bin/sh", "-c", $"echo {kind} >> {said}");
        bundle.AddHook("startContainer", "/bin/sh", "-c", "echo started > /copied/started").AddHook("poststart", "/bin/true")
            .AddHook("poststop", "/bin/true");
        bundle.Linux["timeOffsets"] = JsonNode.Parse(
            """{ "monotonic": { "secs": 7200 }, "boottime": { "secs": 604800, "nanosecs": 5 } }""");
        bundle.Linux["devices"] = JsonNode.Parse(
            """[ { "path": "/dev/promised", "type": "c", "major": 1, "minor": 7, "fileMode": 416, "uid": 5, "gid": 6 } ]""");
        bundle.Process["scheduler"] = JsonNode.Parse("""{ "policy": "SCHED_BATCH", "nice": 3 }""");
        bundle.Process["ioPriority"] = JsonNode.Parse("""{ "class": "IOPRIO_CLASS_BE", "priority": 6 }""");
        // As if somebody else had to let it be made: the call itself is never made.
        bundle.Linux["seccomp"]!["syscalls"]!.AsArray().Add(JsonNode.Parse(
            """{ "names": [ "vhangup" ], "action": "SCMP_ACT_NOTIFY" }"""));
        bundle.AddMount("/mapped", "bind", bundle.InRootfs("/var"), "bind", "ro");
        foreach (string map in (string[])["uidMappings", "gidMappings"])
            bundle.Mounts[^1]![map] = JsonNode.Parse("""[ { "containerID": 0, "hostID": 1000, "size": 10 } ]""");
        return bundle;
    }

    /// <summary>Hooks of the host without which there is no container.</summary>
    internal static readonly string[] HooksOfTheHost = ["prestart", "createRuntime", "createContainer"];

    /// <summary>Whether it has said all, be the last of it what was promised or not.</summary>
    internal static bool IsAll(string said) => said.IndexOf(LastQuestion, StringComparison.Ordinal) is >= 0 and var at
        && said.Length > at + LastQuestion.Length && said.EndsWith('\n');

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
