using OciRuntime.Spec;

namespace OciRuntime.State;

/// <summary>How far <c>create</c> got.</summary>
internal enum ContainerPhase
{
    /// <summary>Written before the first side effect. Whoever finds it, with its creator dead, may undo it.</summary>
    Creating,

    /// <summary>Written when create succeeds.</summary>
    Created,
}

/// <summary>
/// What is known of a container between two runs of the program, and what must be known to undo it: the contents of state.json.
/// </summary>
/// <remarks>A new field is a property here and a line in <c>ContainerState.Json.cs</c>.</remarks>
internal sealed partial class ContainerState
{
    /// <summary>The version this build writes, and the highest it reads. Raised only when an old reader would do harm.</summary>
    public const int CurrentVersion = 1;

    public int Version { get; set; } = CurrentVersion;

    public string Id { get; set; } = "";

    /// <summary>The version of the runtime specification that the state document conforms to.</summary>
    public string OciVersion { get; set; } = RuntimeSpec.NewestVersion;

    public ContainerPhase Phase { get; set; }

    /// <summary>The container's first process; of pid 0 until it is cloned.</summary>
    public ProcessIdentity Init { get; set; }

    /// <summary>The runtime process that makes the container.</summary>
    public ProcessIdentity Creator { get; set; }

    /// <summary>RFC 3339 with nanoseconds, UTC; see <see cref="Timestamp"/>.</summary>
    public string Created { get; set; } = "";

    /// <summary>Absolute path of the bundle.</summary>
    public string Bundle { get; set; } = "";

    /// <summary>Absolute path of the root file system.</summary>
    public string Rootfs { get; set; } = "";

    public SortedDictionary<string, string> Annotations { get; set; } = new(StringComparer.Ordinal);

    /// <summary>"cgroupfs", "systemd" or "disabled": clients name the manager to create only.</summary>
    public string CgroupManager { get; set; } = "cgroupfs";

    /// <summary>Absolute paths of the container's cgroups: one on v2, one per hierarchy on v1.</summary>
    public string[] CgroupDirectories { get; set; } = [];

    /// <summary>
    /// Which of <see cref="CgroupDirectories"/> did not exist before: those are removed with the container. Null means all of them.
    /// A cgroup that somebody else prepared is somebody else's to remove.
    /// </summary>
    public string[]? CgroupsCreated { get; set; }

    /// <summary>
    /// Which of the others had nothing below them, so that what is there in the end is the container's: it is removed, and they stay.
    /// </summary>
    public string[] CgroupsToEmpty { get; set; } = [];

    /// <summary>
    /// Cgroups above those that did not exist before, either, outermost first. An unfinished creation takes them back; afterwards they
    /// stay, as others may have come to rely on them.
    /// </summary>
    public string[] CgroupParents { get; set; } = [];

    /// <summary>
    /// What the container's device program is called, where it has one. Empty in journals of versions that gave it no name.
    /// </summary>
    public string DeviceProgram { get; set; } = "";

    /// <summary>
    /// The device rules that `update` has put in the place of the configuration's, in words. Empty where it was interrupted, as it is not
    /// known then which ones are in force; null while they are the configuration's.
    /// </summary>
    public string[]? DeviceRules { get; set; }

    /// <summary>
    /// Control files that `update` has written, or has begun to: what they say is no longer the configuration's.
    /// </summary>
    public string[] UpdatedLimits { get; set; } = [];

    /// <summary>
    /// Absolute paths of resctrl groups that did not exist before, in the order in which they are made; they are removed with the
    /// container.
    /// </summary>
    public string[] ResctrlGroups { get; set; } = [];

    /// <summary>The systemd scope that holds the container, or null.</summary>
    public string? SystemdUnit { get; set; }

    /// <summary>It belongs to the systemd of the user, not to that of the machine.</summary>
    public bool SystemdUser { get; set; }

    /// <summary>True when the container has its own pid namespace: then all its processes die with the first.</summary>
    public bool PrivatePidNamespace { get; set; }

    /// <summary>The container has a session keyring of its own, which exec joins by its name.</summary>
    public bool Keyring { get; set; }

    /// <summary>How many descriptors from 3 on the program was given.</summary>
    public int KeptFds { get; set; }

    /// <summary>
    /// Numbers (statx(2), STATX_MNT_ID) of the mounts that hide paths or make them read-only. Null where they are not known: before
    /// <see cref="ContainerPhase.Created"/>, and after a restore.
    /// </summary>
    public ulong[]? ProtectiveMounts { get; set; }

    /// <summary>Effective user of create.</summary>
    public uint OwnerUid { get; set; }

    /// <summary>Where systemd's readiness message is to be forwarded to (create's $NOTIFY_SOCKET), or null.</summary>
    public string? NotifySocket { get; set; }

    /// <summary>Without a mount namespace: the mount on the host that holds all of the container's, or null.</summary>
    public HostMount? HostMount { get; set; }

    /// <summary>What <c>start</c> must run after the program has started.</summary>
    public Hook[] Poststart { get; set; } = [];

    /// <summary>What <c>delete</c> must run after all else is gone; empty once that has happened.</summary>
    public Hook[] Poststop { get; set; } = [];

    /// <summary>
    /// What <see cref="ContainerEntry.Probe"/> and a look at the cgroups need, for who keeps it of all containers: the rest may be large.
    /// </summary>
    public ContainerState ForProbing() =>
        new() { Phase = Phase, Init = Init, Creator = Creator, CgroupDirectories = CgroupDirectories };
}
