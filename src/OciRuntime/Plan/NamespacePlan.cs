using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>
/// How the container comes by its namespaces. Usually clone3(2) makes all new ones at once. When a user namespace is joined, or a new one
/// is combined with joined ones, the child joins first, then makes the rest itself, so that each belongs to the right user namespace. A pid
/// namespace that is joined gets no process but the last clone: who is in it may look at everything there, and with CAP_SYS_PTRACE into it
/// (<see cref="ProcessPlanner.AddFork"/>).
/// </summary>
internal sealed class NamespacePlan
{
    private readonly List<NamespacePath> _joins = [];
    private readonly LinuxNamespace[] _all;

    private NamespacePlan(LinuxNamespace[] all) => _all = all;

    /// <summary>Flags of the new namespaces, by whoever they are made.</summary>
    public ulong New { get; private set; }

    /// <summary>Joined ones.</summary>
    public List<NamespacePath> Joins => _joins;

    /// <summary>The pid namespace among them.</summary>
    public NamespacePath? Pid { get; private set; }

    /// <summary>Flags of all namespaces that are not the runtime's own.</summary>
    public ulong Separate { get; private set; }

    public bool NewUser => (New & Processes.CLONE_NEWUSER) != 0;

    /// <summary>The child makes its namespaces itself, after it joined others.</summary>
    public bool InChild { get; private set; }

    /// <summary>
    /// Flags for clone3. Never a cgroup namespace, whose root would be the runtime's cgroup, nor a time one, whose offsets could no longer
    /// be set.
    /// </summary>
    public ulong CloneFlags => InChild ? 0 : New & ~(Processes.CLONE_NEWCGROUP | Processes.CLONE_NEWTIME | BornOwned);

    /// <summary>
    /// Those in which the kernel makes files at once, for the ids of their maker: the root of the message queues, what sysfs has of "lo".
    /// Before the id maps are written a new user namespace has no ids, and the files would be nobody's for good.
    /// </summary>
    private ulong BornOwned => NewUser ? Processes.CLONE_NEWIPC | Processes.CLONE_NEWNET : 0;

    public bool Has(ulong flag) => (Separate & flag) != 0;

    /// <summary>The element of linux.namespaces with this flag.</summary>
    public Origin OriginOf(ulong flag) => new("/linux/namespaces", Array.FindIndex(_all, n => NamespaceNames.Flag(n.Type) == flag));

    public static NamespacePlan Build(LinuxConfig? linux)
    {
        LinuxNamespace[] all = linux?.Namespaces ?? [];
        NamespacePlan plan = new(all);
        for (int i = 0; i < all.Length; i++) plan.Add(all[i], i);
        bool joinsUser = plan.Has(Processes.CLONE_NEWUSER) && !plan.NewUser;
        plan.InChild = joinsUser || (plan.NewUser && plan._joins.Count > 0);
        return plan;
    }

    private void Add(LinuxNamespace item, int index)
    {
        ulong flag = NamespaceNames.Flag(item.Type);
        Separate |= flag;
        if (string.IsNullOrEmpty(item.Path))
        {
            New |= flag;
            return;
        }
        NamespacePath join = new(item.Type, flag, item.Path, index);
        _joins.Add(join);
        if (flag == Processes.CLONE_NEWPID) Pid = join;
    }

    /// <summary>The steps that bring the child into its namespaces, from the first join to being root there.</summary>
    /// <param name="steps">Takes the steps.</param>
    /// <param name="linux">The configuration.</param>
    /// <param name="groups">What becomes of the caller's supplementary groups.</param>
    /// <param name="user">Whose ids are taken in a user namespace that has none for root.</param>
    /// <param name="hasHooks">There are createContainer hooks.</param>
    public void AddSteps(List<PlanStep> steps, LinuxConfig? linux, GroupPolicy groups, User? user = null, bool hasHooks = false)
    {
        Origin origin = new("/linux/namespaces");
        if (_joins.Count > 0)
        {
            steps.Add(new JoinNamespacesStep(
                origin)
            { Joins = _joins, NewUserNext = NewUser, HasHooks = hasHooks, Namespaces = Separate & ~Processes.CLONE_NEWPID });
        }
        if (InChild && NewUser) steps.Add(new UnshareStep(OriginOf(Processes.CLONE_NEWUSER), Processes.CLONE_NEWUSER));
        if (NewUser) steps.Add(new AwaitIdMapsStep());
        if (Has(Processes.CLONE_NEWUSER))
            steps.Add(new BecomeRootStep(OriginOf(Processes.CLONE_NEWUSER), user?.Uid ?? 0, user?.Gid ?? 0, groups));
        ulong rest = New & (Processes.CLONE_NEWCGROUP | BornOwned
            | (InChild ? ~(Processes.CLONE_NEWUSER | Processes.CLONE_NEWPID | Processes.CLONE_NEWTIME) : 0));
        if (rest != 0) steps.Add(new UnshareStep(ulong.IsPow2(rest) ? OriginOf(rest) : origin, rest));
        if (InChild && (New & Processes.CLONE_NEWPID) != 0)
            steps.Add(new ForkIntoPidNamespaceStep(OriginOf(Processes.CLONE_NEWPID)) { IsNew = true });
        if ((New & Processes.CLONE_NEWTIME) == 0) return;
        Origin time = OriginOf(Processes.CLONE_NEWTIME);
        steps.Add(new UnshareStep(time, Processes.CLONE_NEWTIME));
        steps.Add(new TimeOffsetsStep(linux!.TimeOffsets.Count > 0 ? new("/linux/timeOffsets") : time, OffsetLines(linux.TimeOffsets)));
    }

    // "<clock> <seconds> <nanoseconds>" per line, both clocks in one write (time_namespaces(7)).
    private static string OffsetLines(SpecMap<TimeOffset> offsets)
    {
        string lines = "";
        foreach (KeyValuePair<string, TimeOffset> offset in offsets) lines += $"{offset.Key} {offset.Value.Secs} {offset.Value.Nanosecs}\n";
        return lines;
    }
}
