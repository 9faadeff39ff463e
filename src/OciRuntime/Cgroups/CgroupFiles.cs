using System.Text;
using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Files and directories of cgroup file systems: opened below a directory fd, never through a symbolic link or another mount.</summary>
internal static unsafe class CgroupFiles
{
    // Hardening rule H31: a bind mount or link planted in the tree must not turn a write here into a write elsewhere.
    private const ulong Beneath = Files.RESOLVE_BENEATH | Files.RESOLVE_NO_MAGICLINKS | Files.RESOLVE_NO_XDEV | Files.RESOLVE_NO_SYMLINKS;
    private const ulong NoLinks = Files.RESOLVE_NO_MAGICLINKS | Files.RESOLVE_NO_SYMLINKS;
    private const int FileSize = 4096;

    // Of a machine with thousands of processors or block devices.
    private const int MaxLongFile = 4 << 20;

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

    /// <summary>Reads a short control file and trims it; "" with a negated errno when it cannot be read.</summary>
    public static string Read(int directory, string name, out long error)
    {
        error = OpenFile(directory, name, Files.O_RDONLY);
        if (error < 0) return "";
        int fd = (int)error;
        string text = ReadFrom(fd, out error);
        Files.Close(fd);
        return text;
    }

    /// <summary>Reads a control file of any length, such as memory.stat; "" when it cannot be read.</summary>
    public static string ReadAll(int directory, string name)
    {
        long fd = OpenFile(directory, name, Files.O_RDONLY);
        if (fd < 0) return "";
        byte[]? text = Files.ReadToEnd((int)fd, MaxLongFile, out _);
        Files.Close((int)fd);
        return text == null ? "" : Encoding.UTF8.GetString(text);
    }

    /// <summary>Reads an open control file from its beginning; control files of one page are read in one go.</summary>
    public static string ReadFrom(int fd, out long error)
    {
        byte* buffer = stackalloc byte[FileSize];
        do error = Kernel.Call(PositionedRead, fd, (nint)buffer, FileSize, 0);
        while (error == -Errno.EINTR);
        return error <= 0 ? "" : Encoding.UTF8.GetString(new ReadOnlySpan<byte>(buffer, (int)error).Trim(" \t\n"u8));
    }

    /// <summary>The value of a key in a flat keyed file such as cgroup.events; -1 when it is missing.</summary>
    public static long Keyed(ReadOnlySpan<char> text, string key)
    {
        foreach (ReadOnlySpan<char> line in text.EnumerateLines())
        {
            if (line.Length > key.Length && line[key.Length] == ' ' && line.StartsWith(key)) return long.TryParse(line[(key.Length + 1)..], out long value) ? value : -1;
        }
        return -1;
    }

    /// <summary>Names of the child cgroups.</summary>
    /// <returns>0 or a negated errno; ENODEV and ENOENT mean that the directory has just been removed.</returns>
    public static long Children(int directory, List<string> names)
    {
        const byte DT_DIR = 4;
        byte* buffer = stackalloc byte[8192];
        long n;
        while ((n = Files.GetDents(directory, buffer, 8192)) > 0)
        {
            // struct linux_dirent64: u64 ino, s64 off, u16 reclen, u8 type, name.
            for (int at = 0; at < (int)n; at += *(ushort*)(buffer + at + 16))
            {
                if (buffer[at + 18] != DT_DIR) continue;
                string name = Encoding.UTF8.GetString(buffer + at + 19, CString.Length(buffer + at + 19));
                if (name is not ("." or "..")) names.Add(name);
            }
        }
        return n;
    }

    /// <summary>Adds the pids in cgroup.procs of a directory and all below it.</summary>
    public static void CollectPids(int directory, HashSet<int> pids)
    {
        AddPids(directory, pids);
        List<string> children = [];
        long listed = Children(directory, children);
        if (listed is not (-Errno.ENOENT or -Errno.ENODEV)) OciException.Check(listed, "list child cgroups");
        foreach (string child in children)
        {
            long fd = OpenDirectory(directory, child);
            if (fd is -Errno.ENOENT or -Errno.ENODEV) continue;
            OciException.Check(fd, $"open child cgroup {child}");
            CollectPids((int)fd, pids);
            Files.Close((int)fd);
        }
    }

    /// <summary>rmdir(2) of a child, again on EINTR.</summary>
    public static long RemoveChild(int parent, string name)
    {
        long result;
        do result = Files.UnlinkAt(parent, name, Files.AT_REMOVEDIR);
        while (result == -Errno.EINTR);
        return result;
    }

    private static void AddPids(int directory, HashSet<int> pids)
    {
        // In a threaded cgroup cgroup.procs reads EOPNOTSUPP: the domain above lists its processes, which need not be the container's own.
        if (AddNumbers(directory, "cgroup.procs", pids) != -Errno.EOPNOTSUPP) return;
        HashSet<int> threads = [];
        // One that is gone meanwhile has none.
        AddNumbers(directory, "cgroup.threads", threads);
        foreach (int thread in threads)
        {
            byte[]? status = Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{thread}/status", 1 << 16, out _);
            long pid = status is null ? -1 : Keyed(Encoding.UTF8.GetString(status).Replace('\t', ' '), "Tgid:");
            if (pid > 0) pids.Add((int)pid);
        }
    }

    private static long AddNumbers(int directory, string file, HashSet<int> pids)
    {
        long fd = OpenFile(directory, file, Files.O_RDONLY);
        if (fd < 0) return fd;
        byte* buffer = stackalloc byte[FileSize];
        int pid = 0;
        long n;
        while (true)
        {
            n = Files.Read((int)fd, buffer, FileSize);
            if (n == -Errno.EINTR) continue;
            if (n <= 0) break;
            for (int i = 0; i < (int)n; i++)
            {
                if (buffer[i] != '\n')
                {
                    pid = pid * 10 + (buffer[i] - '0');
                    continue;
                }
                // 0 is a process outside the caller's pid namespace: it cannot be named, let alone signalled.
                if (pid != 0) pids.Add(pid);
                pid = 0;
            }
        }
        Files.Close((int)fd);
        return n;
    }

#if ARM64
    private const int PositionedRead = 67;
#else
    private const int PositionedRead = 17;
#endif
}
