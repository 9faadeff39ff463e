namespace OciRuntime.Linux;

/// <summary>A file descriptor the parent owns. There is no finalizer: the process ends in milliseconds and every fd is close-on-exec.</summary>
internal sealed class Fd(int number) : IDisposable
{
    /// <summary>The descriptor, or -1 once closed.</summary>
    public int Number { get; private set; } = number;

    public bool IsOpen => Number >= 0;

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
