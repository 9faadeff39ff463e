using OciRuntime.Checks;
using OciRuntime.Cli;
using OciRuntime.Host;
using OciRuntime.Launch;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun check</c>: what this host lacks, and what of a bundle's configuration cannot work here.</summary>
internal static class CheckCommand
{
    public static int Run(GlobalOptions g, CheckOptions o)
    {
        Report report = new();
        if (ProcChecks.Add(report)) AddAll(report, g, o);
        if (o.Format == DocumentFormat.Json) Output.Write(report.Json());
        else Output.Write(report.Text());
        return report.Verdict == Verdict.Missing ? ExitCodes.Failure : ExitCodes.Success;
    }

    private static void AddAll(Report report, GlobalOptions g, CheckOptions o)
    {
        HostFacts host = HostFacts.Probe();
        StateRoot root = StateRoot.Resolve(g.Root);
        KernelChecks.Add(report, host);
        if (IdMapTrial.IsPossible(host)) report.Add(IdMapTrial.OfUsualPlaces());
        NamespaceChecks.Add(report, host);
        if (g.CgroupManager != CgroupManager.Disabled) CgroupChecks.Add(report);
        UserChecks.Add(report, host);
        report.Add(CriuTrial.Run());
        LimitChecks.Add(report, host.Uid);
        StateChecks.Add(report, root);
        if (o.Bundle is not null)
        {
            // As `run` in a terminal: who calls `create` gives it a socket for the terminal that the configuration may ask for.
            LaunchSettings settings = LaunchSession.Settings(g, new ExplainOptions { Bundle = o.Bundle, Config = o.Config }, "check",
                waitForStart: false, detached: false, keep: true);
            BundleChecks.Add(report, host, settings, $"{root.Path}/{settings.Id}");
        }
    }
}
