namespace OciRuntime.Tests.Support;

/// <summary>A process as the kernel shows it from outside its container: the truth that tests compare with.</summary>
public readonly record struct ProcessView(int Pid)
{
    /// <summary>The content of a file in /proc/PID.</summary>
    public string Proc(string file) => File.ReadAllText($"/proc/{Pid}/{file}");

    /// <summary>A field of /proc/PID/status, for example `CapEff`, `Seccomp`, `NoNewPrivs`, `Groups`.</summary>
    public string Status(string field) =>
        Proc("status").Split('\n')
        .FirstOrDefault(line => line.StartsWith(field + ":", StringComparison.Ordinal))?[(field.Length + 1)..].Trim()
            ?? throw new KeyNotFoundException($"/proc/{Pid}/status has no field {field}");

    /// <summary>The number that identifies a namespace: the 1 in `net:[1]`. Names as in /proc/PID/ns.</summary>
    public ulong NamespaceInode(string name) => InodeOf($"/proc/{Pid}/ns/{name}");

    /// <summary>The same for the tests' own process.</summary>
    public static ulong HostNamespaceInode(string name) => InodeOf($"/proc/self/ns/{name}");

    /// <summary>The mounts it sees.</summary>
    public IReadOnlyList<MountInfo> Mounts => MountInfo.Of(Pid);

    /// <summary>The top mount at a path inside the container; fails when there is none.</summary>
    public MountInfo MountAt(string mountPoint) =>
        Mounts.LastOrDefault(mount => mount.MountPoint == mountPoint)
        ?? throw new KeyNotFoundException($"process {Pid} has no mount at {mountPoint}");

    /// <summary>The lines of /proc/PID/cgroup.</summary>
    public IReadOnlyList<CgroupEntry> Cgroups => CgroupEntry.ParseAll(Proc("cgroup"));

    /// <summary>A path inside the container's root as seen from the host.</summary>
    public string InRoot(string path) => $"/proc/{Pid}/root/{path.TrimStart('/')}";

    /// <summary>Environment as the process got it at execve.</summary>
    public string[] Environ => Proc("environ").Split('\0', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Command line, argument by argument.</summary>
    public string[] CommandLine => Proc("cmdline").TrimEnd('\0').Split('\0');

    /// <summary>Soft and hard limit of a line in /proc/PID/limits, for example `Max open files`.</summary>
    public (string Soft, string Hard) Limit(string name)
    {
        string line = Proc("limits").Split('\n').First(text => text.StartsWith(name, StringComparison.Ordinal));
        string[] fields = line[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return (fields[0], fields[1]);
    }

    /// <summary>Open descriptors and where they lead.</summary>
    public IReadOnlyDictionary<int, string> Descriptors =>
        Directory.GetFileSystemEntries($"/proc/{Pid}/fd")
        .ToDictionary(path => int.Parse(Path.GetFileName(path)), path => new FileInfo(path).LinkTarget ?? "");

    /// <summary>
    /// The host's directory of the cgroup that holds the process: of the v1 controller where that is mounted, else of v2.
    /// An empty controller means v2.
    /// </summary>
    public string CgroupDirectory(string controller)
    {
        IReadOnlyList<CgroupEntry> entries = Cgroups;
        if (controller.Length > 0 && CgroupHost.V1MountPoint(controller) is { } v1)
            return v1 + entries.First(entry => entry.Controllers.Contains(controller)).Path;
        string v2 = CgroupHost.V2MountPoint ?? throw new KeyNotFoundException($"no hierarchy has the controller {controller}");
        return v2 + entries.First(entry => entry.Hierarchy == 0).Path;
    }

    private static ulong InodeOf(string link)
    {
        string target = new FileInfo(link).LinkTarget ?? throw new IOException($"{link} cannot be read");
        return ulong.Parse(target[(target.IndexOf('[') + 1)..^1]);
    }
}
