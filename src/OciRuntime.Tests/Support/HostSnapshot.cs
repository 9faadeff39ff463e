namespace OciRuntime.Tests.Support;

/// <summary>
/// What a container runtime could leave on or change in the host: mounts and their propagation, host name, cgroups, state,
/// temporary files, processes, session keyrings. Things made by another run at the same time are told apart by its token.
/// </summary>
public sealed class HostSnapshot
{
    private readonly SortedSet<string> _facts;

    private HostSnapshot(SortedSet<string> facts) => _facts = facts;

    /// <summary>Looks at the host now.</summary>
    public static HostSnapshot Take()
    {
        Children.Adopt();
        return new HostSnapshot([.. Mounts(), .. Cgroups(), .. StateAndFiles(), .. Processes(), .. Keyrings(),
            $"host name {Environment.MachineName}"]);
    }

    /// <summary>What differs in the later snapshot: "+ …" is new, "- …" is gone.</summary>
    public IReadOnlyList<string> Diff(HostSnapshot later) =>
    [
        .. later._facts.Except(_facts).Select(fact => $"+ {fact}"),
        // A process or file that goes away is somebody cleaning up; a mount or name that goes away is damage.
        .. _facts.Except(later._facts)
            .Where(fact => fact.StartsWith("mount", StringComparison.Ordinal) || fact.StartsWith("host", StringComparison.Ordinal))
            .Select(fact => $"- {fact}"),
    ];

    /// <summary>
    /// Compares with the host now; gives asynchronous ends the time they need: dying processes, key garbage collection, and the OOM reaper,
    /// which holds a killed task, and with it its keyring, for two seconds (OOM_REAPER_DELAY in mm/oom_kill.c).
    /// </summary>
    public IReadOnlyList<string> DiffNow(TimeSpan? patience = null)
    {
        IReadOnlyList<string> difference = [];
        Eventually.Becomes(() => (difference = Diff(Take())).Count == 0, patience ?? TimeSpan.FromSeconds(6));
        return difference;
    }

    private static IEnumerable<string> Mounts() =>
        MountInfo.Of().Where(mount => !IsOfAnotherRun(mount.MountPoint)).Select((mount, _) =>
            $"mount {mount.MountPoint} {mount.Type} {mount.Source} {mount.Root} {string.Join(',', mount.Options)} {mount.PropagationType}")
            // The same mount twice is a fact, too.
            .GroupBy(line => line).SelectMany(same => same.Select((line, index) => index == 0 ? line : $"{line} #{index + 1}"));

    /// <summary>The parent that all containers of the run share is the harness's own.</summary>
    private static IEnumerable<string> Cgroups() =>
        CgroupHost.Find(TestRun.Token).Where(path => Path.GetFileName(path) != TestRun.Token).Select(path => $"cgroup {path}");

    private static IEnumerable<string> StateAndFiles()
    {
        IEnumerable<string> own = Directory.GetDirectories(TestRun.Root).SelectMany(Directory.GetFileSystemEntries);
        IEnumerable<string> shared = ((string[])["/run/ocirun", "/run/runc", "/run/crun"]).Where(Directory.Exists)
            .SelectMany(Directory.GetFileSystemEntries).Where(path => path.Contains(TestRun.Token, StringComparison.Ordinal));
        return own.Concat(shared).Select(path => $"file {path}");
    }

    /// <summary>As if they had been there.</summary>
    internal void AddProcesses(IEnumerable<int> pids) => _facts.UnionWith(Processes(pids));

    private static IEnumerable<string> Processes() => Processes(ProcessTree.DescendantsOf(Environment.ProcessId));

    private static IEnumerable<string> Processes(IEnumerable<int> pids) =>
        pids.Select(pid => (pid, line: ProcessTree.CommandLine(pid), start: ProcessTree.StartTime(pid)))
            .Where(process => process.start != 0).Select(process => $"process {process.pid}@{process.start} {process.line}");

    /// <summary>
    /// Keyrings that somebody holds. With a use count of 0 (third field, keyrings(7)) they only wait for the kernel's collector, which
    /// takes its time.
    /// </summary>
    private static IEnumerable<string> Keyrings() =>
        ProcessTree.ReadOrEmpty("/proc/keys").Split('\n')
            .Where(line => line.Contains("_ses." + TestRun.Token, StringComparison.Ordinal))
            .Where(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[2] != "0")
            .Select(line => $"keyring {line[line.IndexOf("_ses.", StringComparison.Ordinal)..].Split(':')[0]}");

    private static bool IsOfAnotherRun(string path) =>
        path.Contains($"/{TestRun.RootPrefix}", StringComparison.Ordinal) && !path.StartsWith(TestRun.Root + "/", StringComparison.Ordinal);
}
