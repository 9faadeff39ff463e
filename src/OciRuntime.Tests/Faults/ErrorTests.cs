using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>
/// System calls that fail: the runtime fails too, in one line and with nothing left, or does without. OCIRUN_SWEEP=full tries every call
/// instead of a sample.
/// </summary>
public sealed partial class ErrorTests
{
    private static readonly bool Full = Environment.GetEnvironmentVariable("OCIRUN_SWEEP") == "full";

    private static readonly (string Calls, string Errno)[] Table =
    [
        ("openat openat2 write read fstatfs statx renameat2 unlinkat mkdirat linkat getdents64 readlink readlinkat flock", "EIO"),
        ("openat openat2 write mkdirat mknodat symlinkat bind", "ENOSPC"),
        ("openat openat2 socketpair socket pipe2 dup3 signalfd4 memfd_create fcntl", "EMFILE"),
        ("mount umount2 pivot_root fsopen fsconfig fsmount open_tree move_mount mount_setattr fchdir chdir getcwd", "EPERM"),
        ("fsopen fsconfig fsmount open_tree move_mount", "ENOMEM"),
        ("clone3 pidfd_open wait4 prctl prlimit64 unshare", "EAGAIN"),
        ("setgroups setresgid setresuid capset keyctl sethostname setsid", "EPERM"),
        ("sendmsg recvmsg ppoll close_range rt_sigprocmask", "ENOMEM"),
        ("listen connect accept4", "ENOBUFS"),
    ];

    [Test, CancelAfter(3_600_000)]
    public void EveryFailureIsCleanAndSaidInOneLine()
    {
        using var container = new FaultContainer();
        string[] all = [.. Table.SelectMany(row => row.Calls.Split(' ')).Distinct()];
        Dictionary<string, int> counts = Strace.Count(Strace.Record(container.RunToEnd, string.Join(',', all.Append("execve").Distinct())));
        container.ForgetPidFile();
        var table = new SweepTable("errors in run");
        int tolerated = 0, clean = 0, recovered = 0;
        foreach ((string calls, string errno) in Table)
        {
            foreach ((string call, int when) in SweepPoints.Choose(counts, calls.Split(' '), Full ? 40 : 2))
            {
                FaultRun run = Strace.Run(container.RunToEnd, call, $"error={errno}", $"{when}");
                string point = $"{call}={errno} #{when}{(run.HitChild ? " (child)" : "")}";
                bool hit = run.Place == FaultPlace.Runtime;
                List<string> left = container.LeftInTheEnd();
                // A fault in the clean-up itself leaves something for delete --force; that it says so in one line is asked of it all the same.
                string? why = !hit ? null : Judge(run, []);
                if (left.Count > 0)
                {
                    container.DeleteByForce().ShouldSucceed();
                    container.LeftInTheEnd().Should().BeEmpty("delete --force always helps: {0}", point);
                    recovered++;
                }
                tolerated += hit && run.Result.Succeeded ? 1 : 0;
                clean += hit && !run.Result.Succeeded && left.Count == 0 ? 1 : 0;
                table.Add(point, hit, left.Count > 0, why is null, why ?? "");
                container.ForgetPidFile();
            }
        }
        table.Print();
        TestContext.Out.WriteLine($"{tolerated} tolerated, {clean} clean failures, {recovered} recovered by delete --force");
        table.Failures.Should().BeEmpty();
        table.Hits.Should().BeGreaterThan(50);
        recovered.Should().BeLessThan(table.Hits / 7);
        container.CallCreate().ShouldSucceed();
    }

    /// <summary>An interrupted call is made again: nobody ever sees EINTR.</summary>
    [Test, CancelAfter(3_600_000)]
    public void InterruptedCallsAreMadeAgain()
    {
        // Not close: the kernel closes the descriptor also when it says EINTR, strace's injected one leaves it open.
        string[] calls =
        [
            "read", "write", "openat", "openat2", "sendmsg", "recvmsg", "ppoll", "wait4", "connect", "accept4", "fsconfig", "statx", "renameat2",
            "mkdirat", "unlinkat", "fcntl", "dup3", "fstatfs", "getdents64", "flock", "move_mount", "linkat",
        ];
        using var container = new FaultContainer();
        var table = new SweepTable("EINTR in run, create, start, delete");
        (string Name, string[] Command, bool NeedsCreated)[] verbs =
        [
            ("run", container.RunToEnd, false), ("create", container.Create, false),
            ("start", container.Command("start", container.Id), true), ("delete", container.Command("delete", container.Id), true),
        ];
        foreach ((string name, string[] command, bool needsCreated) in verbs)
        {
            if (needsCreated)
            {
                container.CallCreate().ShouldSucceed();
            }
            Dictionary<string, int> counts = Strace.Count(Strace.Record(command, string.Join(',', calls) + ",execve,pivot_root"));
            container.DeleteByForce().ShouldSucceed();
            container.ForgetPidFile();
            foreach ((string call, int when) in SweepPoints.Choose(counts, calls, Full ? 40 : name == "run" ? 2 : 1))
            {
                if (needsCreated)
                {
                    container.CallCreate().ShouldSucceed();
                }
                FaultRun run = Strace.Run(command, call, "error=EINTR", $"{when}", marker: name is "run" or "create" ? "config.json" : "state.json");
                bool hit = run.Place == FaultPlace.Runtime;
                bool good = !hit || (run.Result.Succeeded && (name != "run" || run.Result.Stdout == "golden\n"));
                table.Add($"{name}: {call} #{when}{(run.HitChild ? " (child)" : "")}", hit, false, good, $"{run.Result.ExitCode} {run.Result.Stderr}");
                container.DeleteByForce().ShouldSucceed();
                container.ForgetPidFile();
            }
        }
        table.Print();
        table.Failures.Should().BeEmpty();
        table.Hits.Should().BeGreaterThan(30);
    }

    private static IEnumerable<string> NewCalls() =>
        ["openat2", "close_range", "fsopen", "fsconfig", "fsmount", "open_tree", "move_mount", "mount_setattr", "pidfd_open", "clone3", "memfd_create", "faccessat2", "pidfd_send_signal"];

    /// <summary>An old kernel, or an old seccomp profile around the runtime (EPERM), lacks a call altogether: a clean error that names it, or a way around.</summary>
    [Test]
    public void KernelWithoutACall([ValueSource(nameof(NewCalls))] string call, [Values("ENOSYS", "EPERM")] string errno)
    {
        using var container = new FaultContainer();
        FaultRun run = Strace.Run(container.RunToEnd, call, $"error={errno}", "1+", timeout: TimeSpan.FromSeconds(20));
        List<string> left = container.LeftInTheEnd();
        left.Should().BeEmpty("{0}", run.Result);
        if (run.Result.Succeeded)
        {
            run.Result.Stdout.Should().Be("golden\n");
            return;
        }
        if (call == "clone3" && errno == "EPERM")
        {
            // glibc makes threads by clone3 and takes only ENOSYS for "use clone": .NET does not start, whatever the verb.
            run.Place.Should().Be(FaultPlace.Boot);
            return;
        }
        Judge(run, left).Should().BeNull();
        if (errno == "ENOSYS")
        {
            run.Result.Stderr.Should().Contain("needs Linux 5.12");
        }
    }

    /// <summary>Null when all is as it should be, otherwise what is not.</summary>
    private static string? Judge(FaultRun run, List<string> left)
    {
        CommandResult result = run.Result;
        string stderr = result.Stderr.TrimEnd('\n');
        if (result.Succeeded)
        {
            return result.Stdout == "golden\n" ? left.Count == 0 ? null : $"left: {string.Join("; ", left)}" : $"exit code 0, but: {result}";
        }
        if (result.Status.Signal != 0 || result.ExitCode >= 128)
        {
            return $"ended by a signal: {result}";
        }
        string[] lines = [.. stderr.Split('\n').Where(line => line.Contains("level=error", StringComparison.Ordinal))];
        if (lines.Length != 1)
        {
            return $"not one line of error: {stderr}";
        }
        if (Crash().IsMatch(stderr))
        {
            return $"a crash: {stderr}";
        }
        return left.Count == 0 ? null : $"left: {string.Join("; ", left)} after {stderr}";
    }

    [GeneratedRegex(@"Unhandled|   at |bug in ocirun|Process terminated|Aborted")]
    private static partial Regex Crash();
}
