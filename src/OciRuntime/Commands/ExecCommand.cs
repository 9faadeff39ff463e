using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun exec ID COMMAND</c>: one more process in a container.</summary>
internal static class ExecCommand
{
    public static int Run(GlobalOptions g, ExecOptions o)
    {
        Timeline.Phase("claim descriptors and signals, open the container");
        PreservedFds preserved = PreservedFds.Claim(o.PreserveFds);
        using Interruption interruption = new();
        ContainerStore store = new(StateRoot.Resolve(g.Root));
        // No lock: others may exec, signal and even delete meanwhile, and the container's first process is held by a pidfd.
        using ContainerEntry entry = store.Open(o.Id);
        ContainerState state = entry.ReadState();
        ContainerStatus status = entry.Probe(state);
        Check(status, o.IgnorePaused);
        RuntimeSpec spec = SpecLoader.Reload(entry);
        ExecProcess changes = Changes(o);
        spec.Process = changes.Build(spec.Process!);
        if (ConsoleSocket.Mistake(spec.Process.Terminal, o.Detach, o.ConsoleSocket) is { } mistake) throw new OciException(mistake);
        ExecSettings settings = new()
        {
            ConsoleSocket = o.ConsoleSocket,
            PidfdSocket = o.PidfdSocket,
            Preserved = preserved,
            SubCgroups = o.Cgroups,
            Paused = status == ContainerStatus.Paused,
            HasOtherRights = changes.HasOtherRights,
            PlaceOf = changes.PlaceOf,
        };
        using ExecLaunch launch = new(settings, spec, entry, state, interruption);
        launch.Run(message => Logger.Warn(g, message), Logger.Tracer(g));
        if (o.PidFile is not null) WritePidFile(o.PidFile, launch.Child!);
        return o.Detach ? ExitCodes.Success : Wait(launch, interruption);
    }

    private static ExecProcess Changes(ExecOptions o) => new()
    {
        File = o.Process,
        Args = o.Command,
        Env = o.Env,
        Terminal = o.Tty,
        Cwd = o.Cwd,
        User = o.User,
        AdditionalGids = o.AdditionalGids,
        Capabilities = o.Capabilities,
        NoNewPrivileges = o.NoNewPrivs,
        ApparmorProfile = o.Apparmor,
        SelinuxLabel = o.ProcessLabel,
    };

    private static void Check(ContainerStatus status, bool ignorePaused)
    {
        // runc's words, which clients know.
        if (status == ContainerStatus.Stopped) throw new OciException("cannot exec in a stopped container");
        if (status == ContainerStatus.Creating) throw new OciException("cannot exec in a container that is being created");
        if (status == ContainerStatus.Paused && !ignorePaused)
            throw new OciException("cannot exec in a paused container (use --ignore-paused to override)");
    }

    /// <summary>Only now: a pid file that is left by a failure makes conmon report success.</summary>
    private static void WritePidFile(string path, ChildProcess child)
    {
        try
        {
            PidFile.Write(path, child.Pid);
        }
        catch
        {
            child.Kill();
            throw;
        }
    }

    private static int Wait(ExecLaunch launch, Interruption interruption)
    {
        Timeline.Phase("wait for the program's end");
        using TerminalRelay? terminal = launch.Terminal is null ? null : new TerminalRelay(launch.Terminal.Number);
        return ExitCodes.ForStatus(new ForegroundSession(launch.Child!.Pid, launch.Child.PidFd, interruption, terminal, null).Wait());
    }
}
