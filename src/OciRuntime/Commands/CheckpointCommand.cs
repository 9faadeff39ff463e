using OciRuntime.Checkpoint;
using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun checkpoint ID</c>.</summary>
internal static class CheckpointCommand
{
    public static int Run(GlobalOptions g, CheckpointOptions o)
    {
        DumpSettings settings = new()
        {
            Criu = CriuCommandLine.Settings(o),
            LeaveRunning = o.LeaveRunning,
            PreDump = o.PreDump,
            TcpSkipInFlight = o.TcpSkipInFlight,
            LinkRemap = o.LinkRemap,
            StatusFd = o.StatusFd,
            PageServer = CriuCommandLine.PageServer(o.PageServer),
        };
        CriuCommandLine.WarnIfRootless(g, "checkpoint");
        using Interruption interruption = new();
        using ContainerEntry entry = new ContainerStore(StateRoot.Resolve(g.Root)).Open(o.Id);
        entry.Acquire("checkpoint");
        ContainerState state = ContainerDump.Run(settings, entry, interruption);
        if (!o.LeaveRunning && !o.PreDump) ContainerTeardown.Run(entry, state, journal => PoststopHooks.Run(g, journal));
        return ExitCodes.Success;
    }
}
