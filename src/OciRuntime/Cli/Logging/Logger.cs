namespace OciRuntime.Cli;

/// <summary>Writes log records in the form that container engines parse.</summary>
public sealed class Logger : IDisposable
{
    private Logger(LogLevel level) => Level = level;

    public LogLevel Level { get; }

    /// <summary>Opens, and if need be creates, the log that the global options name. Throws <see cref="UsageException"/> when it cannot.</summary>
    public static Logger Open(GlobalOptions globals) => new(globals.LogLevel);

    public bool IsEnabled(LogLevel level) => level <= Level;

    /// <summary>
    /// The one record of a failing command. With a log file, the bare message also goes to standard error.
    /// Call it once per process: podman parses the whole file as a single JSON document.
    /// </summary>
    public void Error(string message) => throw new NotImplementedException();

    public void Warning(string message) => throw new NotImplementedException();

    public void Info(string message) => throw new NotImplementedException();

    public void Debug(string message) => throw new NotImplementedException();

    public void Dispose() => throw new NotImplementedException();
}
