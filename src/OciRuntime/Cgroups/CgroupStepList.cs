using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Steps while they are collected.</summary>
/// <param name="directories">The container's cgroups.</param>
/// <param name="systemd">systemd writes to them, too, and should mean the same.</param>
internal sealed class CgroupStepList(CgroupDirectory[] directories, bool systemd = false)
{
    private readonly List<CgroupStep> _steps = new(24);
    private readonly List<string> _warnings = [];
    private readonly List<string> _needed = [];

    /// <summary>Whether a limit was asked for, as opposed to what every cgroup gets.</summary>
    public bool HasLimits { get; private set; }

    /// <summary>v2 controllers that the limits need.</summary>
    public string Needed => string.Join(' ', _needed);

    /// <summary>The steps so far.</summary>
    public CgroupStep[] Steps => [.. _steps];

    /// <summary>The warnings so far.</summary>
    public string[] Warnings => [.. _warnings];

    /// <summary>blkio.weight as io.weight.</summary>
    public ulong IoWeight(ushort weight) => systemd ? CgroupConversions.SystemdIoWeight(weight) : CgroupConversions.IoWeight(weight);

    /// <summary>Index of the directory in which a v1 controller lives, or -1.</summary>
    public int IndexOf(string controller)
    {
        for (int i = 0; i < directories.Length; i++)
        {
            if (directories[i].Hierarchy.Has(controller)) return i;
        }
        return -1;
    }

    /// <summary>Index of the v2 directory, or -1.</summary>
    public int IndexOfUnified()
    {
        for (int i = 0; i < directories.Length; i++)
        {
            if (directories[i].Hierarchy.Unified) return i;
        }
        return -1;
    }

    /// <summary>Adds any step.</summary>
    public void Add(in CgroupStep step) => _steps.Add(step);

    /// <summary>Puts a step before all others.</summary>
    public void AddFirst(in CgroupStep step) => _steps.Insert(0, step);

    /// <summary>Adds a line about something that has no effect.</summary>
    public void Warn(string line) => _warnings.Add(line);

    /// <summary>Adds a limit of a v1 controller.</summary>
    /// <exception cref="OciException">The controller is not mounted.</exception>
    public void Write1(string controller, string file, string value, string pointer, CgroupTolerance tolerance = CgroupTolerance.None)
    {
        int at = IndexOf(controller);
        if (at < 0)
        {
            throw new OciException(
                $"{pointer}: cannot set {controller} limit: container could not join or create cgroup: no cgroup v1 hierarchy with the controller {controller} is mounted",
                Errno.ENOENT);
        }
        HasLimits |= IsLimit(file, value);
        _steps.Add(new CgroupStep(CgroupStepKind.Write, at, file, value, pointer, tolerance));
    }

    /// <summary>Adds a limit of a v2 controller, named by the file up to its first dot, and notes that the controller is needed.</summary>
    public void Write2(string file, string value, string pointer, CgroupTolerance tolerance = CgroupTolerance.None)
    {
        string controller = file[..file.IndexOf('.')];
        if (controller != "cgroup" && !_needed.Contains(controller)) _needed.Add(controller);
        HasLimits |= IsLimit(file, value);
        _steps.Add(new CgroupStep(CgroupStepKind.Write, IndexOfUnified(), file, value, pointer, tolerance));
    }

    /// <summary>Not what a new cgroup has by itself: engines write that for "not set", and who may make no cgroup need not be refused for it.</summary>
    private static bool IsLimit(string file, string value) => value switch
    {
        "max" or "-1" => false,
        "0" => file is not ("cpu.idle" or "cpu.max.burst" or "cpu.cfs_burst_us"),
        _ => true,
    };
}
