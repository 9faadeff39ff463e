using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>Loads the seccomp filter. From then on the filter decides which of init's own calls succeed, so as many as possible come before.</summary>
internal static unsafe class SeccompStep
{
    public static long Load(ref InitState s, InitStep* step)
    {
        long result = (step->Flags & InitFlags.LastStep) != 0 ? StartSteps.Announce(ref s) : Prepare(ref s);
        if (result < 0) return result;
        s.Filtered = true;
        result = SeccompFilter.Load((SockProgram*)step->Data, (uint)step->A);
        return result < 0 || ((uint)step->A & SeccompFilter.FLAG_NEW_LISTENER) == 0 ? result : HandOver(ref s, step, (int)result);
    }

    private static long Prepare(ref InitState s)
    {
        // Signals at their defaults let a fault end init where the filter denies even exit_group. SIGPIPE stays ignored: a parent that is gone
        // is noticed by EPIPE. An init that will wait for `start` may not be able to set handlers then; SIGSYS is the filter's own from here on.
        if (s.Plan->StartFd < 0) InitMain.DefaultSignals(Processes.SIGPIPE);
        else
        {
            InitMain.CreatedSignals(Processes.SIGSYS);
            // It fails for SIGKILL and SIGSTOP only (sigaction(2)).
            Processes.ResetSignal(Processes.SIGSYS);
        }
        return Files.CloseRange(3, uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC);
    }

    /// <summary>
    /// The listener goes out with the first message: whatever the agent can hold back afterwards, read(2) for the answer included, it can answer. Where the
    /// filter might hold sendmsg(2) back, or deny it, only the number goes out, by write(2), and the parent fetches the descriptor, which takes a right over this
    /// process that an ordinary user lacks.
    /// </summary>
    private static long HandOver(ref InitState s, InitStep* step, int listener)
    {
        s.Detail = InitDetail.Listener;
        // Closed by execve; a call less here is one less that could be held back.
        return Sync.Ask(ref s, SyncKind.Listener, listener, (step->Flags & InitFlags.ListenerByNumber) != 0 ? -1 : listener);
    }
}
