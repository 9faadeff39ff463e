using OciRuntime.Cli;
using OciRuntime.State;
using OciRuntime.Verify;

namespace OciRuntime.Commands;

/// <summary><c>ocirun verify</c>: what the kernel has of what the configuration promised.</summary>
internal static class VerifyCommand
{
    public static int Run(GlobalOptions g, VerifyOptions o)
    {
        using ContainerEntry entry = new ContainerStore(StateRoot.Resolve(g.Root)).Open(o.Id);
        Report report = Verification.Of(entry, o.Attach);
        if (o.Format == DocumentFormat.Json) Output.Write(report.Json());
        else Output.Write(report.Text(o.All));
        return report.Outcome == Outcome.Broken ? ExitCodes.Failure : ExitCodes.Success;
    }
}
