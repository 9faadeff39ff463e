using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

internal sealed class OomScoreAdjustStep(int score) : PlanStep<OomScoreAdjustArguments>(StepChapter.Namespaces, new("/process/oomScoreAdj"))
{
    public int Score => score;

    protected override string Words => $"set oom_score_adj to {Score}";

    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        failure.Errno == Errno.EACCES && Score < OwnScore() ? ": lowering it below what the caller has needs CAP_SYS_RESOURCE" : "";

    protected override OomScoreAdjustArguments Compile(PlanCompiler compiler) => new() { Score = Score };

    /// <summary>The runtime's own, with which the child began; where it cannot be read, so low that nothing is below it.</summary>
    private static long OwnScore() => Files.ReadNumber("/proc/self/oom_score_adj") ?? long.MinValue;
}

/// <summary><see cref="InitOp.EnterCgroup"/>. It is given the cgroup's <c>tasks</c> file.</summary>
internal sealed class EnterCgroupStep(Origin origin, string path) : PlanStep<EnterCgroupArguments>(StepChapter.Namespaces, origin)
{
    public string Path => path;

    protected override string Words => $"enter the cgroup {Path}";

    protected override EnterCgroupArguments Compile(PlanCompiler compiler) => new() { Tasks = compiler.Descriptor(this) };
}

internal sealed class AwaitCgroupStep(Origin origin)
    : PlainStep(InitOp.AwaitCgroup, StepChapter.Namespaces, origin, "wait until systemd has put this process into the container's cgroup",
        SyncKind.Cgroup);

/// <param name="name">Of the keyring.</param>
/// <param name="permissions">Bits to add to a new one; 0: it is the one that there is.</param>
internal sealed class SessionKeyringStep(string name, uint permissions = 0)
    : PlanStep<SessionKeyringArguments>(StepChapter.Namespaces, Origin.Runtime)
{
    public string Name => name;

    protected override string Words => $"join {(permissions == 0 ? "the" : "a new")} session keyring {Name}";

    protected override SessionKeyringArguments Compile(PlanCompiler compiler) =>
        new() { Name = compiler.Text(name), Permissions = permissions };
}

internal sealed class NoNewPrivilegesStep()
    : PlainStep(InitOp.NoNewPrivileges, StepChapter.Privileges, new("/process/noNewPrivileges"),
        "give up gaining privileges by execve (no_new_privs)");

internal sealed class ResourceLimitStep(Origin origin, Rlimit limit) : PlanStep<ResourceLimitArguments>(StepChapter.Privileges, origin)
{
    protected override string Words => Describe(limit);

    /// <summary>The setting of a limit in words, whoever does it.</summary>
    public static string Describe(Rlimit limit) => $"set {limit.Type} to {Number(limit.Soft)} (soft), {Number(limit.Hard)} (hard)";

    /// <summary>A limit that the kernel refused, with the numbers: the init's or another process's.</summary>
    public static string Refused(Origin origin, Rlimit limit, int errno)
    {
        string reason = new StepFailure(errno, InitDetail.None).ErrnoWords;
        string text = $"{origin}: set {limit.Type} soft {Number(limit.Soft)} hard {Number(limit.Hard)}: {reason}";
        if (errno != Errno.EPERM) return text;
        // The kernel's own limit comes first, and no privilege helps against it (do_prlimit()).
        if (limit.Type == "RLIMIT_NOFILE" && Files.ReadNumber("/proc/sys/fs/nr_open") is { } most && limit.Hard > (ulong)most)
            return $"{text}: the kernel allows at most {most} (/proc/sys/fs/nr_open)";
        bool isRaised = Processes.GetLimit(0, ResourceNames.Number(limit.Type), out ResourceLimit own) >= 0 && limit.Hard > own.Hard;
        return isRaised ? $"{text}: the hard limit of the runtime is {Number(own.Hard)}, raising it needs CAP_SYS_RESOURCE" : text;
    }

    public override string Explain(LaunchPlan plan, in StepFailure failure) => Refused(Origin, limit, failure.Errno);

    protected override ResourceLimitArguments Compile(PlanCompiler compiler) =>
        new() { Resource = ResourceNames.Number(limit.Type), Limit = new() { Soft = limit.Soft, Hard = limit.Hard } };

    private static string Number(ulong value) => value == ulong.MaxValue ? "unlimited" : value.ToString();
}

internal sealed class AwaitLimitsStep()
    : PlainStep(InitOp.AwaitLimits, StepChapter.Privileges, new("/process/rlimits"), "wait until the runtime has set the resource limits",
        SyncKind.Limits);

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="capabilities">Those that stay.</param>
/// <param name="last">The highest that the kernel has.</param>
internal sealed class BoundingSetStep(Origin origin, ulong capabilities, int last)
    : PlanStep<BoundingSetArguments>(StepChapter.Privileges, origin)
{
    protected override string Words => $"limit the capability bounding set to {CapabilitySets.Names(capabilities)}";

    protected override BoundingSetArguments Compile(PlanCompiler compiler) => new() { Capabilities = capabilities, Last = last };
}

internal sealed class SetUserStep(User user, GroupPolicy groups) : PlanStep<SetUserArguments>(StepChapter.Privileges, new("/process/user"))
{
    public User User => user;
    public GroupPolicy Groups => groups;

    protected override string Words =>
        $"become uid {User.Uid}, gid {User.Gid}" + (Groups == GroupPolicy.Keep ? ", keeping other groups as they are"
        : User.AdditionalGids.Length == 0 ? ", no other groups" : $", groups {string.Join(' ', User.AdditionalGids)}");

    protected override Origin OriginOf(in StepFailure failure) =>
        failure.Detail == InitDetail.Groups && User.AdditionalGids.Length > 0 ? new(Origin.Section, Member: "additionalGids") : Origin;

    /// <summary>Of a step that sets ids and groups.</summary>
    public static string IdHint(LaunchPlan plan, in StepFailure failure) => failure.Errno switch
    {
        Errno.EPERM when failure.Detail == InitDetail.Groups && plan.InUserNamespace =>
            ": the user namespace may deny it (/proc/self/setgroups); "
            + $"{Annotations.Pointer(Annotations.KeepOriginalGroups)} keeps the caller's",
        Errno.EINVAL when plan.InUserNamespace =>
            $": an id has no mapping in the user namespace{(plan.IdMaps is null ? "" : " (/linux/uidMappings, /linux/gidMappings)")}",
        _ => "",
    };

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => IdHint(plan, failure);

    protected override SetUserArguments Compile(PlanCompiler compiler) =>
        new() { Uid = User.Uid, Gid = User.Gid, Groups = compiler.Copy<uint>(User.AdditionalGids), Policy = Groups };
}

/// <param name="path">As the program sees it.</param>
/// <param name="isFirstTry">A refusal is no failure yet: a later step tries again, as another user.</param>
internal sealed class ChangeDirectoryStep(string path, bool isFirstTry)
    : PlanStep<ChangeDirectoryArguments>(StepChapter.Privileges, new("/process/cwd"))
{
    protected override string Words =>
        $"enter {path}{(isFirstTry ? ", or later as the container's user" : " unless already there")}, "
        + "and check that it is inside the container";

    protected override ChangeDirectoryArguments Compile(PlanCompiler compiler) =>
        new() { Path = compiler.Text(path), IsFirstTry = isFirstTry };
}

internal sealed class CapabilitiesStep(Origin origin, CapabilitySets sets) : PlanStep<CapabilitiesArguments>(StepChapter.Privileges, origin)
{
    public CapabilitySets Sets => sets;

    // Equal sets are named together.
    protected override string Words
    {
        get
        {
            (string Name, ulong Mask)[] all =
                [("effective", Sets.Effective), ("permitted", Sets.Permitted), ("inheritable", Sets.Inheritable), ("ambient", Sets.Ambient)]
                ;
            List<string> parts = [];
            for (int i = 0; i < all.Length; i++)
            {
                ulong mask = all[i].Mask;
                if (Array.FindIndex(all, set => set.Mask == mask) < i) continue;
                string names = string.Join(", ", Array.ConvertAll(Array.FindAll(all, set => set.Mask == mask), static set => set.Name));
                parts.Add($"{names}: {CapabilitySets.Names(mask)}");
            }
            return "set capabilities: " + string.Join("; ", parts);
        }
    }

    protected override CapabilitiesArguments Compile(PlanCompiler compiler) =>
        new() { Effective = Sets.Effective, Permitted = Sets.Permitted, Inheritable = Sets.Inheritable, Ambient = Sets.Ambient };
}

internal sealed class UmaskStep(Origin origin, uint mask) : PlanStep<UmaskArguments>(StepChapter.Privileges, origin)
{
    public uint Mask => mask;

    protected override string Words => $"set the umask to {Octal(mask)}";

    /// <summary>A mode in four digits.</summary>
    public static string Octal(uint mode) => Convert.ToString(mode, 8).PadLeft(4, '0');

    protected override UmaskArguments Compile(PlanCompiler compiler) => new() { Mask = mask };
}
