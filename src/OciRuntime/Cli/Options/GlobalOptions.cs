using CommandLine;

namespace OciRuntime.Cli;

/// <summary>The options before the command.</summary>
public sealed class GlobalOptions : OptionSet
{
    [Option("root", MetaValue = "DIR", HelpText = "state directory (default: /run/ocirun, or $XDG_RUNTIME_DIR/ocirun for ordinary users)")]
    public string? Root { get; set; }

    [Option("log", MetaValue = "FILE", HelpText = "append log records to FILE, or send them to journald:NAME or syslog:NAME (default: standard error)")]
    public string? Log { get; set; }

    [Option("log-format", MetaValue = "FORMAT", Default = LogFormat.Text, HelpText = "text or json")]
    public LogFormat LogFormat { get; set; }

    [Option("log-level", MetaValue = "LEVEL", Default = LogLevel.Warning, HelpText = "error, warning, info or debug")]
    public LogLevel LogLevel { get; set; } = LogLevel.Warning;

    [Option("debug", HelpText = "the same as --log-level debug")]
    public bool Debug { get; set; }

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

    public override bool Accept(string name, ref ArgumentCursor a)
    {
        switch (name)
        {
            case "root": Root = a.Value(); return true;
            case "log": Log = a.Text(); return true;
            case "log-format": LogFormat = ReadLogFormat(ref a); return true;
            case "log-level": LogLevel = ReadLogLevel(ref a); return true;
            case "debug": Debug = a.Flag(); return true;
            case "systemd-cgroup": SystemdCgroup = a.Flag(); return true;
            case "cgroup-manager": CgroupManager = ReadCgroupManager(ref a); return true;
            case "rootless": Rootless = ReadRootless(ref a); return true;
            case "criu": Criu = a.Text(); return true;
            case "version" or "v": Version = a.Flag(); return true;
            case "V": CapitalVersion = a.Flag(); return true;
            case "help" or "h": Help = a.Flag(); return true;
            case "usage" or "?": Usage = a.Flag(); return true;
            default: return false;
        }
    }

    private static LogFormat ReadLogFormat(ref ArgumentCursor a) => a.Value() switch
    {
        "text" or "" => LogFormat.Text,
        "json" => LogFormat.Json,
        // runc's words.
        var other => throw new UsageException($"invalid log-format: {other}"),
    };

    private static LogLevel ReadLogLevel(ref ArgumentCursor a) => a.Value() switch
    {
        "error" => LogLevel.Error,
        "warning" or "warn" or "" => LogLevel.Warning,
        "info" => LogLevel.Info,
        "debug" => LogLevel.Debug,
        var other => throw a.Invalid(other, "error, warning, info or debug"),
    };

    private static CgroupManager? ReadCgroupManager(ref ArgumentCursor a) => a.Text() switch
    {
        null => null,
        "cgroupfs" => Cli.CgroupManager.Cgroupfs,
        "systemd" => Cli.CgroupManager.Systemd,
        "disabled" => Cli.CgroupManager.Disabled,
        var other => throw a.Invalid(other, "cgroupfs, systemd or disabled"),
    };

    private static RootlessMode? ReadRootless(ref ArgumentCursor a) => a.Text() switch
    {
        null => null,
        "auto" => RootlessMode.Auto,
        "true" => RootlessMode.True,
        "false" => RootlessMode.False,
        var other => throw a.Invalid(other, "true, false or auto"),
    };
}
