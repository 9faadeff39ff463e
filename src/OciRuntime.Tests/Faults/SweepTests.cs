using System.Diagnostics;
using System.Globalization;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>
/// One fault at one system call of a verb, again and again: the verb does without, or says in one line what has failed and leaves nothing;
/// what a kill leaves `delete --force` takes away; nothing hangs; and what was launched all the same has all that was promised to it.
/// Each run of the tests takes some points, always the same; `./build.sh faults` takes all, or a part of them.
/// </summary>
[LeavesNothing]
public sealed class SweepTests
{
    private const int Sample = 10;

    /// <summary>Of `./build.sh faults`: the part of all points, as "1/20", and the verb, or what its name contains.</summary>
    private static readonly string? Part = Environment.GetEnvironmentVariable("OCIRUN_SWEEP"),
        Verb = Environment.GetEnvironmentVariable("OCIRUN_SWEEP_VERB");

    /// <summary>What is done at a point, in meddle's words, with its errno's name.</summary>
    private static readonly (string What, string Name)[] Faults =
    [
        ("4", "EINTR"), ("12", "ENOMEM"), ("24", "EMFILE"), ("28", "ENOSPC"), ("1", "EPERM"), ("16", "EBUSY"), ("5", "EIO"),
        ("kill-before", ""), ("kill-after", ""), ("term-before", ""), ("term-after", ""), ("delay30", ""),
    ];

    private static readonly Dictionary<string, Func<SweepVerb>> Verbs = new()
    {
        ["run"] = static () => new RunVerb(Promises.Bundle(waits: true)),
        ["run --detach"] = static () => new DetachedRunVerb(Promises.Bundle(goesOn: true)),
        ["run in a user namespace"] = static () => new RunVerb(Promises.Bundle(userNamespace: true, waits: true)),
        ["run with all kinds of things"] = static () => RichRunVerb.Make(),
        ["create"] = static () => new CreateVerb(Promises.Bundle()),
        ["start"] = static () => new StartVerb(Promises.Bundle(goesOn: true)),
        ["exec"] = static () => new ExecVerb(Promises.Bundle()),
        ["exec in a user namespace"] = static () => new ExecVerb(Promises.Bundle(userNamespace: true)),
        ["update"] = static () => new UpdateVerb(Promises.Bundle()),
        ["pause"] = static () => new FreezeVerb(Promises.Bundle(), pause: true),
        ["resume"] = static () => new FreezeVerb(Promises.Bundle(), pause: false),
        ["mounts add"] = static () => new MountsVerb(Promises.Bundle(), add: true),
        ["mounts remove"] = static () => new MountsVerb(Promises.Bundle(), add: false),
        ["delete"] = static () => new DeleteVerb(Promises.Bundle(), force: false),
        ["delete --force"] = static () => new DeleteVerb(Promises.Bundle(), force: true),
        ["shim Create"] = static () => new ShimVerb("Create"),
        ["shim Start"] = static () => new ShimVerb("Start"),
        ["shim Exec"] = static () => new ShimVerb("Exec"),
        ["shim Pause"] = static () => new ShimVerb("Pause"),
        ["shim Resume"] = static () => new ShimVerb("Resume"),
        ["shim Update"] = static () => new ShimVerb("Update"),
        ["shim Kill"] = static () => new ShimVerb("Kill"),
        ["shim Delete"] = static () => new ShimVerb("Delete"),
        ["shim's delete"] = static () => new ShimDeleteVerb(Promises.Bundle()),
    };

    /// <summary>They cannot fail with the arguments that the runtime gives, or at all, or do not come back.</summary>
    private static readonly string[] Infallible =
    [
        "exit", "exit_group", "rt_sigreturn", "getpid", "gettid", "geteuid", "getegid", "getuid", "getgid", "umask", "rt_sigaction",
        "rt_sigprocmask",
    ];

    /// <summary>It fails by an interruption alone.</summary>
    private const string Waiting = "epoll_wait";

    /// <summary>Memory is .NET's and libc's, which end the process without any.</summary>
    private static readonly string[] OfMemory = ["mmap", "munmap", "mprotect", "madvise", "brk", "mremap"];

    /// <summary>Signals interrupt these: nobody ever sees it.</summary>
    private static readonly string[] Interruptible =
    [
        "read", "write", "openat", "openat2", "sendmsg", "recvmsg", "ppoll", "wait4", "connect", "accept4", "flock", "close", "fcntl",
        Waiting,
    ];

    [Test, CancelAfter(36_000_000), TestCaseSource(nameof(Names))]
    public void Every_fault_is_survived(string name) => Sweep(name, Chosen);

    /// <summary>
    /// A failed look at a namespace, a cgroup, a lock or a freezer was taken for an answer once: the host's network was joined, a launch
    /// left its cgroups, `resume` said 0 and did nothing. So was a child's end that could not be asked for.
    /// </summary>
    [TestCase("exec", "statx", "EBUSY")]
    [TestCase("exec", "capget", "EPERM")]
    [TestCase("exec", "wait4", "EIO")]
    [TestCase("run", "statx", "ENOMEM")]
    [TestCase("resume", "openat2", "EMFILE")]
    [TestCase("resume", "fstatfs", "EIO")]
    public void Not_to_know_is_no_answer(string name, string call, string fault) => Sweep(name, all => Of(all, call, fault));

    /// <summary>
    /// A shim lives on, and must neither collect descriptors nor wait for ever: it kept those of a freezer and of a process that could not
    /// be looked at; ended with a thread that could not wait; lost an answer; and left a container of whose end nobody would have told it.
    /// </summary>
    [TestCase("shim Pause", "openat2", "EMFILE")]
    [TestCase("shim Exec", "openat", "EMFILE")]
    [TestCase("shim Kill", "ppoll", "ENOMEM")]
    [TestCase("shim Update", "sendmsg", "ENOMEM")]
    [TestCase("shim Create", "epoll_ctl", "ENOSPC")]
    [TestCase("shim Exec", "epoll_ctl", "ENOSPC")]
    [TestCase("shim Exec", "mkdirat", "EPERM")]
    [TestCase("shim Create", "eventfd2", "EMFILE")]
    [TestCase("shim Create", "pipe2", "EMFILE")]
    [TestCase("shim Create", "bind", "EIO")]
    [TestCase("shim Create", "ftruncate", "ENOMEM")]
    public void A_shim_goes_on(string name, string call, string fault) => Sweep(name, all => Of(all, call, fault));

    /// <summary>
    /// The first process of an exec has cloned the second and cannot say so: nobody reaped that in a shim, and the container, whose first
    /// process waits for all others of its pid namespace, never ended.
    /// </summary>
    [Test]
    public void A_container_ends_although_an_exec_lost_its_word() => Sweep("shim Exec", static all =>
        all.Where(static one => one.Point is { Process: 1, Name: "write" } && one.Name == "ENOMEM"));

    /// <summary>Mounts that are in place are no error; and an ID that could not be claimed is nobody's.</summary>
    [TestCase("mounts add", "wait4")]
    [TestCase("mounts add", "recvmsg")]
    [TestCase("mounts add", "ppoll")]
    [TestCase("mounts remove", "sendmsg")]
    [TestCase("create", "flock")]
    public void What_is_told_as_failed_is_undone(string name, string call) => Sweep(name, all => Of(all, call, "EIO"), mayLeave: false);

    private static IEnumerable<(CallPoint Point, string What, string Name)> Of(
        List<(CallPoint Point, string What, string Name)> all, string call, string fault) =>
        all.Where(one => one.Point.Process == 0 && one.Point.Name == call && one.Name == fault);

    private static void Sweep(string name, Func<List<(CallPoint Point, string What, string Name)>,
        IEnumerable<(CallPoint Point, string What, string Name)>> choose, bool mayLeave = true)
    {
        using SweepVerb verb = Verbs[name]();
        List<(CallPoint Point, string What, string Name)> all = [.. Points(verb)];
        string golden = Observed(verb);
        golden.Should().Be(Observed(verb), "the comparison is none otherwise").And.NotContainAny("broken:", "drifted:");
        Tally tally = new(name, all.Count, mayLeave);
        foreach ((CallPoint point, string what, string fault) in choose(all))
        {
            verb.Prepare();
            Meddled run = verb.Run(what, point);
            (Outcome outcome, string why) = run.IsHit || run.IsHanging ? Judge(verb, run, point, what, golden) : (Outcome.Missed, "");
            if (outcome == Outcome.Open && point.Process > 0 && EndsAfterwards(verb, what, point)) outcome = Outcome.Tolerated;
            if (verb.Recover() is { } wrong) (outcome, why) = (Outcome.Left, $"{wrong} after {run.Result}");
            tally.Add($"{point} {what}{(fault.Length > 0 ? $" ({fault})" : "")}", outcome, why);
        }
        TestContext.Progress.WriteLine(tally.Row);
        tally.Unclean.Should().BeEmpty();
        tally.Hits.Should().BePositive();
    }

    /// <summary>
    /// Whoever fails, or is killed, with its last call may still be there when it is looked at: once more, with patience.
    /// </summary>
    private static bool EndsAfterwards(SweepVerb verb, string what, CallPoint point)
    {
        if (verb.Recover() is not null) return false;
        verb.Prepare();
        return verb.Run(what, point) is { IsHit: true, Result.Succeeded: true }
            && Eventually.Becomes(verb.HasEnded, TimeSpan.FromSeconds(1));
    }

    /// <summary>The comparison has eyes: without a call that a promise takes the container is not what it is with it.</summary>
    [TestCase("prctl")]
    [TestCase("seccomp")]
    [TestCase("mount_setattr")]
    [TestCase("sethostname")]
    [TestCase("setgroups")]
    [TestCase("prlimit64")]
    [TestCase("umask")]
    [TestCase("umount2")]
    public void What_is_left_out_is_seen(string call)
    {
        using RunVerb verb = new(Promises.Bundle(waits: true));
        string golden = Observed(verb);
        Meddled run = verb.Run("0", new CallPoint(-1, CallPoint.NumberOf(call), 0));
        run.IsHit.Should().BeTrue();
        if (run.Result.Succeeded) verb.Observe(run).Should().NotBe(golden);
        verb.Recover().Should().BeNull();
    }

    private static string[] Names() =>
        Verb is null || !Verbs.ContainsKey(Verb) ? [.. Verbs.Keys.Where(static name => name.Contains(Verb ?? ""))] : [Verb];

    private static string Observed(SweepVerb verb)
    {
        verb.Prepare();
        Meddled run = verb.Run("none", CallPoint.None);
        run.Result.ShouldSucceed();
        string seen = verb.Observe(run);
        verb.Recover().Should().BeNull();
        return seen;
    }

    private static IEnumerable<(CallPoint Point, string What, string Name)> Points(SweepVerb verb)
    {
        verb.Prepare();
        List<CallPoint> points = verb.Run("record", CallPoint.None).Points();
        verb.Recover().Should().BeNull();
        foreach (CallPoint point in points)
        {
            foreach ((string what, string name) in Faults)
            {
                bool isError = name.Length > 0;
                if (isError && point.Name == Waiting && name != "EINTR") continue;
                if (isError && (Infallible.Contains(point.Name) || (OfMemory.Contains(point.Name) && name != "ENOMEM"))) continue;
                // A container may do with SIGTERM what it likes, and so may its first process.
                if (point.Process > 0 && what.StartsWith("term", StringComparison.Ordinal)) continue;
                // There is no after.
                if (point.Name is "exit" or "exit_group" && what.EndsWith("after", StringComparison.Ordinal)) continue;
                yield return (point, what, name);
            }
        }
    }

    /// <summary>Some of them, or the part that is asked for as "1/20", spread over the command's time and all faults.</summary>
    private static IEnumerable<T> Chosen<T>(List<T> all)
    {
        return Part?.Split('/') is [string part, string of]
            ? all.Where((_, i) => i % int.Parse(of, CultureInfo.InvariantCulture) == int.Parse(part, CultureInfo.InvariantCulture) - 1)
            : Enumerable.Range(0, Sample).Select(i => all[(int)((long)i * all.Count / Sample)]).Distinct();
    }

    private static (Outcome Outcome, string Why) Judge(SweepVerb verb, Meddled run, CallPoint point, string what, string golden)
    {
        CommandResult result = run.Result;
        if (run.IsHanging) return (Outcome.Hanging, $"{result}");
        if (result.Succeeded && !verb.OwnsUp(result))
        {
            if (point.Process > 0 && verb.HasEnded()) return (Outcome.Tolerated, "");
            string seen = verb.Observe(run);
            return seen == golden ? (Outcome.Tolerated, "") : (Outcome.Open, $"{FirstDifference(golden, seen)} after {result}");
        }
        // A verb that only passes something on ends by SIGTERM. A first process that is killed when it has all it needs is a program that
        // was.
        bool isKilled = (what.StartsWith("kill", StringComparison.Ordinal) && point.Process == 0)
            || (result.Stderr.Length == 0 && what.Split('-')[0] is "kill" or "term" && result.ExitCode is 128 + 9 or 128 + 15);
        // Much of what is left is there for good: a long wait for it at each point would make hours of a sweep.
        if (isKilled) return (verb.LeftAfter(TimeSpan.FromMilliseconds(200)).Count == 0 ? Outcome.Clean : Outcome.Recovered, "");
        if (what.StartsWith("delay", StringComparison.Ordinal) || (what == "4" && Interruptible.Contains(point.Name)))
            return (Outcome.Unclean, $"not tolerated: {result}");
        if (result.Status.Signal != 0) return (Outcome.Unclean, $"ended by a signal: {result}");
        if (Failure.Complaint(result) is { } complaint) return (Outcome.Unclean, complaint);
        List<string> left = verb.LeftAfter(TimeSpan.FromSeconds(2));
        return left.Count == 0 ? (Outcome.Clean, "") : (Outcome.Admitted, $"left at first: {string.Join("; ", left)} after {result}");
    }

    private static string FirstDifference(string golden, string seen)
    {
        string[] expected = golden.Split('\n'), found = seen.Split('\n');
        int at = Enumerable.Range(0, Math.Max(expected.Length, found.Length))
            .First(i => i >= expected.Length || i >= found.Length || expected[i] != found[i]);
        return $"fail-open: line {at} is \"{found.ElementAtOrDefault(at)}\" instead of \"{expected.ElementAtOrDefault(at)}\"";
    }

    private enum Outcome
    {
        /// <summary>A success, with everything as without the fault.</summary>
        Tolerated,

        /// <summary>One line of error, or a kill, and nothing left.</summary>
        Clean,

        /// <summary>Killed, and something was left for `delete --force`.</summary>
        Recovered,

        /// <summary>A clean-up that failed itself, which said so and left something for `delete --force`.</summary>
        Admitted,

        /// <summary>No line of error or several, a crash, an interruption that was not made good.</summary>
        Unclean,

        /// <summary>Something was left that `delete --force` did not take away, or a container was damaged.</summary>
        Left,

        /// <summary>A success without something that was promised.</summary>
        Open,

        /// <summary>More than ten seconds.</summary>
        Hanging,

        /// <summary>There was no such call this time.</summary>
        Missed,
    }

    /// <summary>A row of the table that `./build.sh faults` prints.</summary>
    private sealed class Tally(string verb, int all, bool mayLeave)
    {
        private const int TellEverySeconds = 30;

        private readonly Dictionary<Outcome, int> _counts = [];
        private readonly long _started = Stopwatch.GetTimestamp();
        private double _told;

        internal List<string> Unclean { get; } = [];

        internal int Hits => _counts.Where(static pair => pair.Key != Outcome.Missed).Sum(static pair => pair.Value);

        internal string Row =>
            $"| {verb} | {all} | {Hits} | "
            + string.Join(" | ", Enum.GetValues<Outcome>().Select(outcome => _counts.GetValueOrDefault(outcome)))
            + $" | {Share:F1} % | {Seconds:F0} s |";

        /// <summary>Of what is as it should be, in per cent.</summary>
        private double Share => 100.0 / Hits
            * ((Outcome[])[Outcome.Tolerated, Outcome.Clean, Outcome.Recovered]).Sum(outcome => _counts.GetValueOrDefault(outcome));

        private double Seconds => Stopwatch.GetElapsedTime(_started).TotalSeconds;

        internal void Add(string point, Outcome outcome, string why)
        {
            _counts[outcome] = _counts.GetValueOrDefault(outcome) + 1;
            if (Seconds - _told > TellEverySeconds)
            {
                _told = Seconds;
                TestContext.Progress.WriteLine($"{verb}: {_counts.Values.Sum()} of {all} points, {Unclean.Count} not as they should be");
            }
            if (outcome is Outcome.Missed or Outcome.Tolerated or Outcome.Clean || why.Length == 0) return;
            string line = $"{outcome}: {point}: {why.ReplaceLineEndings(" ")}";
            TestContext.Progress.WriteLine($"{verb}: {line}");
            if (outcome != Outcome.Admitted || !mayLeave) Unclean.Add(line);
        }
    }
}
