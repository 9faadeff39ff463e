namespace OciRuntime.Checkpoint;

/// <summary>What the command lines of checkpoint and restore have in common.</summary>
internal sealed class CriuSettings
{
    public const string DefaultImagePath = "./checkpoint";

    /// <summary>The directory of the images.</summary>
    public required string ImagePath { get; init; }

    /// <summary>The directory of the log and other files of the work; null for that of the images.</summary>
    public string? WorkPath { get; init; }

    /// <summary>The directory of an earlier pre-dump, relative to that of the images.</summary>
    public string? ParentPath { get; init; }

    public bool TcpEstablished { get; init; }
    public bool ExtUnixSk { get; init; }
    public bool ShellJob { get; init; }
    public bool FileLocks { get; init; }
    public bool LazyPages { get; init; }
    public bool AutoDedup { get; init; }

    /// <summary>criu_cg_mode: what is done about cgroups below the container's; null where nothing was asked for.</summary>
    public CgroupsMode? CgroupsMode { get; init; }

    /// <summary>criu_network_lock_method; null for criu's own choice.</summary>
    public int? NetworkLock { get; init; }

    /// <summary>The options of both requests that come from here, or are the same for every container.</summary>
    public CriuOptions Begin(string logFile, string? configFile)
    {
        CriuOptions options = new();
        options.Set(CriuOption.LogLevel, 4);
        options.Set(CriuOption.LogFile, logFile);
        options.Set(CriuOption.NotifyScripts, 1);
        options.Set(CriuOption.OrphanPtsMaster, 1);
        options.Set(CriuOption.ManageCgroups, 1);
        options.SetIf(CriuOption.TcpEstablished, TcpEstablished);
        options.SetIf(CriuOption.ExtUnixSk, ExtUnixSk);
        options.SetIf(CriuOption.ShellJob, ShellJob);
        options.SetIf(CriuOption.FileLocks, FileLocks);
        options.SetIf(CriuOption.LazyPages, LazyPages);
        options.SetIf(CriuOption.AutoDedup, AutoDedup);
        if (NetworkLock is { } method) options.Set(CriuOption.NetworkLock, method);
        if (configFile is not null) options.Set(CriuOption.ConfigFile, configFile);
        return options;
    }
}

/// <summary>Two of criu_cg_mode in criu's images/rpc.proto.</summary>
internal enum CgroupsMode
{
    Ignore = 0, Soft = 3,
}
