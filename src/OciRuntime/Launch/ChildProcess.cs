using System.Text;
using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>The container's init from clone3(2) on, as its parent sees it.</summary>
internal sealed class ChildProcess : IDisposable
{
    // What was killed ends in milliseconds, unless it waits in the kernel for somebody who does not answer, a FUSE server above all.
    private const int EndMilliseconds = 2000;

    private readonly CompiledPlan? _compiled;

    internal ChildProcess(int pid, Fd pidfd, Conversation conversation, CompiledPlan? compiled = null)
    {
        _compiled = compiled;
        Pid = pid;
        PidFd = pidfd;
        Conversation = conversation;
    }

    public int Pid { get; private set; }
    public Fd PidFd { get; private set; }

    public Conversation Conversation { get; }

    /// <summary>
    /// Clones the child. The descriptors that the plan has been compiled with are inherited by it; everything else of the parent's is
    /// closed there at once, above all the lock and the parent's end of the socket, whose copies would keep both alive after the parent's
    /// death.
    /// </summary>
    public static ChildProcess Clone(CompiledPlan compiled, int cgroupFd)
    {
        LaunchPlan plan = compiled.Plan;
        (Fd parentEnd, Fd other) = Sockets.Pair(Sockets.SOCK_SEQPACKET);
        using Fd childEnd = other;
        long pid = compiled.Clone(childEnd.Number, cgroupFd, out int pidfd);
        if (pid < 0)
        {
            parentEnd.Dispose();
            // The kernel calls nothing else busy here.
            if (pid == -Errno.EBUSY && cgroupFd >= 0) throw CgroupHints.NotEntered(cgroupFd, pid);
            throw NotCloned(plan, pid);
        }
        return new ChildProcess((int)pid, new Fd(pidfd), new Conversation(parentEnd, plan), compiled);
    }

    /// <summary>The clone was refused, for a negated errno.</summary>
    public static OciException NotCloned(LaunchPlan plan, long pid)
    {
        OciException plain = OciException.FromResult(pid, plan.CloneFlags == 0 ? "clone3 into the container's cgroup"
            : $"/linux/namespaces: clone3 with new namespaces {string.Join(", ", NamespaceNames.Of(plan.CloneFlags))}");
        return new OciException(plain.Message
            + (plan.IdMaps is null || plain.Errno is not (Errno.EPERM or Errno.EACCES or Errno.ENOSPC) ? "" : UserNamespace.Obstacle()),
            plain.Errno);
    }

    /// <summary>The first child made the real init, a sibling, and ended: takes its place.</summary>
    /// <param name="pid">The real init.</param>
    /// <param name="fork">The step in which it was made, which may have a scheduling policy that a clone does not inherit. It waits for us
    /// at the latest when it is ready.</param>
    /// <param name="interruption">What ends the waiting for the first child's end.</param>
    /// <param name="patience">How long that may take: a frozen cgroup may hold it up, or a process of the container.</param>
    public void Succeed(int pid, ForkIntoPidNamespaceStep fork, Interruption interruption, Func<int> patience)
    {
        // The number came from a process that others may have got hold of by now: nothing is done to a process that is not ours. The number
        // of a child stays its own until it has been waited for.
        if (pid == Pid || !Processes.IsChild(pid))
            throw new OciException($"pid {pid}, which init says it has cloned, is not a child of this process");
        long pidFd = Processes.PidFdOpen(pid);
        // Whoever undoes the launch has no other way to it.
        if (pidFd < 0) Processes.Kill(pid, Processes.SIGKILL);
        Fd opened = new((int)OciException.Check(pidFd, "pidfd_open"));
        using Fd first = PidFd;
        int firstPid = Pid;
        // From here on whoever undoes the launch ends this one.
        (Pid, PidFd) = (pid, opened);
        try
        {
            Conversation.AwaitEnd(first, interruption, patience);
        }
        catch
        {
            // Nobody else knows it any more. ESRCH: it has ended just now.
            Processes.PidFdSendSignal(first.Number, Processes.SIGKILL);
            ContainerTeardown.WaitForEnd(first.Number, EndMilliseconds);
            throw;
        }
        finally
        {
            // A tracer in the container may keep its status; then whoever adopts this process reaps it.
            Processes.Wait(firstPid, out _, Processes.WNOHANG);
        }
        SchedAttr schedule = fork.Schedule;
        if (schedule.Size == 0) return;
        long result = Scheduling.Set(schedule, Pid);
        if (result < 0) throw OciException.FromResult(result, $"{fork.Origin}: {SchedulerStep.Describe(schedule)}");
    }

    /// <summary>Its pid in the pid namespace it lives in: one number for each level, the innermost last.</summary>
    public int InnerPid() => Status("NSpid:") is { } pids ? int.Parse(pids[(pids.LastIndexOf('\t') + 1)..]) : Pid;

    /// <summary>Its effective uid as this process sees it, or null when it is gone. Real, effective, saved, that of file systems.</summary>
    public uint? EffectiveUid() => Status("Uid:") is { } uids && uint.TryParse(uids.Split('\t')[2], out uint uid) ? uid : null;

    /// <summary>A line of its status that begins with a word (proc_pid_status(5)), or null.</summary>
    private string? Status(string field)
    {
        byte[] status = Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{Pid}/status", 1 << 16, out _) ?? [];
        return Array.Find(Encoding.ASCII.GetString(status).Split('\n'), line => line.StartsWith(field, StringComparison.Ordinal));
    }

    /// <summary>Kills the child. False when it has not ended after a while: there is no more that anybody could do about it.</summary>
    public bool Kill()
    {
        // ESRCH: it has ended by itself.
        Processes.PidFdSendSignal(PidFd.Number, Processes.SIGKILL);
        bool hasEnded = End(EndMilliseconds) is not null;
        if (_compiled?.Successor is { } pid and not 0 && pid != Pid && Processes.IsChild(pid)) EndSuccessor(pid);
        return hasEnded;
    }

    /// <summary>
    /// The first child made it and could not say so, or was killed before. Nobody else would reap it, and until somebody does the first
    /// process of its pid namespace cannot end (zap_pid_ns_processes() in the kernel).
    /// </summary>
    private static void EndSuccessor(int pid)
    {
        // ESRCH: it has ended, as it does by itself.
        Processes.Kill(pid, Processes.SIGKILL);
        using Fd pidFd = new((int)Processes.PidFdOpen(pid));
        // A tracer in the container may keep its status, as it may the first one's.
        if (pidFd.IsOpen && ContainerTeardown.WaitForEnd(pidFd.Number, EndMilliseconds)) Processes.Reap(pid, out _, Processes.WNOHANG);
    }

    /// <summary>
    /// The wait status of a child that has closed the conversation, and therefore is about to end. One that is not has lost its way, or its
    /// socket to another process, and is killed. Null when even that does not end it.
    /// </summary>
    public WaitStatus? End() => End(EndMilliseconds) ?? (Kill() ? WaitStatus.Killed(Processes.SIGKILL) : null);

    /// <summary>The wait status when the child ends in time.</summary>
    public WaitStatus? End(int milliseconds)
    {
        WaitStatus status = default;
        if (!ContainerTeardown.WaitForEnd(PidFd.Number, milliseconds)) return null;
        // A process of the container that traces it is the first to take its status, and may never do so (ptrace(2), "Death under ptrace").
        long reaped = Patience.Of(milliseconds)
            .Retry(() => Processes.Reap(Pid, out status, Processes.WNOHANG) is var pid and not 0 ? pid : -Errno.EAGAIN);
        return reaped == -Errno.ETIMEDOUT ? null : status;
    }

    /// <summary>How a child ended, in words.</summary>
    public static string Describe(WaitStatus? status) => status switch
    {
        null => "it does not end",
        { IsKilled: true } killed => $"signal {killed.Signal}",
        { } ended => ended.ToString(),
    };

    public void Dispose()
    {
        Conversation.Dispose();
        PidFd.Dispose();
    }
}
