namespace OciRuntime.Tests.Support;

/// <summary>Parent and child relations read from /proc.</summary>
public static class ProcessTree
{
    /// <summary>Direct children, zombies included.</summary>
    public static IReadOnlyList<int> ChildrenOf(int pid) => [.. ChildrenByThread(pid).Select(static found => found.Child)];

    /// <summary>The thread of process <paramref name="parent"/> that <paramref name="child"/> belongs to, or 0.</summary>
    public static int ThreadOf(int parent, int child) =>
        ChildrenByThread(parent).FirstOrDefault(found => found.Child == child).Thread;

    /// <summary>All processes below <paramref name="pid"/>, without zombies and without itself.</summary>
    public static IReadOnlyList<int> DescendantsOf(int pid)
    {
        List<int> found = [];
        Queue<int> queue = new(ChildrenOf(pid));
        while (queue.TryDequeue(out int next))
        {
            if (!IsZombie(next) && Exists(next)) found.Add(next);
            foreach (int child in ChildrenOf(next)) queue.Enqueue(child);
        }
        return found;
    }

    /// <summary>True while the process exists, also as a zombie.</summary>
    public static bool Exists(int pid) => Directory.Exists($"/proc/{pid}");

    /// <summary>True when the process exists and has not ended.</summary>
    public static bool IsAlive(int pid) => Exists(pid) && State(pid) is not ('Z' or 'X' or '\0');

    /// <summary>True when the process has ended and its parent has not asked yet.</summary>
    public static bool IsZombie(int pid) => State(pid) == 'Z';

    /// <summary>Start time in clock ticks since boot: with the pid, the identity of a process.</summary>
    public static ulong StartTime(int pid)
    {
        string[] fields = StatAfterName(pid).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 19 ? ulong.Parse(fields[19]) : 0;
    }

    /// <summary>
    /// Whether the process is in the foreground process group of its terminal (fields pgrp and tpgid of proc_pid_stat(5)).
    /// </summary>
    public static bool IsForeground(int pid) => StatAfterName(pid).Split(' ') is { Length: > 5 } fields && fields[2] == fields[5];

    /// <summary>The command line with blanks between the arguments.</summary>
    public static string CommandLine(int pid) => ReadOrEmpty($"/proc/{pid}/cmdline").Replace('\0', ' ').Trim();

    /// <summary>One file per thread: a child belongs to the thread that forked it or, when that has ended, to another.</summary>
    private static IEnumerable<(int Thread, int Child)> ChildrenByThread(int pid) =>
        from task in SafeDirectories($"/proc/{pid}/task")
        from child in ReadOrEmpty($"{task}/children").Split(' ', StringSplitOptions.RemoveEmptyEntries)
        select (int.Parse(Path.GetFileName(task)), int.Parse(child));

    private static char State(int pid) => StatAfterName(pid) is { Length: > 0 } stat ? stat[0] : '\0';

    /// <summary>The name in /proc/PID/stat may contain blanks and parentheses, so the fields are counted from the last one.</summary>
    private static string StatAfterName(int pid)
    {
        string stat = ReadOrEmpty($"/proc/{pid}/stat");
        int end = stat.LastIndexOf(") ", StringComparison.Ordinal);
        return end < 0 ? "" : stat[(end + 2)..];
    }

    private static string[] SafeDirectories(string path)
    {
        try
        {
            return Directory.GetDirectories(path);
        }
        catch (IOException)
        {
            return [];
        }
    }

    /// <summary>A process may end between any two reads; then there is nothing to read.</summary>
    internal static string ReadOrEmpty(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
