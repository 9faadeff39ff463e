using OciRuntime.Cli;
using OciRuntime.Linux;

namespace OciRuntime.Shim;

/// <summary>
/// The shim's own messages, which containerd copies to its log from a named pipe in the first container's bundle. Nobody waits for a
/// reader, and what there is no room for is dropped: a shim outlives containerd.
/// </summary>
internal static class ShimLog
{
    private const string PipeName = "log";

    /// <summary>From now on standard error is the pipe, if there is one.</summary>
    public static void Open(string bundle)
    {
        // Both directions, so that it opens without a reader, and writing never fails for want of one.
        long opened = Files.OpenAt(Files.AT_FDCWD, $"{bundle}/{PipeName}", Files.O_RDWR | Files.O_NONBLOCK | Files.O_NOFOLLOW);
        if (opened < 0) return;
        using Fd log = new((int)opened);
        OciException.Check(Files.Duplicate(log.Number, 2), "dup the log");
    }

    public static void Warn(string message) => Write(LogLevel.Warning, message);

    public static void Error(string message) => Write(LogLevel.Error, message);

    /// <summary>A mistake of ours.</summary>
    public static void Bug(Exception e) =>
        Error($"bug in ocirun's shim, please report it: {e.GetType().Name}: {e.Message} {(e.StackTrace ?? "").Split('\n')[0].Trim()}");

    // One write(2) per record; what fails here must not become the outcome of anything else.
    private static void Write(LogLevel level, string message) =>
        Files.Write(2, LogRecord.Format(LogFormat.Text, level, message, DateTime.UtcNow));
}
