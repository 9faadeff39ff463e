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
    private const uint DefaultMode = FileModes.UsersFile;

    private static readonly (string Path, uint Major, uint Minor)[] Defaults =
        [("dev/null", 1, 3), ("dev/zero", 1, 5), ("dev/full", 1, 7), ("dev/random", 1, 8), ("dev/urandom", 1, 9), ("dev/tty", 5, 0)];

    private static readonly (string Target, string Path)[] Links =
        [("/proc/self/fd", "dev/fd"), ("/proc/self/fd/0", "dev/stdin"), ("/proc/self/fd/1", "dev/stdout"),
        ("/proc/self/fd/2", "dev/stderr")];

    // In a user namespace, new or the runtime's own, mknod is not permitted.
    private readonly bool _bind = namespaces.Has(Processes.CLONE_NEWUSER) || request.Host.InUserNamespace;

    /// <summary>Adds the steps for a /dev of the container's own.</summary>
    public void AddSteps()
    {
        LinuxDevice[] devices = request.Spec.Linux?.Devices ?? [];
        steps.Add(new OpenDevStep());
        foreach ((string path, uint major, uint minor) in Defaults)
        {
            if (Array.Exists(devices, d => ContainerPath.Clean(d.Path) == path)) continue;
            DeviceIdentity device = new() { Mode = Files.S_IFCHR | DefaultMode, Number = Files.MakeDevice(major, minor) };
            steps.Add(_bind
                ? new DeviceBindStep(Origin.Runtime, path, device with { Uid = DeviceIdentity.AnyId, Gid = DeviceIdentity.AnyId })
                : new DeviceNodeStep(Origin.Runtime, path, device));
        }
        AddListed();
        foreach ((string target, string path) in Links) steps.Add(new SymlinkStep(Origin.Runtime, target, path));
        if (Files.Exists(Files.AT_FDCWD, "/proc/kcore"))
            steps.Add(new SymlinkStep(Origin.Runtime, "/proc/kcore", "dev/core"));
        steps.Add(new SymlinkStep(Origin.Runtime, "pts/ptmx", "dev/ptmx", ExistingLink.IsReplaced));
    }

    /// <summary>For the host's own /dev: what is listed has to be there, and nothing is made.</summary>
    public void AddChecks()
    {
        if (request.Spec.Linux is not { Devices.Length: > 0 }) return;
        steps.Add(new OpenDevStep());
        AddListed();
    }

    private void AddListed()
    {
        LinuxDevice[] devices = request.Spec.Linux?.Devices ?? [];
        for (int i = 0; i < devices.Length; i++) Add(devices[i], new("/linux/devices", i));
    }

    private void Add(LinuxDevice device, Origin origin)
    {
        string path = ContainerPath.Place(device.Path, origin);
        if (path == "dev/ptmx") return; // The container's own multiplexer; a node would be the host's.
        uint type = device.Type switch { "b" => Files.S_IFBLK, "p" => Files.S_IFIFO, _ => Files.S_IFCHR };
        bool bind = _bind && type != Files.S_IFIFO;
        if (bind && !request.Host.CanMakeNodes)
        {
            // Without the right to make a node there is only the host's, with the owner and mode that it has: what config.json gives is
            // compared.
            DeviceIdentity host = new()
            {
                Mode = Mode(device, type, 0),
                Number = Number(device),
                Uid = device.Uid ?? DeviceIdentity.AnyId,
                Gid = device.Gid
                    ?? DeviceIdentity.AnyId
            };
            steps.Add(new DeviceBindStep(origin, path, host, sameMode: device.FileMode is not null));
            return;
        }
        uint uid = Owner(device.Uid, "uid", request.Spec.Linux!.UidMappings, request.Spec.Process!.User.Uid, origin);
        uint gid = Owner(device.Gid, "gid", request.Spec.Linux.GidMappings, request.Spec.Process.User.Gid, origin);
        DeviceIdentity node = new() { Mode = Mode(device, type, DefaultMode), Number = Number(device), Uid = uid, Gid = gid };
        steps.Add(bind ? new DeviceMountStep(origin, path, node, labels.MountOption is { } label ? [label] : [])
            : new DeviceNodeStep(origin, path, node));
    }

    private static uint Mode(LinuxDevice device, uint type, uint otherwise) => type | ((device.FileMode ?? otherwise) & FileModes.All);

    private static ulong Number(LinuxDevice device) => Files.MakeDevice((uint)(device.Major ?? 0), (uint)(device.Minor ?? 0));

    /// <summary>An id of the container. Where none is given root's, or in a new user namespace without root that of the program.</summary>
    private uint Owner(uint? given, string kind, IdMapping[] mappings, uint programs, Origin origin)
    {
        uint id = given ?? 0;
        if (!namespaces.NewUser || Array.Exists(mappings, m => m.Maps(id))) return id;
        return given is null ? programs : throw new OciException($"{origin}/{kind}: {id}: is not mapped by /linux/{kind}Mappings");
    }
}
