using System.Buffers;
using System.Text;
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

    /// <summary>Its lines, from the beginning, each of them cut after so many bytes.</summary>
    public static IEnumerable<string> ReadLines(int fd, int mostBytes)
    {
        const byte LineFeed = (byte)'\n';
        Rewind(fd);
        byte[] chunk = new byte[64 << 10];
        ArrayBufferWriter<byte> line = new();
        while (OciException.Check(Files.Read(fd, chunk), "read a helper's output") is > 0 and long count)
        {
            for (int start = 0; start < count;)
            {
                ReadOnlySpan<byte> rest = chunk.AsSpan(start, (int)count - start);
                int length = rest.IndexOf(LineFeed);
                bool isWhole = length >= 0;
                if (!isWhole) length = rest.Length;
                line.Write(rest[..Math.Min(length, mostBytes - line.WrittenCount)]);
                start += length + 1;
                if (!isWhole) continue;
                yield return Encoding.UTF8.GetString(line.WrittenSpan);
                line.ResetWrittenCount();
            }
        }
        if (line.WrittenCount > 0) yield return Encoding.UTF8.GetString(line.WrittenSpan);
    }
}
