namespace OciRuntime.Spec;

/// <summary>Annotations that ocirun honours (docs/annotations.md); all others are only kept.</summary>
public static class Annotations
{
    /// <summary>File that hooks' standard output is appended to.</summary>
    public const string HooksStdout = "run.oci.hooks.stdout";

    /// <summary>File that hooks' standard error is appended to.</summary>
    public const string HooksStderr = "run.oci.hooks.stderr";

    /// <summary>Unix socket that receives a pidfd of the container's first process.</summary>
    public const string PidFdReceiver = "run.oci.pidfd_receiver";

    /// <summary>Any value but "0": the supplementary groups of the caller stay.</summary>
    public const string KeepOriginalGroups = "run.oci.keep_original_groups";

    /// <summary>Which mount option linux.mountLabel becomes.</summary>
    public const string MountContextType = "run.oci.mount_context_type";

    /// <summary>Stands for a missing linux.seccomp.listenerPath.</summary>
    public const string SeccompReceiver = "run.oci.seccomp.receiver";

    /// <summary>Any value but "0": a system call in linux.seccomp that no architecture has is an error.</summary>
    public const string SeccompFailUnknownSyscall = "run.oci.seccomp_fail_unknown_syscall";

    /// <summary>Configuration file of criu for checkpoint and restore; empty for none.</summary>
    public const string CriuConfig = "org.criu.config";

    /// <summary>What is behind this prefix is a property of the container's systemd unit.</summary>
    public const string SystemdPropertyPrefix = "org.systemd.property.";

    /// <summary>Those whose value is a path on the host.</summary>
    private static readonly string[] Paths = [HooksStdout, HooksStderr, PidFdReceiver, SeccompReceiver, CriuConfig];

    /// <summary>All of them, a prefix by its dot at the end: they make the runtime do more than the sections of config.json say.</summary>
    public static string[] Honoured { get; } = [CriuConfig, SystemdPropertyPrefix, HooksStderr, HooksStdout, KeepOriginalGroups,
        MountContextType, PidFdReceiver, SeccompReceiver, SeccompFailUnknownSyscall];

    /// <summary>
    /// Those of crun's that would have the container confined in another way, or run by something else. To go on without would give less
    /// than was asked for, so they are refused; what the reason is.
    /// </summary>
    private static readonly (string Key, string Reason)[] Refused =
    [
        ("run.oci.seccomp.plugins", "ocirun has no seccomp plugins: an agent at linux.seccomp.listenerPath can decide on system calls"),
        ("run.oci.seccomp_bpf_data", "ocirun compiles its filters itself, from linux.seccomp"),
        ("run.oci.handler", "ocirun has no handlers such as krun or wasm"),
    ];

    /// <summary>Those of crun's that ask for something ocirun does not have, and that a container can do without.</summary>
    private static readonly (string Key, string Reason)[] WithoutEffect =
    [
        ("run.oci.delegate-cgroup", "the container's own cgroup is the one that is delegated"),
        ("run.oci.systemd.subgroup", "the container's processes are in the scope itself"),
        ("run.oci.systemd.force_cgroup_v1", "a hierarchy of systemd's own can be given as a mount"),
        ("module.wasm.image/variant", "ocirun runs no WebAssembly"),
    ];

    /// <summary>Whether a switch is on: as for crun, any value but "0" turns it on.</summary>
    public static bool IsOn(SpecMap<string> annotations, string key) => annotations[key] is not (null or "0");

    /// <summary>Where in config.json an annotation is.</summary>
    public static string Pointer(string key) => "/annotations/" + JsonPointer.Escape(key);

    /// <summary>Reports values that do not mean anything.</summary>
    internal static void Check(SpecMap<string> annotations, SpecProblems problems)
    {
        if (annotations.Count == 0)
            return;
        foreach (string key in Paths)
        {
            // Relative to what? The caller's directory is no part of the configuration.
            if (annotations[key] is not { } path || (key == CriuConfig && path.Length == 0)) continue;
            if (!SpecText.IsAbsolute(path)) problems.Error(Pointer(key), SpecText.Quote(path), "must be an absolute path");
            // Any annotation may have one, but for the kernel the path would end there.
            else if (path.Contains('\0')) problems.Error(Pointer(key), SpecText.Quote(path), "must not contain a NUL character");
        }
        foreach ((string key, string reason) in Refused)
        {
            if (annotations[key] is { Length: > 0 } value)
                problems.Error(Pointer(key), SpecText.Quote(value), $"cannot be honoured: {reason}");
        }
        foreach ((string key, string reason) in WithoutEffect)
        {
            if (annotations[key] is { Length: > 0 } value) problems.Warn(Pointer(key), SpecText.Quote(value), $"has no effect: {reason}");
        }
        foreach (KeyValuePair<string, string> annotation in annotations)
        {
            if (annotation.Key.StartsWith("krun.", StringComparison.Ordinal))
            {
                problems.Warn(Pointer(annotation.Key), SpecText.Quote(annotation.Value),
                    "has no effect: ocirun starts no virtual machines");
            }
        }
        SystemdProperty.Read(annotations, problems);
    }
}
