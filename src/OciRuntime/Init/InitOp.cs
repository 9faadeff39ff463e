namespace OciRuntime.Init;

/// <summary>
/// What one step does. What it needs is in a struct of the operation's own, which says so by <see cref="IStepArguments"/> and stands beside
/// the code that takes it; an operation without one needs nothing. The numbers stay: `start` may be a newer program than the init that
/// waits for it, whose errors name them.
/// </summary>
internal enum InitOp
{
    /// <summary>Writes oom_score_adj.</summary>
    OomScoreAdjust,

    /// <summary>
    /// Keeps the host's /proc open: after the switch there is only the container's, which may be missing, or read-only below /proc/sys.
    /// </summary>
    KeepHostProc,

    /// <summary>Moves this single thread into a cgroup v1 hierarchy.</summary>
    EnterCgroup,

    /// <summary>Waits until the parent had systemd put this process into a cgroup.</summary>
    AwaitCgroup,

    /// <summary>Runs on every CPU that the cgroup allows, not on the caller's only.</summary>
    ResetAffinity,

    /// <summary>Joins namespaces by path; a pid namespace is kept for later. The value of an error: which, or -1.</summary>
    JoinNamespaces,

    /// <summary>exec: joins the container.</summary>
    JoinContainer,

    /// <summary>exec: runs on certain CPUs.</summary>
    Affinity,

    /// <summary>unshare(2).</summary>
    Unshare,

    /// <summary>Enters the time namespace just unshared, after the parent wrote its offsets.</summary>
    TimeOffsets,

    /// <summary>Waits until the parent wrote the id maps.</summary>
    AwaitIdMaps,

    /// <summary>Becomes uid and gid 0 of the user namespace.</summary>
    BecomeRoot,

    /// <summary>Clones once more, into a pid namespace that this process has joined or makes now; the first process ends.</summary>
    ForkIntoPidNamespace,

    /// <summary>
    /// Not dumpable, so that nothing in a joined namespace can trace the runtime or open its descriptors (CVE-2016-9962).
    /// </summary>
    Undumpable,

    /// <summary>setsid(2).</summary>
    NewSession,

    /// <summary>New session keyring, or the one that has the name.</summary>
    SessionKeyring,

    /// <summary>Sets the loopback interface up.</summary>
    LoopbackUp,

    /// <summary>Waits until the parent moved the host's network devices into this network namespace.</summary>
    AwaitNetworkDevices,

    /// <summary>Propagation of the whole tree before anything is mounted.</summary>
    HostPropagation,

    /// <summary>Clones the rootfs tree onto itself and keeps it as the root of every later look-up.</summary>
    BindRootfs,

    /// <summary>A new file system.</summary>
    MountFilesystem,

    /// <summary>Labels the root directory of an mqueue, which SELinux allows no mount option for.</summary>
    LabelQueues,

    /// <summary>A bind mount.</summary>
    MountBind,

    /// <summary>Attaches a mount that was made before its destination was in reach.</summary>
    AttachMount,

    /// <summary>Detaches what is mounted on a path, or looks whether it could be.</summary>
    RemoveMount,

    /// <summary>Waits for the parent's word, and from here on outlives it: what follows is done as a whole or not at all.</summary>
    AwaitCommit,

    /// <summary>Changes a mount.</summary>
    SetMountAttributes,

    /// <summary>New options for a file system that is mounted.</summary>
    ReconfigureFilesystem,

    /// <summary>A device node.</summary>
    DeviceNode,

    /// <summary>A device of the host, bound.</summary>
    DeviceBind,

    /// <summary>A symbolic link.</summary>
    Symlink,

    /// <summary>Waits until the parent ran the prestart and createRuntime hooks and wrote the state for createContainer ones.</summary>
    AwaitHooks,

    /// <summary>A createContainer hook: in the container's namespaces, with the host's tree still in place.</summary>
    ContainerHook,

    /// <summary>The container's terminal.</summary>
    Console,

    /// <summary>Makes the terminal on stdin that of the session.</summary>
    ControllingTerminal,

    /// <summary>Completes LISTEN_PID with the process's own pid (sd_listen_fds(3)).</summary>
    ListenPid,

    /// <summary>The working directory, made if missing.</summary>
    MakeDirectory,

    /// <summary>Hides a path.</summary>
    MaskPath,

    /// <summary>Makes a path read-only.</summary>
    ReadonlyPath,

    /// <summary>Makes the rootfs "/" and leaves nothing of the host's tree behind.</summary>
    PivotRoot,

    /// <summary>--no-pivot: moves the rootfs over "/".</summary>
    MoveRoot,

    /// <summary>Without a mount namespace: chroot(2).</summary>
    ChangeRoot,

    /// <summary>Detaches a full proc or sysfs of the host that --no-pivot would leave reachable.</summary>
    DetachMount,

    /// <summary>Final propagation of "/".</summary>
    RootPropagation,

    /// <summary>sethostname(2).</summary>
    Hostname,

    /// <summary>setdomainname(2).</summary>
    Domainname,

    /// <summary>Writes a sysctl.</summary>
    Sysctl,

    /// <summary>Writes an attribute of this thread for a security module.</summary>
    SecurityAttribute,

    /// <summary>
    /// Closes what is left open of the host, and forgets what is left of the caller: from here on the configuration's own paths are looked
    /// up, and /proc/self/fd leads anywhere.
    /// </summary>
    CloseHost,

    /// <summary>PR_SET_NO_NEW_PRIVS.</summary>
    NoNewPrivileges,

    /// <summary>prlimit64(2).</summary>
    ResourceLimit,

    /// <summary>Waits until the parent set the limits, for which a user namespace has no privilege.</summary>
    AwaitLimits,

    /// <summary>sched_setattr(2).</summary>
    Scheduler,

    /// <summary>ioprio_set(2).</summary>
    IoPriority,

    /// <summary>personality(2).</summary>
    Personality,

    /// <summary>set_mempolicy(2).</summary>
    MemoryPolicy,

    /// <summary>Shrinks the bounding set.</summary>
    BoundingSet,

    /// <summary>Supplementary groups, gid, uid.</summary>
    SetUser,

    /// <summary>Enters the working directory and checks that it lies inside the container (CVE-2024-21626).</summary>
    ChangeDirectory,

    /// <summary>Capability sets.</summary>
    Capabilities,

    /// <summary>umask(2).</summary>
    Umask,

    /// <summary>HOME from the container's /etc/passwd, into the slot the environment keeps for it.</summary>
    HomeDirectory,

    /// <summary>Finds the program.</summary>
    FindExecutable,

    /// <summary>seccomp(2).</summary>
    Seccomp,

    /// <summary>Everything is set up: the parent records it and lets the child go.</summary>
    Ready,

    /// <summary>Waits for `start` on the start socket.</summary>
    AwaitStart,

    /// <summary>A startContainer hook.</summary>
    StartHook,

    /// <summary>execve(2).</summary>
    Execute,

    // New ones come last, see above.

    /// <summary>
    /// `mounts add`: a clone goes on, and this process takes back what the clone has attached if it fails or the parent says so.
    /// </summary>
    GuardMounts,

    /// <summary>Joins the pid namespace that was kept: the next clone is born there.</summary>
    JoinPidNamespace,

    /// <summary>Without a mount namespace: the root of every later look-up is the mount that the parent attached.</summary>
    HostRoot,

    /// <summary>Keeps /dev open for the nodes and links that follow, and finds out whether it is the host's.</summary>
    OpenDev,

    /// <summary>A device node that the parent makes where a user namespace may not.</summary>
    DeviceMount,

    /// <summary>Enters the network namespace that the parent makes meanwhile.</summary>
    EnterNetwork,
}
