using OciRuntime.Cgroups;
using OciRuntime.Cli;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Rdt;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun events [--stats] [--interval DURATION] ID</c>. Without the lock: it may go on for days.</summary>
internal static class EventsCommand
{
    public static int Run(GlobalOptions g, EventsOptions o)
    {
        long interval = GoDuration.Interval(o.Interval);
        using ContainerEntry entry = new ContainerStore(StateRoot.Resolve(g.Root)).Open(o.Id);
        ContainerState state = entry.ReadState();
        // runc's words.
        if (entry.Probe(state) is ContainerStatus.Stopped or ContainerStatus.Creating)
            throw new OciException($"container with id {o.Id} is not running");
        using StatsSource source = new(OwnCgroup.Of(state).Paths);
        string? resctrl = FullMounts.Resctrl();
        if (o.Stats) Print(state, source, resctrl);
        else Stream(state, source, resctrl, interval);
        return ExitCodes.Success;
    }

    private static void Print(ContainerState state, StatsSource source, string? resctrl)
    {
        int pid = state.Init.Pid;
        List<NetworkCounters> network = NetworkCounters.Of(pid);
        string? group = resctrl is null ? null : Resctrl.GroupOf(resctrl, pid);
        ResctrlStats? rdt = group is null ? null : ResctrlStats.Read(resctrl!, group, state.Id);
        Output.Write(StatsRecord.Stats(state.Id, source.Read(), network, rdt));
    }

    /// <summary>Until the first process ends. The first record comes after one interval, as in runc.</summary>
    private static void Stream(ContainerState state, StatsSource source, string? resctrl, long interval)
    {
        // Blocked before the runtime started when a container has the name of a verb that reads them from a descriptor (Native/seal.c).
        Processes.SetSignalMask(Processes.SIG_SETMASK, 0, out _);
        long opened = state.Init.OpenPidFd();
        if (opened == -Errno.ESRCH) return;
        using Fd init = Fd.Of(opened, $"open process {state.Init.Pid}");
        using OomWatch? oom = OomWatch.Open(source);
        Span<PollFd> fds = stackalloc PollFd[2];
        long next = Processes.Milliseconds() + interval;
        while (true)
        {
            fds[0] = PollFd.Reading(init.Number);
            fds[1] = new PollFd { Fd = oom?.Descriptor ?? -1, Events = oom?.PollEvents ?? 0 };
            long ready = OciException.Check(Processes.Poll(fds, (int)Math.Clamp(next - Processes.Milliseconds(), 0, int.MaxValue)), "poll");
            // Also when the process has ended: it may be the one that was killed.
            if (oom is not null && ready > 0 && oom.Take()) Output.Write(StatsRecord.Oom(state.Id));
            if (fds[0].Returned != 0) return;
            if (Processes.Milliseconds() < next) continue;
            Print(state, source, resctrl);
            // A slow reader misses records rather than getting a heap of them.
            next = Math.Max(next + interval, Processes.Milliseconds());
        }
    }
}
