namespace OciRuntime.Cli;

public enum LogFormat
{
    Text,
    Json,
}

/// <summary>What is worth a record; each level includes those before it.</summary>
public enum LogLevel
{
    Error,
    Warning,
    Info,
    Debug,
}

/// <summary>Who makes cgroups.</summary>
public enum CgroupManager
{
    Cgroupfs,
    Systemd,
    Disabled,
}

/// <summary>Whether missing rights over cgroups are forgiven.</summary>
public enum RootlessMode
{
    Auto,
    True,
    False,
}
