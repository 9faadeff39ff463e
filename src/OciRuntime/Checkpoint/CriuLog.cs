using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Checkpoint;

/// <summary>The log that criu writes into its work directory: its answer to a request rarely says more than "failed".</summary>
/// <param name="directory">The work directory's path.</param>
/// <param name="name">The file's name.</param>
internal sealed class CriuLog(string directory, string name)
{
    // The reason is near the end; a log of a big container has many megabytes before it.
    private const int TailBytes = 256 << 10;

    private string Path => $"{directory}/{name}";

    /// <summary>criu's failure as one line.</summary>
    public OciException Failure(CriuRequestType type, CriuResponse response)
    {
        string word = type switch
        {
            CriuRequestType.Dump => "DUMP",
            CriuRequestType.PreDump or CriuRequestType.OpenPreDump => "PRE_DUMP",
            _ => "RESTORE",
        };
        string errno = response.Errno == 0 ? "0"
            : $"{response.Errno} ({ErrnoText.Name(response.Errno)}: {ErrnoText.Describe(response.Errno)})";
        string message = response.ErrorMessage.Length == 0 ? "" : $": {Clean(response.ErrorMessage)}";
        return new OciException($"criu failed: type {word} errno {errno}{message}{Reason(response.ErrorMessage)}", response.Errno);
    }

    /// <summary>
    /// The log's last error, unless it has been <paramref name="said"/>, and where the rest can be read; as the end of a message.
    /// </summary>
    public string Reason(string said = "")
    {
        string place = Files.StatAt(Files.AT_FDCWD, Path, 0, out _) < 0 ? "" : $"; log file: {Path}";
        if (LastError() is not { } line) return place;
        // Before the word are the time and, in a restore, the process.
        string error = line[line.IndexOf("Error (", StringComparison.Ordinal)..].Trim();
        return said.Contains(error, StringComparison.Ordinal) ? place : $": {Clean(error)}{place}";
    }

    /// <summary>Without the line that only says that it failed ("Dumping FAILED.").</summary>
    private string? LastError()
    {
        string? found = null;
        foreach (string line in Tail().Split('\n'))
        {
            if (line.Contains("Error (", StringComparison.Ordinal) && !line.Contains("FAILED", StringComparison.Ordinal)) found = line;
        }
        return found;
    }

    private string Tail()
    {
        long fd = Files.OpenAt(Files.AT_FDCWD, Path, Files.O_RDONLY | Files.O_NOCTTY | Files.O_NONBLOCK);
        if (fd < 0) return "";
        using Fd log = new((int)fd);
        if (Files.Stat(log.Number, out Statx stat) < 0 || stat.Type != Files.S_IFREG) return "";
        // Failing that it is read from the beginning, as far as the limit goes.
        Files.Seek(log.Number, Math.Max(0, (long)stat.Size - TailBytes), 0);
        return Encoding.UTF8.GetString(Files.ReadToEnd(log.Number, 2 * TailBytes, out _) ?? []);
    }

    private static string Clean(string line) => string.Create(line.Length, line, static (span, text) =>
    {
        for (int i = 0; i < text.Length; i++) span[i] = char.IsControl(text[i]) ? ' ' : text[i];
    }).Trim();
}
