using OciRuntime.Linux;

namespace OciRuntime.Spec;

public static partial class SpecValidator
{
    // user_namespaces(7): lines of a map file since Linux 4.15.
    private const int MaxIdMappings = 340;

    private static void CheckLinux(RuntimeSpec spec, LinuxConfig linux, in NamespaceFacts namespaces, SpecProblems problems)
    {
        CheckNamespaces(linux.Namespaces, problems);
        CheckUserNamespace(spec, linux, namespaces, problems);
        CheckTimeOffsets(linux.TimeOffsets, namespaces, problems);
        CheckDevices(linux.Devices, problems);
        CheckNetDevices(linux.NetDevices, namespaces, problems);
        CheckSysctls(spec, linux.Sysctl, namespaces, problems);
        CheckPaths(linux.MaskedPaths, "/linux/maskedPaths", namespaces, problems);
        CheckPaths(linux.ReadonlyPaths, "/linux/readonlyPaths", namespaces, problems);
        CheckPropagation(linux.RootfsPropagation, namespaces, problems);
        if (linux.CgroupsPath is { } path && SpecText.HasParentStep(path))
            problems.Error("/linux/cgroupsPath", SpecText.Quote(path), "must not contain \"..\"");
        if (linux.Resources is not null) CheckResources(linux.Resources, "/linux/resources", problems);
        if (linux.Seccomp is not null) CheckSeccomp(linux.Seccomp, problems);
        if (linux.IntelRdt is not null) CheckIntelRdt(linux.IntelRdt, problems);
        if (linux.Personality is not null) CheckPersonality(linux.Personality, problems);
        if (linux.MemoryPolicy is not null) CheckMemoryPolicy(linux.MemoryPolicy, problems);
    }

    private static void CheckNamespaces(LinuxNamespace[] namespaces, SpecProblems problems)
    {
        ulong seen = 0;
        for (int i = 0; i < namespaces.Length; i++)
        {
            LinuxNamespace ns = namespaces[i];
            if (!string.IsNullOrEmpty(ns.Path) && !SpecText.IsAbsolute(ns.Path))
                problems.Error($"/linux/namespaces/{i}/path", SpecText.Quote(ns.Path), "must be an absolute path");
            ulong flag = NamespaceNames.Flag(ns.Type);
            if (flag == 0)
                CheckWord(ns.Type, NamespaceNames.All, $"/linux/namespaces/{i}/type", problems);
            if ((seen & flag) != 0)
                problems.Error($"/linux/namespaces/{i}/type", SpecText.Quote(ns.Type), "appears twice");
            seen |= flag;
        }
    }

    private static void CheckUserNamespace(RuntimeSpec spec, LinuxConfig linux, in NamespaceFacts namespaces, SpecProblems problems)
    {
        CheckIdMappings(linux.UidMappings, "/linux/uidMappings", problems);
        CheckIdMappings(linux.GidMappings, "/linux/gidMappings", problems);
        if (!namespaces.Has("user"))
        {
            if (linux.UidMappings.Length > 0) problems.Error("/linux/uidMappings", null, "needs a user namespace in linux.namespaces");
            if (linux.GidMappings.Length > 0) problems.Error("/linux/gidMappings", null, "needs a user namespace in linux.namespaces");
            return;
        }
        if (!namespaces.IsNew("user")) return;
        CheckMapped(linux.UidMappings, spec.Process?.User.Uid, "/linux/uidMappings", "/process/user/uid", problems);
        CheckMapped(linux.GidMappings, spec.Process?.User.Gid, "/linux/gidMappings", "/process/user/gid", problems);
        if (linux.GidMappings.Length == 0) return;
        uint[] groups = spec.Process?.User.AdditionalGids ?? [];
        for (int i = 0; i < groups.Length; i++)
            CheckMapped(linux.GidMappings, groups[i], "/linux/gidMappings", $"/process/user/additionalGids/{i}", problems);
    }

    // An id without a mapping cannot be switched to: setresuid(2) fails with EINVAL.
    private static void CheckMapped(IdMapping[] mappings, uint? id, string mapPointer, string idPointer, SpecProblems problems)
    {
        if (mappings.Length == 0)
        {
            problems.Error(mapPointer, null, "must not be empty when a user namespace is made");
            return;
        }
        if (id is null) return;
        if (!Array.Exists(mappings, mapping => mapping.Maps(id.Value)))
            problems.Error(idPointer, SpecText.Show(id.Value), $"is not mapped by {mapPointer}");
    }

    // What the kernel refuses with EINVAL (user_namespaces(7)): empty, wrapping or overlapping ranges.
    private static void CheckIdMappings(IdMapping[] mappings, string at, SpecProblems problems)
    {
        if (mappings.Length > MaxIdMappings)
        {
            problems.Error(at, null, $"must not have more than {MaxIdMappings} entries");
            return;
        }
        for (int i = 0; i < mappings.Length; i++)
        {
            IdMapping mapping = mappings[i];
            if (mapping.Size == 0) problems.Error($"{at}/{i}/size", "0", "must be more than 0");
            if ((ulong)mapping.ContainerID + mapping.Size > uint.MaxValue)
                problems.Error($"{at}/{i}", null, "must end below id 4294967295 in the container (containerID + size)");
            if ((ulong)mapping.HostID + mapping.Size > uint.MaxValue)
                problems.Error($"{at}/{i}", null, "must end below id 4294967295 on the host (hostID + size)");
            for (int j = 0; j < i; j++)
            {
                if (Overlap(mapping.ContainerID, mapping.Size, mappings[j].ContainerID, mappings[j].Size)
                    || Overlap(mapping.HostID, mapping.Size, mappings[j].HostID, mappings[j].Size))
                {
                    problems.Error($"{at}/{i}", null, $"must not overlap {at}/{j}");
                }
            }
        }
    }

    private static bool Overlap(ulong a, ulong aSize, ulong b, ulong bSize) => a < b + bSize && b < a + aSize;

    private static void CheckTimeOffsets(SpecMap<TimeOffset> offsets, in NamespaceFacts namespaces, SpecProblems problems)
    {
        if (offsets.Count > 0 && !namespaces.IsNew("time"))
            problems.Error("/linux/timeOffsets", null, "needs a new time namespace in linux.namespaces");
        foreach ((string? clock, TimeOffset? offset) in offsets.AsSpan())
        {
            string at = $"/linux/timeOffsets/{JsonPointer.Escape(clock)}";
            if (!SpecWords.Has(SpecWords.Clocks, clock))
                problems.Error(at, null, $"is not a clock with an offset; allowed: {string.Join(", ", SpecWords.Clocks)}");
            if (offset.Nanosecs > 999_999_999)
                problems.Error($"{at}/nanosecs", SpecText.Show(offset.Nanosecs), "must be from 0 to 999999999");
        }
    }

    private static void CheckDevices(LinuxDevice[] devices, SpecProblems problems)
    {
        for (int i = 0; i < devices.Length; i++)
        {
            LinuxDevice device = devices[i];
            if (device.Type is not ("c" or "b" or "u" or "p"))
                problems.Error($"/linux/devices/{i}/type", SpecText.Quote(device.Type), "is unknown; allowed: c, b, u, p");
            if (!SpecText.IsAbsolute(device.Path))
                problems.Error($"/linux/devices/{i}/path", SpecText.Quote(device.Path), "must be an absolute path");
            else if (SpecText.IsRootDirectory(device.Path))
                problems.Error($"/linux/devices/{i}/path", SpecText.Quote(device.Path), "must not be the root directory of the container");
            if (device.Type != "p")
            {
                // makedev: 12 bits of major, 20 of minor.
                CheckDeviceNumber(device.Major, 0xfff, $"/linux/devices/{i}/major", problems);
                CheckDeviceNumber(device.Minor, 0xfffff, $"/linux/devices/{i}/minor", problems);
            }
            // The type bits of st_mode are let through: engines copy the whole mode of the host's node.
            if (device.FileMode is > 0xffff)
            {
                problems.Error($"/linux/devices/{i}/fileMode", SpecText.Show(device.FileMode.Value),
                    "must be permission bits, from 0 to 4095 (07777 octal)");
            }
            if (device.Uid == NoId) problems.Error($"/linux/devices/{i}/uid", SpecText.Show(NoId), "must be less than 4294967295");
            if (device.Gid == NoId) problems.Error($"/linux/devices/{i}/gid", SpecText.Show(NoId), "must be less than 4294967295");
        }
    }

    private static void CheckDeviceNumber(long? number, long max, string pointer, SpecProblems problems)
    {
        if (number is null) problems.Error(pointer, null, "is required");
        else if (number < 0 || number > max) problems.Error(pointer, SpecText.Show(number.Value), $"must be from 0 to {max}");
    }

    private static void CheckNetDevices(SpecMap<NetDevice> devices, in NamespaceFacts namespaces, SpecProblems problems)
    {
        if (devices.Count == 0)
            return;
        if (!namespaces.Has("network"))
            problems.Error("/linux/netDevices", null, "needs a network namespace in linux.namespaces");
        foreach ((string? host, NetDevice? device) in devices.AsSpan())
        {
            string at = $"/linux/netDevices/{JsonPointer.Escape(host)}";
            const string rule = "must be an interface name: 1 to 15 bytes without \"/\", \":\" and blanks, not \".\" or \"..\"";
            if (!SpecText.IsInterfaceName(host)) problems.Error(at, null, rule);
            if (!string.IsNullOrEmpty(device.Name) && !SpecText.IsInterfaceName(device.Name))
            {
                problems.Error($"{at}/name", SpecText.Quote(device.Name), rule);
            }
            else if (!IsNameTemplate(device.Name))
            {
                problems.Error($"{at}/name", SpecText.Quote(device.Name ?? ""),
                    "must not have a \"%\" but in one \"%d\", which the kernel replaces by a number");
            }
        }
        CheckNetDeviceNames(devices, problems);
    }

    // What dev_prep_valid_name() of the kernel takes.
    private static bool IsNameTemplate(string? name)
    {
        int percent = (name ??= "").IndexOf('%');
        return percent < 0 || (name.AsSpan(percent).StartsWith("%d") && name.IndexOf('%', percent + 1) < 0);
    }

    private static void CheckNetDeviceNames(SpecMap<NetDevice> devices, SpecProblems problems)
    {
        Dictionary<string, string> taken = new(StringComparer.Ordinal);
        foreach ((string? host, NetDevice? device) in devices.AsSpan())
        {
            string name = device.NameInside(host);
            if (!name.Contains('%') && !taken.TryAdd(name, host))
            {
                problems.Error($"/linux/netDevices/{JsonPointer.Escape(host)}/name", SpecText.Quote(name),
                    $"is also the name of {SpecText.Quote(taken[name])} in the container");
            }
        }
    }

    private static void CheckIntelRdt(IntelRdt rdt, SpecProblems problems)
    {
        const string at = "/linux/intelRdt";
        if (rdt.ClosID is { } closId && closId != "/" && (closId is "." or ".." || closId.Contains('/') || !IsOneLine(closId)))
            problems.Error($"{at}/closID", SpecText.Quote(closId), "must be a directory name on one line, or \"/\" for the root class");
        ValidateBandwidth(rdt.MemBwSchema, $"{at}/memBwSchema", problems);
        for (int i = 0; i < rdt.Schemata.Length; i++)
        {
            if (rdt.Schemata[i].Length == 0 || !IsOneLine(rdt.Schemata[i]))
            {
                problems.Error($"{at}/schemata/{i}", SpecText.Quote(rdt.Schemata[i]),
                    "must be one line of a schemata file, such as \"L3:0=ff\"");
            }
        }
    }

    /// <summary>A bandwidth schema, of config.json or of <c>update</c>.</summary>
    public static void ValidateBandwidth(string? schema, string pointer, SpecProblems problems)
    {
        ArgumentNullException.ThrowIfNull(problems);
        if (!string.IsNullOrEmpty(schema) && !(schema.StartsWith("MB:", StringComparison.Ordinal) && IsOneLine(schema)))
            problems.Error(pointer, SpecText.Quote(schema), "must begin with \"MB:\" and be one line");
    }

    private static bool IsOneLine(string text) => !text.Contains('\n');

    private static void CheckSysctls(RuntimeSpec spec, SpecMap<string> sysctls, in NamespaceFacts namespaces, SpecProblems problems)
    {
        foreach ((string? key, string? value) in sysctls.AsSpan())
        {
            string path = SpecText.SysctlPath(key);
            string? message = SpecText.IsPlainRelativePath(path) ? SysctlProblem(path, namespaces)
                : "must be the name of a kernel parameter";
            if (message is null && path == "kernel/domainname" && !string.IsNullOrEmpty(spec.Domainname) && spec.Domainname != value)
                message = $"contradicts domainname {SpecText.Quote(spec.Domainname)}";
            if (message is not null) problems.Error($"/linux/sysctl/{JsonPointer.Escape(key)}", SpecText.Quote(value), message);
        }
    }

    // A sysctl that no namespace of the container holds would be the host's.
    private static string? SysctlProblem(string path, in NamespaceFacts namespaces)
    {
        if (path == "kernel/hostname") return "must be set with hostname instead";
        string? needed = SpecWords.NamespaceOfSysctl(path);
        if (needed is null) return "is not in a separate kernel namespace";
        return namespaces.Has(needed) ? null : $"needs {(needed == "ipc" ? "an" : "a")} {needed} namespace in linux.namespaces";
    }

    private static void CheckPaths(string[] paths, string at, in NamespaceFacts namespaces, SpecProblems problems)
    {
        if (paths.Length > 0 && !namespaces.MayMount) problems.Error(at, null, NeedsMountNamespace);
        for (int i = 0; i < paths.Length; i++)
        {
            if (!SpecText.IsAbsolute(paths[i])) problems.Error($"{at}/{i}", SpecText.Quote(paths[i]), "must be an absolute path");
        }
    }

    private static void CheckPropagation(string? propagation, in NamespaceFacts namespaces, SpecProblems problems)
    {
        if (string.IsNullOrEmpty(propagation)) return;
        CheckWord(propagation, SpecWords.Propagations, "/linux/rootfsPropagation", problems);
        if (!namespaces.Has("mount"))
        {
            problems.Error("/linux/rootfsPropagation", SpecText.Quote(propagation),
                "needs a mount namespace in linux.namespaces: without one it is the host's own mounts that would change");
        }
    }
}
