using System.Text.RegularExpressions;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>Where in a run a fault hit.</summary>
internal enum FaultPlace
{
    /// <summary>There was no such call, or no such many of them.</summary>
    Missed,

    /// <summary>Before config.json was opened: the start of the program and of .NET, of which nothing can be left.</summary>
    Boot,

    /// <summary>In the runtime's own work.</summary>
    Runtime,

    /// <summary>After the container's program was executed: its own affair.</summary>
    Program,
}

/// <summary>What a command did under an injected fault.</summary>
internal sealed record FaultRun(CommandResult Result, FaultPlace Place);

/// <summary>
/// Runs the runtime with a fault injected into the N-th call of a kind (strace(1), "Tampering"). N counts per process, so that one run can
/// have a fault in the parent and one in the child; both are legal.
/// </summary>
internal static class Strace
{
    private const string Always = "openat,execve,execveat";

    /// <summary>Runs to the end of the runtime itself; a container that outlives it is let go of.</summary>
    /// <param name="command">The runtime and its arguments.</param>
    /// <param name="call">The system call.</param>
    /// <param name="what">`error=EIO`, `signal=KILL`, …</param>
    /// <param name="when">The N, or "1+" for every one.</param>
    /// <param name="marker">The file whose opening ends the boot phase.</param>
    /// <param name="timeout">After it the run counts as hanging.</param>
    internal static FaultRun Run(string[] command, string call, string what, string when, string marker = "config.json",
        TimeSpan? timeout = null)
    {
        string log = TestRun.NewPath("strace");
        try
        {
            string[] args = ["-f", "-q", "-I2", "-s", "200", "-o", log, "-e", "signal=none", "-e", $"trace={Always},{call}", "-e",
                $"inject={call}:{what}:when={when}", .. command];
            using RunningCommand strace = Command.Start(Requires.Tool("strace"), args);
            CommandResult result = WaitForRuntime(strace, log, timeout ?? TimeSpan.FromSeconds(15));
            string text = ProcessTree.ReadOrEmpty(log);
            // strace that was told to let go has an exit status of its own; the runtime's is in the log.
            if (text.Split(' ', 2)[0] is { Length: > 0 } first
                && Regex.Match(text, $@"^{first} +\+\+\+ exited with (\d+)", RegexOptions.Multiline) is { Success: true } exited)
            {
                result = result with { Status = new ExitStatus(int.Parse(exited.Groups[1].Value), 0) };
            }
            return new FaultRun(result, Locate(text, marker));
        }
        finally
        {
            File.Delete(log);
        }
    }

    /// <summary>A runtime for which calls of one kind on one file fail.</summary>
    /// <param name="runtime">Which.</param>
    /// <param name="call">The system call.</param>
    /// <param name="file">The file, as the runtime sees it.</param>
    /// <param name="errno">Such as "ENOMEM".</param>
    /// <param name="when">Of these calls, the N-th, or "1+" for every one.</param>
    internal static RuntimeBinary Failing(RuntimeBinary runtime, string call, string file, string errno, string when = "1+") =>
        runtime with
        {
            Launcher = [Requires.Tool("strace"), "-f", "-qq", "-o", "/dev/null", "-e", "signal=none", "-P", file, "-e", $"trace={call}",
                "-e", $"inject={call}:error={errno}:when={when}"],
        };

    /// <summary>A clean run: the log of all calls.</summary>
    internal static string Record(string[] command, string calls)
    {
        string log = TestRun.NewPath("strace");
        using RunningCommand strace = Command.Start(Requires.Tool("strace"),
            ["-f", "-qq", "-I2", "-o", log, "-e", "signal=none", "-e", $"trace={calls}", .. command]);
        WaitForRuntime(strace, log, TimeSpan.FromSeconds(20));
        string text = File.ReadAllText(log);
        File.Delete(log);
        return text;
    }

    /// <summary>
    /// strace ends with the last process it watches, which after `create` is the container: so when the runtime itself has ended, strace is
    /// told to let go (SIGTERM detaches).
    /// </summary>
    private static CommandResult WaitForRuntime(RunningCommand strace, string log, TimeSpan timeout)
    {
        long end = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        int runtime = 0;
        while (strace.IsRunning && Environment.TickCount64 < end)
        {
            if (runtime == 0)
            {
                // Not strace's first child: at its start it forks some that only try out what the kernel can do.
                _ = int.TryParse(ProcessTree.ReadOrEmpty(log).Split(' ', 2)[0], out runtime);
            }
            else if (!ProcessTree.IsAlive(runtime))
            {
                // When nothing else is left, it ends by itself, with the runtime's own exit status.
                if (!Eventually.Becomes(() => !strace.IsRunning, TimeSpan.FromMilliseconds(100))) strace.Signal(15);
                break;
            }
            Thread.Sleep(2);
        }
        return strace.Wait(TimeSpan.FromMilliseconds(Math.Max(2000, end - Environment.TickCount64)));
    }

    private static FaultPlace Locate(string log, string marker)
    {
        bool booted = false;
        // A call that never came back, "= ?", is one that its process was killed in.
        HashSet<string> inProgram = [];
        foreach (string line in log.Split('\n'))
        {
            string pid = line.Split(' ', 2)[0];
            booted |= line.Contains(marker, StringComparison.Ordinal);
            if (line.Contains("(INJECTED)", StringComparison.Ordinal) || line.EndsWith("= ?", StringComparison.Ordinal))
                return !booted ? FaultPlace.Boot : inProgram.Contains(pid) ? FaultPlace.Program : FaultPlace.Runtime;
            // The runtime executes itself once from its sealed copy, by execveat; what comes by execve is the container's program or a
            // hook.
            if (booted && line.Contains(" execve(", StringComparison.Ordinal) && !line.Contains("= -1", StringComparison.Ordinal))
                inProgram.Add(pid);
        }
        return FaultPlace.Missed;
    }
}
