namespace OciRuntime.Cli;

/// <summary>Writes log records in the form that container engines parse.</summary>
public sealed class Logger : IDisposable
{
    private readonly LogTarget _target;
    private readonly bool _isStandardError;

    private Logger(GlobalOptions globals)
    {
        Level = LevelOf(globals);
        _isStandardError = string.IsNullOrEmpty(globals.Log);
        _target = LogTarget.Open(globals);
    }

    public LogLevel Level { get; }

    /// <summary>Opens, and if need be creates, the log that the global options name.</summary>
    /// <remarks>
    /// To be called early: containerd and docker miss a log file that does not exist, also when there is nothing in it, and commands change
    /// directory.
    /// </remarks>
    /// <exception cref="UsageException">It cannot be opened.</exception>
    public static Logger Open(GlobalOptions globals) => new(globals);

    /// <summary>One warning, for whoever has no other reason to open the log.</summary>
    public static void Warn(GlobalOptions globals, string message) => AppendAlone(globals, LogLevel.Warning, message);

    /// <summary>Writes records for those who look for a mistake; null when nobody does, which spares the words.</summary>
    public static Action<string>? Tracer(GlobalOptions globals) =>
        LevelOf(globals) < LogLevel.Debug ? null : message => AppendAlone(globals, LogLevel.Debug, message);

    /// <summary>
    /// The one record of a failing command. With a log elsewhere, the bare message also goes to standard error.
    /// Call it once per process: podman parses the whole file as a single JSON document.
    /// </summary>
    public void Error(string message)
    {
        Append(LogLevel.Error, message);
        if (!_isStandardError) Output.WriteError(LogRecord.Bare(message) + "\n");
    }

    public void Warning(string message) => Append(LogLevel.Warning, message);

    public void Debug(string message) => Append(LogLevel.Debug, message);

    public void Dispose() => _target.Dispose();

    /// <summary>Writes a record to the log and nothing anywhere else.</summary>
    internal void Append(LogLevel level, string message)
    {
        if (level <= Level) _target.Write(level, message, DateTime.UtcNow);
    }

    private static LogLevel LevelOf(GlobalOptions globals) => globals.Debug ? LogLevel.Debug : globals.LogLevel;

    private static void AppendAlone(GlobalOptions globals, LogLevel level, string message)
    {
        if (level > LevelOf(globals)) return;
        using Logger log = Open(globals);
        log.Append(level, message);
    }
}
