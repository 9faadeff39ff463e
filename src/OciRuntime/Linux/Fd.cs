using System.Runtime.CompilerServices;

namespace OciRuntime.Linux;

/// <summary>
/// A file descriptor the parent owns. There is no finalizer: the process ends in milliseconds and every fd is close-on-exec.
/// </summary>
internal sealed class Fd(int number) : IDisposable
{
    /// <summary>The descriptor, or -1 once closed.</summary>
    public int Number { get; private set; } = number;

    public bool IsOpen => Number >= 0;

    /// <summary>Owns what a call has opened.</summary>
    /// <param name="result">What it returned: a descriptor or a negated errno.</param>
    /// <param name="doing">What it was for, as an error is to name it.</param>
    /// <exception cref="OciException">The call has failed.</exception>
    public static Fd Of(long result, string doing) => new((int)OciException.Check(result, doing));

    /// <inheritdoc cref="Of(long, string)"/>
    public static Fd Of(long result, [InterpolatedStringHandlerArgument(nameof(result))] Doing doing) =>
        new((int)OciException.Check(result, doing.ToString()));

    /// <summary>open(2) of a path on the host, which must not be relative; close-on-exec.</summary>
    /// <exception cref="OciException">It cannot be opened.</exception>
    public static Fd Open(string path, int flags, string doing) => OpenAt(Files.AT_FDCWD, path, flags, doing);

    /// <summary>openat(2), close-on-exec.</summary>
    /// <exception cref="OciException">It cannot be opened.</exception>
    public static Fd OpenAt(int directory, string path, int flags, string doing, uint mode = 0) =>
        Of(Files.OpenAt(directory, path, flags, mode), doing);

    /// <summary>Gives the descriptor away: the caller closes it from now on.</summary>
    public int Release()
    {
        int n = Number;
        Number = -1;
        return n;
    }

    public void Dispose()
    {
        if (Number >= 0) Files.Close(Release());
    }
}
