using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>A small anonymous file: what is read on stdin by hooks. Unlike a pipe it never blocks the writer and ends by itself.</summary>
internal static class MemoryFile
{
    public static Fd Create(ReadOnlySpan<byte> content)
    {
        Fd file = Fd.Of(Files.CreateMemory("ocirun-state", mayBeSealed: false), "memfd_create");
        try
        {
            Write(file.Number, content);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Replaces the content and rewinds.</summary>
    public static void Write(int fd, ReadOnlySpan<byte> content)
    {
        OciException.Check(Files.Truncate(fd, 0), "truncate the state for hooks");
        Rewind(fd);
        OciException.Check(Files.WriteAll(fd, content), "write state for hooks");
        Rewind(fd);
    }

    private static void Rewind(int fd) => OciException.Check(Files.Seek(fd, 0, Files.SEEK_SET), "rewind an anonymous file");

    /// <summary>All of it, from the beginning.</summary>
    /// <exception cref="OciException">It is longer than <paramref name="limit"/> bytes.</exception>
    public static string Read(int fd, int limit)
    {
        Rewind(fd);
        byte[] content = Files.ReadToEnd(fd, limit, out long error) ?? throw OciException.FromResult(error, "read a helper's output");
        return System.Text.Encoding.UTF8.GetString(content);
    }
}
