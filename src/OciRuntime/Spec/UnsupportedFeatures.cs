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
        if (spec.Linux is not { } linux)
            return;
        Refuse(IsSet(linux.MountLabel), "/linux/mountLabel", problems);
        Refuse(linux.Personality is not null, "/linux/personality", problems);
        Refuse(linux.MemoryPolicy is not null, "/linux/memoryPolicy", problems);
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
        Refuse(IsSet(process.ApparmorProfile), $"{at}/apparmorProfile", problems);
        Refuse(IsSet(process.SelinuxLabel), $"{at}/selinuxLabel", problems);
        Refuse(process.Scheduler is not null, $"{at}/scheduler", problems);
        Refuse(process.IoPriority is not null, $"{at}/ioPriority", problems);
    }

    private const string Message = "is not supported by this version of ocirun";

    private static void Refuse(bool used, string pointer, SpecProblems problems)
    {
        if (used)
            problems.Error(pointer, null, Message);
    }

    private static bool IsSet(string? value) => !string.IsNullOrEmpty(value);
}
