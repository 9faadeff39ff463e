using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// The option tmpcopyup: a new tmpfs begins with what the directory that it will cover has. It is filled before it is attached, so the
/// target is nobody else's; the source is the image's, or a volume that another container is busy with. Every look-up there is one name
/// below a descriptor that is held, and no link is followed, so the walk cannot be led out. A file is copied as cp -a does, but for hard
/// links, which become files of their own.
/// </summary>
internal static unsafe class CopyUp
{
    // Each level holds two descriptors, and the usual limit is 1,024.
    private const int MaxDepth = 256;

    private const int ListSize = 2048, BlockSize = 32768;

    /// <summary>Copies. The words of an error are the path of the file it was about, below the directory.</summary>
    public static long Fill(ref InitState s, int covered, int mount)
    {
        s.Detail = InitDetail.CopyUp;
        fixed (byte* dot = ".\0"u8)
        {
            long source = Files.OpenAt(covered, dot, Files.O_RDONLY | Files.O_DIRECTORY);
            if (source < 0) return source;
            long result = Entries(ref s, (int)source, mount, depth: 0);
            Files.Close((int)source);
            return result;
        }
    }

    private static long Entries(ref InitState s, int source, int target, int depth)
    {
        byte* list = stackalloc byte[ListSize];
        long n;
        while ((n = Files.GetDents(source, list, ListSize)) > 0)
        {
            // struct linux_dirent64: its length at 16, its name at 19.
            for (byte* entry = list; entry < list + n; entry += *(ushort*)(entry + 16))
            {
                byte* name = entry + 19;
                if (RootPath.IsDots(name)) continue;
                int length = s.TextLength;
                AppendName(ref s, name);
                long result = Entry(ref s, source, target, name, depth);
                // Others may be at work in the source: what has vanished since it was listed is not there, what was listed twice is there
                // already.
                if (result is < 0 and not (-Errno.ENOENT or -Errno.EEXIST)) return result;
                s.TextLength = length;
            }
        }
        return n;
    }

    private static void AppendName(ref InitState s, byte* name)
    {
        if (s.TextLength is > 0 and < SyncMessage.TextSize) s.Text[s.TextLength++] = (byte)'/';
        while (*name != 0 && s.TextLength < SyncMessage.TextSize) s.Text[s.TextLength++] = *name++;
    }

    private static long Entry(ref InitState s, int source, int target, byte* name, int depth)
    {
        long result = Files.StatAt(source, name, Files.AT_SYMLINK_NOFOLLOW, out Statx stat);
        if (result < 0) return result;
        return stat.Type switch
        {
            Files.S_IFDIR => Subdirectory(ref s, source, target, name, depth + 1),
            Files.S_IFREG => RegularFile(ref s, source, target, name),
            Files.S_IFLNK => Link(ref s, source, target, name, stat),
            _ => Node(ref s, target, name, stat),
        };
    }

    /// <summary>A directory; what it has before what it is, as its set-group-id bit and its default ACL are for later files.</summary>
    private static long Subdirectory(ref InitState s, int source, int target, byte* name, int depth)
    {
        if (depth == MaxDepth)
        {
            s.Detail = InitDetail.CopyUpDepth;
            return -Errno.ENAMETOOLONG;
        }
        const int flags = Files.O_RDONLY | Files.O_DIRECTORY | Files.O_NOFOLLOW;
        long from = Files.OpenAt(source, name, flags);
        if (from < 0) return from;
        long result = Files.Stat((int)from, out Statx stat);
        if (result >= 0) result = Files.MakeDirectoryAt(target, name, FileModes.PrivateDirectory);
        if (result >= 0) result = Files.OpenAt(target, name, flags);
        if (result >= 0)
        {
            int to = (int)result;
            result = Entries(ref s, (int)from, to, depth);
            if (result >= 0) result = Belongings(ref s, (int)from, to, stat);
            Files.Close(to);
        }
        Files.Close((int)from);
        return result;
    }

    private static long RegularFile(ref InitState s, int source, int target, byte* name)
    {
        // By now it may be a named pipe, whose opening would wait for a writer, or a device.
        long from = Files.OpenAt(source, name, Files.O_RDONLY | Files.O_NOFOLLOW | Files.O_NONBLOCK | Files.O_NOCTTY);
        if (from < 0) return from;
        long result = Files.Stat((int)from, out Statx stat);
        if (result >= 0 && stat.Type != Files.S_IFREG) result = -Errno.EAGAIN;
        if (result >= 0)
            result = Files.OpenAt(target, name, Files.O_WRONLY | Files.O_CREAT | Files.O_EXCL | Files.O_NOFOLLOW, FileModes.PrivateFile);
        if (result >= 0)
        {
            int to = (int)result;
            result = Content((int)from, to, stat);
            if (result >= 0) result = Belongings(ref s, (int)from, to, stat);
            Files.Close(to);
        }
        Files.Close((int)from);
        return result;
    }

    /// <summary>The data, with holes where the source has some.</summary>
    private static long Content(int from, int to, in Statx stat)
    {
        long size = (long)stat.Size;
        bool sparse = stat.Blocks * 512 < stat.Size;
        if (!sparse) return Range(from, to, size);
        long result = Files.Truncate(to, size);
        for (long at = 0; result >= 0 && at < size;)
        {
            long begin = Files.Seek(from, at, Files.SEEK_DATA);
            // Nothing but a hole is left.
            if (begin == -Errno.ENXIO) return 0;
            at = begin < 0 ? begin : Files.Seek(from, begin, Files.SEEK_HOLE);
            if (at < 0) return at;
            result = Files.Seek(from, begin, Files.SEEK_SET);
            if (result >= 0) result = Files.Seek(to, begin, Files.SEEK_SET);
            if (result >= 0) result = Range(from, to, at - begin);
        }
        return result;
    }

    /// <summary>So many bytes, or those that are left; copy_file_range(2) does not go from one type of file system to another.</summary>
    private static long Range(int from, int to, long count)
    {
        byte* block = stackalloc byte[BlockSize];
        while (count > 0)
        {
            long n = Files.Read(from, block, count < BlockSize ? (int)count : BlockSize);
            if (n <= 0) return n;
            count -= n;
            for (long written = 0; written < n;)
            {
                long result = Files.Write(to, block + written, (int)(n - written));
                if (result < 0) return result;
                written += result;
            }
        }
        return 0;
    }

    private static long Link(ref InitState s, int source, int target, byte* name, in Statx stat)
    {
        byte* text = stackalloc byte[Kernel.PathMax];
        long n = Files.ReadLinkAt(source, name, text, Kernel.PathMax - 1);
        if (n < 0) return n;
        text[n] = 0;
        long result = Files.SymlinkAt(text, target, name);
        return result < 0 ? result : OwnerAndTimes(ref s, target, name, stat);
    }

    /// <summary>A named pipe, a socket or a device.</summary>
    private static long Node(ref InitState s, int target, byte* name, in Statx stat)
    {
        long result = Files.MakeNodeAt(target, name, stat.Mode, Files.MakeDevice(stat.RdevMajor, stat.RdevMinor));
        if (result == -Errno.EPERM) s.Detail = InitDetail.CopyUpDevice;
        return result < 0 ? result : OwnerAndTimes(ref s, target, name, stat);
    }

    private static long OwnerAndTimes(ref InitState s, int target, byte* name, in Statx stat)
    {
        long result = Files.ChownAt(target, name, stat.Uid, stat.Gid, Files.AT_SYMLINK_NOFOLLOW);
        if (result < 0)
        {
            s.Detail = InitDetail.CopyUpOwner;
            return result;
        }
        return Files.SetTimes(target, name, stat, Files.AT_SYMLINK_NOFOLLOW);
    }

    /// <summary>
    /// Owner, then the mode, as a new owner ends set-user-id, then attributes, as it ends file capabilities too, and times last.
    /// </summary>
    private static long Belongings(ref InitState s, int from, int to, in Statx stat)
    {
        long result = Files.Chown(to, stat.Uid, stat.Gid);
        if (result < 0)
        {
            s.Detail = InitDetail.CopyUpOwner;
            return result;
        }
        result = Files.Chmod(to, stat.Mode & FileModes.All);
        if (result >= 0 && Files.ListXattr(from, null, 0) > 0) result = ExtendedAttributes(from, to);
        return result < 0 ? result : Files.SetTimes(to, null, stat);
    }

    /// <summary>Extended attributes, as far as this tmpfs takes them and this user namespace may set them.</summary>
    private static long ExtendedAttributes(int from, int to)
    {
        byte* names = stackalloc byte[Files.XattrSizeMax];
        byte* value = stackalloc byte[Files.XattrSizeMax];
        long n = Files.ListXattr(from, names, Files.XattrSizeMax);
        for (byte* name = names; name < names + n; name += CString.Length(name) + 1)
        {
            long size = Files.GetXattr(from, name, value, Files.XattrSizeMax);
            long result = size < 0 ? size : Files.SetXattr(to, name, value, (int)size);
            if (result is < 0 and not (-Errno.EOPNOTSUPP or -Errno.EPERM or -Errno.EACCES or -Errno.ENODATA)) return result;
        }
        return n;
    }
}
