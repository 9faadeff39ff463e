namespace OciRuntime.Cli;

/// <summary>
/// Standard output and standard error by write(2). System.Console would start a thread and install signal handlers.
/// </summary>
public static class Output
{
    /// <summary>Writes to standard output. Throws <see cref="IOException"/> when that fails: a truncated document must not look like success.</summary>
    public static void Write(string text) => throw new NotImplementedException();

    /// <inheritdoc cref="Write(string)"/>
    public static void Write(ReadOnlySpan<byte> utf8) => throw new NotImplementedException();

    /// <summary>Writes to standard error. A failure is ignored: there is nobody left to tell.</summary>
    public static void WriteError(string text) => throw new NotImplementedException();

    /// <summary>Writes everything to <paramref name="fd"/>, through interruptions and full non-blocking pipes.</summary>
    /// <returns>0, or the errno of the failed write.</returns>
    public static int WriteAll(int fd, ReadOnlySpan<byte> data) => throw new NotImplementedException();
}
