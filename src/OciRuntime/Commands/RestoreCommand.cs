using OciRuntime.Checkpoint;
using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun restore ID</c>: as run, but the processes come from a checkpoint.</summary>
internal static class RestoreCommand
{
    public static int Run(GlobalOptions g, RestoreOptions o)
    {
        CheckProfile(o.LsmProfile);
        PreservedFds.Claim(0);
        CriuCommandLine.WarnIfRootless(g, "restore");
        using Interruption interruption = new();
        if (!o.Detach && !o.NoSubreaper) OciException.Check(Processes.Prctl(Processes.PR_SET_CHILD_SUBREAPER, 1), "become child subreaper");
        ContainerStore store = new(StateRoot.Resolve(g.Root));
        ContainerId.Validate(o.Id);
        LaunchPreparation preparation = LaunchPreparation.Build(Settings(g, o), $"{store.Root.Path}/{o.Id}");
        RefuseHostMounts(preparation);
        foreach (string warning in preparation.Warnings) Logger.Warn(g, warning);
        using ContainerEntry entry = store.Claim(o.Id, "restore", (left, state) => ContainerTeardown.Undo(left, state, journal => PoststopHooks.Run(g, journal)));
        using ContainerRestore restore = Begin(o, preparation, entry, interruption);
        restore.Run(message => Logger.Warn(g, message));
        if (o.PidFile != null) WritePidFile(g, o.PidFile, restore, entry);
        return o.Detach ? ExitCodes.Success : Wait(g, restore, entry, interruption);
    }

    /// <summary>criu makes mounts in a mount namespace of its own, and would save or make the host's.</summary>
    internal static void RefuseHostMounts(LaunchPreparation preparation)
    {
        if (preparation.Plan.MountsOnHost) throw new OciException("/linux/namespaces: a container without a mount namespace, whose mounts are the host's, can be neither saved nor restored");
    }

    private static LaunchSettings Settings(GlobalOptions g, RestoreOptions o) => new()
    {
        Verb = "restore", Id = o.Id, Bundle = o.Bundle, Config = o.Config, ConsoleSocket = o.ConsoleSocket, PidFile = o.PidFile, NoPivot = o.NoPivot, Detached = o.Detach,
        UseCgroups = g.CgroupManager != CgroupManager.Disabled, Systemd = LaunchSession.IsSystemd(g), RootlessCgroups = LaunchSession.RootlessCgroups(g),
    };

    private static ContainerRestore Begin(RestoreOptions o, LaunchPreparation preparation, ContainerEntry entry, Interruption interruption)
    {
        RestoreSettings settings = new() { Criu = CriuCommandLine.Settings(o), TcpClose = o.TcpClose, LsmProfile = o.LsmProfile, LsmMountContext = o.LsmMountContext };
        try
        {
            return new ContainerRestore(settings, preparation, entry, interruption);
        }
        catch
        {
            entry.Remove();
            throw;
        }
    }

    /// <summary>Only now: a pid file that is left by a failure makes conmon report success.</summary>
    private static void WritePidFile(GlobalOptions g, string path, ContainerRestore restore, ContainerEntry entry)
    {
        try
        {
            PidFile.Write(path, restore.State.Init.Pid);
        }
        catch
        {
            restore.End();
            ContainerTeardown.Run(entry, restore.State, journal => PoststopHooks.Run(g, journal));
            throw;
        }
    }

    private static int Wait(GlobalOptions g, ContainerRestore restore, ContainerEntry entry, Interruption interruption)
    {
        // Others may now look at the container, signal it, even delete it.
        entry.Lock?.Dispose();
        int status;
        using (TerminalRelay? terminal = restore.Terminal == null ? null : new TerminalRelay(restore.Terminal.Number))
        {
            status = new ForegroundSession(restore.State.Init.Pid, restore.FirstProcess!, interruption, terminal, null).Wait();
        }
        if (entry.TryAcquire("restore", ContainerLock.DefaultWaitMilliseconds)) ContainerTeardown.Run(entry, restore.State, journal => PoststopHooks.Run(g, journal));
        return ExitCodes.ForStatus(status);
    }

    private static void CheckProfile(string? profile)
    {
        if (profile != null && profile.Split(':', 2) is not ["apparmor" or "selinux", { Length: > 0 }]) throw new OciException($"--lsm-profile {profile}: use apparmor:NAME or selinux:LABEL", Errno.EINVAL);
    }
}
