using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Open doors into a container's cgroups. All descriptors are close-on-exec and belong to this object.</summary>
internal sealed class OpenCgroups : IDisposable
{
    private readonly List<string> _created = [];
    private readonly List<string> _paths = [];

    /// <summary>Directory of the v2 cgroup for clone3's CLONE_INTO_CGROUP, or -1.</summary>
    public int UnifiedFd { get; private set; } = -1;

    /// <summary>
    /// One O_WRONLY descriptor of `tasks` per v1 hierarchy, -1 where the cgroup could not be made and need not be. The child writes "0" to
    /// each while it has a single thread: moving one's own only thread does not take the kernel's global lock, which costs others 6-17 ms
    /// (docs/architecture.md, step 6).
    /// </summary>
    public int[] TasksFds { get; private set; } = [];

    /// <summary>Directories that did not exist before, outermost first in each hierarchy; empty when opened.</summary>
    public IReadOnlyList<string> Created => _created;

    /// <summary>What was opened.</summary>
    public IReadOnlyList<string> Paths => _paths;

    /// <summary>Opens existing cgroups (exec).</summary>
    /// <param name="paths">Absolute paths from the state file.</param>
    public static OpenCgroups Open(string[] paths)
    {
        OpenCgroups entry = new();
        try
        {
            foreach (string path in paths)
            {
                int fd = (int)OciException.Check(CgroupFiles.OpenPath(path, Files.O_RDONLY, out bool unified), $"open cgroup {path}");
                entry.Add(path, fd, unified);
            }
            return entry;
        }
        catch
        {
            entry.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Opens the v2 cgroup, the container's own or one below it, in which a process is now: for when the container has made its own an
    /// inner node (EBUSY on entering it).
    /// </summary>
    /// <param name="paths">Absolute paths from the state file.</param>
    /// <param name="pid">The process.</param>
    /// <param name="below">Where it was found, from the container's own cgroup on, with a slash before each name.</param>
    /// <exception cref="OciException">It is not there, or somewhere else.</exception>
    public static OpenCgroups OpenOfProcess(IReadOnlyList<string> paths, int pid, out byte[] below)
    {
        long own = CgroupFiles.OpenPath(paths[0], Files.O_RDONLY, out bool unified);
        OciException.Check(own, $"open cgroup {paths[0]}");
        using Fd held = new((int)own);
        if (!unified) throw new OciException("there is no cgroup v2 hierarchy", Errno.ENOENT);
        // Nowhere else: the container's limits are to hold for whoever enters it.
        long fd = CgroupProcesses.Find(held.Number, pid, out below);
        OciException.Check(fd, $"find process {pid} in cgroup {paths[0]} and below it");
        return new OpenCgroups { UnifiedFd = (int)fd };
    }

    /// <summary>Moves another process in through cgroup.procs: slow, for when it cannot do it itself.</summary>
    public void EnterByPid(int pid)
    {
        string text = pid.ToString();
        foreach (string path in _paths)
        {
            int fd = (int)OciException.Check(CgroupFiles.OpenPath(path, Files.O_PATH, out _), $"open cgroup {path}");
            long result = CgroupFiles.Write(fd, ControlFile.Procs, text);
            Files.Close(fd);
            OciException.Check(result, $"write {pid} to {path}/cgroup.procs");
        }
    }

    /// <summary>Moves a process in that systemd has put into those hierarchies only that it uses itself.</summary>
    public void EnterRest(int pid)
    {
        foreach (string path in _paths)
        {
            int fd = (int)OciException.Check(CgroupFiles.OpenPath(path, Files.O_RDONLY, out bool unified), $"open cgroup {path}");
            HashSet<int> pids = [];
            if (!unified) CgroupProcesses.Collect(fd, pids);
            long result = unified || pids.Contains(pid) ? 0 : CgroupFiles.Write(fd, ControlFile.Procs, pid.ToString());
            Files.Close(fd);
            OciException.Check(result, $"write {pid} to {path}/cgroup.procs");
        }
    }

    /// <summary>Removes the directories in <see cref="Created"/>, innermost first, and passes over what is gone or in use.</summary>
    public void Rollback()
    {
        for (int i = Created.Count - 1; i >= 0; i--) CgroupControl.TryRemove(Created[i]);
        _created.Clear();
    }

    /// <summary>Closes the descriptors; the cgroups stay.</summary>
    public void Dispose()
    {
        if (UnifiedFd >= 0) Files.Close(UnifiedFd);
        UnifiedFd = -1;
        foreach (int fd in TasksFds) if (fd >= 0) Files.Close(fd);
        TasksFds = [];
    }

    internal void AddCreated(string path) => _created.Add(path);

    /// <summary>Takes over a directory fd: keeps it on v2, exchanges it for `tasks` on v1.</summary>
    internal void Add(string path, int directory, bool unified)
    {
        _paths.Add(path);
        if (unified)
        {
            UnifiedFd = directory;
            return;
        }
        long tasks = CgroupFiles.OpenFile(directory, "tasks", Files.O_WRONLY);
        Files.Close(directory);
        OciException.Check(tasks, $"open {path}/tasks");
        AddTasks((int)tasks);
    }

    /// <summary>
    /// A hierarchy the caller may not use (<see cref="CgroupPlan.Optional"/>): the child finds the others by their places, so it keeps its
    /// own.
    /// </summary>
    internal void Skip(bool unified)
    {
        if (!unified) AddTasks(-1);
    }

    private void AddTasks(int fd)
    {
        int[] fds = TasksFds;
        Array.Resize(ref fds, fds.Length + 1);
        fds[^1] = fd;
        TasksFds = fds;
    }
}
