using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>The child's side of the conversation with the parent.</summary>
internal static unsafe class Sync
{
    /// <summary>Sends a message, with a descriptor where <paramref name="passed"/> is not negative.</summary>
    public static long Tell(ref InitState s, SyncKind kind, long value, int passed = -1)
    {
        SyncMessage message = default;
        message.Kind = kind;
        message.Step = s.StepIndex;
        message.Value = value;
        // write(2) where it will do: a seccomp filter, under which the last messages are sent, nearly always allows it.
        return passed < 0 ? Files.Write(s.ReportFd, (byte*)&message, sizeof(SyncMessage))
            : Sockets.Send(s.ReportFd, &message, sizeof(SyncMessage), passed);
    }

    /// <summary>
    /// Sends a request and waits for its answer: 0, the descriptor that came with it, or a negated errno. A parent that is gone ends the
    /// child: nobody is left who could clean up after it.
    /// </summary>
    public static long Ask(ref InitState s, SyncKind kind, long value, int passed = -1)
    {
        long result = Tell(ref s, kind, value, passed);
        return result < 0 ? result : Await(ref s, kind is SyncKind.Source or SyncKind.Device or SyncKind.Filesystem);
    }

    /// <summary>The second half of <see cref="Ask"/>.</summary>
    public static long Await(ref InitState s, bool passes)
    {
        SyncMessage answer = default;
        int passed = -1;
        long result = passes ? Sockets.Receive(s.ReportFd, &answer, sizeof(SyncMessage), out passed)
            : Files.Read(s.ReportFd, (byte*)&answer, sizeof(SyncMessage));
        if (result != sizeof(SyncMessage)) Processes.Exit(1);
        if (answer.Errno != 0) return -answer.Errno;
        return passed >= 0 ? passed : 0;
    }

    /// <summary>Reports the failed step and ends the child.</summary>
    public static void Fail(ref InitState s, long result)
    {
        // Where nobody listens there is nobody to tell.
        TellResult(ref s, result);
        Processes.Exit(1);
    }

    /// <summary>Tells how a step went.</summary>
    public static long TellResult(ref InitState s, long result)
    {
        SyncMessage message = default;
        message.Kind = SyncKind.Error;
        message.Step = s.StepIndex;
        message.Errno = result < 0 ? (int)-result : 0;
        message.Detail = s.Detail;
        message.Op = s.Plan->Steps[s.StepIndex].Op;
        message.Value = s.Value;
        message.TextLength = s.TextLength;
        byte* text = (byte*)&message.Text;
        for (int i = 0; i < s.TextLength; i++) text[i] = s.Text[i];
        return Files.Write(s.ReportFd, (byte*)&message, sizeof(SyncMessage));
    }
}
