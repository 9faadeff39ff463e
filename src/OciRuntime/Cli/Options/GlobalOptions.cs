using CommandLine;

namespace OciRuntime.Cli;

/// <summary>The options before the command.</summary>
public sealed partial class GlobalOptions : OptionSet
{
    [Option("root", MetaValue = "DIR", HelpText = "state directory (default: /run/ocirun, or $XDG_RUNTIME_DIR/ocirun for ordinary users)")]
    [ReadWith(nameof(ArgumentCursor.Value))] // An empty one is a mistake.
    public string? Root { get; set; }

    [Option("log", MetaValue = "FILE",
        HelpText = "append log records to FILE, or send them to journald:NAME or syslog:NAME (default: standard error)")]
    public string? Log { get; set; }

    [Option("log-format", MetaValue = "FORMAT", Default = LogFormat.Text, HelpText = "text or json")]
    [ReadWith(nameof(ReadLogFormat))]
    public LogFormat LogFormat { get; set; }

    [Option("log-level", MetaValue = "LEVEL", Default = LogLevel.Warning, HelpText = "error, warning, info or debug")]
    public LogLevel LogLevel { get; set; } = LogLevel.Warning;

    [Option("debug", HelpText = "the same as --log-level debug")]
    public bool Debug { get; set; }

    [Option("trace", MetaValue = "FILE",
        HelpText = "write to FILE, a new one, when the command and the container's set-up did what; \"ocirun trace FILE\" shows it")]
    public string? Trace { get; set; }

    [Option("systemd-cgroup", HelpText = "let systemd make the cgroups: the same as --cgroup-manager systemd")]
    public bool SystemdCgroup { get; set; }

    [Option("cgroup-manager", MetaValue = "NAME", HelpText = "cgroupfs, systemd or disabled (default: cgroupfs)")]
    public CgroupManager? CgroupManager { get; set; }

    [Option("rootless", MetaValue = "MODE", HelpText = "true, false or auto: forgive missing rights over cgroups (default: auto)")]
    public RootlessMode? Rootless { get; set; }

    [Option("criu", MetaValue = "PATH", Hidden = true, HelpText = "ignored; criu is looked up in $PATH")]
    public string? Criu { get; set; }

    [Option('v', "version", HelpText = "show the version")]
    public bool Version { get; set; }

    [Option('V', Hidden = true, HelpText = "crun's spelling of -v")]
    public bool CapitalVersion { get => Version; set => Version = value; }

    [Option('h', "help", HelpText = "show help; also after a command")]
    public bool Help { get; set; }

    [Option('?', "usage", Hidden = true, HelpText = "crun's spellings of --help")]
    public bool Usage { get => Help; set => Help = value; }

    /// <summary>The container that the command is about; no option, but the log's business.</summary>
    internal string? ContainerId { get; set; }

    private static LogFormat ReadLogFormat(ref ArgumentCursor a) =>
        a.Text() is not { } text ? LogFormat.Text
        : EnumWords.TryRead(text, out LogFormat format) ? format
        // runc's words.
        : throw new UsageException($"invalid log-format: {text}");
}

public enum LogFormat
{
    Text, Json,
}

/// <summary>What is worth a record; each level includes those before it.</summary>
public enum LogLevel
{
    Error,
    [Also("warn")]
    Warning,
    Info,
    Debug,
}

/// <summary>Who makes cgroups.</summary>
public enum CgroupManager
{
    Cgroupfs, Systemd, Disabled,
}

/// <summary>Whether missing rights over cgroups are forgiven.</summary>
public enum RootlessMode
{
    True = 1, False = 2, Auto = 0,
}
