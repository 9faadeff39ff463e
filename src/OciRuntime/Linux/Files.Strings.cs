using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;

namespace OciRuntime.Linux;

/// <summary>The same calls for the parent, which has its paths as strings.</summary>
internal static unsafe partial class Files
{
    // NAME_MAX and a NUL.
    private const int NameSize = 256;

    /// <summary>A path as an absolute one, without ".", ".." and doubled slashes; what is there does not matter.</summary>
    /// <exception cref="OciException">It is relative, and the working directory has been removed, or is out of reach.</exception>
    public static string FullPath(string path)
    {
        if (path.StartsWith('/')) return Path.GetFullPath(path);
        byte* directory = stackalloc byte[Kernel.PathMax];
        long length = WorkingDirectory(directory, Kernel.PathMax);
        // Without the NUL. What is not below the root directory begins with "(unreachable)".
        if (length > 0) length = directory[0] == '/' ? length - 1 : -Errno.ENOENT;
        string text = PathText(directory, ref length)
            ?? throw OciException.FromResult(length, $"find the working directory, where {path} begins");
        return Path.GetFullPath(path, text);
    }

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

    /// <summary>Gives a file another name, or one that has none (O_TMPFILE) its first; EEXIST when the name is taken.</summary>
    public static long LinkAt(int oldDir, string oldPath, int newDir, string newPath, int flags)
    {
        fixed (byte* o = CString.Encode(oldPath, stackalloc byte[Kernel.PathMax]))
        fixed (byte* n = CString.Encode(newPath, stackalloc byte[Kernel.PathMax]))
        {
            return Kernel.Call(SyscallNumber.Linkat, oldDir, (nint)o, newDir, (nint)n, flags);
        }
    }

    public static long UnlinkAt(int dirfd, string path, int flags = 0)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return UnlinkAt(dirfd, p, flags);
    }

    /// <summary>As <see cref="OpenAt2(int, string, int, ulong, uint)"/> with a name that need not be text; it has no NUL.</summary>
    public static long OpenAt2(int dirfd, ReadOnlySpan<byte> name, int flags, ulong resolve)
    {
        fixed (byte* p = CString.Terminate(name, stackalloc byte[NameSize])) return OpenAt2(dirfd, p, flags, resolve);
    }

    /// <summary>As <see cref="UnlinkAt(int, string, int)"/> with a name that need not be text; it has no NUL.</summary>
    public static long UnlinkAt(int dirfd, ReadOnlySpan<byte> name, int flags = 0)
    {
        fixed (byte* p = CString.Terminate(name, stackalloc byte[NameSize])) return UnlinkAt(dirfd, p, flags);
    }

    public static long GetDents(int fd, Span<byte> buffer)
    {
        fixed (byte* p = buffer) return GetDents(fd, p, buffer.Length);
    }

    public static long RenameAt(int oldDir, string oldPath, int newDir, string newPath)
    {
        fixed (byte* o = CString.Encode(oldPath, stackalloc byte[Kernel.PathMax]))
        fixed (byte* n = CString.Encode(newPath, stackalloc byte[Kernel.PathMax]))
        {
            return Kernel.Call(SyscallNumber.Renameat2, oldDir, (nint)o, newDir, (nint)n);
        }
    }

    public static long StatAt(int dirfd, string path, int flags, out Statx result, int mask = STATX_BASIC_STATS)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return StatAt(dirfd, p, flags, out result, mask);
    }

    /// <summary>
    /// Whether there is something at a path. Not to know is an error: either answer would be a guess, by which what is somebody else's is
    /// undone or one's own is left.
    /// </summary>
    public static bool Exists(int dirfd, string path)
    {
        long result = StatAt(dirfd, path, AT_SYMLINK_NOFOLLOW, out _);
        return result != -Errno.ENOENT && OciException.Check(result, $"look for {path}") == 0;
    }

    /// <summary>Whether a path still leads to what is open, or to nothing or something else by now.</summary>
    public static bool LeadsTo(int dirfd, string path, int fd)
    {
        OciException.Check(Stat(fd, out Statx mine), $"look at what was opened as {path}");
        long result = StatAt(dirfd, path, AT_SYMLINK_NOFOLLOW, out Statx present);
        return result != -Errno.ENOENT && OciException.Check(result, $"look for {path}") == 0 && mine.Identity == present.Identity;
    }

    public static long MakeNodeAt(int dirfd, string path, uint mode, ulong device)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return MakeNodeAt(dirfd, p, mode, device);
    }

    public static long ChmodAt(int dirfd, string path, uint mode)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return ChmodAt(dirfd, p, mode);
    }

    public static long ChownAt(int dirfd, string path, uint uid, uint gid, int flags)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return ChownAt(dirfd, p, uid, gid, flags);
    }

    public static long AccessAsEffective(string path, int mode)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) return AccessAsEffective(p, mode);
    }

    public static long Read(int fd, Span<byte> buffer)
    {
        fixed (byte* p = buffer) return Read(fd, p, buffer.Length);
    }

    public static long Write(int fd, ReadOnlySpan<byte> data)
    {
        fixed (byte* p = data) return Write(fd, p, data.Length);
    }

    /// <summary>Reads a number or a structure. Returns how many bytes have come, which may be less than it has.</summary>
    public static long Read<T>(int fd, out T value) where T : unmanaged
    {
        value = default;
        fixed (T* p = &value) return Read(fd, (byte*)p, sizeof(T));
    }

    /// <summary>pread(2): reads from a position, and leaves the descriptor's own where it is.</summary>
    public static long ReadAt(int fd, Span<byte> buffer, long position)
    {
        fixed (byte* p = buffer) return Kernel.Call(SyscallNumber.Pread64, fd, (nint)p, buffer.Length, (nint)position);
    }

    /// <summary>A file in memory (memfd_create(2)); its name is only for /proc.</summary>
    /// <param name="name">See above.</param>
    /// <param name="mayBeSealed">Whoever has a descriptor of it can forbid changes to it, for good.</param>
    public static long CreateMemory(string name, bool mayBeSealed)
    {
        const int MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2;
        int flags = MFD_CLOEXEC | (mayBeSealed ? MFD_ALLOW_SEALING : 0);
        fixed (byte* p = CString.Encode(name, stackalloc byte[Kernel.PathMax]))
            return Kernel.Call(SyscallNumber.MemfdCreate, (nint)p, flags);
    }

    /// <summary>Where a symbolic link leads; null for what is none.</summary>
    public static string? ReadLink(string path) => ReadLinkAt(AT_FDCWD, path, out _);

    public static long StatFs(string path, out Statfs result)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax]))
        fixed (Statfs* r = &result)
        {
            return Kernel.Call(SyscallNumber.Statfs, (nint)p, (nint)r);
        }
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
                if (n == -Errno.EAGAIN && WaitWritable(fd)) continue;
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
        return Processes.Poll(&poll, 1, -1) >= 0;
    }

    /// <summary>
    /// Opens, writes and closes a control file (procfs, cgroupfs). Returns 0 or a negated errno of whichever call failed.
    /// </summary>
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
    public static long? ReadNumber(string path) =>
        ReadFileAt(AT_FDCWD, path, 32, out _) is { } text && long.TryParse(Encoding.ASCII.GetString(text), out long number) ? number : null;

    /// <summary>Reads an fd to its end; limits and errors as <see cref="ReadFileAt"/>.</summary>
    public static byte[]? ReadToEnd(int fd, int limit, out long error)
    {
        // On the stack, as most files are short (procfs has pages of 4 KiB): memory that was not touched before is what costs.
        Span<byte> buffer = stackalloc byte[4096];
        int used = 0;
        while ((error = Read(fd, buffer[used..])) > 0)
        {
            used += (int)error;
            if (used > limit)
            {
                error = -Errno.EOVERFLOW;
                return null;
            }
            if (used < buffer.Length) continue;
            // The size is a hint: a file may grow, and procfs does not tell. One byte more, for the end to be seen.
            ulong size = Stat(fd, out Statx stat) >= 0 ? stat.Size + 1 : 0;
            byte[] larger = new byte[Math.Min((ulong)limit + 1, Math.Max(size, (ulong)used * 2))];
            buffer.CopyTo(larger);
            buffer = larger;
        }
        return error < 0 ? null : buffer[..used].ToArray();
    }

    /// <summary>readlink(2) as a string, or null with the negated errno.</summary>
    public static string? ReadLinkAt(int dirfd, string path, out long error)
    {
        byte* buffer = stackalloc byte[Kernel.PathMax];
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax])) error = ReadLinkAt(dirfd, p, buffer, Kernel.PathMax);
        return error < 0 ? null : Encoding.UTF8.GetString(buffer, (int)error);
    }

    /// <summary>Where an open file is, without symbolic links (proc_pid_fd(5)), or null with the negated errno.</summary>
    /// <remarks>EILSEQ for a path that is no text: a string of it would be the path of something else.</remarks>
    public static string? PathOf(int fd, out long error)
    {
        byte* path = stackalloc byte[Kernel.PathMax];
        fixed (byte* link = CString.Encode("/proc/self/fd/" + Digits.Of(fd), stackalloc byte[64]))
            error = ReadLinkAt(AT_FDCWD, link, path, Kernel.PathMax);
        return PathText(path, ref error);
    }

    private static string? PathText(byte* path, ref long length)
    {
        if (length >= 0 && !Utf8.IsValid(new ReadOnlySpan<byte>(path, (int)length))) length = -Errno.EILSEQ;
        return length < 0 ? null : Encoding.UTF8.GetString(path, (int)length);
    }

    /// <summary>
    /// The number of the mount that an O_PATH descriptor is on (proc_pid_fdinfo(5)), or a negated errno. No file system is asked, which
    /// some are by statx(2), whatever its flags say.
    /// </summary>
    public static long MountOf(int fd)
    {
        if (ReadFileAt(AT_FDCWD, "/proc/self/fdinfo/" + Digits.Of(fd), 4096, out long error) is not { } text) return error;
        ReadOnlySpan<byte> key = "mnt_id:\t"u8;
        int at = text.AsSpan().IndexOf(key);
        return at >= 0 && Utf8Parser.TryParse(text.AsSpan(at + key.Length), out long id, out _) ? id : -Errno.EIO;
    }

    /// <summary>The names in an open directory, "." and ".." left out.</summary>
    /// <param name="fd">See above.</param>
    /// <param name="error">What has ended it: 0, or a negated errno.</param>
    /// <param name="most">So many are enough.</param>
    public static List<string> ListDirectory(int fd, out long error, int most = int.MaxValue)
    {
        List<string> names = [];
        DirectoryEntries entries = new(fd, stackalloc byte[8192]);
        while (names.Count < most && entries.Next()) names.Add(Encoding.UTF8.GetString(entries.Name));
        error = entries.Result;
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
