namespace OciRuntime.Spec;

/// <summary>config.json of a bundle: runtime-spec 1.3.0, config.md and config-linux.md. Properties carry the names of the file.</summary>
/// <remarks>Absent arrays and maps are empty, absent objects, strings and optional numbers are null.</remarks>
public sealed class RuntimeSpec
{
    /// <summary>The newest version of the specification that is implemented.</summary>
    public const string NewestVersion = "1.3.0";

    /// <summary>Version of the specification the bundle follows (SemVer 2.0).</summary>
    public string? OciVersion { get; internal set; }

    /// <summary>The container's process; may be absent at create, never at start.</summary>
    public Process? Process { get; internal set; }

    /// <summary>The root file system.</summary>
    public Root? Root { get; internal set; }

    /// <summary>Host name inside the uts namespace.</summary>
    public string? Hostname { get; internal set; }

    /// <summary>NIS domain name inside the uts namespace.</summary>
    public string? Domainname { get; internal set; }

    /// <summary>Mounts beyond the root, made in this order.</summary>
    public Mount[] Mounts { get; internal set; } = [];

    /// <summary>Programs to run at points of the lifecycle.</summary>
    public Hooks? Hooks { get; internal set; }

    /// <summary>Arbitrary metadata, handed on in the state.</summary>
    [Text]
    public SpecMap<string> Annotations { get; internal set; } = SpecMap<string>.Empty;

    /// <summary>Linux specific part.</summary>
    public LinuxConfig? Linux { get; internal set; }
}

/// <summary>config.md, "Root".</summary>
public sealed class Root
{
    /// <summary>Path of the root file system, absolute or relative to the bundle.</summary>
    public string? Path { get; internal set; }

    /// <summary>Make the root read-only before the process starts.</summary>
    public bool Readonly { get; internal set; }
}
