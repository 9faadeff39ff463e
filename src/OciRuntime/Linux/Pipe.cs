namespace OciRuntime.Linux;

/// <summary>pipe(2), both ends close-on-exec.</summary>
internal sealed unsafe class Pipe : IDisposable
{
    /// <exception cref="OciException">There is none to be had.</exception>
    public Pipe()
    {
        int* ends = stackalloc int[2];
        OciException.Check(Files.Pipe(ends, 0), "pipe");
        Reader = new Fd(ends[0]);
        Writer = new Fd(ends[1]);
    }

    public Fd Reader { get; }

    public Fd Writer { get; }

    public void Dispose()
    {
        Reader.Dispose();
        Writer.Dispose();
    }
}
