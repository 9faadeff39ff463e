using OciRuntime.Linux;

namespace OciRuntime.Shim;

/// <summary>The client's named pipes, which it has opened at its end, or is about to.</summary>
internal static class Fifo
{
    private const int PatienceMilliseconds = 30_000;

    /// <summary>To write to. A reader is waited for, as what is written before there is one would be lost with the pipe.</summary>
    /// <param name="path">A named pipe; anything else is appended to.</param>
    /// <param name="keeper">The other end, so that a client which goes away and comes back ends nothing; null for what is no pipe.</param>
    /// <exception cref="OciException">It cannot be opened, or nobody reads in time.</exception>
    public static Fd ForOutput(string path, out Fd? keeper)
    {
        keeper = null;
        string what = $"open {path}";
        OciException.Check(Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat), what);
        int flags = Files.O_WRONLY | Files.O_NOCTTY | Files.O_NONBLOCK;
        if (stat.Type != Files.S_IFIFO) return Fd.Open(path, flags | Files.O_APPEND, what);
        long opened = Patience.Of(PatienceMilliseconds).Retry(() => Files.OpenAt(Files.AT_FDCWD, path, flags) is var fd
            && fd == -Errno.ENXIO ? -Errno.EAGAIN : fd);
        if (opened == -Errno.ETIMEDOUT) throw new OciException($"{what}: nobody reads it", Errno.ETIMEDOUT);
        Fd writer = Fd.Of(opened, what);
        try
        {
            keeper = Fd.Open(path, Files.O_RDONLY | Files.O_NONBLOCK, what);
            return writer;
        }
        catch
        {
            writer.Dispose();
            throw;
        }
    }

    /// <summary>To read from.</summary>
    /// <param name="path">A named pipe, or a file.</param>
    /// <param name="keeps">A client that goes away and comes back ends nothing.</param>
    /// <param name="keeper">The other end for that, until which is closed there is no end to it.</param>
    public static Fd ForInput(string path, bool keeps, out Fd? keeper)
    {
        Fd reader = Fd.Open(path, Files.O_RDONLY | Files.O_NONBLOCK | Files.O_NOCTTY, $"open {path}");
        long end = keeps ? Files.OpenAt(Files.AT_FDCWD, path, Files.O_WRONLY | Files.O_NONBLOCK) : -1;
        keeper = end >= 0 ? new Fd((int)end) : null;
        return reader;
    }
}
