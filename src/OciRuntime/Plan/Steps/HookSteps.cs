using OciRuntime.Init;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>A step that runs a hook.</summary>
internal interface IHookStep
{
    /// <summary>Position in its list.</summary>
    int Index { get; }
}

internal sealed class AwaitHooksStep()
    : PlainStep(InitOp.AwaitHooks, StepChapter.Root, new("/hooks"), "wait until the runtime has run the prestart and createRuntime hooks",
        SyncKind.Hooks);

/// <summary><see cref="InitOp.ContainerHook"/>.</summary>
internal sealed class ContainerHookStep(Hook hook, int index, string rootfs)
    : PlanStep<ContainerHookArguments>(StepChapter.Root, new("/hooks/createContainer", index)), IHookStep
{
    public int Index => index;

    protected override string Words => $"run the createContainer hook {hook.Path}";

    public override string Explain(LaunchPlan plan, in StepFailure failure) => StartHookStep.Explain("createContainer", failure);

    // A program of the host gets nothing of the image's (CVE-2025-23266): without an environment of its own, the caller's.
    protected override ContainerHookArguments Compile(PlanCompiler compiler) => new()
    {
        Hook = StartHookStep.Compile(compiler, hook, Index, hook.Env is null ? compiler.CallersEnvironment() : compiler.Texts(hook.Env)),
        Rootfs = compiler.Text(rootfs),
    };
}

/// <summary><see cref="InitOp.StartHook"/>. Without an environment of its own it gets the program's.</summary>
internal sealed class StartHookStep(Hook hook, int index)
    : PlanStep<StartHookArguments>(StepChapter.Program, new("/hooks/startContainer", index)), IHookStep
{
    public int Index => index;

    protected override string Words => $"run the startContainer hook {hook.Path}";

    /// <summary>
    /// A hook's failure, of which the words are the hook's path and, after the first line end, what it printed. runc's bats tests match the
    /// text up to the colon.
    /// </summary>
    public static string Explain(string kind, in StepFailure failure)
    {
        string[] words = failure.Text.Split('\n', 2);
        string output = words.Length > 1 && words[1].Length > 0 ? $", output: {words[1]}" : "";
        return $"error running {kind} hook #{failure.Value >> 32}: {words[0]}: {failure.ReasonAlone}{output}";
    }

    public static HookCall Compile(PlanCompiler compiler, Hook hook, int index, NativeArray<NativeText> environment) => new()
    {
        Path = compiler.Text(hook.Path),
        Arguments = compiler.Texts(hook.Args.Length > 0 ? hook.Args : [hook.Path]),
        Environment = environment,
        TimeoutSeconds = hook.Timeout ?? 0,
        Index = index,
    };

    public override string Explain(LaunchPlan plan, in StepFailure failure) => Explain("startContainer", failure);

    protected override StartHookArguments Compile(PlanCompiler compiler) =>
        new() { Hook = Compile(compiler, hook, Index, hook.Env is null ? compiler.Environment : compiler.Texts(hook.Env)) };
}
