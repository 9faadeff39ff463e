using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>Everything that will be done with control groups, decided before anything is done. Immutable.</summary>
internal sealed class CgroupPlan
{
    private string[]? _paths;

    /// <summary>A plan that leaves the container in the caller's cgroups (--cgroup-manager=disabled).</summary>
    public static CgroupPlan Disabled { get; } = new();

    /// <summary>The container's cgroup in each hierarchy.</summary>
    public CgroupDirectory[] Directories { get; private init; } = [];

    /// <summary>Absolute host paths of <see cref="Directories"/>, for the state file: everything the runtime may leave behind lies there.</summary>
    public string[] Paths => _paths ??= Array.ConvertAll(Directories, d => d.Path);

    /// <summary>Pure cgroup v2.</summary>
    public bool IsUnified => Directories is [{ Hierarchy.Unified: true }];

    /// <summary>What is written, in order, after the directories are made.</summary>
    public CgroupStep[] Steps { get; private init; } = [];

    /// <summary>The device rules after folding; null for a plan that leaves them alone.</summary>
    public DeviceFilter? Devices { get; private init; }

    /// <summary>The scope that systemd makes, its cgroups being <see cref="Directories"/>; null for the cgroupfs driver.</summary>
    public ScopePlan? Scope { get; private init; }

    /// <summary>Settings that are accepted and have no effect on this host, one line each.</summary>
    public string[] Warnings { get; private init; } = [];

    /// <summary>Permission failures mean: no cgroup, go on (rootless without limits).</summary>
    public bool Optional { get; private init; }

    /// <summary>The request came from a user without rights on cgroups, and is not <see cref="Optional"/>: said in the error text.</summary>
    public bool Rootless { get; private init; }

    /// <summary>Plans the cgroups of a new container.</summary>
    /// <exception cref="OciException">The request contradicts itself or the host cannot fulfil it.</exception>
    public static CgroupPlan Build(CgroupHost host, CgroupRequest request)
    {
        if (host.Mode == CgroupMode.None && !request.Rootless)
        {
            throw new OciException($"no cgroup file system is mounted at {CgroupHost.Root} or elsewhere: device rules and limits cannot be enforced", Errno.ENOENT);
        }
        CgroupDirectory[] directories = request.Unit?.Directories(host) ?? CgroupPaths.Resolve(host, request.Id, request.CgroupsPath);
        CgroupStepList steps = new(directories, request.Unit != null);
        DeviceFilter devices = DeviceFilter.Build(request.Resources?.Devices);
        if (host.Mode == CgroupMode.V2) AddUnified(steps, request, devices);
        else if (host.Mode != CgroupMode.None) AddV1(steps, request, devices);
        else if (request.Resources is not null) ResourcesV1.Add(steps, request.Resources);
        return new CgroupPlan
        {
            Directories = directories,
            Steps = steps.Steps,
            Warnings = steps.Warnings,
            Devices = devices,
            Scope = request.Unit == null ? null : ScopePlan.Build(request, steps.Steps, devices, host.Mode == CgroupMode.V2),
            Rootless = request.Rootless,
            Optional = request.Rootless && request.Unit == null && string.IsNullOrEmpty(request.CgroupsPath) && !steps.HasLimits,
        };
    }

    /// <summary>Plans the changes of `update` on existing cgroups.</summary>
    /// <param name="host">The machine.</param>
    /// <param name="paths">Absolute paths from the state file.</param>
    /// <param name="resources">What to change; what is absent stays. Of cpu quota and period both must be given where one is to be kept. A list of device rules is a whole one; none leaves them alone.</param>
    /// <param name="systemd">The container is in a scope of systemd.</param>
    /// <param name="inUserNamespace">As in <see cref="CgroupRequest.RuntimeInUserNamespace"/>.</param>
    public static CgroupPlan BuildUpdate(CgroupHost host, IReadOnlyList<string> paths, LinuxResources resources, bool systemd = false, bool inUserNamespace = false)
    {
        CgroupDirectory[] directories = LocateAll(host, paths);
        CgroupStepList steps = new(directories, systemd);
        if (host.Mode == CgroupMode.V2)
        {
            ResourcesV2.Add(steps, resources);
            if (steps.Needed.Length > 0) steps.AddFirst(new(CgroupStepKind.EnableControllers, 0, "cgroup.subtree_control", steps.Needed, "/linux/resources"));
        }
        else
        {
            ResourcesV1.Add(steps, resources);
            // `create` need not write what a new cgroup has; who names it here wants it changed.
            if (resources.Memory?.DisableOOMKiller == false) steps.Write1("memory", "memory.oom_control", "0", "/linux/resources/memory/disableOOMKiller", CgroupTolerance.Missing);
        }
        DeviceFilter? devices = resources.Devices.Length == 0 ? null : DeviceFilter.Build(resources.Devices);
        int at = steps.IndexOf("devices");
        if (at < 0) at = steps.IndexOfUnified();
        // Last, because there is no way back once the rules have changed; and not where `create` did without.
        if (devices != null && at >= 0 && !inUserNamespace) steps.Add(new(CgroupStepKind.UpdateDevices, at, "", "", "/linux/resources/devices"));
        return new CgroupPlan { Directories = directories, Steps = steps.Steps, Warnings = steps.Warnings, Devices = devices };
    }

    /// <summary>The plan without the steps that change anything.</summary>
    public CgroupPlan OnlyChecks() => new() { Directories = Directories, Steps = Array.FindAll(Steps, static s => s.Kind == CgroupStepKind.CheckMemoryUse) };

    /// <summary>One line for `explain`: "write /sys/fs/cgroup/pids/x/pids.max = 100".</summary>
    public string Describe(in CgroupStep step)
    {
        string directory = Directories[step.Directory].Path;
        return step.Kind switch
        {
            CgroupStepKind.Write => $"write {directory}/" + Alternatives(step),
            CgroupStepKind.SeedCpuset => $"fill {directory}/cpuset.cpus and cpuset.mems from the parent",
            CgroupStepKind.EnableControllers => $"enable controllers in cgroup.subtree_control from {Directories[step.Directory].Hierarchy.MountPoint} down to the parent of {directory}"
                + (step.Value.Length > 0 ? $" (needed: {step.Value})" : ""),
            CgroupStepKind.AttachDevices => $"attach device program to {directory}",
            CgroupStepKind.UpdateDevices => $"change the device rules of {directory}",
            CgroupStepKind.CheckMemoryUse => $"check {directory}/memory.current <= {step.Value}",
            CgroupStepKind.Delegate => $"chown {directory} and the files of /sys/kernel/cgroup/delegate in it to uid {step.Value}",
            _ => step.Kind.ToString(),
        };
    }

    // "io.bfq.weight = 200, or io.weight = 1920 where the kernel does not have that". Not "no such file": engines would take it for a missing program (exit code 127).
    private static string Alternatives(in CgroupStep step)
    {
        int bar = step.File.IndexOf('|');
        if (bar < 0) return $"{step.File} = {step.Value}";
        string[] values = step.Value.Split('|');
        return $"{step.File[..bar]} = {values[0]}, or {step.File[(bar + 1)..]} = {values[^1]} where the kernel does not have that";
    }

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
            if (path.Length > h.MountPoint.Length && path[h.MountPoint.Length] == '/' && path.StartsWith(h.MountPoint, StringComparison.Ordinal))
            {
                return new CgroupDirectory(h, path[(h.MountPoint.Length + 1)..]);
            }
        }
        throw new OciException($"{path} is below no cgroup mount of this host", Errno.ENOENT);
    }

    private static void AddUnified(CgroupStepList steps, CgroupRequest request, DeviceFilter devices)
    {
        if (request.Resources is not null) ResourcesV2.Add(steps, request.Resources);
        // All that are available are handed down, not only those with a limit: statistics come from the same controllers.
        steps.AddFirst(new(CgroupStepKind.EnableControllers, 0, "cgroup.subtree_control", steps.Needed, steps.Needed.Length > 0 ? "/linux/resources" : ""));
        AttachDevices(steps, request, devices, 0);
        if (request.HasCgroupNamespace && request.DelegateTo is { } uid)
        {
            // Without privileges only one's own id can be given; any other user of the container then does without.
            steps.Add(new(CgroupStepKind.Delegate, 0, "", uid.ToString(), "", request.Rootless ? CgroupTolerance.Permission : CgroupTolerance.None));
        }
    }

    private static void AddV1(CgroupStepList steps, CgroupRequest request, DeviceFilter devices)
    {
        int cpuset = steps.IndexOf("cpuset");
        if (cpuset >= 0) steps.Add(new(CgroupStepKind.SeedCpuset, cpuset, "cpuset.cpus", "", ""));
        if (request.Resources is not null) ResourcesV1.Add(steps, request.Resources);
        int at = steps.IndexOf("devices");
        if (at < 0)
        {
            int unified = steps.IndexOfUnified();
            if (unified >= 0) AttachDevices(steps, request, devices, unified);
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
        string baseline = devices.DefaultAllow ? "devices.allow" : "devices.deny", exception = devices.DefaultAllow ? "devices.deny" : "devices.allow";
        steps.Add(new(CgroupStepKind.Write, at, baseline, "a", DevicesPointer(request), tolerance));
        foreach (DeviceFilterRule rule in devices.Exceptions())
        {
            steps.Add(new(CgroupStepKind.Write, at, exception, rule.KernelText, rule.Pointer, tolerance));
        }
    }

    // runc passes over a failure in a user namespace, where bpf(2) is not to be had, and for rootless containers; else it is fatal.
    private static void AttachDevices(CgroupStepList steps, CgroupRequest request, DeviceFilter devices, int directory)
    {
        if (devices.AllowsEverything) return;
        CgroupTolerance tolerance = request.Rootless || request.RuntimeInUserNamespace ? CgroupTolerance.Permission : CgroupTolerance.None;
        steps.Add(new(CgroupStepKind.AttachDevices, directory, "", "", DevicesPointer(request), tolerance));
    }

    private static string DevicesPointer(CgroupRequest request) => request.Resources is { Devices.Length: > 0 } ? "/linux/resources/devices" : "";
}
