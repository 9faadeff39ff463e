using System.Text;
using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// Files and directories of cgroup file systems: opened below a directory fd, never through a symbolic link or another mount.
/// </summary>
internal static class CgroupFiles
{
    // A bind mount or link planted in the tree must not turn a write here into a write elsewhere.
    private const ulong Beneath = Files.RESOLVE_BENEATH | Files.RESOLVE_NO_MAGICLINKS | Files.RESOLVE_NO_XDEV | Files.RESOLVE_NO_SYMLINKS;
    private const ulong NoLinks = Files.RESOLVE_NO_MAGICLINKS | Files.RESOLVE_NO_SYMLINKS;
    private const int FileSize = 4096;

    // A list of a machine with thousands of processors or block devices.
    private const int MaxFile = 4 << 20;

    /// <summary>Opens the root of a hierarchy (O_PATH) and makes sure that it is one.</summary>
    public static long OpenMount(CgroupHierarchy hierarchy)
    {
        long fd = OpenPath(hierarchy.MountPoint, Files.O_PATH, out bool unified);
        if (fd < 0 || unified == hierarchy.Unified) return fd;
        Files.Close((int)fd);
        return -Errno.ENODEV;
    }

    /// <summary>Opens a cgroup directory by its absolute host path; EXDEV when it is none.</summary>
    public static long OpenPath(string path, int flags, out bool unified)
    {
        unified = false;
        long fd = Files.OpenAt2(Files.AT_FDCWD, path, flags | Files.O_DIRECTORY, NoLinks);
        if (fd < 0) return fd;
        long result = Files.StatFs((int)fd, out Statfs fs);
        unified = fs.Type == Files.CGROUP2_SUPER_MAGIC;
        if (result == 0 && (unified || fs.Type == Files.CGROUP_SUPER_MAGIC)) return fd;
        Files.Close((int)fd);
        return result < 0 ? result : -Errno.EXDEV;
    }

    /// <summary>Opens a directory below another.</summary>
    public static long OpenDirectory(int directory, string relative, int flags = Files.O_RDONLY) =>
        Files.OpenAt2(directory, relative, flags | Files.O_DIRECTORY, Beneath);

    /// <summary>Opens a control file.</summary>
    public static long OpenFile(int directory, string name, int flags) => Files.OpenAt2(directory, name, flags | Files.O_NOCTTY, Beneath);

    /// <summary>Opens, writes once and closes a control file.</summary>
    public static long Write(int directory, string name, string value)
    {
        long fd = OpenFile(directory, name, Files.O_WRONLY);
        if (fd < 0) return fd;
        long result = WriteTo((int)fd, value);
        Files.Close((int)fd);
        return result;
    }

    /// <summary>One write(2) of a whole value: the kernel parses each write by itself.</summary>
    public static long WriteTo(int fd, string value)
    {
        Span<byte> buffer = stackalloc byte[512];
        ReadOnlySpan<byte> bytes = Encoding.UTF8.TryGetBytes(value, buffer, out int n) ? buffer[..n] : Encoding.UTF8.GetBytes(value);
        long result = Files.WriteAll(fd, bytes);
        return result < 0 ? result : 0;
    }

    /// <summary>Reads a control file and trims it; "" with a negated errno when it cannot be read.</summary>
    public static string Read(int directory, string name, out long error)
    {
        error = OpenFile(directory, name, Files.O_RDONLY);
        if (error < 0) return "";
        int fd = (int)error;
        string text = ReadFrom(fd, out error);
        Files.Close(fd);
        return text;
    }

    /// <summary>As <see cref="Read"/>, for those to whom not to know is no answer; null where there is no such file, or cgroup.</summary>
    /// <exception cref="OciException">It cannot be read.</exception>
    public static string? ReadIfThere(int directory, string name)
    {
        string text = Read(directory, name, out long error);
        if (IsGone(error)) return null;
        OciException.Check(error, $"read {Files.PathOf(directory, out _)}/{name}");
        return text;
    }

    /// <summary>Reads an open control file from its beginning; as <see cref="Read"/>.</summary>
    public static string ReadFrom(int fd, out long error)
    {
        Span<byte> buffer = stackalloc byte[FileSize];
        error = Files.ReadAt(fd, buffer, 0);
        if (error <= 0) return "";
        ReadOnlySpan<byte> text = buffer[..(int)error];
        // All but the lists of processes are one record of seq_file's: a read that leaves room has had all of it.
        if (text.Length == FileSize)
        {
            error = Files.Seek(fd, 0, Files.SEEK_SET);
            if (error < 0 || Files.ReadToEnd(fd, MaxFile, out error) is not { } whole) return "";
            text = whole;
        }
        return Encoding.UTF8.GetString(text.Trim(" \t\n"u8));
    }

    /// <summary>The value of a key in a flat keyed file such as cgroup.events; -1 when it is missing.</summary>
    /// <param name="text">Of the kernel alone. Where others choose words in it (a process its name), they choose lines, too: U+0085 ends
    /// one here.</param>
    /// <param name="key">Up to the blank.</param>
    public static long Keyed(ReadOnlySpan<char> text, string key)
    {
        foreach (ReadOnlySpan<char> line in text.EnumerateLines())
        {
            if (line.Length > key.Length && line[key.Length] == ' ' && line.StartsWith(key))
                return long.TryParse(line[(key.Length + 1)..], out long value) ? value : -1;
        }
        return -1;
    }

    /// <summary>Calls back with inode and name of each child cgroup; the names are bytes, without NUL.</summary>
    /// <param name="directory">Open for reading; read from where it is: see <see cref="Rewind"/>.</param>
    /// <param name="add">Takes them; false to end.</param>
    /// <returns>0 or a negated errno; see <see cref="IsGone"/>.</returns>
    public static long Children(int directory, Func<ulong, byte[], bool> add)
    {
        DirectoryEntries entries = new(directory, stackalloc byte[8192]);
        while (entries.Next()) if (entries.IsDirectory && !add(entries.Inode, entries.Name.ToArray())) return 0;
        return entries.Result;
    }

    /// <summary>To the beginning of a directory.</summary>
    public static void Rewind(int directory) => OciException.Check(Files.Seek(directory, 0, Files.SEEK_SET), "rewind a cgroup");

    /// <summary>Opens a child for reading.</summary>
    public static long OpenDirectory(int directory, ReadOnlySpan<byte> name) =>
        Files.OpenAt2(directory, name, Files.O_RDONLY | Files.O_DIRECTORY, Beneath);

    /// <summary>Opens the cgroup above, for reading; the root of a mount has none (EXDEV).</summary>
    public static long OpenParent(int directory) =>
        Files.OpenAt2(directory, "..", Files.O_RDONLY | Files.O_DIRECTORY, Files.RESOLVE_NO_XDEV | NoLinks);

    /// <summary>rmdir(2) of a child.</summary>
    public static long RemoveChild(int parent, ReadOnlySpan<byte> name) => Files.UnlinkAt(parent, name, Files.AT_REMOVEDIR);

    /// <summary>
    /// Whether a result says that there is no such cgroup, or no more: an open directory of one that has been removed reads ENODEV, and the
    /// name may be that of a control file.
    /// </summary>
    public static bool IsGone(long result) => result is -Errno.ENOENT or -Errno.ENODEV or -Errno.ENOTDIR;
}
