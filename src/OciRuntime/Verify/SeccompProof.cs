using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Verify;

/// <summary>
/// The seccomp filter itself. The kernel shows it to a tracer only, while the process stands still: a call that it waits in may end with
/// EINTR (signal(7), "Interruption of system calls by stop signals").
/// </summary>
internal static class SeccompProof
{
    // Who does not stop at once waits where only what he waits for wakes him, as the parent of a vfork. Containers can have thousands.
    private const int StopMilliseconds = 500, AllMilliseconds = 10_000;

    public static void Add(Report report, Subject subject, bool attach)
    {
        if (subject.Plan.Find<SeccompStep>() is not { } step) return;
        SockFilter[] wanted = step.Filter.Instructions;
        Promise promise = new("privileges", step.Origin.ToString(), $"the filter of {wanted.Length} instructions, in every process");
        bool late = subject.HasFilterLater;
        if (late || !attach || subject.IsPaused)
        {
            string why = late ? "it is loaded at the start" : !attach ? "takes --attach" : "the container is paused";
            report.Add(promise, Seen.Unchecked(why));
            return;
        }
        bool differs = false;
        int rest = 0;
        List<int> attached = [];
        long end = Environment.TickCount64 + AllMilliseconds;
        foreach (ProcessFiles process in subject.EachProcess())
        {
            if (!process.IsAlive) continue;
            if (Environment.TickCount64 >= end)
            {
                rest++;
                continue;
            }
            using ProcessFiles? thread = LiveThread.IsNeeded(process) ? LiveThread.Of(process) : null;
            Seen seen = Compare(thread ?? process, wanted, attached);
            LetGo(attached);
            if (seen.Outcome == Outcome.Held || !process.IsAlive) continue;
            differs = true;
            report.Add(promise, seen, process.Pid);
        }
        if (rest > 0) report.Add(promise, Seen.Unchecked($"{rest} more were not looked at: {AllMilliseconds / 1000} s had gone by"));
        else if (!differs) report.Add(promise, Seen.Held);
    }

    /// <summary>Those that have stopped since. The kernel lets go of the others when this process ends.</summary>
    private static void LetGo(List<int> attached) => attached.RemoveAll(static pid =>
    {
        long stopped = Ptrace.Stop(pid, 0);
        if (stopped == -Errno.ETIMEDOUT) return false;
        // ESRCH where it has ended.
        Ptrace.Detach(pid, (int)Math.Max(stopped, 0));
        return true;
    });

    private static Seen Compare(ProcessFiles process, SockFilter[] wanted, List<int> attached)
    {
        long result = Ptrace.Seize(process.Pid), stopped = 0;
        if (result < 0) return Seen.Unchecked($"attach to it: {ErrnoText.Full((int)-result)}");
        try
        {
            stopped = Ptrace.Stop(process.Pid, StopMilliseconds);
            if (stopped < 0) return Seen.Unchecked($"stop it: {ErrnoText.Full((int)-stopped)}");
            // It may have loaded others since, which can only deny more.
            for (int i = 0; ; i++)
            {
                SockFilter[]? filter = Ptrace.Filter(process.Pid, i, out long error);
                if (filter is not null && filter.AsSpan().SequenceEqual(wanted)) return Seen.Held;
                if (filter is not null) continue;
                return error == -Errno.ENOENT ? new(Outcome.Broken, $"it has {i} filters, and none is this one")
                    : Seen.Unchecked($"read it: {ErrnoText.Full((int)-error)}");
            }
        }
        finally
        {
            if (stopped == -Errno.ETIMEDOUT)
            {
                attached.Add(process.Pid);
            }
            else
            {
                // ESRCH where it has ended, and, which is why the others wait, where it has not stopped (ptrace(2)).
                Ptrace.Detach(process.Pid, (int)Math.Max(stopped, 0));
            }
        }
    }
}
