namespace OciRuntime.Cgroups;

/// <summary>Rules over existing cgroups, known by the paths in the state file. Missing directories count as empty.</summary>
internal sealed class CgroupControl(IReadOnlyList<string> paths)
{
    /// <summary>The directories.</summary>
    public IReadOnlyList<string> Paths { get; } = paths;

    /// <summary>Pids of all processes in the cgroups and below, each once, ascending; in the caller's pid namespace.</summary>
    public int[] Pids() => throw new NotSupportedException();

    /// <summary>Whether the cgroup is frozen, or was told to freeze.</summary>
    public bool IsFrozen() => throw new NotSupportedException();

    /// <summary>Stops all processes and returns once they stand; thaws again when that fails.</summary>
    public void Freeze() => throw new NotSupportedException();

    /// <summary>Lets them go on; returns at once when they already run.</summary>
    public void Thaw() => throw new NotSupportedException();

    /// <summary>Sends a signal to every process. SIGKILL reaches those that fork meanwhile, and frozen ones.</summary>
    /// <returns>Whether there was anything to signal.</returns>
    public bool KillAll(int signal) => throw new NotSupportedException();

    /// <summary>Removes the cgroups and all below them, waiting for processes that are going.</summary>
    /// <exception cref="Linux.OciException">Something still holds one after <paramref name="timeout"/>; the message names the pids. May be repeated.</exception>
    public void Remove(TimeSpan timeout) => throw new NotSupportedException();
}
