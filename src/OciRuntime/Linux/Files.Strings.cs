using System.Text;

namespace OciRuntime.Linux;

/// <summary>The same calls for the parent, which has its paths as strings.</summary>
internal static unsafe partial class Files
{
    public static long OpenAt(int dirfd, string path, int flags, uint mode = 0)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return OpenAt(dirfd, p, flags, mode);
    }

    public static long OpenAt2(int dirfd, string path, int flags, ulong resolve, uint mode = 0)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return OpenAt2(dirfd, p, flags, resolve, mode);
    }

    public static long MakeDirectoryAt(int dirfd, string path, uint mode)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return MakeDirectoryAt(dirfd, p, mode);
    }

    public static long LinkAt(int oldDir, string oldPath, int newDir, string newPath, int flags)
    {
        fixed (byte* o = CString.Encode(oldPath, stackalloc byte[Kernel.PathMax]))
        fixed (byte* n = CString.Encode(newPath, stackalloc byte[Kernel.PathMax]))
        {
            return LinkAt(oldDir, o, newDir, n, flags);
        }
    }

    public static long UnlinkAt(int dirfd, string path, int flags = 0)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return UnlinkAt(dirfd, p, flags);
    }

    public static long RenameAt(int oldDir, string oldPath, int newDir, string newPath)
    {
        fixed (byte* o = CString.Encode(oldPath, stackalloc byte[Kernel.PathMax]))
        fixed (byte* n = CString.Encode(newPath, stackalloc byte[Kernel.PathMax]))
        {
            return RenameAt(oldDir, o, newDir, n);
        }
    }

    public static long StatAt(int dirfd, string path, int flags, out Statx result, int mask = STATX_BASIC_STATS)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return StatAt(dirfd, p, flags, out result, mask);
    }

    /// <summary>A file in memory that can be sealed (memfd_create(2)); its name is only for /proc.</summary>
    public static long CreateMemory(string name)
    {
        const int MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2;
        fixed (byte* n = CString.Encode(name, stackalloc byte[Kernel.PathMax])) return Kernel.Call(SyscallNumber.MemfdCreate, (nint)n, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    }

    /// <summary>Where a symbolic link leads; null for what is none.</summary>
    public static string? ReadLink(string path)
    {
        byte* link = stackalloc byte[Kernel.PathMax];
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax]))
        {
            long n = ReadLinkAt(AT_FDCWD, p, link, Kernel.PathMax);
            return n < 0 ? null : Encoding.UTF8.GetString(link, (int)n);
        }
    }

    public static long StatFs(string path, out Statfs result)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return StatFs(p, out result);
    }

    /// <summary>Writes all of <paramref name="data"/>; one write(2) where the kernel takes it whole, as control files demand.</summary>
    public static long WriteAll(int fd, ReadOnlySpan<byte> data)
    {
        fixed (byte* p = data)
        {
            int done = 0;
            while (done < data.Length)
            {
                long n = Write(fd, p + done, data.Length - done);
                if (n == -Errno.EINTR || (n == -Errno.EAGAIN && WaitWritable(fd))) continue;
                if (n < 0) return n;
                done += (int)n;
            }
            return done;
        }
    }

    // The descriptor may be shared with whoever made it non-blocking (conmon does), so its mode is not ours to change.
    private static bool WaitWritable(int fd)
    {
        PollFd poll = new() { Fd = fd, Events = Processes.POLLOUT };
        return Processes.Poll(&poll, 1, -1) is >= 0 or -Errno.EINTR;
    }

    /// <summary>Opens, writes and closes a control file (procfs, cgroupfs). Returns 0 or a negated errno of whichever call failed.</summary>
    public static long WriteFileAt(int dirfd, string path, ReadOnlySpan<byte> data, int flags = O_WRONLY, uint mode = FileModes.PublicFile)
    {
        long fd = OpenAt(dirfd, path, flags, mode);
        if (fd < 0) return fd;
        long n = WriteAll((int)fd, data);
        long c = Close((int)fd);
        return n < 0 ? n : c;
    }

    /// <summary>Writes text to a control file; see <see cref="WriteFileAt(int, string, ReadOnlySpan{byte}, int, uint)"/>.</summary>
    public static long WriteFileAt(int dirfd, string path, string text) => WriteFileAt(dirfd, path, Encoding.UTF8.GetBytes(text));

    /// <summary>
    /// Reads a file of at most <paramref name="limit"/> bytes. Returns null with the negated errno in <paramref name="error"/>,
    /// EOVERFLOW when the file is longer: nothing that others control may make the runtime allocate without bound.
    /// </summary>
    public static byte[]? ReadFileAt(int dirfd, string path, int limit, out long error)
    {
        long fd = OpenAt(dirfd, path, O_RDONLY | O_NOCTTY);
        if (fd < 0)
        {
            error = fd;
            return null;
        }
        byte[]? data = ReadToEnd((int)fd, limit, out error);
        Close((int)fd);
        return data;
    }

    /// <summary>The number that a file of procfs holds; null where there is none, or no such file.</summary>
    public static long? ReadNumber(string path) => ReadFileAt(AT_FDCWD, path, 32, out _) is { } text && long.TryParse(Encoding.ASCII.GetString(text), out long number) ? number : null;

    /// <summary>Reads an fd to its end; limits and errors as <see cref="ReadFileAt"/>.</summary>
    public static byte[]? ReadToEnd(int fd, int limit, out long error)
    {
        byte[] buffer = new byte[Math.Min(limit + 1, 4096)];
        int used = 0;
        while (true)
        {
            if (used == buffer.Length) Array.Resize(ref buffer, (int)Math.Min((long)limit + 1, buffer.Length * 2L));
            long n;
            fixed (byte* p = buffer) n = Read(fd, p + used, buffer.Length - used);
            if (n == -Errno.EINTR) continue;
            if (n < 0)
            {
                error = n;
                return null;
            }
            if (n == 0) break;
            used += (int)n;
            if (used > limit)
            {
                error = -Errno.EOVERFLOW;
                return null;
            }
        }
        error = 0;
        return buffer.AsSpan(0, used).ToArray();
    }

    /// <summary>readlink(2) as a string, or null with the negated errno.</summary>
    public static string? ReadLinkAt(int dirfd, string path, out long error)
    {
        byte* buffer = stackalloc byte[Kernel.PathMax];
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) error = ReadLinkAt(dirfd, p, buffer, Kernel.PathMax);
        return error < 0 ? null : Encoding.UTF8.GetString(buffer, (int)error);
    }

    /// <summary>The names in an open directory, "." and ".." left out.</summary>
    public static List<string> ListDirectory(int fd, out long error)
    {
        List<string> names = [];
        byte* buffer = stackalloc byte[8192];
        while ((error = GetDents(fd, buffer, 8192)) > 0)
        {
            // struct linux_dirent64: u64 ino, s64 off, u16 reclen, u8 type, name.
            for (int at = 0; at < (int)error; at += *(ushort*)(buffer + at + 16))
            {
                string name = Encoding.UTF8.GetString(buffer + at + 19, CString.Length(buffer + at + 19));
                if (name is not ("." or "..")) names.Add(name);
            }
        }
        return names;
    }

    /// <summary>The names in a directory of the host; none when it cannot be opened.</summary>
    public static List<string> ListDirectory(string path)
    {
        long fd = OpenAt(AT_FDCWD, path, O_RDONLY | O_DIRECTORY);
        if (fd < 0) return [];
        List<string> names = ListDirectory((int)fd, out _);
        Close((int)fd);
        return names;
    }
}
