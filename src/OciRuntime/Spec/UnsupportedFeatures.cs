namespace OciRuntime.Spec;

/// <summary>
/// What this version of ocirun reads but does not do yet. Each use is refused: a container that silently lacks its seccomp filter is worse
/// than none. Zero and empty values are how engines write "unset" and count as absent.
/// </summary>
public static class UnsupportedFeatures
{
    /// <summary>Adds an error for each unsupported part of a config.json.</summary>
    public static void Check(RuntimeSpec spec, SpecProblems problems)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(problems);
        if (spec.Process is not null)
            CheckProcess(spec.Process, "/process", problems);
        for (var i = 0; i < spec.Mounts.Length; i++)
            CheckMount(spec.Mounts[i], i, problems);
        if (spec.Linux is not { } linux)
            return;
        Refuse(HasEffect(linux.Seccomp), "/linux/seccomp", problems);
        Refuse(IsSet(linux.MountLabel), "/linux/mountLabel", problems);
        Refuse(linux.Personality is not null, "/linux/personality", problems);
        Refuse(linux.MemoryPolicy is not null, "/linux/memoryPolicy", problems);
        Refuse(linux.IntelRdt is not null, "/linux/intelRdt", problems);
        Refuse(linux.NetDevices.Count > 0, "/linux/netDevices", problems);
        if (linux.Resources is not null)
            CheckResources(linux.Resources, "/linux/resources", problems);
    }

    /// <summary>The same for a process on its own, as given to exec; pointers start at its root.</summary>
    public static void Check(Process process, SpecProblems problems)
    {
        ArgumentNullException.ThrowIfNull(process);
        ArgumentNullException.ThrowIfNull(problems);
        CheckProcess(process, "", problems);
    }

    /// <summary>The same for resources on their own, as given to update; pointers start at their root.</summary>
    public static void Check(LinuxResources resources, SpecProblems problems)
    {
        ArgumentNullException.ThrowIfNull(resources);
        ArgumentNullException.ThrowIfNull(problems);
        CheckResources(resources, "", problems);
    }

    private static void CheckProcess(Process process, string at, SpecProblems problems)
    {
        Refuse(IsSet(process.ApparmorProfile), $"{at}/apparmorProfile", problems);
        Refuse(IsSet(process.SelinuxLabel), $"{at}/selinuxLabel", problems);
        Refuse(process.Scheduler is not null, $"{at}/scheduler", problems);
        Refuse(process.IoPriority is not null, $"{at}/ioPriority", problems);
    }

    private static void CheckMount(Mount mount, int index, SpecProblems problems)
    {
        if (mount.UidMappings.Length > 0 || mount.GidMappings.Length > 0)
            Refuse(true, $"/mounts/{index}/{(mount.UidMappings.Length > 0 ? "uidMappings" : "gidMappings")}", problems);
        for (var i = 0; i < mount.Options.Length; i++)
        {
            // crun's inline form "idmap=uids=..." means the same.
            if (mount.Options[i] is var option && (option is "idmap" or "ridmap" || IsInline(option, "idmap=") || IsInline(option, "ridmap=")))
                problems.Error($"/mounts/{index}/options/{i}", SpecText.Quote(option), Message);
        }
    }

    private static void CheckResources(LinuxResources resources, string at, SpecProblems problems)
    {
        if (resources.Memory is { } memory)
        {
            Refuse(memory.Kernel is not (null or 0), $"{at}/memory/kernel", problems);
            Refuse(memory.KernelTCP is not (null or 0), $"{at}/memory/kernelTCP", problems);
            Refuse(memory.Swappiness is not null, $"{at}/memory/swappiness", problems);
            Refuse(memory.DisableOOMKiller is true, $"{at}/memory/disableOOMKiller", problems);
            // useHierarchy needs no support: the kernel has had no other mode since 5.11.
            Refuse(memory.CheckBeforeUpdate is true, $"{at}/memory/checkBeforeUpdate", problems);
        }
        if (resources.Cpu is { } cpu)
        {
            Refuse(cpu.Burst is not (null or 0), $"{at}/cpu/burst", problems);
            Refuse(cpu.RealtimeRuntime is not (null or 0), $"{at}/cpu/realtimeRuntime", problems);
            Refuse(cpu.RealtimePeriod is not (null or 0), $"{at}/cpu/realtimePeriod", problems);
            Refuse(cpu.Idle is not (null or 0), $"{at}/cpu/idle", problems);
        }
        if (resources.BlockIO is { } io)
        {
            Refuse(io.Weight is not (null or 0), $"{at}/blockIO/weight", problems);
            Refuse(io.LeafWeight is not (null or 0), $"{at}/blockIO/leafWeight", problems);
            Refuse(io.WeightDevice.Length > 0, $"{at}/blockIO/weightDevice", problems);
            Refuse(io.ThrottleReadBpsDevice.Length > 0, $"{at}/blockIO/throttleReadBpsDevice", problems);
            Refuse(io.ThrottleWriteBpsDevice.Length > 0, $"{at}/blockIO/throttleWriteBpsDevice", problems);
            Refuse(io.ThrottleReadIOPSDevice.Length > 0, $"{at}/blockIO/throttleReadIOPSDevice", problems);
            Refuse(io.ThrottleWriteIOPSDevice.Length > 0, $"{at}/blockIO/throttleWriteIOPSDevice", problems);
        }
        Refuse(resources.HugepageLimits.Length > 0, $"{at}/hugepageLimits", problems);
        Refuse(resources.Network?.ClassID is not (null or 0), $"{at}/network/classID", problems);
        Refuse(resources.Network?.Priorities.Length > 0, $"{at}/network/priorities", problems);
        Refuse(resources.Rdma.Count > 0, $"{at}/rdma", problems);
        Refuse(resources.Unified.Count > 0, $"{at}/unified", problems);
    }

    private const string Message = "is not supported by this version of ocirun";

    private static void Refuse(bool used, string pointer, SpecProblems problems)
    {
        if (used)
            problems.Error(pointer, null, Message);
    }

    private static bool IsSet(string? value) => !string.IsNullOrEmpty(value);

    private static bool IsInline(string option, string prefix) => option.StartsWith(prefix, StringComparison.Ordinal);

    // A filter that allows everything is no filter.
    private static bool HasEffect(LinuxSeccomp? seccomp)
    {
        if (seccomp is null)
            return false;
        return seccomp.DefaultAction is not ("" or "SCMP_ACT_ALLOW")
            || Array.Exists(seccomp.Syscalls, static rule => rule.Action != "SCMP_ACT_ALLOW");
    }
}
