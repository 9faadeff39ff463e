using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>What `explain` puts steps under.</summary>
internal enum StepChapter
{
    /// <summary>Whatever chapter the step stands in.</summary>
    Any,
    Namespaces,
    FileSystems,
    Devices,
    Root,
    Kernel,
    Privileges,
    Program,
}

/// <summary>
/// One step of the child, as the parent sees it. Each operation has a class of its own, which has what the step needs by name, and knows
/// its words, its native form, and what the kernel means by refusing it. No records: a plan may have two steps that are alike, and which
/// one is meant is told by reference.
/// </summary>
internal abstract class PlanStep(InitOp op, StepChapter chapter, Origin origin)
{
    public InitOp Op => op;
    public StepChapter Chapter => chapter;
    public Origin Origin => origin;

    /// <summary>What the child may say to the runtime in it, errors aside: each once, in this order.</summary>
    public virtual SyncKind[] Says => [];

    /// <summary>Whether it is the same in another network namespace, so that it need not wait for the container's (LentNetwork).</summary>
    public virtual bool GoesWithoutNetwork => false;

    /// <summary>
    /// What it does, in one line, without where it comes from: for `explain`, and for errors, which name the step that failed.
    /// </summary>
    public string Describe() => VisibleText.Line(Words);

    /// <summary>
    /// The whole message about its failure: where config.json asks for it, what was being done, the reason, and a hint where one is known.
    /// </summary>
    public virtual string Explain(LaunchPlan plan, in StepFailure failure)
    {
        string pointer = OriginOf(failure).ToString();
        return $"{pointer}{(pointer.Length == 0 ? "" : ": ")}{Describe()}: {failure.Reason}{Hint(plan, failure)}";
    }

    /// <summary>Where config.json asks for the part of it that failed.</summary>
    protected virtual Origin OriginOf(in StepFailure failure) => Origin;

    /// <summary>Writes its native form.</summary>
    public virtual void Write(ref InitStep native, PlanCompiler compiler) => native.Op = Op;

    /// <summary>The words, in which the configuration's control characters are still what they are.</summary>
    protected abstract string Words { get; }

    /// <summary>
    /// Why the kernel says so, as the end of a message, or "". What a hint takes for granted either follows from the step and the errno, or
    /// is looked at here.
    /// </summary>
    protected virtual string Hint(LaunchPlan plan, in StepFailure failure) => "";
}

/// <summary>A step whose operation needs arguments: the type names the operation, so that the compiler holds the two together.</summary>
internal abstract class PlanStep<TArguments>(StepChapter chapter, Origin origin) : PlanStep(TArguments.Op, chapter, origin)
    where TArguments : unmanaged, IStepArguments
{
    public sealed override unsafe void Write(ref InitStep native, PlanCompiler compiler)
    {
        base.Write(ref native, compiler);
        TArguments* arguments = compiler.New<TArguments>();
        *arguments = Compile(compiler);
        native.Arguments = arguments;
    }

    /// <summary>The arguments, with what they lead to in the plan's memory.</summary>
    protected abstract TArguments Compile(PlanCompiler compiler);
}

/// <summary>A step whose operation is all there is to say to the child.</summary>
internal abstract class PlainStep(InitOp op, StepChapter chapter, Origin origin, string words, params SyncKind[] says)
    : PlanStep(op, chapter, origin)
{
    public sealed override SyncKind[] Says => says;

    protected override string Words => words;
}
