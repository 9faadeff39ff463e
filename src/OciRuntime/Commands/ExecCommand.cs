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
        PreservedFds preserved = PreservedFds.Claim(o.PreserveFds);
        using Interruption interruption = new();
        ContainerStore store = new(StateRoot.Resolve(g.Root));
        // No lock: others may exec, signal and even delete meanwhile, and the container's first process is held by a pidfd.
        using ContainerEntry entry = store.Open(o.Id);
        ContainerState state = entry.ReadState();
        ContainerStatus status = entry.Probe(state);
        Check(status, o.IgnorePaused);
        RuntimeSpec spec = SpecLoader.Reload(entry);
        spec.Process = ExecProcess.Build(o, spec.Process!);
        CheckTerminal(spec.Process.Terminal, o);
        ExecSettings settings = new()
        {
            ConsoleSocket = o.ConsoleSocket, PidfdSocket = o.PidfdSocket, Preserved = preserved, SubCgroups = o.Cgroups, Paused = status == ContainerStatus.Paused,
        };
        using ExecLaunch launch = new(settings, spec, entry, state, interruption);
        launch.Run(message => Report(g, LogLevel.Warning, message), message => Report(g, LogLevel.Debug, message));
        if (o.PidFile != null) WritePidFile(o.PidFile, launch.Child!);
        return o.Detach ? ExitCodes.Success : Wait(launch, interruption);
    }

    private static void Check(ContainerStatus status, bool ignorePaused)
    {
        // runc's words, which clients know.
        if (status == ContainerStatus.Stopped) throw new OciException("cannot exec in a stopped container");
        if (status == ContainerStatus.Creating) throw new OciException("cannot exec in a container that is being created");
        if (status == ContainerStatus.Paused && !ignorePaused) throw new OciException("cannot exec in a paused container (use --ignore-paused to override)");
    }

    private static void CheckTerminal(bool terminal, ExecOptions o)
    {
        if (terminal && o.Detach && o.ConsoleSocket == null) throw new OciException("cannot allocate tty if ocirun will detach without setting console socket: pass --console-socket PATH");
        if (o.ConsoleSocket != null && !(terminal && o.Detach)) throw new OciException($"--console-socket {o.ConsoleSocket}: cannot use console socket if ocirun will not detach or allocate tty");
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
        using TerminalRelay? terminal = launch.Terminal == null ? null : new TerminalRelay(launch.Terminal.Number);
        return ExitCodes.ForStatus(new ForegroundSession(launch.Child!.Pid, launch.Child.PidFd, interruption, terminal, null).Wait());
    }

    private static void Report(GlobalOptions g, LogLevel level, string message)
    {
        if (g.LogLevel < level && !g.Debug) return;
        using Logger log = Logger.Open(g);
        if (level == LogLevel.Warning) log.Warning(message);
        else log.Debug(message);
    }
}
