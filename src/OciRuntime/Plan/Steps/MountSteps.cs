using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>The destination of a mount.</summary>
/// <param name="Path">Relative to the root, clean.</param>
/// <param name="Proc">Where it is, seen from /proc.</param>
/// <param name="NoFollow">If it is a symbolic link, that is covered itself.</param>
internal readonly record struct MountDestination(string Path, ProcPlace Proc = ProcPlace.Outside, bool NoFollow = false)
{
    /// <inheritdoc cref="MountTarget.RealDirectory"/>
    public bool RealDirectory { get; init; }

    /// <summary>For what has been checked already when it was made, and is not to cover another procfs.</summary>
    public MountDestination ForAttachment => Proc == ProcPlace.Itself ? this with { Proc = ProcPlace.Outside } : this;

    public MountTarget Compile(PlanCompiler compiler) =>
        new() { Path = compiler.Text(Path), Proc = Proc, RealDirectory = RealDirectory, NoFollow = NoFollow };
}

/// <summary>A mount that one step makes or finds, and another attaches or detaches: where the child keeps its descriptor.</summary>
internal sealed unsafe class DetachedMount
{
    private int* _place;

    public int* Place(PlanCompiler compiler)
    {
        if (_place is null)
        {
            _place = compiler.New<int>();
            *_place = -1;
        }
        return _place;
    }
}

/// <summary>A step that makes a mount.</summary>
internal interface IMountStep
{
    MountDestination Target { get; }

    /// <summary>Has the mount made only; the step that attaches it later.</summary>
    AttachMountStep Detach();
}

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="what">What it is.</param>
/// <param name="mount">The mount.</param>
/// <param name="target">Where to attach it.</param>
internal sealed class AttachMountStep(Origin origin, string what, DetachedMount mount, MountDestination target)
    : PlanStep<AttachMountArguments>(StepChapter.Root, origin)
{
    /// <summary>Packed, see <see cref="Init.Propagation"/>.</summary>
    public ulong Propagation { get; init; }

    /// <summary>MOUNT_ATTR_… to set last.</summary>
    public ulong Late { get; init; }

    /// <inheritdoc cref="MountFilesystemArguments.InheritMode"/>
    public bool InheritMode { get; init; }

    protected override string Words => $"attach {what} to /{target.Path}";

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => failure is { Detail: InitDetail.Target, Errno: Errno.EROFS }
        ? ": it does not exist, and where it would have to be made is read-only"
        : MountHints.Of(plan, failure, set: 0, clear: 0, tree: false);

    protected override unsafe AttachMountArguments Compile(PlanCompiler compiler) => new()
    {
        Mount = mount.Place(compiler),
        Target = target.Compile(compiler),
        Propagation = Propagation,
        Late = Late,
        InheritMode = InheritMode,
    };
}

/// <param name="origin">Where it is asked for.</param>
/// <param name="target">The mount.</param>
/// <param name="mount">What is found there, for the step that removes it.</param>
/// <param name="remove">Removes it; else only looks whether it could be.</param>
/// <param name="isUncovered">An earlier step takes away what is there or above.</param>
/// <param name="protective">Numbers of mounts that must stay.</param>
internal sealed class RemoveMountStep(
    Origin origin, MountDestination target, DetachedMount mount, bool remove, bool isUncovered, ulong[] protective)
    : PlanStep<RemoveMountArguments>(StepChapter.Root, origin)
{
    protected override string Words => $"{(remove ? "detach what is mounted on" : "look for a mount on")} /{target.Path}";

    private bool Removes => remove;

    /// <summary>What has been detached is not brought back: a mount that is attached anew is another one.</summary>
    protected override string Hint(LaunchPlan plan, in StepFailure failure)
    {
        string reason = failure is { Errno: Errno.EINVAL, Detail: InitDetail.Detach }
            ? ": it is gone by now, or came with a mount namespace of more privilege, which locks it" : "";
        string[] gone = [.. plan.Steps.TakeWhile(step => step != this).OfType<RemoveMountStep>().Where(static step => step.Removes)
            .Select(static step => $"/{step.Target.Path}")];
        return gone.Length == 0 ? reason : $"{reason}; detached by then: {string.Join(", ", gone)}";
    }

    private MountDestination Target => target;

    protected override unsafe RemoveMountArguments Compile(PlanCompiler compiler) => new()
    {
        Mount = mount.Place(compiler),
        Target = target.Compile(compiler),
        OnlyLooks = !remove,
        IsUncovered = isUncovered,
        Protective = compiler.Copy<ulong>(protective),
    };
}

internal sealed class AwaitCommitStep()
    : PlainStep(InitOp.AwaitCommit, StepChapter.Root, Origin.Runtime, "wait for the runtime's word: what follows is done as a whole",
        SyncKind.Commit);

internal sealed class GuardMountsStep()
    : PlainStep(InitOp.GuardMounts, StepChapter.Program, Origin.Runtime, "go on in a clone; take back what it has attached if it fails");

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="path">The mount, clean.</param>
internal sealed class SetMountAttributesStep(Origin origin, string path) : PlanStep<SetMountAttributesArguments>(StepChapter.Any, origin)
{
    public string Path => path;

    /// <summary>MOUNT_ATTR_….</summary>
    public ulong Set { get; init; }

    /// <summary>MOUNT_ATTR_….</summary>
    public ulong Clear { get; init; }

    /// <summary>Packed, see <see cref="Init.Propagation"/>.</summary>
    public ulong Propagation { get; init; }

    /// <summary>Of the mounts below, too.</summary>
    public bool Recursive { get; init; }

    protected override string Words
    {
        get
        {
            MountWords words = new();
            words.AddAttributes(Recursive ? "r" : "", Set, Clear);
            words.AddPropagation(Propagation);
            return $"remount {ContainerPath.Absolute(Path)}{words}";
        }
    }

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => MountHints.Of(plan, failure, Set, Clear, Recursive);

    protected override SetMountAttributesArguments Compile(PlanCompiler compiler) =>
        new() { Path = compiler.Text(Path), Set = Set, Clear = Clear, Propagation = Propagation, Recursive = Recursive };
}

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="path">The mount, clean.</param>
/// <param name="options">fsconfig parameters; a null value is a flag.</param>
internal sealed class ReconfigureFilesystemStep(Origin origin, string path, List<KeyValuePair<string, string?>> options)
    : PlanStep<ReconfigureFilesystemArguments>(StepChapter.Any, origin)
{
    public string Path => path;
    public List<KeyValuePair<string, string?>> Options => options;

    protected override string Words =>
        $"reconfigure the file system of {ContainerPath.Absolute(Path)}{new MountWords().AddOptions(options)}";

    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        failure is { Detail: InitDetail.Superblock, Errno: Errno.EINVAL } && options.Exists(static option => option.Key == "dirsync")
            ? ": a remount cannot change dirsync"
            : MountHints.Of(plan, failure, set: 0, clear: 0, tree: false);

    protected override ReconfigureFilesystemArguments Compile(PlanCompiler compiler) =>
        new() { Path = compiler.Text(Path), Options = compiler.Pairs(options) };
}

/// <param name="target">The mqueue, clean.</param>
/// <param name="label">SELinux label.</param>
internal sealed class LabelQueuesStep(string target, string? label)
    : PlanStep<LabelQueuesArguments>(StepChapter.FileSystems, new("/linux/mountLabel"))
{
    protected override string Words => $"label /{target} {label}";

    protected override LabelQueuesArguments Compile(PlanCompiler compiler) =>
        new() { Path = compiler.Text(target), Label = compiler.Text(label) };
}

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="path">The path, clean.</param>
/// <param name="options">fsconfig parameters of what hides directories.</param>
internal sealed class MaskPathStep(Origin origin, string path, List<KeyValuePair<string, string?>> options)
    : PlanStep<MaskPathArguments>(StepChapter.Root, origin)
{
    public string Path => path;
    public List<KeyValuePair<string, string?>> Options => options;

    protected override string Words => $"hide {ContainerPath.Absolute(Path)}{new MountWords().AddOptions(Options)} if it exists";

    protected override MaskPathArguments Compile(PlanCompiler compiler) =>
        new() { Path = compiler.Text(Path), Options = compiler.Pairs(Options) };
}

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="path">The path, clean.</param>
internal sealed class ReadonlyPathStep(Origin origin, string path) : PlanStep<ReadonlyPathArguments>(StepChapter.Root, origin)
{
    public string Path => path;

    protected override string Words => $"make {ContainerPath.Absolute(Path)} read-only if it exists";

    protected override ReadonlyPathArguments Compile(PlanCompiler compiler) => new() { Path = compiler.Text(Path) };
}
