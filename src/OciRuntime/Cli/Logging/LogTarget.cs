using OciRuntime.Linux;

namespace OciRuntime.Cli;

/// <summary>Where log records go.</summary>
internal abstract class LogTarget : IDisposable
{
    /// <summary>
    /// crun's syntax for --log: a path, or <c>file:</c>path, or <c>journald:</c>NAME or <c>syslog:</c>NAME. Empty is standard error.
    /// </summary>
    /// <exception cref="UsageException">
    /// A file cannot be opened; a service that does not answer is no reason not to run a container.
    /// </exception>
    public static LogTarget Open(GlobalOptions globals) => globals.Log switch
    {
        null or "" => new DescriptorTarget(Output.StandardError, globals.LogFormat),
        _ when Behind("journald:", globals.Log) is { } name => new JournalTarget(name, globals),
        _ when Behind("syslog:", globals.Log) is { } name => new SyslogTarget(name, globals),
        _ => DescriptorTarget.OfFile(Behind("file:", globals.Log) ?? globals.Log, globals.LogFormat),
    };

    /// <summary>
    /// Writes one record. Nothing that fails here may turn the command's outcome into another one: a full disk, a daemon that is gone.
    /// </summary>
    public abstract void Write(LogLevel level, string message, DateTime utc);

    public abstract void Dispose();

    private static string? Behind(string prefix, string destination) =>
        destination.StartsWith(prefix, StringComparison.Ordinal) ? destination[prefix.Length..] : null;
}

/// <summary>A file, or standard error.</summary>
internal sealed class DescriptorTarget(int fd, LogFormat format) : LogTarget
{
    private int _fd = fd;

    public static DescriptorTarget OfFile(string path, LogFormat format)
    {
        const int flags = Files.O_WRONLY | Files.O_CREAT | Files.O_APPEND | Files.O_NOCTTY;
        long fd = Files.OpenAt(Files.AT_FDCWD, path, flags, FileModes.PublicFile);
        if (fd < 0) throw new UsageException($"open log file {path}: {ErrnoText.Describe((int)-fd)}") { HelpHelps = false };
        return new((int)fd, format);
    }

    // One write(2) per record, so that lines of several processes do not mix.
    public override void Write(LogLevel level, string message, DateTime utc) =>
        Output.WriteAll(_fd, LogRecord.Format(format, level, message, utc));

    public override void Dispose()
    {
        if (_fd > Output.StandardError) Files.Close(_fd);
        _fd = -1;
    }
}
