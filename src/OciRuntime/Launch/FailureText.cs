using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>Errors of the child in words: the step's own, as far as the plan is at hand.</summary>
internal static class FailureText
{
    /// <summary>An error of init.</summary>
    /// <param name="plan">What it walks; null after `start`, when the plan is no longer at hand.</param>
    /// <param name="message">What it said.</param>
    public static OciException Explain(LaunchPlan? plan, InitMessage message)
    {
        StepFailure failure = new(message.Errno, message.Detail, message.Value, message.Text);
        return new OciException(plan is not null && message.Step is { } step ? step.Explain(plan, failure)
            : ExplainStart(message.Op, failure), message.Errno);
    }

    private static string ExplainStart(InitOp op, in StepFailure failure) => op switch
    {
        InitOp.StartHook => StartHookStep.Explain("startContainer", failure),
        InitOp.Seccomp => $"/linux/seccomp: load the filter: {failure.Reason}",
        InitOp.Execute => $"exec {failure.Text}: {failure.ErrnoWords}{ExecuteStep.Hint(failure.Errno)}",
        _ => $"container init failed: {failure.Reason}",
    };
}
