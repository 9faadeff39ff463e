using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>
/// Random verbs of random containers from eight threads, and every fifth of them is killed, or asked to end, at a random moment. A
/// container that one thread uses at a time is always what a model says (<see cref="SoakModel"/>); of those that all use at once errors are
/// of an expected kind. In the end nothing is left. Each test run does it for some seconds,
/// `./build.sh soak [SECONDS] [SEED]` for longer.
/// </summary>
[Category("Slow")]
[LeavesNothing]
public sealed class SoakTests
{
    private const int Threads = 8, Own = 12, Shared = 4, MostWrong = 5;

    internal static readonly int Seconds = Setting("OCIRUN_SOAK_SECONDS") ?? 45;
    internal static readonly int Seed = Setting("OCIRUN_SOAK_SEED") ?? Environment.TickCount;

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value) ? value : null;

    [Test, CancelAfter(36_000_000)]
    public void Nothing_is_lost_and_nothing_is_left()
    {
        string root = TestRun.NewDirectory("state");
        SoakContainer[] containers = [.. Enumerable.Range(0, Own + Shared).Select(i => new SoakContainer(root, i, isShared: i >= Own))];
        SoakTally tally = new();
        ConcurrentQueue<string> wrong = [];
        long end = Environment.TickCount64 + (Seconds * 1000L);
        Task[] threads = [.. Enumerable.Range(0, Threads).Select(number => OwnThread.Run(() =>
        {
            Random random = new(Seed + number);
            while (Environment.TickCount64 < end && wrong.Count < MostWrong)
            {
                string? complaint = random.Next(20) == 0 ? ListAll(root, containers, tally)
                    : ActOn(containers[random.Next(containers.Length)], random, tally);
                if (complaint is not null) wrong.Enqueue($"{complaint}\n");
            }
        }))];
        Task.WaitAll(threads);
        TestContext.Out.WriteLine($"seed {Seed}, {Seconds} s: {tally}");
        foreach (SoakContainer container in containers)
        {
            // 1 is for what is broken; 2 for those that are not there, or stopped.
            CommandResult verified = Call(root, ["verify", container.Id]);
            if (verified.ExitCode == 1) wrong.Enqueue($"in the end: {verified}");
            CommandResult deleted = Call(root, ["delete", "--force", container.Id]);
            if (!deleted.Succeeded) wrong.Enqueue($"in the end: {deleted}");
            container.Dispose();
        }
        string[] left = [.. Directory.GetFileSystemEntries(root), .. CgroupHost.Find($"{TestRun.Token}/soak/")];
        foreach (string parent in CgroupHost.Find($"{TestRun.Token}/soak").Except(left)) Directory.Delete(parent);
        Cleaner.DeleteTree(root);
        wrong.Should().BeEmpty("seed {0}", Seed);
        left.Should().BeEmpty("seed {0}", Seed);
        tally.Verbs.Should().Contain(SoakModel.Verbs).And.Contain("list");
    }

    internal static readonly TimeSpan Limit = SoakContainer.Limit;

    private static string? ActOn(SoakContainer container, Random random, SoakTally tally)
    {
        if (container.IsShared) return container.Act(random, tally);
        // Another thread's for the moment.
        if (!container.Gate.TryEnter()) return null;
        try
        {
            return container.Act(random, tally);
        }
        finally
        {
            container.Gate.Exit();
        }
    }

    /// <summary>Every container that nobody touched meanwhile is there as it should be, or is not there.</summary>
    private static string? ListAll(string root, SoakContainer[] containers, SoakTally tally)
    {
        (int Version, IReadOnlyCollection<string>? Words)[] before = [.. containers.Select(static one => one.Look())];
        CommandResult result = Call(root, ["list", "--format", "json"]);
        tally.Count("list", result.Succeeded ? "ok" : "refused");
        if (Complaint(result, 0) is { } complaint) return complaint;
        if (!result.Succeeded) return $"{result}";
        Dictionary<string, string> listed = result.Text == "null" ? []
            : result.Json.AsArray()
                .ToDictionary(static one => one!["id"]!.GetValue<string>(), static one => one!["status"]!.GetValue<string>());
        for (int i = 0; i < containers.Length; i++)
        {
            string told = listed.GetValueOrDefault(containers[i].Id, "container does not exist");
            if (before[i].Words is { } words && !words.Contains(told) && containers[i].Look().Version == before[i].Version)
                return $"list: {told} instead of {string.Join(" or ", words)}: {containers[i].History}";
        }
        return null;
    }

    /// <summary>Runs a verb, with a signal after so many microseconds if there is to be one.</summary>
    internal static CommandResult Call(string root, string[] verb, int signal = 0, int microseconds = 0)
    {
        using RunningCommand command = Ocirun.Start(["--root", root, .. verb]);
        if (signal != 0)
        {
            long started = Stopwatch.GetTimestamp();
            if (microseconds > 2000) Thread.Sleep(microseconds / 1000);
            SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(started).TotalMicroseconds >= microseconds);
            // It has not been waited for: the number is nobody else's.
            _ = Libc.kill(command.Pid, signal);
        }
        return command.Wait(Limit);
    }

    /// <summary>What is wrong with how a verb ended, whatever it should have done; or null.</summary>
    internal static string? Complaint(CommandResult result, int signal)
    {
        if (result.Status.Signal != 0 && result.Status.Signal != signal) return $"ended by a signal: {result}";
        if (result.Succeeded || result.Status.Signal != 0 || IsProgramsEnd(result)) return Failure.Crash(result);
        return Failure.Complaint(result);
    }

    /// <summary>Of `exec` and `run`: what they are sent they pass on, and others may kill the container.</summary>
    internal static bool IsProgramsEnd(CommandResult result) => result.Stderr.Length == 0 && result.ExitCode is 128 + 9 or 128 + 15;
}
