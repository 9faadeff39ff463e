namespace OciRuntime.Spec;

/// <summary>
/// What this version of ocirun reads but does not do yet. Each use is refused: a container that silently lacks its security label is worse
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
        Refuse(linux.Personality is not null, "/linux/personality", problems);
        Refuse(linux.MemoryPolicy is not null, "/linux/memoryPolicy", problems);
        Refuse(linux.IntelRdt is not null, "/linux/intelRdt", problems);
        Refuse(linux.NetDevices.Count > 0, "/linux/netDevices", problems);
    }

    /// <summary>The same for a process on its own, as given to exec; pointers start at its root.</summary>
    public static void Check(Process process, SpecProblems problems)
    {
        ArgumentNullException.ThrowIfNull(process);
        ArgumentNullException.ThrowIfNull(problems);
        CheckProcess(process, "", problems);
    }

    private static void CheckProcess(Process process, string at, SpecProblems problems)
    {
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

    private const string Message = "is not supported by this version of ocirun";

    private static void Refuse(bool used, string pointer, SpecProblems problems)
    {
        if (used)
            problems.Error(pointer, null, Message);
    }

    private static bool IsInline(string option, string prefix) => option.StartsWith(prefix, StringComparison.Ordinal);
}
