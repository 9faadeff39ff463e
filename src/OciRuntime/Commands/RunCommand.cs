using OciRuntime.Cli;
using OciRuntime.Linux;

namespace OciRuntime.Commands;

/// <summary><c>ocirun run ID</c>: create, start, wait, delete; or with --detach only the first two.</summary>
internal static class RunCommand
{
    public static int Run(GlobalOptions g, RunOptions o)
    {
        using LaunchSession session = new(g, LaunchSession.Settings(g, o, "run", waitForStart: false, o.Detach, o.Keep));
        if (!o.Detach && !o.NoSubreaper) OciException.Check(Processes.Prctl(Processes.PR_SET_CHILD_SUBREAPER, 1), "become child subreaper");
        session.Launch();
        if (!o.Detach) return session.Wait();
        session.AwaitReadiness();
        return ExitCodes.Success;
    }
}
