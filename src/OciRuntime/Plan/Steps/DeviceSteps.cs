using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

internal sealed class OpenDevStep()
    : PlainStep(InitOp.OpenDev, StepChapter.Devices, Origin.Runtime,
        "open /dev for the nodes and links; if it is the host's, nothing is made or changed there");

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="path">Clean.</param>
/// <param name="device">The device.</param>
internal sealed class DeviceNodeStep(Origin origin, string path, DeviceIdentity device)
    : PlanStep<DeviceNodeArguments>(StepChapter.Devices, origin)
{
    public string Path => path;
    public DeviceIdentity Device => device;

    protected override string Words => Describe(Path, Device);

    /// <summary>A node in words.</summary>
    public static string Describe(string path, in DeviceIdentity device)
    {
        ulong number = device.Number;
        ulong major = (number >> 8 & 0xfff) | (number >> 32 & 0xfffff000), minor = (number & 0xff) | (number >> 12 & 0xffffff00);
        uint type = device.Mode & Files.S_IFMT;
        string owner = (device.Uid | device.Gid) == 0 ? "" : $", owner {device.Uid}:{device.Gid}";
        string mode = $"mode {UmaskStep.Octal(device.Mode & FileModes.All)}{owner}";
        return type == Files.S_IFIFO
            ? $"make the named pipe /{path} ({mode})"
            : $"make the device /{path} ({(type == Files.S_IFBLK ? 'b' : 'c')} {major}:{minor}, {mode})";
    }

    protected override DeviceNodeArguments Compile(PlanCompiler compiler) =>
        new() { Path = compiler.Text(Path), Device = Device, IsDefault = Origin == Origin.Runtime };
}

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="path">Clean.</param>
/// <param name="device">The device, with the owner that it is to have in the container.</param>
/// <param name="options">fsconfig parameters of the file system that it is made in.</param>
internal sealed class DeviceMountStep(Origin origin, string path, DeviceIdentity device, List<KeyValuePair<string, string?>> options)
    : PlanStep<DeviceMountArguments>(StepChapter.Devices, origin)
{
    public string Path => path;
    public DeviceIdentity Device => device;

    public override SyncKind[] Says => [SyncKind.Device];

    protected override string Words => $"{DeviceNodeStep.Describe(Path, Device)}: the runtime makes it, as a user namespace cannot";

    protected override DeviceMountArguments Compile(PlanCompiler compiler) =>
        new() { Target = new MountDestination(Path).Compile(compiler), Options = compiler.Pairs(options) };
}

/// <summary>The host's device of the same path.</summary>
/// <param name="origin">Where config.json asks for it.</param>
/// <param name="path">Clean.</param>
/// <param name="device">What the host's has to be, <see cref="DeviceIdentity.AnyId"/> for any owner.</param>
/// <param name="sameMode">It must have the mode, too.</param>
internal sealed class DeviceBindStep(Origin origin, string path, DeviceIdentity device, bool sameMode = false)
    : PlanStep<DeviceBindArguments>(StepChapter.Devices, origin)
{
    public string Source => "/" + Path;
    public string Path => path;

    /// <inheritdoc cref="DeviceBindArguments.Device"/>
    public DeviceIdentity Device => device;

    protected override string Words => $"bind the host's device {Source} on /{Path}";

    /// <summary>
    /// A node is bound only where none can be made: the default ones in any user namespace, those of the configuration where the runtime
    /// has not the right either.
    /// </summary>
    protected override string Hint(LaunchPlan plan, in StepFailure failure)
    {
        string right = (Origin == Origin.Runtime ? ": a user namespace cannot make device nodes"
            : ": making device nodes takes CAP_MKNOD outside of any user namespace, which the runtime has not")
            + ", so the host's device of the same path is bound";
        return failure.Detail switch
        {
            InitDetail.Source when failure.Errno == Errno.ENOENT => right,
            InitDetail.NotADevice => right,
            InitDetail.OtherOwner => $"{right}, as it is{Asked()}",
            _ => "",
        };
    }

    protected override DeviceBindArguments Compile(PlanCompiler compiler) => new()
    {
        Source = compiler.Text(Source),
        Target = new MountDestination(Path).Compile(compiler),
        Device = Device,
        SameMode = sameMode,
    };

    private string Asked()
    {
        List<string> asked = [];
        if (device.Uid != DeviceIdentity.AnyId) asked.Add($"uid {device.Uid}");
        if (device.Gid != DeviceIdentity.AnyId) asked.Add($"gid {device.Gid}");
        if (sameMode) asked.Add($"fileMode 0{Convert.ToString(device.Mode & FileModes.All, 8)}");
        string host = Files.StatAt(Files.AT_FDCWD, Source, 0, out Statx stat) < 0
            ? ""
            : $" (here uid {stat.Uid}, gid {stat.Gid}, mode 0{Convert.ToString(stat.Mode & FileModes.All, 8)})";
        return $"{host}; asked for is {string.Join(", ", asked)}";
    }
}

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="content">What it leads to.</param>
/// <param name="path">Clean.</param>
/// <param name="existing">What becomes of a file that is there.</param>
internal sealed class SymlinkStep(Origin origin, string content, string path, ExistingLink existing = ExistingLink.Stays)
    : PlanStep<SymlinkArguments>(StepChapter.Any, origin)
{
    public string Path => path;
    public ExistingLink Existing => existing;

    protected override string Words => $"make the symbolic link /{Path} -> {content}";

    protected override SymlinkArguments Compile(PlanCompiler compiler) =>
        new() { Content = compiler.Text(content), Path = compiler.Text(Path), Existing = Existing };
}
