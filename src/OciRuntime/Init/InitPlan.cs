using System.Runtime.InteropServices;

namespace OciRuntime.Init;

/// <summary>What one step does. The fields of <see cref="InitStep"/> that a step uses are listed with it.</summary>
internal enum InitOp
{
    /// <summary>oom_score_adj. A: value.</summary>
    OomScoreAdjust,

    /// <summary>Keeps the host's /proc open: after the switch there is only the container's, which may be missing, or read-only below /proc/sys.</summary>
    KeepHostProc,

    /// <summary>Moves this single thread into a cgroup v1 hierarchy. A: slot of the hierarchy's open <c>tasks</c> file in <see cref="InitPlan.Fds"/>.</summary>
    EnterCgroup,

    /// <summary>Waits until the parent had systemd put this process into a cgroup.</summary>
    AwaitCgroup,

    /// <summary>Runs on every CPU that the cgroup allows, not on the caller's only.</summary>
    ResetAffinity,

    /// <summary>Joins namespaces by path; a pid namespace is kept for later. Data: <see cref="NamespaceJoin"/>[Count], A: number of createContainer hooks, B: CLONE_NEW… flags of all namespaces but the pid namespace. The value of an error: which, or -1.</summary>
    JoinNamespaces,

    /// <summary>exec: joins the container. A: CLONE_NEW… flags, B: slot of a pidfd of its first process, C: slot of that one's root directory, or -1.</summary>
    JoinContainer,

    /// <summary>exec: runs on these CPUs. Data: ulong[Count], bit n for CPU n.</summary>
    Affinity,

    /// <summary>unshare(2). A: CLONE_NEW… flags.</summary>
    Unshare,

    /// <summary>Enters the time namespace just unshared, after the parent wrote its offsets. Text1: lines of timens_offsets.</summary>
    TimeOffsets,

    /// <summary>Waits until the parent wrote the id maps.</summary>
    AwaitIdMaps,

    /// <summary>Becomes uid and gid 0 of the user namespace. A, B: the uid and gid to take where it has no 0. Flags: <see cref="InitFlags.KeepGroups"/> or <see cref="InitFlags.GroupsMayBeDenied"/>.</summary>
    BecomeRoot,

    /// <summary>Clones once more, into a pid namespace that this process has joined or makes now; the first process ends. A: CLONE_NEW… flags, or 0. Text1: path of a namespace that is joined.</summary>
    ForkIntoPidNamespace,

    /// <summary>Not dumpable, so that nothing in a joined namespace can trace the runtime or open its descriptors (CVE-2016-9962).</summary>
    Undumpable,

    /// <summary>setsid(2).</summary>
    NewSession,

    /// <summary>New session keyring, or the one that has the name. Text1: name. A: permission bits to add; 0: it is as it should be.</summary>
    SessionKeyring,

    /// <summary>Sets the loopback interface up.</summary>
    LoopbackUp,

    /// <summary>Waits until the parent moved the host's network devices into this network namespace.</summary>
    AwaitNetworkDevices,

    /// <summary>Propagation of the whole tree before anything is mounted. A: MS_… flags. Text1: rootfs, whose parent mount becomes private.</summary>
    HostPropagation,

    /// <summary>Clones the rootfs tree onto itself and keeps it as the root of every later look-up. Text1: rootfs.</summary>
    BindRootfs,

    /// <summary>A new file system. Text1: type, Text2: destination, Data: <see cref="TextPair"/>[Count] of fsconfig, or <see cref="MountCall"/> with <see cref="InitFlags.ByMountCall"/>, A: MOUNT_ATTR_…, B: propagation words, packed (see <see cref="Propagation"/>). C: slot, with <see cref="InitFlags.Detached"/>.</summary>
    MountFilesystem,

    /// <summary>Labels the root directory of the mqueue mounted at Text1, which SELinux allows no mount option for. Text2: label.</summary>
    LabelQueues,

    /// <summary>A bind mount. Text1: source, Text2: destination, Data: <see cref="BindAttributes"/>, Fallback: source for want of Text1, then read-only, or null. C: slot, with <see cref="InitFlags.Detached"/>.</summary>
    MountBind,

    /// <summary>Attaches a mount that was made before its destination was in reach. Text1: what it is, Text2: destination, A: slot of it, B: propagation words, C: MOUNT_ATTR_… to set last. Flags: those of a destination, <see cref="InitFlags.InheritMode"/>.</summary>
    AttachMount,

    /// <summary>Detaches what is mounted on Text2. A: 1, or 0 to look whether it could be. Data: ulong[Count], numbers of mounts that must stay.</summary>
    RemoveMount,

    /// <summary>Waits for the parent's word, and from here on outlives it: what follows is done as a whole or not at all.</summary>
    AwaitCommit,

    /// <summary>Changes the mount at Text1. A: MOUNT_ATTR_… to set, B: to clear, C: propagation words. Flags: <see cref="InitFlags.Recursive"/>.</summary>
    SetMountAttributes,

    /// <summary>New options for the file system mounted at Text1. Data: <see cref="TextPair"/>[Count] of fsconfig.</summary>
    ReconfigureFilesystem,

    /// <summary>A device node. Flags: <see cref="InitFlags.SkipMissing"/> for one that nobody listed, in a /dev of the host's. Text1: path, A: mode with type, B: device number, C: uid | gid &lt;&lt; 32.</summary>
    DeviceNode,

    /// <summary>A device of the host, bound. Text1: host path, Text2: path, A: file type, B: device number, which it must have. With <see cref="InitFlags.SameMode"/> the mode is in A, too. C: uid | gid &lt;&lt; 32 that it must have, <see cref="InitPlan.AnyId"/> for any.</summary>
    DeviceBind,

    /// <summary>A symbolic link. Text1: its target, Text2: path. Flags: <see cref="InitFlags.Replace"/>, <see cref="InitFlags.SameLink"/>.</summary>
    Symlink,

    /// <summary>Waits until the parent ran the prestart and createRuntime hooks and wrote the state for createContainer ones.</summary>
    AwaitHooks,

    /// <summary>A createContainer hook: in the container's namespaces, with the host's tree still in place. Text1: rootfs. Data: <see cref="HookCall"/>.</summary>
    ContainerHook,

    /// <summary>The container's terminal. A: rows | columns &lt;&lt; 16, or 0. Flags: <see cref="InitFlags.StdioOnly"/>, <see cref="InitFlags.ControlLater"/>.</summary>
    Console,

    /// <summary>Makes the terminal on stdin that of the session.</summary>
    ControllingTerminal,

    /// <summary>Completes LISTEN_PID with the process's own pid (sd_listen_fds(3)). Data: room for the digits.</summary>
    ListenPid,

    /// <summary>The working directory, made if missing. Text1: path.</summary>
    MakeDirectory,

    /// <summary>Hides a path. Text1: path. Data: <see cref="TextPair"/>[Count] of fsconfig for what hides directories.</summary>
    MaskPath,

    /// <summary>Makes a path read-only. Text1: path.</summary>
    ReadonlyPath,

    /// <summary>Makes the rootfs "/" and leaves nothing of the host's tree behind.</summary>
    PivotRoot,

    /// <summary>--no-pivot: moves the rootfs over "/".</summary>
    MoveRoot,

    /// <summary>Without a mount namespace: chroot(2). Text1: rootfs, where it is no mount of its own.</summary>
    ChangeRoot,

    /// <summary>Detaches a full proc or sysfs of the host that --no-pivot would leave reachable. Text1: path.</summary>
    DetachMount,

    /// <summary>Final propagation of "/". A: MS_… flags.</summary>
    RootPropagation,

    /// <summary>sethostname(2). Text1.</summary>
    Hostname,

    /// <summary>setdomainname(2). Text1.</summary>
    Domainname,

    /// <summary>Writes a sysctl. Text1: path below /proc, Text2: value.</summary>
    Sysctl,

    /// <summary>Writes an attribute of this thread for a security module. Text1: path below /proc, Text2: value, Fallback: path on a kernel without Text1. Flags: <see cref="InitFlags.SkipMissing"/>.</summary>
    SecurityAttribute,

    /// <summary>Closes what is left open of the host, and forgets what is left of the caller: from here on the configuration's own paths are looked up, and /proc/self/fd leads anywhere.</summary>
    CloseHost,

    /// <summary>PR_SET_NO_NEW_PRIVS.</summary>
    NoNewPrivileges,

    /// <summary>prlimit64(2). A: resource, B: soft, C: hard.</summary>
    ResourceLimit,

    /// <summary>Waits until the parent set the limits, for which a user namespace has no privilege.</summary>
    AwaitLimits,

    /// <summary>sched_setattr(2). Data: SchedAttr.</summary>
    Scheduler,

    /// <summary>ioprio_set(2). A: class &lt;&lt; 13 | level.</summary>
    IoPriority,

    /// <summary>personality(2). A.</summary>
    Personality,

    /// <summary>set_mempolicy(2). A: mode with flags, Data: ulong[Count], the nodes' bits.</summary>
    MemoryPolicy,

    /// <summary>Drops every capability that is not in A from the bounding set. B: highest capability.</summary>
    BoundingSet,

    /// <summary>Supplementary groups, gid, uid. A: uid, B: gid, Data: uint[Count]. Flags: <see cref="InitFlags.KeepGroups"/> or <see cref="InitFlags.GroupsMayBeDenied"/>.</summary>
    SetUser,

    /// <summary>Enters the working directory and checks that it lies inside the container (CVE-2024-21626). Text1: path.</summary>
    ChangeDirectory,

    /// <summary>Capability sets. A: effective, B: permitted, C: inheritable, Data: ulong[1] ambient.</summary>
    Capabilities,

    /// <summary>umask(2). A.</summary>
    Umask,

    /// <summary>HOME from the container's /etc/passwd, into the slot the environment keeps for it. A: uid, Data: buffer[Count]. Flags: <see cref="InitFlags.Privileged"/>.</summary>
    HomeDirectory,

    /// <summary>Finds the program. Data: byte*[Count] of candidate paths.</summary>
    FindExecutable,

    /// <summary>seccomp(2). Data: SockProgram, A: SECCOMP_FILTER_FLAG_…. Flags: <see cref="InitFlags.LastStep"/>.</summary>
    Seccomp,

    /// <summary>Everything is set up: the parent records it and lets the child go.</summary>
    Ready,

    /// <summary>Waits for `start` on the start socket.</summary>
    AwaitStart,

    /// <summary>A startContainer hook. Data: <see cref="HookCall"/>.</summary>
    StartHook,

    /// <summary>execve(2).</summary>
    Execute,

    // New ones come last: `start` may be a newer program than the init that waits for it, whose errors name them.

    /// <summary>`mounts add`: a clone goes on, and this process takes back what the clone has attached if it fails or the parent says so.</summary>
    GuardMounts,

    /// <summary>Joins the pid namespace that was kept: the next clone is born there. Text1: path, A: number of hooks that come later and need their descriptors.</summary>
    JoinPidNamespace,

    /// <summary>Without a mount namespace: the root of every later look-up is the mount that the parent attached. Text1: rootfs.</summary>
    HostRoot,

    /// <summary>Keeps /dev open for the nodes and links that follow, and finds out whether it is the host's.</summary>
    OpenDev,

    /// <summary>A device node that the parent makes where a user namespace may not. Text1, Text2: path, A: mode with type, B: device number, C: uid | gid &lt;&lt; 32 in the container. Data: <see cref="TextPair"/>[Count] of fsconfig for the file system it is in.</summary>
    DeviceMount,
}

/// <summary>Variations of a step.</summary>
[Flags]
internal enum InitFlags
{
    None = 0,

    /// <summary>The destination must be a real directory: a symlinked /proc or /sys would land masks and labels elsewhere (CVE-2023-27561).</summary>
    RealDirectory = 1,

    /// <summary>The destination is one of the few below /proc that may be covered.</summary>
    InsideProc = 2,

    /// <summary>On /proc: what is mounted there must itself be procfs (CVE-2019-19921), and may cover one.</summary>
    SourceIsProc = 4,

    /// <summary>tmpfs: takes the mode of the directory it covers, as no mode= was given. Where there was none it keeps its own, 1777.</summary>
    InheritMode = 8,

    /// <summary>Copy the tree below, not only the mount.</summary>
    Recursive = 16,

    /// <summary>An existing file of that name is removed first.</summary>
    Replace = 32,

    /// <summary>setgroups(2) is left out: it is denied in this user namespace, or the caller's groups are to be kept.</summary>
    KeepGroups = 64,

    /// <summary>A missing source, destination or attribute is skipped.</summary>
    SkipMissing = 256,

    /// <summary>A refusal is no failure yet: a later step tries again, as another user.</summary>
    Retry = 512,

    /// <summary>Nothing comes after this but execve.</summary>
    LastStep = 1024,

    /// <summary>The parent sets the id mapping of the mount before it is attached.</summary>
    MapIds = 2048,

    /// <summary>tmpfs: begins with what the directory that it covers has.</summary>
    CopyUp = 4096,

    /// <summary>A source that is a symbolic link is bound itself.</summary>
    SourceNoFollow = 8192,

    /// <summary>A destination that is a symbolic link is covered itself.</summary>
    TargetNoFollow = 16384,

    /// <summary>An existing file of that name must be the same link.</summary>
    SameLink = 32768,

    /// <summary>A joined user namespace may deny setgroups(2), and where no groups are asked for that is no failure: nobody there can change them.</summary>
    GroupsMayBeDenied = 65536,

    /// <summary>The terminal is not the container's own: it is not bound on /dev/console, and a later step makes it the session's.</summary>
    StdioOnly = 131072,

    /// <summary>The mount is made only, and kept in slot C for <see cref="InitOp.AttachMount"/>.</summary>
    Detached = 262144,

    /// <summary>The filter does not simply allow sendmsg(2), so the parent fetches the listener by its number, which write(2) tells.</summary>
    ListenerByNumber = 524288,

    /// <summary>The terminal is bound on /dev/console, but a later step makes it the session's.</summary>
    ControlLater = 1048576,

    /// <summary>A new user namespace is made next, which takes the privileges over what is joined.</summary>
    NewUserNext = 2097152,

    /// <summary>The device that is bound must have a certain mode.</summary>
    SameMode = 4194304,

    /// <summary>The new file system is devtmpfs: the host's, as there is one only.</summary>
    HostDevices = 8388608,

    /// <summary>The parent makes the file system where this process may not open the device it is on.</summary>
    OnDevice = 16777216,

    /// <summary>The file system is made by mount(2), see <see cref="MountCalls"/>.</summary>
    ByMountCall = 33554432,

    /// <summary>This process still has rights that the program does not get.</summary>
    Privileged = 67108864,
}

/// <summary>One step, in unmanaged memory: the child reads nothing else.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct InitStep
{
    public InitOp Op;
    public InitFlags Flags;
    public long A, B, C;
    public byte* Text1, Text2, Fallback;
    public void* Data;
    public int Count;
}

/// <summary>A key with a value, or without one (null).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct TextPair
{
    public byte* Key, Value;
}

/// <summary>Mount attributes of a bind, for its top mount and for the whole tree (the recursive option words), and its propagation words in order.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct BindAttributes
{
    public ulong Set, Clear, TreeSet, TreeClear, PropagationWords;

    /// <summary>What the source may have of these goes as well, where a user namespace has not locked it.</summary>
    public ulong Unnamed;
}

/// <summary>A namespace to join: a slot of <see cref="InitPlan.Fds"/> and its CLONE_NEW… flag.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NamespaceJoin
{
    public int Slot, Joined;
    public ulong Flag;
}

/// <summary>A hook that the child itself runs.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct HookCall
{
    public byte* Path;
    public byte** Arguments, Environment;
    public int TimeoutSeconds;

    /// <summary>Position in its list, for messages.</summary>
    public int Index;
}

/// <summary>Everything the child needs, filled by the parent before clone3(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct InitPlan
{
    /// <summary>No certain uid or gid.</summary>
    public const uint AnyId = uint.MaxValue;

    public InitStep* Steps;
    public int StepCount;

    /// <summary>Descriptors the steps name by slot: cgroup <c>tasks</c> files, namespaces; mounts that the child makes.</summary>
    public int* Fds;
    public int FdCount;

    /// <summary>Pairs of first and last descriptor to close at once: a copy of the parent's lock or socket end would outlive the parent.</summary>
    public uint* CloseRanges;
    public int CloseRangeCount;

    /// <summary>The child's end of the sync socket, the start socket, the console socket and the memfd with the state for hooks; -1 where there is none.</summary>
    public int SyncFd, StartFd, ConsoleFd, StateFd;

    /// <summary>The container's root where it is a mount of the host's, which the parent made; else -1.</summary>
    public int RootFd;

    /// <summary>Files for the output of hooks, -1 where it is kept for the error report.</summary>
    public int HookStdout, HookStderr;

    /// <summary>Memory shared with the parent, or null: the child notes the numbers of the mounts here that hide paths or make them read-only, see <see cref="MountSteps.Note"/>.</summary>
    public ulong* ProtectiveMounts;

    /// <summary>Number of descriptors from 3 on that are the container's, or keep a place there until execve.</summary>
    public int PreservedFds;

    /// <summary>Those of them that the program gets.</summary>
    public int* OpenFds;
    public int OpenFdCount;

    /// <summary>Numbers between them that the parent's language runtime has something open at.</summary>
    public int* TakenFds;
    public int TakenFdCount;

    /// <summary>The arguments and variables that the caller gave the runtime, a copy of which the child has.</summary>
    public byte* CallersWords;

    /// <summary>Bytes of <see cref="CallersWords"/>.</summary>
    public long CallersWordsLength;

    /// <summary>createContainer hooks get the variables from there: they stay until the last one has run.</summary>
    public bool KeepsCallersWords;

    public byte** Arguments, Environment;
}
