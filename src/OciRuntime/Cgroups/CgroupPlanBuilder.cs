using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>The steps of a plan while they are collected.</summary>
/// <param name="directories">The container's cgroups.</param>
/// <param name="unified">All controllers are on v2.</param>
/// <param name="systemd">systemd writes to them, too, and should mean the same.</param>
internal sealed class CgroupPlanBuilder(CgroupDirectory[] directories, bool unified, bool systemd = false)
{
    private const string Resources = "/linux/resources/";

    private readonly List<CgroupStep> _steps = new(24);
    private readonly List<string> _warnings = [];
    private readonly List<NeededController> _needed = [];

    /// <summary>All controllers are on v2.</summary>
    public bool IsUnified => unified;

    /// <summary>Whether a limit was asked for, as opposed to what every cgroup gets.</summary>
    public bool HasLimits { get; private set; }

    /// <summary>v2 controllers that the limits need.</summary>
    public NeededController[] Needed => [.. _needed];

    /// <summary>The steps so far.</summary>
    public CgroupStep[] Steps => [.. _steps];

    /// <summary>The warnings so far.</summary>
    public string[] Warnings => [.. _warnings];

    /// <summary>blkio.weight as io.weight.</summary>
    public ulong IoWeight(ushort weight) => systemd ? CgroupConversions.SystemdIoWeight(weight) : CgroupConversions.IoWeight(weight);

    /// <summary>Index of the directory in which a v1 controller lives, or -1.</summary>
    public int IndexOf(string controller) => Array.FindIndex(directories, directory => directory.Hierarchy.Has(controller));

    /// <summary>Index of the v2 directory, or -1.</summary>
    public int IndexOfUnified() => Array.FindIndex(directories, static directory => directory.Hierarchy.Unified);

    /// <summary>Adds any step.</summary>
    public void Add(CgroupStep step) => _steps.Add(step);

    /// <summary>Puts a step before all others.</summary>
    public void AddFirst(CgroupStep step) => _steps.Insert(0, step);

    /// <summary>Adds a line about a property of linux.resources that has no effect as it is.</summary>
    public void Warn(string property, string text) => _warnings.Add($"{Resources}{property}: {text}");

    /// <summary>An error about a property of linux.resources.</summary>
    public static OciException Refused(string property, string text, int errno = Errno.EINVAL) =>
        new($"{Resources}{property}: {text}", errno);

    /// <summary>Adds a check of the memory in use (v2).</summary>
    public void CheckMemory(long limit, string property) => _steps.Add(new CheckMemoryUse(IndexOfUnified(), limit, Resources + property));

    /// <summary>Adds a limit, and notes that its controller is needed.</summary>
    /// <param name="file">Where it is written.</param>
    /// <param name="value">What.</param>
    /// <param name="property">Which property of linux.resources asks for it.</param>
    /// <param name="tolerance">Failures that are passed over.</param>
    /// <param name="otherwise">What is written instead where the kernel does not have the file.</param>
    /// <exception cref="OciException">The controller is not mounted (v1).</exception>
    public void Write(string file, FileValue value, string property, CgroupTolerance tolerance = CgroupTolerance.None,
        FileContent? otherwise = null)
    {
        string controller = ControlFile.Controller(file);
        int at = unified ? IndexOfUnified() : IndexOf(controller);
        if (at < 0)
        {
            throw Refused(property,
                $"cannot set {controller} limit: container could not join or create cgroup: no cgroup v1 hierarchy with the controller "
                + $"{controller} is mounted", Errno.ENOENT);
        }
        string pointer = Resources + property;
        if (unified && controller != "cgroup" && !_needed.Exists(one => one.Name == controller)) _needed.Add(new(controller, pointer));
        HasLimits |= IsLimit(file, value);
        _steps.Add(new ControlWrite(at, new(file, value), pointer, tolerance) { Otherwise = otherwise });
    }

    /// <summary>
    /// Not what a new cgroup has by itself: engines write that for "not set", and who may make no cgroup need not be refused for it.
    /// </summary>
    private static bool IsLimit(string file, FileValue value) => value switch
    {
        Amount { Number: null } or Line { Text: Amount.Max or Amount.MinusOne } => false,
        Amount { Number: 0 } or Line { Text: "0" } => file is not (ControlFile.CpuIdle or ControlFile.CpuBurst or ControlFile.CfsBurst),
        _ => true,
    };
}
