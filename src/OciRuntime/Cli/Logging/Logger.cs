using OciRuntime.Linux;

namespace OciRuntime.Cli;

/// <summary>Writes log records in the form that container engines parse.</summary>
public sealed class Logger : IDisposable
{
    private readonly LogFormat _format;
    private readonly bool _toFile;
    private int _fd;

    private Logger(LogLevel level, LogFormat format, int? file)
    {
        Level = level;
        _format = format;
        _toFile = file is not null;
        _fd = file ?? Output.StandardError;
    }

    public LogLevel Level { get; }

    /// <summary>Opens, and if need be creates, the log that the global options name. Throws <see cref="UsageException"/> when it cannot.</summary>
    /// <remarks>To be called early: containerd and docker miss a log file that does not exist, also when there is nothing in it, and commands change directory.</remarks>
    public static Logger Open(GlobalOptions globals)
    {
        int? file = string.IsNullOrEmpty(globals.Log) ? null : OpenFile(LogDestination.PathOf(globals.Log));
        return new(globals.Debug ? LogLevel.Debug : globals.LogLevel, globals.LogFormat, file);
    }

    /// <summary>One warning, for whoever has no other reason to open the log.</summary>
    public static void Warn(GlobalOptions globals, string message)
    {
        if (globals.LogLevel < LogLevel.Warning && !globals.Debug)
        {
            return;
        }

        using Logger log = Open(globals);
        log.Warning(message);
    }

    public bool IsEnabled(LogLevel level) => level <= Level;

    /// <summary>
    /// The one record of a failing command. With a log file, the bare message also goes to standard error.
    /// Call it once per process: podman parses the whole file as a single JSON document.
    /// </summary>
    public void Error(string message)
    {
        Append(LogLevel.Error, message);
        if (_toFile)
        {
            Output.WriteError(LogRecord.Bare(message) + "\n");
        }
    }

    public void Warning(string message) => Append(LogLevel.Warning, message);

    public void Info(string message) => Append(LogLevel.Info, message);

    public void Debug(string message) => Append(LogLevel.Debug, message);

    public void Dispose()
    {
        if (_toFile && _fd >= 0)
        {
            Files.Close(_fd);
            _fd = -1;
        }
    }

    /// <summary>Writes a record to the log and nothing anywhere else. One write(2) per record, so that lines of several processes do not mix.</summary>
    internal void Append(LogLevel level, string message)
    {
        if (IsEnabled(level))
        {
            // A full disk must not turn the command's outcome into another one.
            Output.WriteAll(_fd, LogRecord.Format(_format, level, message, DateTime.UtcNow));
        }
    }

    private static int OpenFile(string path)
    {
        long fd = Files.OpenAt(Files.AT_FDCWD, path, Files.O_WRONLY | Files.O_CREAT | Files.O_APPEND | Files.O_NOCTTY, 0x1a4);
        return fd >= 0 ? (int)fd : throw new UsageException($"open log file {path}: {ErrnoText.Describe((int)-fd)}") { HelpHelps = false };
    }
}
