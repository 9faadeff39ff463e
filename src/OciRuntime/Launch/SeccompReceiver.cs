using OciRuntime.Linux;
using OciRuntime.Spec;
using static OciRuntime.Spec.SpecWords;

namespace OciRuntime.Launch;

/// <summary>crun's older ways to name the agent of a filter with SCMP_ACT_NOTIFY, for profiles without a listenerPath.</summary>
internal static class SeccompReceiver
{
    private const string Variable = "RUN_OCI_SECCOMP_RECEIVER";

    /// <summary>Completes the profile. The variable is the caller's, who could as well have written the configuration.</summary>
    /// <exception cref="OciException">The variable does not hold an absolute path.</exception>
    public static void Apply(RuntimeSpec spec)
    {
        if (spec.Linux?.Seccomp is not { } profile || !string.IsNullOrEmpty(profile.ListenerPath)) return;
        if (!Array.Exists(profile.Syscalls, static rule => rule.Action == SCMP_ACT_NOTIFY)) return;
        profile.ListenerPath = spec.Annotations[Annotations.SeccompReceiver] ?? Environment.GetEnvironmentVariable(Variable);
        if (spec.Annotations[Annotations.SeccompReceiver] is null && profile.ListenerPath is { Length: > 0 } path && !path.StartsWith('/'))
            throw new OciException($"{Variable}={path}: must be an absolute path");
    }

    /// <summary>What named the agent, for messages.</summary>
    public static string Origin(RuntimeSpec spec)
    {
        string? path = spec.Linux!.Seccomp!.ListenerPath;
        return path == spec.Annotations[Annotations.SeccompReceiver] ? Annotations.Pointer(Annotations.SeccompReceiver)
            : path == Environment.GetEnvironmentVariable(Variable) ? Variable : "/linux/seccomp/listenerPath";
    }
}
