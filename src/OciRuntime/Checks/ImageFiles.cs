using OciRuntime.Linux;

namespace OciRuntime.Checks;

/// <summary>
/// What is certain of a program in the container before there is one: what the image has at its path, unless something is mounted on the
/// way there, or the file cannot be looked at.
/// </summary>
internal sealed class ImageFiles : IDisposable
{
    private const int MaxLinks = 40, AnyExecute = 0b001_001_001;

    private readonly Fd _root;
    private readonly string _where;
    private readonly List<string> _covered = [];

    /// <param name="root">Directory of the image.</param>
    /// <param name="covered">Where the configuration mounts what may bring programs along: absolute paths in the container.</param>
    /// <param name="where">What that is, for messages.</param>
    public ImageFiles(Fd root, IEnumerable<string> covered, string where = "in the image")
    {
        _root = root;
        _where = where;
        List<string> places = [];
        foreach (string path in covered)
        {
            long fd = Find(path, out string place);
            if (fd >= 0) Files.Close((int)fd);
            places.Add(place);
        }
        _covered = places;
    }

    /// <summary>Why a path of the container cannot be executed there; "" when nothing is known that speaks against it.</summary>
    public string FaultOf(string program)
    {
        long found = Find(program, out string place);
        if (found == -Errno.ENOENT) return IsCertain(place) ? $"is not {_where}" : "";
        if (found < 0) return "";
        using Fd file = new((int)found);
        if (Files.Stat(file.Number, out Statx stat) < 0) return "";
        if (stat.IsDirectory) return "is a directory";
        if (!stat.IsRegular) return "";
        // CAP_DAC_OVERRIDE does not help where nobody may (execve(2)).
        if ((stat.Mode & AnyExecute) == 0) return $"may not be executed by anybody (mode {Convert.ToString(stat.Mode & 0xfff, 8)})";
        // Nor here (mount(2), MS_NOEXEC), and what is mounted from it is so, too.
        if (Files.StatFs(file.Number, out Statfs fs) >= 0 && (fs.Flags & (long)Mounts.MOUNT_ATTR_NOEXEC) != 0)
            return "is on a file system that is mounted noexec";
        ProgramFile? head = ProgramFile.Read(file);
        if (head is { IsUnknown: true } && !ProgramFile.HasHandlers)
            return "is no program: neither for this machine nor a script that begins with #!";
        if (head?.Interpreter is not { } interpreter) return "";
        long needed = Find(interpreter, out string there);
        if (needed >= 0) Files.Close((int)needed);
        return needed == -Errno.ENOENT && IsCertain(there) ? $"needs {interpreter}, which is not {_where}" : "";
    }

    /// <summary>The processor that a program is for, where it is none of this machine's; else "".</summary>
    public string ForeignMachineOf(string program)
    {
        long found = Find(program, out _);
        if (found < 0) return "";
        using Fd file = new((int)found);
        return ProgramFile.Read(file)?.ForeignMachine ?? "";
    }

    public void Dispose() => _root.Dispose();

    /// <summary>What is mounted makes its destination, and all above that.</summary>
    private bool IsCertain(string missing) => !_covered.Exists(one => IsBelow(one, missing));

    private static bool IsBelow(string path, string parent) =>
        path.StartsWith(parent, StringComparison.Ordinal) && (path.Length == parent.Length || path[parent.Length] == '/');

    /// <summary>Looks a path up, name by name from the image's root.</summary>
    /// <param name="path">Of the container.</param>
    /// <param name="place">Where it led: relative to the root, without links; of one that is missing, the first name that is.</param>
    /// <returns>O_PATH; ENOENT where it is missing; another negated errno where that cannot be told.</returns>
    private long Find(string path, out string place)
    {
        Stack<string> ahead = new(Names(path));
        List<string> at = [];
        for (int links = 0; ahead.TryPop(out string? name);)
        {
            if (name == "..")
            {
                if (at.Count > 0) at.RemoveAt(at.Count - 1);
                continue;
            }
            at.Add(name);
            place = string.Join('/', at);
            if (_covered.Contains(place)) return -Errno.EBUSY;
            long fd = Files.OpenAt2(_root.Number, place, Files.O_PATH | Files.O_NOFOLLOW,
                Files.RESOLVE_BENEATH | Files.RESOLVE_NO_SYMLINKS);
            if (fd < 0) return fd;
            string? target = Files.ReadLinkAt((int)fd, "", out _);
            if (target is null && ahead.Count == 0) return fd;
            Files.Close((int)fd);
            if (target is null) continue;
            if (++links > MaxLinks) return -Errno.ELOOP;
            if (target.StartsWith('/')) at.Clear();
            else at.RemoveAt(at.Count - 1);
            foreach (string part in Names(target)) ahead.Push(part);
        }
        place = at.Count == 0 ? "." : string.Join('/', at);
        return Files.OpenAt(_root.Number, place, Files.O_PATH);
    }

    // The last first, for a stack.
    private static IEnumerable<string> Names(string path) =>
        path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(static name => name != ".").Reverse();
}
