using OciRuntime.Cgroups;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Rdt;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Verify;

/// <summary>The container that is looked at: what was promised, and what it may change of that by itself.</summary>
/// <param name="made">The plan, which is made anew by the code that launches.</param>
/// <param name="entry">Its directory.</param>
/// <param name="state">The journal.</param>
/// <param name="init">Its first process, or a thread of that.</param>
/// <param name="status">What it is doing.</param>
internal sealed class Subject(
    LaunchPreparation made, ContainerEntry entry, ContainerState state, ProcessFiles init, ContainerStatus status)
{
    // /dev/fuse (Documentation/admin-guide/devices.txt).
    private const int FuseMajor = 10, FuseMinor = 229;

    // Each is held open for a moment; with others that fits the usual limit of 1024 descriptors.
    private const int Batch = 256;

    private readonly CapabilitySets _sets = made.Plan.Find<CapabilitiesStep>()!.Sets;

    public LaunchPlan Plan => made.Plan;
    public CgroupPlan Cgroups => made.Cgroups;
    public ResctrlPlan? Rdt => made.Rdt;
    public RuntimeSpec Spec => made.Spec;
    public ContainerState State => state;

    /// <summary>What is shown of the first process; by its number it is <see cref="ContainerState.Init"/>.</summary>
    public ProcessFiles Init => init;

    /// <summary>An exec was given other rights than the container's program.</summary>
    public bool HadOtherRights { get; } = entry.HadOtherRights;

    /// <summary>It waits for `start`: nothing of the image has run yet, but for hooks.</summary>
    public bool IsWaiting => status == ContainerStatus.Created;

    /// <summary>It stands still.</summary>
    public bool IsPaused => status == ContainerStatus.Paused;

    /// <summary>Its seccomp filter is loaded at the start only.</summary>
    public bool HasFilterLater => IsWaiting
        && Plan.Steps.FindIndex(static s => s is SeccompStep) > Plan.Steps.FindIndex(static s => s is AwaitStartStep);

    public CapabilitySets Sets => _sets;

    public bool NoNewPrivileges => Plan.Find<NoNewPrivilegesStep>() is not null;

    /// <summary>
    /// Capabilities that a process of the container can have come by. Without no_new_privs a program may give it all that is in the
    /// bounding set (capabilities(7), "Transformation of capabilities during execve()").
    /// </summary>
    public ulong Reachable => NoNewPrivileges ? _sets.Permitted : _sets.Permitted | _sets.Bounding;

    /// <summary>Whether the container can have changed what takes this capability in its own user namespace.</summary>
    public bool MayHave(int capability) => !IsWaiting && (Reachable >> capability & 1) != 0;

    /// <summary>The same of what takes it in the first user namespace.</summary>
    public bool MayHaveOutside(int capability) => !Plan.InUserNamespace && MayHave(capability);

    /// <summary>What is said where <see cref="MayServe"/> is the reason.</summary>
    public const string Served = "programs of the container can serve file systems: to read it might take for ever";

    /// <summary>
    /// A program can put its memory on a file system that it serves itself. Whoever reads that memory, or waits for a change of its maps
    /// to be done, would wait for an answer from there, for ever. What counts is what it may open: a node can be anywhere, and gone.
    /// </summary>
    /// <param name="tree">The container's files.</param>
    public bool MayServe(FileTree tree)
    {
        if (tree.Untold.Length > 0) return true;
        if (tree.Mounts.Exists(static mount => mount.Type.StartsWith("fuse", StringComparison.Ordinal))) return true;
        bool isRuled = Array.Exists(Cgroups.Steps, static step => step.Tolerance == CgroupTolerance.None && CgroupProof.IsOfDevices(step));
        if (isRuled && Cgroups.Devices is { } rules) return rules.LetsOpen(FuseMajor, FuseMinor);
        // Who cannot make a node has what it was given.
        return !Plan.InUserNamespace
            || Array.Exists(Spec.Linux!.Devices, static device => device is { Type: "c", Major: FuseMajor, Minor: FuseMinor })
            || Array.Exists(Spec.Mounts, static mount => ContainerPath.IsBelow(mount.Source ?? "", "/dev"));
    }

    /// <summary>
    /// What is not as promised: a drift where the container, or those whose right it is, may have changed it since.
    /// </summary>
    public static Seen Other(bool mayHaveChanged, string found) => new(mayHaveChanged ? Outcome.Drifted : Outcome.Broken, found);

    /// <summary>The namespaces that are not the runtime's own.</summary>
    public NamespacePlan Namespaces { get; } = NamespacePlan.Build(made.Spec.Linux);

    /// <summary>
    /// The container's user namespace, in which its first process need not be any more. It owns the pid namespace, which no process can
    /// leave; where that is not the container's own, the first process's is taken for it. Null where it may not be looked at.
    /// </summary>
    public Statx? UserNamespace { get; } = FindUserNamespace(state, init);

    private static Statx? FindUserNamespace(ContainerState state, ProcessFiles init)
    {
        if (!state.PrivatePidNamespace) return init.Stat("ns/user", out Statx its) < 0 ? null : its;
        long owner = OwnerOf(init, "pid");
        if (owner < 0) return null;
        using Fd user = new((int)owner);
        return Files.Stat(user.Number, out Statx stat) < 0 ? null : stat;
    }

    /// <summary>The container is in the first user namespace, and so was whoever made it.</summary>
    public bool IsInFirstUserNamespace => UserNamespace is { } user && !Host.UserNamespace.IsNested()
        && Files.StatAt(Files.AT_FDCWD, "/proc/self/ns/user", 0, out Statx own) >= 0 && own.Identity == user.Identity;

    /// <summary>Opens the user namespace that owns a namespace of a process; a negated errno where that may not be looked at.</summary>
    /// <param name="process">The process.</param>
    /// <param name="file">The namespace's file in /proc/PID/ns.</param>
    public static long OwnerOf(ProcessFiles process, string file)
    {
        long fd = process.OpenLink($"ns/{file}", Files.O_RDONLY);
        if (fd < 0) return fd;
        using Fd open = new((int)fd);
        return Files.Ioctl(open.Number, Files.NS_GET_USERNS, 0);
    }

    /// <summary>
    /// The first process has made such a namespace for itself, in a user namespace that it has made (unshare(1), --map-root-user), which
    /// takes no capability: what is there is its own affair, and nothing of the container's.
    /// </summary>
    public bool HasMadeOwn(NamespaceKind kind) =>
        !IsWaiting && UserNamespace is { } user && Files.LevelsBelow(OwnerOf(Init, kind.File), user) > 0;

    /// <summary>An id map of the container's user namespace, by a process that is in it; null where there is none.</summary>
    /// <param name="file">uid_map or gid_map.</param>
    /// <param name="why">Why there is none.</param>
    public string? IdMap(string file, out string why)
    {
        string? text = init.Text(file, out long error);
        why = text is null ? ErrnoText.Full((int)-error) : "";
        // Looked at afterwards: nobody comes back into one that he has left.
        if (text is null || IsInUserNamespace(init)) return text;
        foreach (ProcessFiles process in EachProcess())
            if (process.Text(file, out _) is { } its && IsInUserNamespace(process)) return its;
        why = "the first process has made a user namespace of its own, and no other one is in the container's";
        return null;
    }

    private bool IsInUserNamespace(ProcessFiles process) =>
        UserNamespace is { } user && process.Stat("ns/user", out Statx its) >= 0 && its.Identity == user.Identity;

    /// <summary>The container has a mount namespace that nobody was in before.</summary>
    private bool HasOwnMounts => (Namespaces.New & Processes.CLONE_NEWNS) != 0;

    /// <summary>Who is in the container now.</summary>
    public Members Members() => Verify.Members.Of(state, init, HasOwnMounts);

    /// <summary>All that is in the container, each held open while it is looked at.</summary>
    public IEnumerable<ProcessFiles> EachProcess() => EachOf(Members());

    /// <summary>The same of those that were found before.</summary>
    public IEnumerable<ProcessFiles> EachOf(Members members)
    {
        int[] pids = members.Pids;
        for (int from = 0; from < pids.Length; from += Batch)
        {
            List<ProcessFiles> open = [];
            try
            {
                foreach (int pid in pids[from..Math.Min(from + Batch, pids.Length)])
                    if (ProcessFiles.Open(pid) is { } process) open.Add(process);
                // A number may have become a stranger's before it was opened.
                HashSet<int> now = Verify.Members.InCgroups(state);
                foreach (ProcessFiles process in open) if (members.Has(process, now)) yield return process;
            }
            finally
            {
                foreach (ProcessFiles process in open) process.Dispose();
            }
        }
    }

    /// <summary>
    /// Whether the container can have moved its processes to other cgroups: who may mount sees all of them, and for the root user, who owns
    /// them, a mount that can be written to is enough.
    /// </summary>
    /// <param name="tree">The container's files.</param>
    public bool MayMove(FileTree tree) => !IsWaiting && (MayHaveOutside(Credentials.CAP_SYS_ADMIN) || tree.Untold.Length > 0
        || tree.Mounts.Exists(static mount => mount.Type is "cgroup" or "cgroup2" && !mount.IsReadOnly));

    /// <summary>A process of the container that nothing of the image has run in yet.</summary>
    public bool IsUnstarted(ProcessFiles process) => IsWaiting && process.Pid == init.Pid;
}
