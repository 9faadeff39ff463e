using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>
/// The steps that add mounts to a container that is there, or remove some. One process does it, which the container's pid namespace never
/// sees: with the container's ids, but still in a copy of the host's tree, it makes the mounts, as the container's first process would
/// have; then it enters the container's mount namespace, where move_mount(2) and umount2(2) have to be called, and has no path of the
/// host's to look up any more.
/// </summary>
internal sealed class LiveMountPlanner
{
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
    public static LaunchPlan BuildAdd(PlanRequest request, List<NamespacePath> joins, GroupPolicy groups)
    {
        LiveMountPlanner planner = new(request);
        List<PlanStep> mounts = planner.Mounts();
        planner.AddJoins(joins, groups);
        // As for the first process of a new container: in a user namespace the kernel locks what the host's mounts have, and nothing that
        // is mounted in the container reaches the host.
        planner.Add(new UnshareStep(Origin.Runtime, Processes.CLONE_NEWNS));
        planner.Add(new HostPropagationStep(Origin.Runtime, Linux.Mounts.MS_SLAVE | Linux.Mounts.MS_REC, request.Rootfs));
        mounts.ForEach(planner.Add);
        planner.AddEntry();
        planner.Add(new GuardMountsStep());
        // Everything that the validation lets through is a mount.
        foreach (PlanStep mount in mounts) planner.Add(((IMountStep)mount).Detach());
        return planner.Plan();
    }

    /// <summary>
    /// Plans the removal of what is mounted at the destinations in the request's configuration, last first. First all of them are looked
    /// at.
    /// </summary>
    public static LaunchPlan BuildRemove(PlanRequest request, List<NamespacePath> joins, GroupPolicy groups)
    {
        LiveMountPlanner planner = new(request);
        planner.AddJoins(joins, groups);
        planner.AddEntry();
        Mount[] mounts = request.Spec.Mounts;
        DetachedMount[] found = Array.ConvertAll(mounts, static _ => new DetachedMount());
        for (int i = 0; i < mounts.Length; i++) planner.Add(planner.Removal(mounts[i], i, found[i], remove: false));
        for (int i = mounts.Length - 1; i >= 0; i--) planner.Add(planner.Removal(mounts[i], i, found[i], remove: true));
        return planner.Plan();
    }

    private List<PlanStep> Mounts()
    {
        List<PlanStep> steps = [];
        LabelPlanner labels = new(_request.Spec, _request.Host, [], _warnings, []);
        new MountPlanner(_request, NamespacePlan.Build(_request.Spec.Linux), labels, steps, _warnings).AddMounts("");
        return steps;
    }

    private void AddJoins(List<NamespacePath> joins, GroupPolicy groups)
    {
        // The parent is undumpable, and so is its child from birth; changing ids can undo it.
        Add(new UndumpableStep());
        if (joins.Count == 0) return;
        Add(new JoinNamespacesStep(Origin.Runtime) { Joins = joins });
        User? user = _request.Spec.Process?.User;
        Add(new BecomeRootStep(Origin.Runtime, user?.Uid ?? 0, user?.Gid ?? 0, groups));
        Add(new UndumpableStep());
    }

    private void AddEntry()
    {
        Add(new AwaitCommitStep());
        Add(new JoinContainerStep(Processes.CLONE_NEWNS) { Stopped = Stopped });
    }

    private RemoveMountStep Removal(Mount mount, int index, DetachedMount found, bool remove)
    {
        string target = ContainerPath.Clean(mount.Destination);
        Origin origin = new("", index);
        MountDestination destination =
            new(target, MountPlanner.PlaceIn(mount, origin, target, isProc: true), MountOptions.Parse(mount.Options).TargetNoFollow);
        // The last one goes first.
        bool isUncovered = remove && _request.Spec.Mounts.Skip(index + 1)
            .Any(later => ContainerPath.IsBelow(target, ContainerPath.Clean(later.Destination)));
        return new RemoveMountStep(origin, destination, found, remove, isUncovered, _request.ProtectiveMounts);
    }

    private void Add(PlanStep step) => _steps.Add(step);

    private LaunchPlan Plan()
    {
        Add(new ReadyStep());
        return new LaunchPlan
        {
            CloneFlags = 0,
            PidNamespace = null,
            IdMaps = null,
            PrivatePidNamespace = false,
            Steps = _steps,
            Arguments = [],
            Environment = [],
            HomeFromImage = false,
            Warnings = _warnings,
            Refusals = [],
        };
    }
}
