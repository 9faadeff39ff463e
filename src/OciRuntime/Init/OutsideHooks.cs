using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// createContainer hooks of an init that had to join a pid namespace early (<see cref="NamespaceSteps.Join"/>): what it clones is born
/// there, where others may look through /proc/PID/root at the host's tree, which hooks still have. So a process that was cloned before
/// stays outside, enters the container's other namespaces when the first hook comes, and has the hooks for children.
/// </summary>
internal static unsafe class OutsideHooks
{
    /// <summary>Clones it; it ends with this process, or in <see cref="End"/>.</summary>
    /// <param name="s">What init remembers.</param>
    /// <param name="namespaces">CLONE_NEW… flags of the container's namespaces but the pid namespace.</param>
    public static long Begin(ref InitState s, ulong namespaces)
    {
        int* pair = stackalloc int[2];
        long result = Sockets.Pair(Sockets.SOCK_SEQPACKET, pair);
        if (result < 0) return result;
        long self = Processes.PidFdOpen(Processes.Pid());
        int pidfd = -1;
        result = self < 0 ? self : Processes.Fork(&pidfd);
        if (result == 0)
        {
            Files.Close(pair[0]);
            Serve(ref s, pair[1], (int)self, namespaces);
        }
        Files.Close(pair[1]);
        if (self >= 0) Files.Close((int)self);
        if (result < 0)
        {
            Files.Close(pair[0]);
            return result;
        }
        Files.Close(pidfd);
        s.OutsidePid = (int)result;
        s.OutsideFd = pair[0];
        return 0;
    }

    /// <summary>Has the hook of the current step run; its failure becomes this process's.</summary>
    public static long Run(ref InitState s)
    {
        int step = s.StepIndex;
        SyncMessage message = default;
        long result = Files.Write(s.OutsideFd, (byte*)&step, sizeof(int));
        if (result >= 0) result = Files.Read(s.OutsideFd, (byte*)&message, sizeof(SyncMessage));
        if (result != sizeof(SyncMessage)) return result < 0 ? result : -Errno.EPIPE;
        s.Detail = message.Detail;
        s.Value = message.Value;
        // By now this process has joined what others may be in: whoever got hold of its socket is not to write beyond the text here.
        if (message.TextLength is < 0 or > SyncMessage.TextSize) return -Errno.EPIPE;
        s.TextLength = message.TextLength;
        byte* text = (byte*)&message.Text;
        for (int i = 0; i < s.TextLength; i++) s.Text[i] = text[i];
        return -message.Errno;
    }

    /// <summary>No hook comes any more.</summary>
    public static void End(ref InitState s)
    {
        if (s.OutsideFd < 0) return;
        Files.Close(s.OutsideFd);
        s.OutsideFd = -1;
        // It sees the end of the connection; how it ends is no matter.
        Processes.Wait(s.OutsidePid, out _, 0);
    }

    /// <summary>The process outside. Does not return.</summary>
    private static void Serve(ref InitState s, int socket, int init, ulong namespaces)
    {
        // Also what a hook's own process says that cannot execute it.
        s.ReportFd = socket;
        long result = Processes.Prctl(Processes.PR_SET_PDEATHSIG, Processes.SIGKILL);
        int step;
        for (bool inside = false; Files.Read(socket, (byte*)&step, sizeof(int)) == sizeof(int); inside = true)
        {
            s.StepIndex = step;
            s.Detail = InitDetail.HookFork;
            s.Value = (long)s.Plan->Steps[step].As<ContainerHookArguments>()->Hook.Index << 32;
            if (result >= 0 && !inside) result = Enter(ref s, init, namespaces);
            if (result >= 0) result = HookSteps.Run(ref s, s.Plan->Steps[step].As<ContainerHookArguments>());
            // If init is gone, so is this process.
            if (result >= 0) Sync.Tell(ref s, SyncKind.Hooks, 0);
            else Sync.Fail(ref s, result);
        }
        Processes.Exit(0);
    }

    /// <summary>All at once, as exec does; then what init has done since about who it is.</summary>
    private static long Enter(ref InitState s, int init, ulong namespaces)
    {
        long result = Processes.SetNamespace(init, namespaces);
        for (int i = 0; i < s.StepIndex && result >= 0; i++)
        {
            InitStep* step = s.Plan->Steps + i;
            result = step->Op switch
            {
                InitOp.BecomeRoot => NamespaceSteps.BecomeRoot(ref s, step->As<BecomeRootArguments>()),
                InitOp.Undumpable => Processes.Prctl(Processes.PR_SET_DUMPABLE, 0),
                InitOp.SessionKeyring => ProcessSteps.SessionKeyring(step->As<SessionKeyringArguments>()),
                _ => 0,
            };
        }
        Files.Close(init);
        return result;
    }
}
