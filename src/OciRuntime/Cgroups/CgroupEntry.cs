namespace OciRuntime.Cgroups;

/// <summary>Open doors into a container's cgroups. All descriptors are close-on-exec and belong to this object.</summary>
internal sealed class CgroupEntry : IDisposable
{
    /// <summary>Directory of the v2 cgroup for clone3's CLONE_INTO_CGROUP, or -1.</summary>
    public int UnifiedFd { get; private set; } = -1;

    /// <summary>
    /// One O_WRONLY descriptor of `tasks` per v1 hierarchy. The child writes "0" to each while it has a single thread: moving one's own
    /// only thread does not take the kernel's global lock, which costs others 6-17 ms (design, section 3).
    /// </summary>
    public int[] TasksFds { get; private set; } = [];

    /// <summary>Directories that did not exist before, outermost first; empty when opened.</summary>
    public IReadOnlyList<string> Created { get; private set; } = [];

    /// <summary>Opens existing cgroups (exec).</summary>
    /// <param name="paths">Absolute paths from the state file.</param>
    /// <param name="subCgroup">Path below each of them, or null; refused when it leaves them.</param>
    public static CgroupEntry Open(IReadOnlyList<string> paths, string? subCgroup = null) => throw new NotSupportedException();

    /// <summary>Moves another process in through cgroup.procs: slow, for when it cannot do it itself.</summary>
    public void EnterByPid(int pid) => throw new NotSupportedException();

    /// <summary>Removes the directories in <see cref="Created"/>, innermost first, and ignores what is gone or in use.</summary>
    public void Rollback() => throw new NotSupportedException();

    /// <summary>Closes the descriptors; the cgroups stay.</summary>
    public void Dispose() => throw new NotSupportedException();
}
