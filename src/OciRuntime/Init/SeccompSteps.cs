using OciRuntime.Linux;

namespace OciRuntime.Init;

internal struct SeccompArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Seccomp;
    public NativeArray<SockFilter> Instructions;

    /// <summary>SECCOMP_FILTER_FLAG_….</summary>
    public uint Flags;

    /// <summary>Nothing comes after this but execve.</summary>
    public bool IsLastStep;

    /// <summary>
    /// The filter does not simply allow sendmsg(2), so the parent fetches the listener by its number, which write(2) tells.
    /// </summary>
    public bool ListenerByNumber;
}

/// <summary>
/// Loads the seccomp filter. From then on the filter decides which of init's own calls succeed, so as many as possible come before.
/// </summary>
internal static unsafe class SeccompSteps
{
    public static long Load(ref InitState s, SeccompArguments* filter)
    {
        long result = filter->IsLastStep ? StartSteps.Announce(ref s) : Prepare(ref s);
        if (result < 0) return result;
        s.Filtered = true;
        SockProgram program = new() { Length = (ushort)filter->Instructions.Count, Instructions = filter->Instructions.Items };
        result = SeccompFilter.Load(&program, filter->Flags);
        return result < 0 || (filter->Flags & SeccompFilter.FLAG_NEW_LISTENER) == 0 ? result : HandOver(ref s, filter, (int)result);
    }

    private static long Prepare(ref InitState s)
    {
        StartSteps.EndSetUp(ref s);
        // Signals at their defaults let a fault end init where the filter denies even exit_group. SIGPIPE stays ignored: a parent that is
        // gone is noticed by EPIPE. An init that will wait for `start` may not be able to set handlers then; SIGSYS is the filter's own
        // from here on.
        if (s.Plan->Fds.Start < 0)
        {
            InitMain.DefaultSignals(Processes.SIGPIPE);
        }
        else
        {
            InitMain.CreatedSignals(Processes.SIGSYS);
            // It fails for SIGKILL and SIGSTOP only (sigaction(2)).
            Processes.ResetSignal(Processes.SIGSYS);
        }
        return Files.CloseRange(3, uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC);
    }

    /// <summary>
    /// The listener goes out with the first message: whatever the agent can hold back afterwards, read(2) for the answer included, it can
    /// answer. Where the filter might hold sendmsg(2) back, or deny it, only the number goes out, by write(2), and the parent fetches the
    /// descriptor, which takes a right over this process that an ordinary user lacks.
    /// </summary>
    private static long HandOver(ref InitState s, SeccompArguments* filter, int listener)
    {
        s.Detail = InitDetail.Listener;
        // Closed when there is nothing more to ask: a call less here is one less that could be held back.
        s.ListenerFd = listener;
        return Sync.Ask(ref s, SyncKind.Listener, listener, filter->ListenerByNumber ? -1 : listener);
    }
}
