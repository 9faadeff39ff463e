using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>Loads the seccomp filter. From then on the filter decides which of init's own calls succeed, so as many as possible come before.</summary>
internal static unsafe class SeccompStep
{
    public static long Load(ref InitState s, InitStep* step)
    {
        long result = (step->Flags & InitFlags.LastStep) != 0 ? StartSteps.Announce(ref s) : Prepare();
        if (result < 0) return result;
        s.Filtered = true;
        result = SeccompFilter.Load((SockProgram*)step->Data, (uint)step->A);
        return result < 0 || ((uint)step->A & SeccompFilter.FLAG_NEW_LISTENER) == 0 ? result : HandOver(ref s, (int)result);
    }

    private static long Prepare()
    {
        // Signals at their defaults let a fault end init where the filter denies even exit_group. SIGPIPE stays ignored: a parent that is gone
        // is noticed by EPIPE.
        InitMain.DefaultSignals(Processes.SIGPIPE);
        return Files.CloseRange(3, uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC);
    }

    /// <summary>
    /// Only the number of the listener goes to the parent, by write(2), the one call that the listener may not hold back: it fetches the
    /// descriptor itself, and the agent can answer whatever else waits, read(2) included. Where it lacks the right (rootless: this process is
    /// not dumpable), the descriptor is sent after all.
    /// </summary>
    private static long HandOver(ref InitState s, int listener)
    {
        s.Detail = InitDetail.Listener;
        long result = Sync.Ask(ref s, SyncKind.Listener, listener);
        if (result == -Errno.EPERM) result = Sync.Ask(ref s, SyncKind.Listener, listener, listener);
        // Closed by execve; a call less here is one less that could be held back.
        return result;
    }
}
