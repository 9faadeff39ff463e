using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>Device nodes and the usual links of /dev (runtime-spec config-linux.md, "Default Devices").</summary>
/// <param name="request">The container.</param>
/// <param name="namespaces">Its namespaces.</param>
/// <param name="labels">Labels what is mounted.</param>
/// <param name="steps">Takes the steps.</param>
internal sealed class DevicePlanner(PlanRequest request, NamespacePlan namespaces, LabelPlanner labels, List<PlanStep> steps)
{
    private const int DefaultMode = (int)FileModes.UsersFile;

    private static readonly (string Path, uint Major, uint Minor)[] Defaults =
        [("dev/null", 1, 3), ("dev/zero", 1, 5), ("dev/full", 1, 7), ("dev/random", 1, 8), ("dev/urandom", 1, 9), ("dev/tty", 5, 0)];

    private static readonly (string Target, string Path)[] Links =
        [("/proc/self/fd", "dev/fd"), ("/proc/self/fd/0", "dev/stdin"), ("/proc/self/fd/1", "dev/stdout"), ("/proc/self/fd/2", "dev/stderr")];

    // In a user namespace, new or the runtime's own, mknod is not permitted.
    private readonly bool _bind = namespaces.Has(Processes.CLONE_NEWUSER) || request.Host.InUserNamespace;

    /// <summary>Adds the steps for a /dev of the container's own.</summary>
    public void AddSteps()
    {
        LinuxDevice[] devices = request.Spec.Linux?.Devices ?? [];
        steps.Add(new(InitOp.OpenDev, Origin.Runtime));
        foreach ((string path, uint major, uint minor) in Defaults)
        {
            if (Array.Exists(devices, d => ContainerPath.Clean(d.Path) == path)) continue;
            ulong number = Files.MakeDevice(major, minor);
            steps.Add(_bind ? new(InitOp.DeviceBind, Origin.Runtime) { Text1 = "/" + path, Text2 = path, A = Files.S_IFCHR, B = (long)number, C = -1 }
                : new(InitOp.DeviceNode, Origin.Runtime) { Text1 = path, A = Files.S_IFCHR | DefaultMode, B = (long)number, Flags = InitFlags.SkipMissing });
        }
        AddListed();
        foreach ((string target, string path) in Links) steps.Add(new(InitOp.Symlink, Origin.Runtime) { Text1 = target, Text2 = path });
        if (Files.StatAt(Files.AT_FDCWD, "/proc/kcore", 0, out _) >= 0) steps.Add(new(InitOp.Symlink, Origin.Runtime) { Text1 = "/proc/kcore", Text2 = "dev/core" });
        steps.Add(new(InitOp.Symlink, Origin.Runtime) { Text1 = "pts/ptmx", Text2 = "dev/ptmx", Flags = InitFlags.Replace });
    }

    /// <summary>For the host's own /dev: what is listed has to be there, and nothing is made.</summary>
    public void AddChecks()
    {
        if (request.Spec.Linux is not { Devices.Length: > 0 }) return;
        steps.Add(new(InitOp.OpenDev, Origin.Runtime));
        AddListed();
    }

    private void AddListed()
    {
        LinuxDevice[] devices = request.Spec.Linux?.Devices ?? [];
        for (int i = 0; i < devices.Length; i++) Add(devices[i], new("/linux/devices", i));
    }

    private void Add(LinuxDevice device, Origin origin)
    {
        string path = ContainerPath.Clean(device.Path);
        if (path == "dev/ptmx") return; // The container's own multiplexer; a node would be the host's.
        int type = device.Type switch { "b" => Files.S_IFBLK, "p" => Files.S_IFIFO, _ => Files.S_IFCHR };
        bool bind = _bind && type != Files.S_IFIFO;
        if (bind && !request.Host.CanMakeNodes)
        {
            steps.Add(BindNode(device, origin, path, type));
            return;
        }
        uint uid = Owner(device.Uid, "uid", request.Spec.Linux!.UidMappings, request.Spec.Process!.User.Uid, origin);
        uint gid = Owner(device.Gid, "gid", request.Spec.Linux.GidMappings, request.Spec.Process.User.Gid, origin);
        steps.Add(new(bind ? InitOp.DeviceMount : InitOp.DeviceNode, origin)
        {
            Text1 = path, Text2 = path, A = type | (int)((device.FileMode ?? DefaultMode) & FileModes.All), B = Number(device), C = uid | ((long)gid << 32),
            Options = bind && labels.MountOption is { } label ? [label] : [],
        });
    }

    /// <summary>Without the right to make a node there is only the host's, with the owner and mode that it has: what config.json gives is compared.</summary>
    private static PlanStep BindNode(LinuxDevice device, Origin origin, string path, int type) => new(InitOp.DeviceBind, origin)
    {
        Text1 = "/" + path, Text2 = path, B = Number(device), C = (device.Uid ?? InitPlan.AnyId) | ((long)(device.Gid ?? InitPlan.AnyId) << 32),
        A = type | (int)((device.FileMode ?? 0) & FileModes.All), Flags = device.FileMode == null ? InitFlags.None : InitFlags.SameMode,
    };

    private static long Number(LinuxDevice device) => (long)Files.MakeDevice((uint)(device.Major ?? 0), (uint)(device.Minor ?? 0));

    /// <summary>An id of the container. Where none is given root's, or in a new user namespace without root that of the program.</summary>
    private uint Owner(uint? given, string kind, IdMapping[] mappings, uint programs, Origin origin)
    {
        uint id = given ?? 0;
        if (!namespaces.NewUser || Array.Exists(mappings, m => m.Maps(id))) return id;
        return given == null ? programs : throw new OciException($"{origin}/{kind}: {id}: is not mapped by /linux/{kind}Mappings");
    }
}
