using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>
/// `run` in the foreground: passes signals and the readiness message on, carries the terminal, reaps what is orphaned to it, and knows how
/// the program ended.
/// </summary>
/// <param name="pid">The program.</param>
/// <param name="pidfd">The same.</param>
/// <param name="signals">What is passed on.</param>
/// <param name="terminal">The terminal to carry, or null.</param>
/// <param name="notify">Where readiness is said, or null.</param>
internal sealed class ForegroundSession(int pid, Fd pidfd, Interruption signals, TerminalRelay? terminal, NotifyProxy? notify)
{
    private WaitStatus? _status;
    private NotifyProxy? _notify = notify;

    /// <summary>Waits for the container's end and gives its wait status.</summary>
    public WaitStatus Wait()
    {
        // The child may have ended before the first signal is looked for.
        Reap();
        Span<PollFd> fds = stackalloc PollFd[2 + TerminalRelay.MaxPollFds];
        while (_status is null)
        {
            fds[0] = PollFd.Reading(signals.Descriptor);
            fds[1] = PollFd.Reading(_notify?.Descriptor ?? -1);
            int count = 2 + (terminal?.FillPoll(fds[2..]) ?? 0);
            OciException.Check(Processes.Poll(fds[..count], terminal?.PollMilliseconds ?? -1), "poll");
            if (fds[0].Returned != 0) HandleSignals();
            if (fds[1].Returned != 0 && _notify!.Pass()) _notify = null;
            terminal?.Transfer(fds[2..]);
        }
        terminal?.Drain(signals);
        return _status.Value;
    }

    private void HandleSignals()
    {
        for (int signal = signals.Take(); signal != 0; signal = signals.Take())
        {
            switch (signal)
            {
                case Processes.SIGCHLD: Reap(); break;
                case Processes.SIGWINCH: terminal?.Resize(); break;
                case Processes.SIGURG: break;
                case Processes.SIGCONT:
                    // Whoever stopped this process may have changed the terminal's modes, or has it now.
                    terminal?.Resume();
                    goto default;
                // ESRCH: it has just ended, and its status is on the way.
                default: Processes.PidFdSendSignal(pidfd.Number, signal); break;
            }
        }
    }

    /// <summary>
    /// Takes the status of every child that ended: one SIGCHLD may stand for many, and orphans of the container come to a subreaper.
    /// </summary>
    private void Reap()
    {
        while (true)
        {
            long ended = Processes.Reap(-1, out WaitStatus status, Processes.WNOHANG);
            if (ended == pid) _status = status;
            if (ended is 0 or -Errno.ECHILD) return;
            // There may be no further SIGCHLD to ask at.
            OciException.Check(ended, "wait for the program");
        }
    }
}
