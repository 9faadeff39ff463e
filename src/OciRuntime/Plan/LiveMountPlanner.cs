using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>
/// The steps that add mounts to a container that is there, or remove some. One process does it, which the container's pid namespace never sees:
/// with the container's ids, but still in a copy of the host's tree, it makes the mounts, as the container's first process would have; then it enters the
/// container's mount namespace, where move_mount(2) and umount2(2) have to be called, and has no path of the host's to look up any more.
/// </summary>
internal sealed class LiveMountPlanner
{
    /// <summary>Slots of <see cref="InitPlan.Fds"/>: the user namespace, if that is joined; the pidfd of the container's first process; then one for each mount.</summary>
    public const int PidFdSlot = 1, FirstMountSlot = 2;

    /// <summary>What is said when the container ends meanwhile: runc's and crun's words.</summary>
    public const string Stopped = "container not running";

    private readonly PlanRequest _request;
    private readonly List<PlanStep> _steps = [];
    private readonly List<string> _warnings = [];

    private LiveMountPlanner(PlanRequest request) => _request = request;

    /// <summary>Plans the mounts in the request's configuration, which is the container's but for them.</summary>
    /// <param name="request">The container.</param>
    /// <param name="joins">Its user namespace, if the caller is not in it.</param>
    /// <param name="groups">What is known about setgroups(2) there.</param>
    public static LaunchPlan BuildAdd(PlanRequest request, List<NamespacePath> joins, InitFlags groups)
    {
        LiveMountPlanner planner = new(request);
        List<PlanStep> mounts = planner.Mounts();
        planner.AddJoins(joins, groups);
        // As for the first process of a new container: in a user namespace the kernel locks what the host's mounts have, and nothing that is mounted
        // in the container reaches the host.
        planner.Add(new(InitOp.Unshare, Origin.Runtime) { A = (long)Processes.CLONE_NEWNS });
        planner.Add(new(InitOp.HostPropagation, Origin.Runtime) { A = (long)(Linux.Mounts.MS_SLAVE | Linux.Mounts.MS_REC), Text1 = request.Rootfs });
        for (int i = 0; i < mounts.Count; i++) planner.Add(Detached(mounts[i], FirstMountSlot + i));
        planner.AddEntry();
        planner.Add(new(InitOp.GuardMounts, Origin.Runtime));
        for (int i = 0; i < mounts.Count; i++) planner.Add(Attachment(mounts[i], FirstMountSlot + i));
        return planner.Plan();
    }

    /// <summary>Plans the removal of what is mounted at the destinations in the request's configuration, last first. First all of them are looked at.</summary>
    public static LaunchPlan BuildRemove(PlanRequest request, List<NamespacePath> joins, InitFlags groups)
    {
        LiveMountPlanner planner = new(request);
        planner.AddJoins(joins, groups);
        planner.AddEntry();
        Mount[] mounts = request.Spec.Mounts;
        for (int i = 0; i < mounts.Length; i++) planner.Add(planner.Removal(mounts[i], i, remove: false));
        for (int i = mounts.Length - 1; i >= 0; i--) planner.Add(planner.Removal(mounts[i], i, remove: true));
        return planner.Plan();
    }

    private List<PlanStep> Mounts()
    {
        List<PlanStep> steps = [];
        LabelPlanner labels = new(_request.Spec, _request.Host, [], _warnings, []);
        new MountPlanner(_request, NamespacePlan.Build(_request.Spec.Linux), labels, steps, _warnings).AddMounts("");
        return steps;
    }

    private void AddJoins(List<NamespacePath> joins, InitFlags groups)
    {
        // The parent is undumpable, and so is its child from birth; changing ids can undo it.
        Add(new(InitOp.Undumpable, Origin.Runtime));
        if (joins.Count == 0) return;
        Add(new(InitOp.JoinNamespaces, Origin.Runtime) { Joins = joins });
        User? user = _request.Spec.Process?.User;
        Add(new(InitOp.BecomeRoot, Origin.Runtime) { Flags = groups, A = user?.Uid ?? 0, B = user?.Gid ?? 0 });
        Add(new(InitOp.Undumpable, Origin.Runtime));
    }

    private void AddEntry()
    {
        Add(new(InitOp.AwaitCommit, Origin.Runtime));
        Add(new(InitOp.JoinContainer, Origin.Runtime) { A = (long)Processes.CLONE_NEWNS, B = PidFdSlot, C = -1, Text1 = Stopped });
    }

    // A tmpfs is writable until it has the mode of what it covers.
    private static PlanStep Detached(PlanStep mount, int slot) => new(mount.Op, mount.Origin)
    {
        Text1 = mount.Text1, Text2 = mount.Text2, A = mount.A & ~Late(mount), B = mount.B, C = slot, Bind = mount.Bind, IdMap = mount.IdMap, Options = mount.Options, Call = mount.Call,
        Flags = (mount.Flags & ~InitFlags.InheritMode) | InitFlags.Detached,
    };

    private static PlanStep Attachment(PlanStep mount, int slot) => new(InitOp.AttachMount, mount.Origin)
    {
        Text1 = mount.Text1, Text2 = mount.Text2, A = slot, B = mount.Op == InitOp.MountBind ? (long)mount.Bind.PropagationWords : mount.B, C = Late(mount),
        Flags = mount.Flags & (InitFlags.RealDirectory | InitFlags.InsideProc | InitFlags.TargetNoFollow | InitFlags.InheritMode),
    };

    private static long Late(PlanStep mount) => (mount.Flags & InitFlags.InheritMode) == 0 ? 0 : mount.A & (long)Linux.Mounts.MOUNT_ATTR_RDONLY;

    private PlanStep Removal(Mount mount, int index, bool remove)
    {
        string target = ContainerPath.Clean(mount.Destination);
        Origin origin = new("", index);
        return new(InitOp.RemoveMount, origin)
        {
            Text2 = target, A = remove ? 1 : 0, ProtectiveMounts = _request.ProtectiveMounts,
            Flags = MountPlanner.ProcFlags(mount, origin, target, isProc: true) | (MountOptions.Parse(mount.Options).StepFlags & InitFlags.TargetNoFollow),
        };
    }

    private void Add(PlanStep step) => _steps.Add(step);

    private LaunchPlan Plan()
    {
        Add(new(InitOp.Ready, Origin.Runtime));
        return new LaunchPlan
        {
            CloneFlags = 0, PidNamespace = null, IdMaps = null, PrivatePidNamespace = false, Joins = [], Steps = _steps, Arguments = [], Environment = [], HomeFromImage = false,
            Warnings = _warnings, Refusals = [],
        };
    }
}
