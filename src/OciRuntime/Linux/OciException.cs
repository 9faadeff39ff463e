namespace OciRuntime.Linux;

/// <summary>
/// An expected failure: the message is complete, one line, and meant for the operator. Anything else that is thrown is a bug.
/// </summary>
internal sealed class OciException(string message, int errno = 0) : Exception(message)
{
    /// <summary>The errno behind the failure, or 0.</summary>
    public int Errno { get; } = errno;

    /// <summary>Throws when <paramref name="result"/> is a negated errno: "<paramref name="doing"/>: no such file or directory (ENOENT)".</summary>
    public static long Check(long result, string doing)
    {
        if (result < 0) throw FromResult(result, doing);
        return result;
    }

    /// <summary>Names the failed step and its errno, the latter in Go's lower-case words because Docker and CRI-O compare them case-sensitively.</summary>
    public static OciException FromResult(long result, string doing)
    {
        int errno = (int)-result;
        return new OciException($"{doing}: {ErrnoText.Describe(errno)} ({ErrnoText.Name(errno)})", errno);
    }
}
