using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary><see cref="InitOp.MountFilesystem"/>.</summary>
internal sealed unsafe class MountFilesystemStep(Origin origin)
    : PlanStep<MountFilesystemArguments>(StepChapter.FileSystems, origin), IMountStep
{
    // Of mounts that cover parts of /proc so many are named.
    private const int Named = 5;

    // Those of common file systems that a user namespace may mount (FS_USERNS_MOUNT in the kernel): their refusal has another reason.
    private static readonly string[] ForUserNamespaces =
        ["tmpfs", "ramfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay", "fuse", "bpf"];

    private DetachedMount? _detached;

    public required string Type { get; init; }
    public required MountDestination Target { get; init; }

    /// <summary>MOUNT_ATTR_….</summary>
    public ulong Attributes { get; init; }

    /// <summary>Packed, see <see cref="Init.Propagation"/>.</summary>
    public ulong Propagation { get; init; }

    /// <summary>fsconfig parameters; a null value is a flag.</summary>
    public required List<KeyValuePair<string, string?>> Options { get; init; }

    /// <summary>The options where they are for mount(2).</summary>
    public MountCallPlan? Call { get; init; }

    /// <inheritdoc cref="MountFilesystemArguments.Fallback"/>
    public string? Fallback { get; init; }

    /// <inheritdoc cref="MountFilesystemArguments.InheritMode"/>
    public bool InheritMode { get; init; }

    /// <inheritdoc cref="MountFilesystemArguments.CopyUp"/>
    public bool CopyUp { get; init; }

    /// <inheritdoc cref="MountFilesystemArguments.SkipMissing"/>
    public bool SkipMissing { get; init; }

    /// <inheritdoc cref="MountFilesystemArguments.HostDevices"/>
    public bool HostDevices { get; init; }

    /// <inheritdoc cref="MountFilesystemArguments.OnDevice"/>
    public bool OnDevice { get; init; }

    /// <summary>A sysfs shows the network of whoever mounts it, a network file system uses it; of others it is not known.</summary>
    public override bool GoesWithoutNetwork => !OnDevice && Type is "proc" or "tmpfs" or "devpts" or "mqueue";

    public override SyncKind[] Says => OnDevice ? [SyncKind.Filesystem] : [];

    // What is mounted from, unless it is only the name it goes by.
    private string? Source => Options.Find(static option => option.Key == "source").Value;

    // A tmpfs is writable until it has the mode of what it covers, which for a detached one is known late.
    private ulong Late => _detached is not null && InheritMode ? Attributes & Mounts.MOUNT_ATTR_RDONLY : 0;

    protected override string Words
    {
        get
        {
            MountWords words = new();
            words.AddAttributes("", Attributes & ~Late, 0);
            words.AddOptions(Options);
            words.Add(CopyUp, "tmpcopyup");
            words.AddPropagation(Propagation);
            string from = Source is ['/', ..] ? $" from {Source}" : "", fallback = Fallback is null ? "" : $", else bind {Fallback}";
            return $"mount {Type}{from} on /{Target.Path}{words}{fallback}{(SkipMissing ? " if it exists" : "")}";
        }
    }

    public AttachMountStep Detach()
    {
        _detached = new();
        return new(Origin, Type, _detached, Target.ForAttachment) { Propagation = Propagation, Late = Late, InheritMode = InheritMode };
    }

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => (failure.Detail, failure.Errno) switch
    {
        (InitDetail.Superblock or InitDetail.MountObject, Errno.EPERM) => Refused(plan),
        (InitDetail.CopyUp, Errno.ENOSPC) => ": it does not fit into the tmpfs (options size= and nr_inodes=)",
        (InitDetail.CopyUpOwner, Errno.EINVAL) =>
            ": the owner has no mapping in the user namespace (/linux/uidMappings, /linux/gidMappings)",
        (InitDetail.CopyUpDevice, Errno.EPERM) when plan.InUserNamespace => ": not possible in a user namespace",
        _ => MountHints.Of(plan, failure, Attributes, clear: 0, tree: false),
    };

    protected override MountFilesystemArguments Compile(PlanCompiler compiler) => new()
    {
        Type = compiler.Text(Type),
        Target = Target.Compile(compiler),
        Attributes = Attributes & ~Late,
        Propagation = Propagation,
        Options = Call is null ? compiler.Pairs(Options) : default,
        Call = Call is null ? null : Call.Compile(compiler),
        Fallback = compiler.Text(Fallback),
        Detached = _detached is null ? null : _detached.Place(compiler),
        InheritMode = InheritMode && _detached is null,
        CopyUp = CopyUp,
        SkipMissing = SkipMissing,
        HostDevices = HostDevices,
        OnDevice = OnDevice,
    };

    /// <summary>The rules of user namespaces, where there is one; else, of a file system on a device, those of the device cgroup.</summary>
    private string Refused(LaunchPlan plan)
    {
        if (!plan.InUserNamespace) return IsDenied() ? ": a device cgroup denies the device to the runtime, too" : "";
        return Type switch
        {
            "proc" => ProcHint(),
            "sysfs" => ": in a user namespace it takes a new network namespace; else bind /sys",
            _ when Array.IndexOf(ForUserNamespaces, Type) < 0 =>
                $": the kernel lets a user namespace mount {Type} only where its file system is made for that (tmpfs, proc, sysfs, devpts,"
                + " mqueue, cgroup, overlay, fuse)",
            _ => "",
        };
    }

    /// <summary>Opening the device is refused here as well, where ordinary permissions would give EACCES.</summary>
    private bool IsDenied()
    {
        if (!OnDevice || Source is not { } device) return false;
        long opened = Files.OpenAt(Files.AT_FDCWD, device, Files.O_RDONLY | Files.O_NONBLOCK);
        if (opened >= 0) Files.Close((int)opened);
        return opened == -Errno.EPERM;
    }

    /// <summary>
    /// The rule behind EPERM is the kernel's mount_too_revealing: a fresh procfs must show nothing that the present one hides.
    /// </summary>
    private static string ProcHint()
    {
        List<string> covering = FullMounts.CoveringProc();
        string places = string.Join(", ", covering.GetRange(0, Math.Min(Named, covering.Count))) + (covering.Count > Named ? ", …" : "");
        string hidden = covering.Count == 0 ? "" : $"; here it is covered at {places}";
        return ": a user namespace may mount proc only with a pid namespace of its own, and where the host's /proc is mounted, visible in "
            + $"full and not stricter in ro and access times{hidden}. A bind of /proc is possible";
    }
}
