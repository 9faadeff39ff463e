using System.Text;
using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>
/// Where a command's output goes: a memfd, not a pipe, because a container keeps its stdout open long after `create` has
/// returned, and waiting for the end of a pipe would wait for the container. It can be read at any time.
/// Programs that open /dev/stdout anew (`echo x > /dev/stdout`) truncate it, as they would a file.
/// </summary>
public sealed unsafe class OutputFile : IDisposable
{
    private readonly Lock _gate = new();
    private int _fd;

    /// <summary>An empty file in memory.</summary>
    public OutputFile(string name)
    {
        _fd = Libc.Check(Libc.memfd_create(name, Libc.MFD_CLOEXEC), "memfd_create");
        // Two writers that opened the file apart must not overwrite each other.
        const int F_SETFL = 4, O_APPEND = 0x400;
        Libc.Check(Libc.fcntl(_fd, F_SETFL, O_APPEND), "fcntl");
    }

    /// <summary>Closes the file when a test did not.</summary>
    ~OutputFile() => Dispose();

    internal int Fd => _fd;

    /// <summary>Everything written so far, decoded as UTF-8.</summary>
    public string Text => Encoding.UTF8.GetString(Bytes);

    /// <summary>Everything written so far.</summary>
    public byte[] Bytes
    {
        get
        {
            lock (_gate)
            {
                return _fd < 0 ? [] : ReadAll(_fd);
            }
        }
    }

    /// <summary>A memfd with the given content, positioned at its start, to serve as a command's stdin.</summary>
    internal static OutputFile Containing(byte[] content)
    {
        OutputFile file = new("stdin");
        fixed (byte* bytes = content)
        {
            long done = 0;
            while (done < content.Length)
                done += Libc.Check(Syscall.write(file._fd, bytes + done, (ulong)(content.Length - done)), "write stdin");
        }
        Libc.Check(Syscall.lseek(file._fd, 0, SeekFlags.SEEK_SET), "lseek stdin");
        return file;
    }

    private static byte[] ReadAll(int fd)
    {
        // O_APPEND makes the shared offset irrelevant to writers, so it may be moved to learn the size.
        byte[] content = new byte[Syscall.lseek(fd, 0, SeekFlags.SEEK_END)];
        fixed (byte* bytes = content)
        {
            int done = 0;
            while (done < content.Length)
            {
                int got = Libc.Check(Syscall.pread(fd, bytes + done, (ulong)(content.Length - done), done), "pread");
                if (got == 0) break;
                done += got;
            }
        }
        return content;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_fd >= 0)
            {
                _ = Syscall.close(_fd);
                _fd = -1;
            }
        }
        GC.SuppressFinalize(this);
    }
}
