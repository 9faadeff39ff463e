using System.Globalization;
using OciRuntime.Seccomp;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>One system call of a command: the N-th of its kind that a process makes; process 0 is the command.</summary>
internal sealed record CallPoint(int Process, int Call, int N)
{
    internal static readonly CallPoint None = new(0, -1, 0);

    internal string Name => SyscallTable.NameOf(Call);

    internal static int NumberOf(string name) => SyscallTable.Number(SyscallTable.Find(name), SeccompArchs.Native);

    /// <inheritdoc/>
    public override string ToString() => $"{(Process == 0 ? "" : $"child {Process}: ")}{Name} #{N}";
}

/// <summary>What a command did while meddle did something to it.</summary>
/// <param name="Result">Its end.</param>
/// <param name="Said">What meddle said: "hit", "hang", or the record.</param>
/// <param name="Output">Its standard output, which a container may write to later.</param>
internal sealed record Meddled(CommandResult Result, string Said, OutputFile Output)
{
    internal bool IsHit => Said.Contains("hit", StringComparison.Ordinal);

    internal bool IsHanging => Said.Contains("hang", StringComparison.Ordinal);

    /// <summary>What was recorded: the calls that were made after the marker was opened, until a program was executed.</summary>
    internal List<CallPoint> Points()
    {
        Result.ShouldSucceed();
        return [.. Said.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line =>
        {
            int[] numbers = [.. line.Split(' ').Select(static word => int.Parse(word, CultureInfo.InvariantCulture))];
            return new CallPoint(numbers[0], numbers[1], numbers[2]);
        })];
    }
}

/// <summary>
/// Does something at one system call of a command, by a tracer of our own (meddle.c): strace counts calls of each process for itself, so
/// that a fault hits parent and child at once, and takes twice as long.
/// </summary>
internal static class Meddler
{
    private static readonly Lazy<string> Program = new(() => Probe.Compile("Faults/meddle.c"));

    /// <summary>
    /// The runtime with all its calls of one kind taken out: they seem to succeed, and are not made. What they protect is open then.
    /// </summary>
    /// <param name="call">The call.</param>
    /// <param name="only">Those of its calls that are meant, in meddle's words: ",ARGUMENT=VALUE", ",ARGUMENT:TEXT".</param>
    internal static RuntimeBinary Without(string call, string only = "") => With("0", call, only);

    /// <summary>The runtime with its calls of one kind less careful than they are: without some bits of an argument.</summary>
    /// <param name="call">The call.</param>
    /// <param name="argument">Its number, or "resolve" for that of openat2.</param>
    /// <param name="bits">The bits.</param>
    internal static RuntimeBinary Clearing(string call, string argument, ulong bits) => With($"clear-{argument}-{bits:x}", call);

    /// <summary>The runtime, which waits before each of its calls of one kind: what happens between two calls has more time.</summary>
    internal static RuntimeBinary Delaying(string call, int milliseconds) => With($"delay{milliseconds}", call);

    /// <summary>The runtime with several of these done to it, in meddle's words.</summary>
    /// <param name="changes">What is done, to which call, and to which of them: see <see cref="Without"/>.</param>
    internal static RuntimeBinary With(params (string What, string Call, string Only)[] changes) =>
        Ocirun.Binary with
        {
            Launcher = [Program.Value, "30000", "", string.Join('+', changes.Select(static one => one.What)), "-1",
                string.Join('+', changes.Select(static one => $"{CallPoint.NumberOf(one.Call)}{one.Only}")), "0"],
        };

    private static RuntimeBinary With(string what, string call, string only = "") => With((what, call, only));

    /// <summary>Runs a command and does WHAT, in meddle's words, at a point.</summary>
    /// <param name="command">The command.</param>
    /// <param name="marker">The file with whose opening the calls count.</param>
    /// <param name="what">In meddle's words.</param>
    /// <param name="point">Where.</param>
    /// <param name="meanwhile">What is done while it runs, if anything.</param>
    internal static Meddled Run(string[] command, string marker, string what, CallPoint point, Action<RunningCommand>? meanwhile = null)
    {
        using OutputFile said = new("meddle");
        using RunningCommand meddle = Start(command, marker, what, point, said, 10_000);
        meanwhile?.Invoke(meddle);
        CommandResult result = meddle.Wait(TimeSpan.FromSeconds(20));
        return new Meddled(result, said.Text, meddle.Output.Stdout);
    }

    /// <summary>The same to a process that is there already, for as long as something is asked of it.</summary>
    /// <param name="pid">The process.</param>
    /// <param name="marker">The file with whose opening the calls count.</param>
    /// <param name="what">In meddle's words.</param>
    /// <param name="point">Where.</param>
    /// <param name="ask">What is asked; null when there is no answer in time, for which it is killed.</param>
    internal static Meddled Attach(int pid, string marker, string what, CallPoint point, Func<CommandResult?> ask)
    {
        using OutputFile said = new("meddle");
        using RunningCommand meddle = Start(["--attach", $"{pid}"], marker, what, point, said, 60_000);
        Eventually.True(() => meddle.Stdout.Length > 0, "meddle is ready");
        CommandResult? result = ask();
        if (result is null) Libc.Check(Libc.kill(pid, Libc.SIGKILL), $"kill {pid}");
        meddle.Kill();
        return new Meddled(result ?? meddle.Wait(), said.Text + (result is null ? "hang" : ""), meddle.Output.Stdout);
    }

    private static RunningCommand Start(
        string[] command, string marker, string what, CallPoint point, OutputFile said, int deadline) =>
        Command.Start(Program.Value, [$"{deadline}", marker, what, $"{point.Process}", $"{point.Call}", $"{point.N}", .. command],
        new CommandOptions { ExtraFds = [said.Fd] });
}
