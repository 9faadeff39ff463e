using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun top</c>. Without a lock: it only looks.</summary>
internal static class TopCommand
{
    private const long DefaultInterval = 2000;

    // Between the two samples that one table needs: long enough for a processor's share, not too long to wait.
    private const long OnceInterval = 500;

    public static int Run(GlobalOptions g, TopOptions o)
    {
        long? interval = o.Interval is null ? null : GoDuration.Interval(o.Interval, bareSeconds: true);
        TopSampler sampler = new(new ContainerStore(StateRoot.Resolve(g.Root)));
        using Interruption signals = new();
        bool terminal = !o.Json && !o.Once && TopScreen.IsTerminal;
        bool once = o.Once || (interval is null && !terminal && !(o.Json && TopScreen.IsTerminal));
        List<TopRow> first = sampler.Take();
        if (terminal)
        {
            using TopScreen screen = new();
            return Watch(sampler, first, signals, screen, o, interval ?? DefaultInterval);
        }
        return Print(sampler, signals, o, interval ?? (once ? OnceInterval : DefaultInterval), once);
    }

    /// <summary>Table after table on standard output; only one with <paramref name="once"/>.</summary>
    private static int Print(TopSampler sampler, Interruption signals, TopOptions o, long interval, bool once)
    {
        while (true)
        {
            if (Wait(signals, -1, Processes.Milliseconds() + interval, out int signal) && IsEnd(signal)) return ExitCodes.ForSignal(signal);
            List<TopRow> rows = sampler.Take();
            TopRow.Sort(rows, o.Sort);
            if (o.Json) Output.Write(TopRecord.Line(rows));
            else Output.Write(string.Join('\n', TopTable.Lines(rows, 0, 0)) + (once ? "\n" : "\n\n"));
            if (once) return ExitCodes.Success;
        }
    }

    /// <summary>The table on a terminal, until q or a signal.</summary>
    private static int Watch(TopSampler sampler, List<TopRow> rows, Interruption signals, TopScreen screen, TopOptions o, long interval)
    {
        // Names and memory at once, the first rates soon.
        long next = Processes.Milliseconds() + Math.Min(interval, OnceInterval);
        while (true)
        {
            TopRow.Sort(rows, o.Sort);
            (int width, int height) = TopScreen.Size;
            TopScreen.Show(TopTable.Lines(rows, width, height));
            if (Wait(signals, screen.Keys, next, out int signal))
            {
                if (signal == 0 && screen.TakeQuit()) return ExitCodes.Success;
                if (IsEnd(signal)) return ExitCodes.ForSignal(signal);
                if (signal == Processes.SIGTSTP) screen.Suspend();
                continue;
            }
            rows = sampler.Take();
            next = Processes.Milliseconds() + interval;
        }
    }

    /// <summary>False when the time is over; true with a signal, or with 0 for a key.</summary>
    private static bool Wait(Interruption signals, int keys, long until, out int signal)
    {
        Span<PollFd> fds = stackalloc PollFd[2];
        while (true)
        {
            fds[0] = PollFd.Reading(signals.Descriptor);
            fds[1] = PollFd.Reading(keys);
            long ready =
                OciException.Check(Processes.Poll(fds, (int)Math.Clamp(until - Processes.Milliseconds(), 0, int.MaxValue)), "poll");
            signal = ready > 0 && fds[0].Returned != 0 ? signals.Take() : 0;
            if (signal != 0 || (ready > 0 && fds[1].Returned != 0)) return true;
            if (ready == 0) return false;
        }
    }

    private static bool IsEnd(int signal) =>
        signal is not (0 or Processes.SIGTSTP or Processes.SIGCONT or Processes.SIGWINCH or Processes.SIGCHLD or Processes.SIGURG);
}
