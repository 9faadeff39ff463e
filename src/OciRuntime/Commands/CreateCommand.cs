using OciRuntime.Cli;

namespace OciRuntime.Commands;

/// <summary><c>ocirun create ID</c>.</summary>
internal static class CreateCommand
{
    public static int Run(GlobalOptions g, CreateOptions o)
    {
        using LaunchSession session = new(g, LaunchSession.Settings(g, o, "create", waitForStart: true, detached: true, keep: true));
        session.Launch();
        return ExitCodes.Success;
    }
}
