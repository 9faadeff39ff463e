using System.Runtime.CompilerServices;

namespace OciRuntime.Linux;

/// <summary>
/// An expected failure: the message is complete, one line, and meant for the operator. Anything else that is thrown is a bug.
/// </summary>
internal sealed class OciException(string message, int errno = 0) : Exception(Shorten(message))
{
    // A path of a configuration may be as long as that is, and messages are put together of others.
    private const int MaxChars = 48 << 10, TailChars = MaxChars / 4;

    /// <summary>The errno behind the failure, or 0.</summary>
    public int Errno { get; } = errno;

    /// <summary>Without its middle, if need be: what was being done is at the beginning, and the reason at the end.</summary>
    private static string Shorten(string message) =>
        message.Length <= MaxChars ? message : $"{message.AsSpan(0, MaxChars - TailChars)} [...] {message.AsSpan()[^TailChars..]}";

    /// <summary>
    /// Throws when <paramref name="result"/> is a negated errno: "<paramref name="doing"/>: no such file or directory (ENOENT)".
    /// </summary>
    public static long Check(long result, string doing)
    {
        if (result < 0) throw FromResult(result, doing);
        return result;
    }

    /// <inheritdoc cref="Check(long, string)"/>
    public static long Check(long result, [InterpolatedStringHandlerArgument(nameof(result))] Doing doing)
    {
        if (result < 0) throw FromResult(result, doing.ToString());
        return result;
    }

    /// <summary>
    /// Names the failed step and its errno, the latter in Go's lower-case words because Docker and CRI-O compare them case-sensitively.
    /// </summary>
    /// <param name="result">The negated errno.</param>
    /// <param name="doing">The step.</param>
    /// <param name="hint">What is known about the reason, beginning with the colon or blank that it takes.</param>
    public static OciException FromResult(long result, string doing, string hint = "") =>
        new($"{doing}: {ErrnoText.Full((int)-result)}{hint}", (int)-result);
}
