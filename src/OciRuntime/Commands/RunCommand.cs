using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;

namespace OciRuntime.Commands;

/// <summary><c>ocirun run ID</c>: create, start, wait, delete; or with --detach only the first two.</summary>
internal static class RunCommand
{
    public static int Run(GlobalOptions g, RunOptions o)
    {
        using LaunchSession session = new(g, LaunchSession.Settings(g, o, "run", waitForStart: false, o.Detach, o.Keep));
        if (!o.Detach && !o.NoSubreaper) OciException.Check(Processes.Prctl(Processes.PR_SET_CHILD_SUBREAPER, 1), "become child subreaper");
        ContainerLaunch launch = session.Launch();
        if (o.Detach)
        {
            session.AwaitReadiness();
            return ExitCodes.Success;
        }
        // Others may now look at the container, signal it, even delete it.
        session.Unlock();
        int status;
        using (TerminalRelay? terminal = launch.Terminal == null ? null : new TerminalRelay(launch.Terminal.Number))
        {
            status = new ForegroundSession(launch.Child!.Pid, launch.Child.PidFd, session.Interruption, terminal, launch.Notify).Wait();
        }
        if (!o.Keep) session.Delete();
        return ExitCodes.ForStatus(status);
    }
}
