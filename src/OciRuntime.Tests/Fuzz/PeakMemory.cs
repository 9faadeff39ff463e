using System.Text.RegularExpressions;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Fuzz;

/// <summary>The published binary's memory: all that it ever had at once.</summary>
internal static partial class PeakMemory
{
    private const int MostKibibytes = 64 << 10;

    /// <summary>Waits for its end.</summary>
    /// <exception cref="FuzzException">It has had more than 64 MiB.</exception>
    public static CommandResult Bounded(RunningCommand command)
    {
        long peak = 0;
        while (command.IsRunning)
        {
            // The kernel keeps the highest, and what comes after the last look is hardly more.
            if (Peak().Match(ProcessTree.ReadOrEmpty($"/proc/{command.Pid}/status")) is { Success: true } seen)
                peak = Math.Max(peak, long.Parse(seen.Groups[1].Value));
            Thread.Sleep(2);
        }
        CommandResult result = command.Wait();
        return peak <= MostKibibytes ? result : throw new FuzzException($"{peak} KiB of memory: {result}");
    }

    [GeneratedRegex(@"VmHWM:\s+(\d+) kB")]
    private static partial Regex Peak();
}
