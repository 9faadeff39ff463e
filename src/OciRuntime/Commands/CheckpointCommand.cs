using OciRuntime.Checkpoint;
using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun checkpoint ID</c>.</summary>
internal static class CheckpointCommand
{
    public static int Run(GlobalOptions g, CheckpointOptions o)
    {
        DumpSettings settings = new()
        {
            Criu = CriuCommandLine.Settings(o), LeaveRunning = o.LeaveRunning, PreDump = o.PreDump, TcpSkipInFlight = o.TcpSkipInFlight, LinkRemap = o.LinkRemap, StatusFd = o.StatusFd,
            PageServer = CriuCommandLine.PageServer(o.PageServer),
        };
        CriuCommandLine.WarnIfRootless(g, "checkpoint");
        using Interruption interruption = new();
        using ContainerEntry entry = new ContainerStore(StateRoot.Resolve(g.Root)).Open(o.Id);
        entry.Acquire("checkpoint");
        ContainerState state = entry.ReadState();
        ContainerStatus status = entry.Probe(state);
        // runc's words.
        if (status is not (ContainerStatus.Running or ContainerStatus.Paused)) throw new OciException($"container cannot be checkpointed in {status.Name()} state");
        LaunchPreparation container = Reload(entry, state);
        RestoreCommand.RefuseHostMounts(container);
        new ContainerDump(settings, container, state, interruption).Run(status == ContainerStatus.Paused);
        if (!o.LeaveRunning && !o.PreDump) ContainerTeardown.Run(entry, state, journal => PoststopHooks.Run(g, journal));
        return ExitCodes.Success;
    }

    /// <summary>The container's plan, for its mounts: from the configuration it was made from.</summary>
    private static LaunchPreparation Reload(ContainerEntry entry, ContainerState state) => LaunchPreparation.Build(
        new LaunchSettings
        {
            Verb = "checkpoint", Id = entry.Id, Bundle = state.Bundle, Config = $"{entry.Path}/config.json", OnlyExplain = true, UseCgroups = state.CgroupManager != "disabled",
            Systemd = state.CgroupManager == "systemd", RootlessCgroups = state.CgroupManager == "systemd" ? state.SystemdUser : null,
        },
        entry.Path);
}
