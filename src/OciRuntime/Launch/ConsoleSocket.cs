using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>The socket of the caller's that gets a terminal's master where the runtime does not stay (--console-socket).</summary>
internal static class ConsoleSocket
{
    public static Fd Connect(string path, Interruption interruption) =>
        Sockets.ConnectStream(path, $"--console-socket {path}", interruption.ForPeer);

    /// <summary>Why nobody could take the terminal, or nothing would come of the socket, in runc's words; null when all is well.</summary>
    /// <param name="terminal">A terminal is asked for.</param>
    /// <param name="detached">The runtime does not stay.</param>
    /// <param name="path">The socket, or null.</param>
    public static string? Mistake(bool terminal, bool detached, string? path) => (terminal && detached, path) switch
    {
        (true, null) => "cannot allocate tty if ocirun will detach without setting console socket: pass --console-socket PATH",
        (false, not null) => $"--console-socket {path}: cannot use console socket if ocirun will not detach or allocate tty",
        _ => null,
    };
}
