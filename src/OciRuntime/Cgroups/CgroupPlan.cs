using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>What a container asks of control groups.</summary>
/// <param name="Id">Container id: the name of the cgroup when no path is given.</param>
/// <param name="CgroupsPath">linux.cgroupsPath, or null.</param>
/// <param name="Resources">linux.resources, or null.</param>
internal sealed record CgroupRequest(string Id, string? CgroupsPath, LinuxResources? Resources)
{
    /// <summary>
    /// The container gets a cgroup namespace of its own; without one it sees the host's tree, and nothing is delegated to it.
    /// </summary>
    public bool HasCgroupNamespace { get; init; }

    /// <summary>
    /// The runtime itself runs in a user namespace: device rules cannot be set there and are left to the kernel (as runc does).
    /// </summary>
    public bool RuntimeInUserNamespace { get; init; }

    /// <summary>Without rights on cgroups, do without them, provided neither a path nor a limit was asked for.</summary>
    public bool Rootless { get; init; }

    /// <summary>The scope that systemd is to make, or null for the cgroupfs driver.</summary>
    public SystemdUnit? Unit { get; init; }

    /// <summary>
    /// Absolute paths of the cgroups of a container that exists, from its journal: planned is what was written to them. Or null.
    /// </summary>
    public string[]? Recorded { get; init; }

    /// <summary>With <see cref="Recorded"/>: systemd has made them, and was told of the limits.</summary>
    public bool Systemd { get; init; }

    /// <summary>Properties of that scope from annotations.</summary>
    public List<SystemdProperty> UnitAnnotations { get; init; } = [];

    /// <summary>
    /// Host uid that a v2 cgroup is delegated to: the process's, when a cgroup mount in the container is writable. Or null.
    /// </summary>
    public uint? DelegateTo { get; init; }
}

/// <summary>Everything that will be done with control groups, decided before anything is done. Immutable.</summary>
internal sealed class CgroupPlan
{
    private string[]? _paths;

    /// <summary>A plan that leaves the container in the caller's cgroups (--cgroup-manager=disabled).</summary>
    public static CgroupPlan Disabled { get; } = new();

    /// <summary>The container's cgroup in each hierarchy.</summary>
    public CgroupDirectory[] Directories { get; private init; } = [];

    /// <summary>
    /// Absolute host paths of <see cref="Directories"/>, for the state file: everything the runtime may leave behind lies there.
    /// </summary>
    public string[] Paths => _paths ??= Array.ConvertAll(Directories, d => d.Path);

    /// <summary>Pure cgroup v2.</summary>
    public bool IsUnified => Directories is [{ Hierarchy.Unified: true }];

    /// <summary>What is written, in order, after the directories are made.</summary>
    public CgroupStep[] Steps { get; private init; } = [];

    /// <summary>The device rules after folding; null for a plan that leaves them alone.</summary>
    public DeviceFilter? Devices { get; private init; }

    /// <summary>What the container's device program on v2 is called, to be told from others'.</summary>
    public string ProgramName { get; private init; } = "";

    /// <summary>The scope that systemd makes, its cgroups being <see cref="Directories"/>; null for the cgroupfs driver.</summary>
    public ScopePlan? Scope { get; private init; }

    /// <summary>Settings that are accepted and have no effect on this host, one line each.</summary>
    public string[] Warnings { get; private init; } = [];

    /// <summary>Permission failures mean: no cgroup, go on (rootless without limits).</summary>
    public bool Optional { get; private init; }

    /// <summary>
    /// The request came from a user without rights on cgroups, and is not <see cref="Optional"/>: said in the error text.
    /// </summary>
    public bool Rootless { get; private init; }

    /// <summary>Plans the cgroups of a new container.</summary>
    /// <exception cref="OciException">The request contradicts itself or the host cannot fulfil it.</exception>
    public static CgroupPlan Build(CgroupHost host, CgroupRequest request)
    {
        if (host.Mode == CgroupMode.None && !request.Rootless)
        {
            throw new OciException(
                $"no cgroup file system is mounted at {CgroupHost.Root} or elsewhere: device rules and limits cannot be enforced",
                Errno.ENOENT);
        }
        CgroupDirectory[] directories = request.Recorded is { } paths ? LocateAll(host, paths)
            : request.Unit?.Directories(host) ?? CgroupPaths.Resolve(host, request.Id, request.CgroupsPath);
        CgroupPlanBuilder steps = new(directories, host.Mode == CgroupMode.V2, request.Unit is not null || request.Systemd);
        DeviceFilter devices = DeviceFilter.Build(request.Resources?.Devices);
        if (host.Mode == CgroupMode.V2) AddV2(steps, request, devices);
        else if (host.Mode != CgroupMode.None) AddV1(steps, request, devices);
        else if (request.Resources is not null) Resources.Add(steps, request.Resources);
        return new CgroupPlan
        {
            Directories = directories,
            Steps = steps.Steps,
            Warnings = steps.Warnings,
            Devices = devices,
            ProgramName = DeviceProgram.NewName(),
            Scope = request.Unit is null ? null : ScopePlan.Build(request, steps.Steps, devices, host.Mode == CgroupMode.V2),
            Rootless = request.Rootless,
            Optional = request.Rootless && request.Unit is null && string.IsNullOrEmpty(request.CgroupsPath) && !steps.HasLimits,
        };
    }

    /// <summary>Plans the changes of `update` on existing cgroups.</summary>
    /// <param name="host">The machine.</param>
    /// <param name="paths">Absolute paths from the state file.</param>
    /// <param name="resources">What to change; what is absent stays. Of cpu quota and period both must be given where one is to be kept. A
    /// list of device rules is a whole one; none leaves them alone.</param>
    /// <param name="program">See <see cref="ProgramName"/>.</param>
    /// <param name="systemd">The container is in a scope of systemd.</param>
    /// <param name="inUserNamespace">As in <see cref="CgroupRequest.RuntimeInUserNamespace"/>.</param>
    public static CgroupPlan BuildUpdate(CgroupHost host, IReadOnlyList<string> paths, LinuxResources resources, string program,
        bool systemd = false, bool inUserNamespace = false)
    {
        CgroupDirectory[] directories = LocateAll(host, paths);
        bool unified = host.Mode == CgroupMode.V2;
        CgroupPlanBuilder steps = new(directories, unified, systemd);
        Resources.Add(steps, resources);
        if (unified && steps.Needed is { Length: > 0 } needed) steps.AddFirst(new EnableControllers(0, needed));
        // `create` need not write what a new cgroup has; who names it here wants it changed.
        if (!unified && resources.Memory?.DisableOOMKiller == false)
            steps.Write(ControlFile.OomControl, new Amount(0), "memory/disableOOMKiller", CgroupTolerance.Missing);
        DeviceFilter? devices = resources.Devices.Length == 0 ? null : DeviceFilter.Build(resources.Devices);
        int at = steps.IndexOf("devices");
        if (at < 0) at = steps.IndexOfUnified();
        // Not where `create` did without.
        if (devices is not null && at >= 0 && !inUserNamespace) steps.Add(new ChangeDevices(at, devices));
        return new CgroupPlan
        {
            Directories = directories,
            Steps = steps.Steps,
            Warnings = steps.Warnings,
            Devices = devices,
            ProgramName = program,
        };
    }

    /// <summary>The plan with the steps only that may be late, or without them.</summary>
    public CgroupPlan Part(bool late) => In(Directories, step => step.MayBeLate == late);

    /// <summary>Some of its steps, with other cgroups in the place of its own.</summary>
    public CgroupPlan In(CgroupDirectory[] directories, Predicate<CgroupStep> which) => new()
    {
        Directories = directories,
        Steps = Array.FindAll(Steps, which),
        ProgramName = ProgramName,
        Optional = Optional,
        Rootless = Rootless,
    };

    /// <summary>The plan without the steps that change anything.</summary>
    public CgroupPlan OnlyChecks() => In(Directories, static step => step is CheckMemoryUse);

    /// <summary>One line for `explain`.</summary>
    public string Describe(CgroupStep step) => step.Describe(Directories[step.Directory]);

    /// <summary>Finds the hierarchies that paths of a state file are in.</summary>
    public static CgroupDirectory[] LocateAll(CgroupHost host, IReadOnlyList<string> paths)
    {
        CgroupDirectory[] directories = new CgroupDirectory[paths.Count];
        for (int i = 0; i < directories.Length; i++) directories[i] = Locate(host, paths[i]);
        return directories;
    }

    private static CgroupDirectory Locate(CgroupHost host, string path)
    {
        foreach (CgroupHierarchy h in host.Hierarchies)
        {
            if (path.Length > h.MountPoint.Length && path[h.MountPoint.Length] == '/'
                && path.StartsWith(h.MountPoint, StringComparison.Ordinal))
            {
                return new CgroupDirectory(h, path[(h.MountPoint.Length + 1)..]);
            }
        }
        throw new OciException($"{path} is below no cgroup mount of this host", Errno.ENOENT);
    }

    private static void AddV2(CgroupPlanBuilder steps, CgroupRequest request, DeviceFilter devices)
    {
        if (request.Resources is not null) Resources.Add(steps, request.Resources);
        // All that are available are handed down, not only those with a limit: statistics come from the same controllers.
        steps.AddFirst(new EnableControllers(0, steps.Needed));
        AttachDevices(steps, request, devices, 0);
        if (request.HasCgroupNamespace && request.DelegateTo is { } uid)
        {
            // Without privileges only one's own id can be given; any other user of the container then does without.
            steps.Add(new DelegateToUser(0, uid, request.Rootless ? CgroupTolerance.Permission : CgroupTolerance.None));
        }
    }

    private static void AddV1(CgroupPlanBuilder steps, CgroupRequest request, DeviceFilter devices)
    {
        int cpuset = steps.IndexOf("cpuset");
        if (cpuset >= 0) steps.Add(new SeedCpuset(cpuset));
        if (request.Resources is not null) Resources.Add(steps, request.Resources);
        int at = steps.IndexOf("devices");
        if (at < 0)
        {
            int unified = steps.IndexOfUnified();
            if (unified >= 0)
            {
                AttachDevices(steps, request, devices, unified);
            }
            else if (!request.Rootless && !request.RuntimeInUserNamespace)
            {
                // Fatal for the sake of security, as in runc: without it a container could use every device of the host.
                throw new OciException("cgroup v1 without the devices controller: mountpoint for devices not found", Errno.ENOENT);
            }
            return;
        }
        // In a user namespace only the kernel's own rules apply: it lets nobody there use what the outer cgroup denies.
        if (request.RuntimeInUserNamespace) return;
        CgroupTolerance tolerance = request.Rootless ? CgroupTolerance.Permission : CgroupTolerance.None;
        const string Allow = ControlFile.DevicesAllow, Deny = ControlFile.DevicesDeny;
        (string baseline, string exception) = devices.DefaultAllow ? (Allow, Deny) : (Deny, Allow);
        steps.Add(new ControlWrite(at, new(baseline, new Line("a")), DevicesPointer(request), tolerance));
        foreach (DeviceFilterRule rule in devices.Exceptions())
            steps.Add(new ControlWrite(at, new(exception, new Line(rule.KernelText)), rule.Pointer, tolerance));
    }

    // runc passes over a failure in a user namespace, where bpf(2) is not to be had, and for rootless containers; else it is fatal.
    private static void AttachDevices(CgroupPlanBuilder steps, CgroupRequest request, DeviceFilter devices, int directory)
    {
        if (devices.AllowsEverything) return;
        CgroupTolerance tolerance = request.Rootless || request.RuntimeInUserNamespace ? CgroupTolerance.Permission : CgroupTolerance.None;
        steps.Add(new AttachDevices(directory, devices, DevicesPointer(request), tolerance));
    }

    private static string DevicesPointer(CgroupRequest request) =>
        request.Resources is { Devices.Length: > 0 } ? "/linux/resources/devices" : "";
}
