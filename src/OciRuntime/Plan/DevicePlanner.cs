using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>Device nodes and the usual links of /dev (runtime-spec config-linux.md, "Default Devices").</summary>
internal static class DevicePlanner
{
    private static readonly (string Path, uint Major, uint Minor)[] Defaults =
        [("dev/null", 1, 3), ("dev/zero", 1, 5), ("dev/full", 1, 7), ("dev/random", 1, 8), ("dev/urandom", 1, 9), ("dev/tty", 5, 0)];

    private static readonly (string Target, string Path)[] Links =
        [("/proc/self/fd", "dev/fd"), ("/proc/self/fd/0", "dev/stdin"), ("/proc/self/fd/1", "dev/stdout"), ("/proc/self/fd/2", "dev/stderr")];

    /// <summary>Adds the steps. In a user namespace, new or the runtime's own, nodes of the host are bound: mknod is not permitted there.</summary>
    public static void AddSteps(PlanRequest request, bool bind, List<PlanStep> steps)
    {
        LinuxDevice[] devices = request.Spec.Linux?.Devices ?? [];
        foreach ((string path, uint major, uint minor) in Defaults)
        {
            if (!Array.Exists(devices, d => ContainerPath.Clean(d.Path) == path))
            {
                steps.Add(bind ? BindNode(Origin.Runtime, path, Files.S_IFCHR, major, minor) : Node(Origin.Runtime, path, Files.S_IFCHR | 0x1b6, major, minor, 0, 0));
            }
        }
        for (int i = 0; i < devices.Length; i++) Add(devices[i], new("/linux/devices", i), bind, steps);
        foreach ((string target, string path) in Links) steps.Add(new(InitOp.Symlink, Origin.Runtime) { Text1 = target, Text2 = path });
        if (Files.StatAt(Files.AT_FDCWD, "/proc/kcore", 0, out _) >= 0) steps.Add(new(InitOp.Symlink, Origin.Runtime) { Text1 = "/proc/kcore", Text2 = "dev/core" });
        steps.Add(new(InitOp.Symlink, Origin.Runtime) { Text1 = "pts/ptmx", Text2 = "dev/ptmx", Flags = InitFlags.Replace });
    }

    private static void Add(LinuxDevice device, Origin origin, bool bind, List<PlanStep> steps)
    {
        string path = ContainerPath.Clean(device.Path);
        if (path == "dev/ptmx") return; // The container's own multiplexer; a node would be the host's.
        int type = device.Type switch { "b" => Files.S_IFBLK, "p" => Files.S_IFIFO, _ => Files.S_IFCHR };
        if (bind && type != Files.S_IFIFO) steps.Add(BindNode(origin, path, type, (uint)(device.Major ?? 0), (uint)(device.Minor ?? 0)));
        else steps.Add(Node(origin, path, type | (int)((device.FileMode ?? 0x1b6) & 0xfff), (uint)(device.Major ?? 0), (uint)(device.Minor ?? 0), device.Uid ?? 0, device.Gid ?? 0));
    }

    private static PlanStep Node(Origin origin, string path, int mode, uint major, uint minor, uint uid, uint gid) => new(InitOp.DeviceNode, origin)
    {
        Text1 = path, A = mode, B = (long)Files.MakeDevice(major, minor), C = uid | ((long)gid << 32),
    };

    private static PlanStep BindNode(Origin origin, string path, int type, uint major, uint minor) => new(InitOp.DeviceBind, origin)
    {
        Text1 = "/" + path, Text2 = path, A = type, B = (long)Files.MakeDevice(major, minor),
    };
}
