using System.Buffers.Text;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>The processes of a cgroup and of all below it.</summary>
internal sealed class CgroupProcesses : CgroupWalk
{
    private const int BufferSize = 4096;

    // /proc/PID/status has a line of as many digits as there are processors and memory nodes, and groups.
    private const int MaxStatus = 1 << 20;

    private readonly HashSet<int> _pids;
    private readonly int _wanted;
    private int _found = -1;
    private byte[] _path = [];

    private CgroupProcesses(HashSet<int> pids, int wanted, int room) : base(Environment.TickCount64 + WalkMilliseconds, room)
    {
        _pids = pids;
        _wanted = wanted;
    }

    /// <summary>Adds the pids in cgroup.procs of a directory and of all below it.</summary>
    /// <param name="directory">Where to begin.</param>
    /// <param name="pids">Takes them.</param>
    /// <param name="room">See <see cref="CgroupWalk"/>.</param>
    /// <exception cref="OciException">A cgroup cannot be looked into, or there are more than can be looked through.</exception>
    public static void Collect(int directory, HashSet<int> pids, int room = Room)
    {
        if (!new CgroupProcesses(pids, 0, room).Run(directory)) throw TooMany();
    }

    /// <summary>Opens the cgroup below a directory, or this itself, that a process is in.</summary>
    /// <remarks>
    /// Not by /proc/PID/cgroup: the kernel cuts paths there that are longer than PATH_MAX, and what it does not cut may not be text.
    /// </remarks>
    /// <param name="directory">Where to look.</param>
    /// <param name="pid">The process.</param>
    /// <param name="path">From the directory on, with a slash before each name; empty for itself.</param>
    /// <returns>A descriptor (O_RDONLY), or ENOENT when it is in none of them.</returns>
    /// <exception cref="OciException">See <see cref="Collect"/>.</exception>
    public static long Find(int directory, int pid, out byte[] path)
    {
        CgroupProcesses walk = new([], pid, Room);
        if (!walk.Run(directory)) throw TooMany();
        path = walk._path;
        return walk._found < 0 ? -Errno.ENOENT : walk._found;
    }

    protected override bool Enter(int directory)
    {
        if (_wanted == 0)
        {
            AddPids(directory);
            return true;
        }
        _pids.Clear();
        if (!AddNumbers(directory, ControlFile.Procs, _pids)) AddNumbers(directory, ControlFile.Threads, _pids);
        if (!_pids.Contains(_wanted)) return true;
        _found = (int)OciException.Check(Files.Fcntl(directory, Files.F_DUPFD_CLOEXEC, 3), "keep a cgroup open");
        _path = [.. Names.SelectMany(static name => (byte[])[(byte)'/', .. name])];
        return false;
    }

    private static OciException TooMany() => new("there are more cgroups below than can be looked through", Errno.ETIMEDOUT);

    private void AddPids(int directory)
    {
        // In a threaded cgroup cgroup.procs reads EOPNOTSUPP: the domain above lists its processes, which need not be the container's own.
        if (AddNumbers(directory, ControlFile.Procs, _pids)) return;
        HashSet<int> threads = [];
        // One that is gone meanwhile has none.
        AddNumbers(directory, ControlFile.Threads, threads);
        foreach (int thread in threads)
        {
            byte[]? status = Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{thread}/status", MaxStatus, out _);
            if (status is not null && ProcessOf(status) is > 0 and var pid) _pids.Add(pid);
        }
    }

    /// <summary>The process that a thread belongs to, by its /proc/TID/status; 0 when that does not say.</summary>
    /// <remarks>
    /// The first line has the name, which is the thread's own choice; of what ends a line somewhere the kernel escapes the line feed only.
    /// </remarks>
    internal static int ProcessOf(ReadOnlySpan<byte> status)
    {
        ReadOnlySpan<byte> key = "\nTgid:\t"u8;
        int at = status.IndexOf(key);
        return at >= 0 && Utf8Parser.TryParse(status[(at + key.Length)..], out int pid, out _) ? pid : 0;
    }

    /// <summary>
    /// Adds the numbers in a file; there are none in that of a cgroup that is gone. False where the kernel does not give them (EOPNOTSUPP).
    /// </summary>
    /// <exception cref="OciException">It cannot be read: an owner may take that right from others, and what is not seen is not to pass for
    /// nothing.</exception>
    private bool AddNumbers(int directory, string file, HashSet<int> pids)
    {
        long fd = CgroupFiles.OpenFile(directory, file, Files.O_RDONLY);
        long n = fd < 0 ? fd : ReadNumbers((int)fd, pids);
        if (fd >= 0) Files.Close((int)fd);
        if (n == -Errno.EOPNOTSUPP) return false;
        if (!CgroupFiles.IsGone(n)) OciException.Check(n, $"read {file} of a cgroup");
        return true;
    }

    private long ReadNumbers(int fd, HashSet<int> pids)
    {
        Span<byte> buffer = stackalloc byte[BufferSize];
        int pid = 0;
        long n;
        // v2 lists tasks as it finds them: one that forks for ever is found for ever.
        do
        {
            n = Files.Read(fd, buffer);
            if (n <= 0) break;
            foreach (byte c in buffer[..(int)n])
            {
                if (c != '\n')
                {
                    pid = pid * 10 + (c - '0');
                    continue;
                }
                // 0 is a process outside the caller's pid namespace: it cannot be named, let alone signalled.
                if (pid != 0) pids.Add(pid);
                pid = 0;
            }
        }
        while (!IsLate);
        return n;
    }
}
