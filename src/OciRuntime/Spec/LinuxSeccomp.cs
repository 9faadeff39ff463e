namespace OciRuntime.Spec;

/// <summary>config-linux.md, "Seccomp".</summary>
public sealed class LinuxSeccomp
{
    /// <summary>Action for calls without a rule, SCMP_ACT_ words.</summary>
    public string DefaultAction { get; internal set; } = "";

    /// <summary>errno of the default action, when that is ERRNO or TRACE.</summary>
    public uint? DefaultErrnoRet { get; internal set; }

    /// <summary>SCMP_ARCH_ words; the native one is always added.</summary>
    public string[] Architectures { get; internal set; } = [];

    /// <summary>
    /// SECCOMP_FILTER_FLAG_ words. The one list whose absence has a meaning: null (absent) asks for the runtime's default
    /// flags (runc: SPEC_ALLOW), an empty list for no flags at all.
    /// </summary>
    public string[]? Flags { get; internal set; }

    /// <summary>Unix socket that receives the notification fd of SCMP_ACT_NOTIFY.</summary>
    public string? ListenerPath { get; internal set; }

    /// <summary>Opaque text handed to the listener.</summary>
    [Text]
    public string? ListenerMetadata { get; internal set; }

    /// <summary>Rules.</summary>
    public SeccompSyscall[] Syscalls { get; internal set; } = [];
}

/// <summary>A rule for a group of system calls.</summary>
public sealed class SeccompSyscall
{
    /// <summary>Names of system calls, at least one.</summary>
    public string[] Names { get; internal set; } = [];

    /// <summary>SCMP_ACT_ word.</summary>
    public string Action { get; internal set; } = "";

    /// <summary>errno (ERRNO) or message (TRACE); null means EPERM.</summary>
    public uint? ErrnoRet { get; internal set; }

    /// <summary>Conditions, all of which must hold.</summary>
    public SeccompArg[] Args { get; internal set; } = [];
}

/// <summary>A condition on one argument of a system call.</summary>
public sealed class SeccompArg
{
    /// <summary>Argument number, 0..5.</summary>
    public uint Index { get; internal set; }

    /// <summary>Value compared with; the mask for SCMP_CMP_MASKED_EQ.</summary>
    public ulong Value { get; internal set; }

    /// <summary>Value after masking, for SCMP_CMP_MASKED_EQ only.</summary>
    public ulong ValueTwo { get; internal set; }

    /// <summary>SCMP_CMP_ word.</summary>
    public string Op { get; internal set; } = "";
}
