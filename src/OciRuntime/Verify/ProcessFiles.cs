using System.Globalization;
using System.Text;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Verify;

/// <summary>
/// /proc/PID of one process, held open: what is read there is this process's, or nothing once it has ended, and never that of another one
/// with its number.
/// </summary>
internal sealed class ProcessFiles : IDisposable
{
    // A line for each group, processor and memory node.
    private const int MaxFile = 1 << 20;

    // 30,000 usual mounts, or 70,000 of the shortest lines: what is made of those is up to eight times as long, and twice of it with the
    // text is what the heap bears (System.GC.HeapHardLimit).
    private const int MaxMounts = 4 << 20;

    /// <summary>What is said of a mount table that is longer.</summary>
    public const string TooManyMounts = "the mount table has more than 4 MiB, which is more than is read of it";

    private readonly Fd _directory;
    private Dictionary<string, string>? _status;

    private ProcessFiles(int pid, Fd directory)
    {
        Pid = pid;
        _directory = directory;
    }

    /// <summary>As the caller's pid namespace numbers it.</summary>
    public int Pid { get; }

    /// <summary>The process that has the number now, or null.</summary>
    public static ProcessFiles? Open(int pid)
    {
        long fd = Files.OpenAt(Files.AT_FDCWD, $"/proc/{Digits.Of(pid)}", Files.O_PATH | Files.O_DIRECTORY);
        return fd < 0 ? null : new(pid, new((int)fd));
    }

    /// <summary>This process.</summary>
    public static ProcessFiles Self() =>
        new(Environment.ProcessId, Fd.Open("/proc/self", Files.O_PATH | Files.O_DIRECTORY, "open /proc/self"));

    /// <summary>It has not ended: what was asked of the kernel by its number until now was about it.</summary>
    public bool IsAlive => TryStat(out ProcessStat stat) && !stat.IsDead;

    /// <summary>Whether it is this process, and has not ended.</summary>
    public bool Is(ProcessIdentity identity) => TryStat(out ProcessStat stat) && stat.StartTime == identity.StartTime && !stat.IsDead;

    /// <summary>A file, or null with the negated errno.</summary>
    public byte[]? Read(string file, out long error) => Files.ReadFileAt(_directory.Number, file, MaxFile, out error);

    public string? Text(string file, out long error) => Read(file, out error) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    /// <summary>The first page of a file, whose later ones are work for the kernel; null with the negated errno.</summary>
    public string? Beginning(string file, out long error)
    {
        error = OpenLink(file, Files.O_RDONLY);
        if (error < 0) return null;
        using Fd open = new((int)error);
        Span<byte> page = stackalloc byte[4096];
        error = Files.Read(open.Number, page);
        return error < 0 ? null : Encoding.UTF8.GetString(page[..(int)error]);
    }

    /// <summary>A namespace, what it calls its root directory, and other links of the kernel's: opened, not looked up.</summary>
    public long OpenLink(string link, int flags) => Files.OpenAt(_directory.Number, link, flags);

    public long Stat(string link, out Statx stat) => Files.StatAt(_directory.Number, link, Files.AT_STATX_DONT_SYNC, out stat);

    /// <summary>
    /// The number of the mount on which the directory is to which such a link leads; a negated errno, ENOTDIR where it leads to something
    /// else. Whoever is behind a descriptor is not asked: for fdinfo an epoll waits until a thread has its events, whose memory may be on
    /// a file system that nobody serves any more (ep_show_fdinfo()), and that wait cannot be killed.
    /// </summary>
    public long MountOf(string link)
    {
        long fd = OpenLink(link, Files.O_PATH | Files.O_DIRECTORY);
        if (fd < 0) return fd;
        using Fd open = new((int)fd);
        return Files.MountOf(open.Number);
    }

    /// <summary>The first names in a directory, such as fd, of which the process decides how many it has.</summary>
    public List<string> List(string directory, int most, out long error)
    {
        error = OpenLink(directory, Files.O_RDONLY | Files.O_DIRECTORY);
        if (error < 0) return [];
        using Fd open = new((int)error);
        return Files.ListDirectory(open.Number, out error, most);
    }

    /// <summary>The mounts it sees; null with the negated errno, EOVERFLOW where they are too many.</summary>
    public List<MountEntry>? Mounts(out long error) => MountText(out error) is { } text ? MountTable.Parse(text) : null;

    /// <summary>The same as lines for <see cref="MountLine"/>.</summary>
    public byte[]? MountText(out long error) => Files.ReadFileAt(_directory.Number, "mountinfo", MaxMounts, out error);

    /// <summary>A field of its status, or null. The name, which is the process's own choice, has its line ends escaped.</summary>
    public string? Status(string field)
    {
        if (_status is null)
        {
            _status = [];
            foreach (string line in (Text("status", out _) ?? "").Split('\n'))
            {
                int colon = line.IndexOf(':');
                if (colon > 0) _status.TryAdd(line[..colon], line[(colon + 1)..].Trim());
            }
        }
        return _status.GetValueOrDefault(field);
    }

    /// <summary>A set of capabilities; null when it has ended.</summary>
    public ulong? Capabilities(string field) =>
        ulong.TryParse(Status(field), NumberStyles.HexNumber, CultureInfo.InvariantCulture, out ulong set) ? set : null;

    /// <summary>Its parent, or 0.</summary>
    public int Parent => int.TryParse(Status("PPid"), NumberStyles.None, CultureInfo.InvariantCulture, out int pid) ? pid : 0;

    private bool TryStat(out ProcessStat stat)
    {
        stat = default;
        return Read("stat", out _) is { } line && ProcessStat.TryParse(line, out stat);
    }

    public void Dispose() => _directory.Dispose();
}
