using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary><see cref="InitOp.MountBind"/>.</summary>
internal sealed unsafe class MountBindStep(Origin origin) : PlanStep<MountBindArguments>(StepChapter.FileSystems, origin), IMountStep
{
    private DetachedMount? _detached;

    public required string Source { get; init; }
    public required MountDestination Target { get; init; }
    public BindAttributes Attributes { get; init; }

    /// <summary>Its id mapping, which the parent sets.</summary>
    public MountIdMap? IdMap { get; init; }

    /// <inheritdoc cref="MountBindArguments.Fallback"/>
    public string? Fallback { get; init; }

    /// <inheritdoc cref="MountBindArguments.Recursive"/>
    public bool Recursive { get; init; }

    /// <inheritdoc cref="MountBindArguments.SourceNoFollow"/>
    public bool SourceNoFollow { get; init; }

    /// <inheritdoc cref="MountBindArguments.SkipMissing"/>
    public bool SkipMissing { get; init; }

    public override SyncKind[] Says => IdMap is null ? [SyncKind.Source] : [SyncKind.Source, SyncKind.MapIds];

    protected override string Words
    {
        get
        {
            MountWords words = new();
            words.Add(SourceNoFollow, "src-nofollow");
            words.Add(Target.NoFollow, "dest-nofollow");
            words.AddAttributes("", Attributes.Set, Attributes.Clear);
            words.AddAttributes("r", Attributes.TreeSet, Attributes.TreeClear);
            words.AddPropagation(Attributes.PropagationWords);
            string ids = IdMap is null
                ? ""
                : $", ids {(IdMap.Recursive ? "of it and all mounts below it " : "")}mapped: {IdMap.Describe()}";
            string missing = Fallback is not null ? $"; if it does not exist {Fallback}, read-only" : SkipMissing ? " if it exists" : "";
            return $"bind {Source}{(Recursive ? " with all below it" : "")} on /{Target.Path}{words}{ids}{missing}";
        }
    }

    public AttachMountStep Detach()
    {
        _detached = new();
        return new(Origin, Source, _detached, Target.ForAttachment) { Propagation = Attributes.PropagationWords };
    }

    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        failure is { Detail: InitDetail.Source, Errno: Errno.EINVAL } && !Recursive && plan.InUserNamespace && HasMountsBelow()
            ? ": a user namespace can bind a mount of the host that has others below it only with them (option rbind)"
            : MountHints.Of(
                plan, failure, Attributes.Set | Attributes.TreeSet, Attributes.Clear | Attributes.TreeClear,
                tree: Recursive || (Attributes.TreeSet | Attributes.TreeClear) != 0);

    protected override MountBindArguments Compile(PlanCompiler compiler) => new()
    {
        Source = compiler.Text(Source),
        Target = Target.Compile(compiler),
        Attributes = Attributes,
        Fallback = compiler.Text(Fallback),
        Detached = _detached is null ? null : _detached.Place(compiler),
        Recursive = Recursive,
        SourceNoFollow = SourceNoFollow,
        MapIds = IdMap is not null,
        SkipMissing = SkipMissing,
    };

    /// <summary>An unbindable mount (mount(2), MS_UNBINDABLE) is EINVAL, too.</summary>
    private bool HasMountsBelow()
    {
        string below = Source.TrimEnd('/') + "/";
        return MountTable.Read().Exists(mount => mount.Point != below && mount.Point.StartsWith(below, StringComparison.Ordinal));
    }
}
