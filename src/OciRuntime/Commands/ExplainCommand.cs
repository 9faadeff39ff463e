using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Plan;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>
/// <c>ocirun explain</c>: the plan of `create`, compiled by the same code and printed instead of executed. Makes and changes nothing.
/// </summary>
internal static class ExplainCommand
{
    public static int Run(GlobalOptions g, ExplainOptions o)
    {
        ContainerId.Validate(o.Id);
        LaunchSettings settings = LaunchSession.Settings(g, o, "explain", waitForStart: true, detached: true, keep: true);
        Explanation explanation = LaunchActions.Explain(LaunchPreparation.Build(settings, $"{StateRoot.Resolve(g.Root).Path}/{o.Id}"));
        if (o.Format == DocumentFormat.Json) Output.Write(PlanPrinter.Json(explanation));
        else Output.Write(PlanPrinter.Text(explanation));
        return ExitCodes.Success;
    }
}
