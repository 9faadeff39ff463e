using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Cli;

/// <summary>
/// Standard output and standard error by write(2). System.Console would start a thread and install signal handlers.
/// </summary>
public static class Output
{
    public const int StandardOutput = 1;
    public const int StandardError = 2;
    private const int BlockChars = 64 << 10;

    /// <summary>Writes to standard output.</summary>
    /// <exception cref="IOException">That fails: a truncated document must not look like success.</exception>
    public static void Write(string text) => Write(Encoding.UTF8.GetBytes(text));

    /// <inheritdoc cref="Write(string)"/>
    public static void Write(ReadOnlySpan<byte> utf8)
    {
        int errno = WriteAll(StandardOutput, utf8);
        if (errno != 0) throw Failure(errno);
    }

    /// <summary>
    /// Writes lines to standard output, as they come, but many at a time. A reader that goes has seen what he wanted (head(1), grep -q).
    /// </summary>
    /// <exception cref="IOException">It fails otherwise.</exception>
    public static void WriteLines(IEnumerable<string> lines)
    {
        StringBuilder block = new();
        foreach (string line in lines)
        {
            block.Append(line).Append('\n');
            if (block.Length >= BlockChars && !TryWrite(block)) return;
        }
        TryWrite(block);
    }

    /// <summary>False when nobody reads any more.</summary>
    private static bool TryWrite(StringBuilder block)
    {
        int errno = WriteAll(StandardOutput, Encoding.UTF8.GetBytes(block.ToString()));
        block.Clear();
        return errno is 0 or Errno.EPIPE ? errno == 0 : throw Failure(errno);
    }

    private static IOException Failure(int errno) => new($"write standard output: {ErrnoText.Describe(errno)}");

    /// <summary>Writes to standard error. A failure is ignored: there is nobody left to tell.</summary>
    public static void WriteError(string text) => WriteAll(StandardError, Encoding.UTF8.GetBytes(text));

    /// <summary>Writes everything to <paramref name="fd"/>, through interruptions and full non-blocking pipes.</summary>
    /// <returns>0, or the errno of the failed write.</returns>
    public static int WriteAll(int fd, ReadOnlySpan<byte> data)
    {
        long result = Files.WriteAll(fd, data);
        return result < 0 ? (int)-result : 0;
    }
}
