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

    /// <summary>Configuration file of criu for checkpoint and restore; empty for none.</summary>
    public const string CriuConfig = "org.criu.config";

    /// <summary>What is behind this prefix is a property of the container's systemd unit.</summary>
    public const string SystemdPropertyPrefix = "org.systemd.property.";

    /// <summary>Those whose value is a path on the host.</summary>
    private static readonly string[] Paths = [HooksStdout, HooksStderr, PidFdReceiver, SeccompReceiver, CriuConfig];

    /// <summary>All of them, a prefix by its dot at the end: they make the runtime do more than the sections of config.json say.</summary>
    public static string[] Honoured { get; } = [CriuConfig, SystemdPropertyPrefix, HooksStderr, HooksStdout, KeepOriginalGroups, MountContextType, PidFdReceiver, SeccompReceiver];

    /// <summary>Where in config.json an annotation is.</summary>
    public static string Pointer(string key) => "/annotations/" + JsonPointer.Escape(key);

    /// <summary>Reports values that do not mean anything.</summary>
    internal static void Check(SpecMap<string> annotations, SpecProblems problems)
    {
        foreach (var key in Paths)
        {
            // Relative to what? The caller's directory is no part of the configuration.
            if (annotations[key] is not { } path || (key == CriuConfig && path.Length == 0))
                continue;
            if (!SpecText.IsAbsolute(path))
                problems.Error(Pointer(key), SpecText.Quote(path), "must be an absolute path");
            // Any annotation may have one, but for the kernel the path would end there.
            else if (path.Contains('\0'))
                problems.Error(Pointer(key), SpecText.Quote(path), "must not contain a NUL character");
        }
        SystemdProperty.Read(annotations, problems);
    }
}
