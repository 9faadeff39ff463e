using System.Text.Json.Nodes;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Plan;
using OciRuntime.Tests.Seccomp;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Spec;

/// <summary>
/// A file of spec-fixtures/ as a bundle that this machine can run, together with what the file takes for granted: devices, sockets,
/// namespaces, sources of mounts. What the machine cannot have is left out, each with its reason here.
/// </summary>
internal sealed class FixtureBundle : IDisposable
{
    /// <summary>Sections that are of one piece: without the feature nothing would be left of them.</summary>
    private static readonly Dictionary<string, Action> Needs = new()
    {
        ["sections/resources-cpu-realtime"] = static () =>
            Requires.PathExists($"{CgroupHost.V1MountPoint("cpu")}/cpu.rt_runtime_us",
            "cgroup v1 controller cpu with CONFIG_RT_GROUP_SCHED"),
        ["sections/resources-memory-v1"] = static () => Requires.V1Controller("memory"),
        ["sections/scheduler-deadline"] = static () => Requires.Capability(23, "CAP_SYS_NICE"),
    };

    /// <summary>Destinations, or their last parts, that are files wherever engines mount something.</summary>
    private static readonly string[] FileNames = ["hosts", "hostname", "resolv.conf", "termination-log", ".containerenv"];

    private readonly List<IDisposable> _helpers = [];

    // Podman as an ordinary user makes a user namespace first, and calls the runtime as root of it.
    private readonly RuntimeBinary? _runtime;

    public FixtureBundle(string name)
    {
        if (Needs.TryGetValue(name, out Action? need)) need();
        JsonObject config = JsonNode.Parse(SpecFixtures.Read(name))!.AsObject();
        config["root"]!["path"] = "rootfs";
        config["process"] ??= Plans.Json("""{"cwd":"/","user":{"uid":0,"gid":0}}""");
        config["process"]!["args"] = new JsonArray("/bin/true");
        Bundle = new() { Config = config };
        _runtime = name.StartsWith("clients/podman-rootless", StringComparison.Ordinal) ? Wrapped.UserNamespace : null;
        try
        {
            RemoveLabels();
            Adapt();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public TestBundle Bundle { get; }

    /// <summary>The runtime is called by root of the host, and not by that of a user namespace.</summary>
    public bool IsOnTheHost => _runtime is null;

    /// <summary>Called with the container and the option for its terminal, before it is created.</summary>
    public Action<TestContainer, string[]> BeforeCreate { get; set; } = static (_, _) => { };

    /// <summary>More options of `create`.</summary>
    public List<string> CreateOptions { get; } = [];

    /// <summary>
    /// `create` with a console socket where the process has a terminal; gives what the container has to be disposed with.
    /// </summary>
    public TestContainer Created(params string[] globalOptions)
    {
        TestContainer container = new(Bundle, _runtime);
        container.GlobalOptions.AddRange(globalOptions);
        _helpers.Add(container);
        using ConsoleSocket? console = (bool?)Bundle.Process["terminal"] == true ? new() : null;
        string[] terminal = console is null ? [] : ["--console-socket", console.SocketPath];
        BeforeCreate(container, terminal);
        container.Create([.. terminal, .. CreateOptions]).ShouldSucceed();
        if (console is not null) _helpers.Add(console.Receive());
        return container;
    }

    public void Dispose()
    {
        // The container first, as the devices it was given go with it.
        for (int i = _helpers.Count - 1; i >= 0; i--) _helpers[i].Dispose();
        Bundle.Dispose();
    }

    private T Helper<T>(T helper)
        where T : IDisposable
    {
        _helpers.Add(helper);
        return helper;
    }

    private void Adapt()
    {
        if (Host.FullMounts.Resctrl() is null) Bundle.Linux.Remove("intelRdt");
        // Clocks cannot be set before the machine's start.
        if (Bundle.Linux["timeOffsets"]?["monotonic"] is JsonObject { } monotonic) monotonic["secs"] = -1;
        AdaptScheduling();
        AdaptNamespaces();
        AdaptNetDevices();
        AdaptMounts();
        AdaptHooksAndSockets();
        AdaptResources();
        GiveToRootOfUserNamespace();
    }

    /// <summary>No kernel has both modules active as a rule; the label of mounts stays, which without SELinux has no effect.</summary>
    private void RemoveLabels()
    {
        foreach (string label in (string[])["apparmorProfile", "selinuxLabel"]) Bundle.Process.Remove(label);
    }

    private void AdaptScheduling()
    {
        // Deadlines take a privilege that a user namespace does not have.
        if (Bundle.Process["scheduler"] is JsonObject scheduler && (string?)scheduler["policy"] == "SCHED_DEADLINE" && HasNew("user"))
        {
            scheduler["policy"] = "SCHED_BATCH";
            foreach (string member in (string[])["runtime", "deadline", "period"]) scheduler.Remove(member);
        }
        // Without CAP_SYS_RESOURCE nothing is raised: neither limits nor the odds of surviving.
        if (Requires.HasCapability(24)) return;
        if (((int?)Bundle.Process["oomScoreAdj"] ?? 0) < 0) Bundle.Process["oomScoreAdj"] = 0;
        foreach (JsonNode? limit in Bundle.Process["rlimits"]?.AsArray() ?? [])
        {
            ulong max = HardLimit((string)limit!["type"]!);
            foreach (string value in (string[])["soft", "hard"]) limit[value] = Math.Min((ulong)limit[value]!, max);
        }
    }

    private static ulong HardLimit(string type)
    {
        string? line = type switch { "RLIMIT_NOFILE" => "Max open files", "RLIMIT_NPROC" => "Max processes", _ => null };
        string? fields = line is null ? null
            : File.ReadAllLines("/proc/self/limits").Single(text => text.StartsWith(line, StringComparison.Ordinal))[26..];
        return fields is not null && ulong.TryParse(fields.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], out ulong hard) ? hard
            : ulong.MaxValue;
    }

    /// <summary>Namespaces to join are those of a process made for it.</summary>
    private void AdaptNamespaces()
    {
        JsonObject[] joined = [.. Bundle.Namespaces.Select(space => space!.AsObject()).Where(space => space["path"] is not null)];
        if (joined.Length == 0) return;
        // Root of a new user namespace has no rights in a network namespace of the host's.
        if (HasNew("user"))
        {
            foreach (JsonObject space in joined) space.Remove("path");
            return;
        }
        RunningCommand owner =
            Helper(Command.Start(Requires.Tool("unshare"), ["--net", "--ipc", "--uts", "sleep", "60"], new CommandOptions()));
        Eventually.True(() => ProcessTree.CommandLine(owner.Pid).StartsWith("sleep", StringComparison.Ordinal), "the namespaces to join");
        foreach (JsonObject space in joined) space["path"] = $"/proc/{owner.Pid}/ns/{((string)space["type"]!).Replace("network", "net")}";
    }

    private void AdaptNetDevices()
    {
        if (Bundle.Linux["netDevices"] is not JsonObject devices) return;
        foreach ((string name, JsonNode? device) in devices.ToArray())
        {
            devices.Remove(name);
            devices[Helper(new VethPair()).Name] = device;
        }
    }

    private void AdaptMounts()
    {
        int made = 0;
        foreach (JsonNode? mount in Bundle.Config["mounts"]?.AsArray() ?? [])
        {
            if ((string?)mount!["source"] is not { } source || !source.StartsWith('/') || Path.Exists(source)) continue;
            string path = Path.Combine(Directory.CreateDirectory(Path.Combine(Bundle.Directory, "sources")).FullName, $"{made++}");
            if (FileNames.Contains(Path.GetFileName((string)mount["destination"]!))) File.WriteAllText(path, "");
            else Directory.CreateDirectory(path);
            mount["source"] = path;
        }
        foreach (JsonNode? device in Bundle.Linux["devices"]?.AsArray().ToArray() ?? [])
        {
            // In a user namespace the host's own are bound, which not every machine has.
            if (HasNew("user") && (string)device!["type"]! != "p" && !File.Exists((string)device["path"]!))
                Bundle.Linux["devices"]!.AsArray().Remove(device);
        }
    }

    private void AdaptHooksAndSockets()
    {
        foreach (KeyValuePair<string, JsonNode?> kind in Bundle.Config["hooks"]?.AsObject() ?? [])
        {
            foreach (JsonNode? hook in kind.Value!.AsArray()) hook!["path"] = "/bin/true";
        }
        if (Bundle.Config["annotations"] is JsonObject annotations)
        {
            foreach (string key in (string[])["run.oci.hooks.stdout", "run.oci.hooks.stderr"])
            {
                if (annotations[key] is not null) annotations[key] = Path.Combine(Bundle.Directory, key);
            }
            if (annotations["run.oci.pidfd_receiver"] is not null)
                annotations["run.oci.pidfd_receiver"] = Helper(new DescriptorSocket()).SocketPath;
        }
        if (Bundle.Linux["seccomp"] is not JsonObject seccomp
            || !seccomp.ToJsonString().Contains("SCMP_ACT_NOTIFY", StringComparison.Ordinal))
        {
            return;
        }
        string agent = Helper(new AgentSocket(static _ => 0)).Path;
        if (seccomp["listenerPath"] is not null) seccomp["listenerPath"] = agent;
        if (Bundle.Config["annotations"]?["run.oci.seccomp.receiver"] is not null) Bundle.Annotations["run.oci.seccomp.receiver"] = agent;
    }

    private void AdaptResources()
    {
        // A name of its own right below the root, which is where real time is to be had.
        if (Bundle.Linux["cgroupsPath"] is not null) Bundle.Linux["cgroupsPath"] = $"/{TestRun.Token}-{TestRun.NextNumber()}";
        if (Bundle.Linux["resources"] is not JsonObject resources) return;
        foreach ((string kind,
            string controller) in new Dictionary<string, string>
            {
                ["network"] = "net_prio",
                ["rdma"] = "rdma",
                ["hugepageLimits"] = "hugetlb"
            })
        {
            if (CgroupHost.Mode != CgroupMode.V2 && CgroupHost.V1MountPoint(controller) is null) resources.Remove(kind);
        }
        if (CgroupHost.Mode != CgroupMode.V2) resources.Remove("unified");
        if (resources["cpu"]?["realtimeRuntime"] is not null && !File.Exists($"{CgroupHost.V1MountPoint("cpu")}/cpu.rt_runtime_us"))
            resources["cpu"]!.AsObject().Remove("realtimeRuntime");
        AdaptBlockIO(resources["blockIO"]?.AsObject());
    }

    /// <summary>Numbers of a disk that is there.</summary>
    private static void AdaptBlockIO(JsonObject? blockIO)
    {
        string[]? disk = Directory.GetDirectories("/sys/block").Select(block => File.ReadAllText($"{block}/dev").Trim().Split(':'))
            .LastOrDefault();
        foreach ((string kind, JsonNode? value) in blockIO?.ToArray() ?? [])
        {
            if (value is not JsonArray devices) continue;
            if (disk is null) blockIO!.Remove(kind);
            else foreach (JsonNode? device in devices) (device!["major"], device["minor"]) = (int.Parse(disk[0]), int.Parse(disk[1]));
        }
        // Weights of a device take BFQ as its scheduler, whatever the kernel has; leaf weights went with CFQ in Linux 5.0.
        blockIO?.Remove("weightDevice");
        blockIO?.Remove("leafWeight");
    }

    private bool HasNew(string type) => Bundle.Namespaces.Any(space => (string?)space!["type"] == type && space["path"] is null);

    private void GiveToRootOfUserNamespace()
    {
        if (Bundle.Linux["uidMappings"] is not JsonArray { Count: > 0 } maps) return;
        string owner = $"{maps[0]!["hostID"]}:{Bundle.Linux["gidMappings"]![0]!["hostID"]}";
        // Directories only: the files are links to what all bundles share.
        string[] directories = [Bundle.Rootfs, .. Directory.GetDirectories(Bundle.Rootfs)];
        Command.Run("chown", [owner, .. directories], new CommandOptions()).ShouldSucceed();
    }
}
