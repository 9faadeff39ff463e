using System.Diagnostics;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>
/// SIGKILL in the middle of things. After it `delete --force` succeeds and nothing is left, or the next `create` of the same id cleans up
/// by itself. OCIRUN_SWEEP=full tries every call instead of a sample.
/// </summary>
public sealed class KillTests
{
    private static readonly bool Full = Environment.GetEnvironmentVariable("OCIRUN_SWEEP") == "full";

    private static readonly string[] Calls =
    [
        "openat2", "mkdirat", "write", "clone3", "sendmsg", "recvmsg", "move_mount", "renameat2", "fsopen", "fsmount", "open_tree", "mount_setattr",
        "pivot_root", "umount2", "setresuid", "capset", "bind", "listen", "unlinkat", "statx", "close", "prctl", "linkat", "socketpair",
    ];

    [TestCase("create")]
    [TestCase("run")]
    [CancelAfter(3_600_000)]
    public void LaunchIsKilled(string verb)
    {
        using var container = new FaultContainer();
        string[] command = verb == "create" ? container.Create : container.RunToEnd;
        Dictionary<string, int> counts = Strace.Count(Strace.Record(command, string.Join(',', Calls) + ",execve"));
        container.DeleteByForce().ShouldSucceed();
        container.ForgetPidFile();
        var table = new SweepTable($"SIGKILL of {verb}");
        int point = 0;
        foreach ((string call, int when) in SweepPoints.Choose(counts, Calls, Full ? int.MaxValue : 2))
        {
            FaultRun run = Strace.Run(command, call, "signal=KILL", when.ToString());
            bool killed = run.Place != FaultPlace.Missed;
            List<string> before = container.Left();
            string what = $"{call} #{when}{(run.HitChild ? " (child)" : "")}";
            // By turns: force, or simply the next create.
            if (point++ % 2 == 0)
            {
                CommandResult deleted = container.DeleteByForce();
                List<string> left = container.LeftInTheEnd();
                table.Add(what, killed, before.Count > 0, left.Count == 0 && deleted.Succeeded, $"delete --force: {deleted.Stderr} left: {string.Join("; ", left)}");
                container.ForgetPidFile();
                if (killed)
                {
                    container.CallCreate().ShouldSucceed();
                }
            }
            else if (killed && !IsComplete(container))
            {
                CommandResult created = container.CallCreate();
                table.Add(what, true, before.Count > 0, created.Succeeded, $"create again: {created.Stderr}");
            }
            else
            {
                // The kill came when all was done: the container is there and is nobody's leftover.
                table.Add(what, killed, before.Count > 0, true, "");
            }
            container.DeleteByForce().ShouldSucceed();
            container.ForgetPidFile();
            container.LeftInTheEnd().Should().BeEmpty(what);
        }
        table.Print();
        table.Failures.Should().BeEmpty();
        table.Hits.Should().BeGreaterThanOrEqualTo(20);
    }

    /// <summary>At moments that no system call marks.</summary>
    [Test]
    public void CreateIsKilledAtRandomMoments()
    {
        using var container = new FaultContainer();
        var random = new Random(5257);
        var table = new SweepTable("SIGKILL of create after 0 to 40 ms");
        for (int i = 0; i < 40; i++)
        {
            using RunningCommand create = Command.Start(Ocirun.Binary.Path, container.Create[1..], new CommandOptions());
            long until = Stopwatch.GetTimestamp() + (Stopwatch.Frequency * random.Next(0, 40_000) / 1_000_000);
            while (Stopwatch.GetTimestamp() < until)
            {
            }
            create.Kill();
            bool left = container.Left().Count > 0;
            if (i % 2 == 1 && !IsComplete(container))
            {
                CommandResult again = container.CallCreate();
                table.Add($"#{i}", true, left, again.Succeeded, again.Stderr);
            }
            CommandResult deleted = container.DeleteByForce();
            List<string> rest = container.LeftInTheEnd();
            table.Add($"#{i}", true, left, deleted.Succeeded && rest.Count == 0, $"{deleted.Stderr} {string.Join("; ", rest)}");
            container.ForgetPidFile();
        }
        table.Print();
        table.Failures.Should().BeEmpty();
    }

    /// <summary>A delete that was killed is finished by the next one.</summary>
    [Test, CancelAfter(3_600_000)]
    public void DeleteIsKilled([Values] bool force)
    {
        using var container = new FaultContainer();
        string[] delete = force ? container.Command("delete", "--force", container.Id) : container.Command("delete", container.Id);
        string[] calls = ["openat2", "openat", "unlinkat", "pidfd_send_signal", "ppoll", "statx", "flock", "getdents64", "close", "write", "read", "fstatfs"];
        container.CallCreate().ShouldSucceed();
        Dictionary<string, int> counts = Strace.Count(Strace.Record(delete, string.Join(',', calls)));
        container.LeftInTheEnd().Should().BeEmpty();
        var table = new SweepTable($"SIGKILL of delete{(force ? " --force" : "")}");
        foreach ((string call, int when) in SweepPoints.Choose(counts, calls, Full ? int.MaxValue : 3))
        {
            container.CallCreate().ShouldSucceed();
            FaultRun run = Strace.Run(delete, call, "signal=KILL", when.ToString(), marker: "state.json");
            bool left = container.Left().Count > 0;
            CommandResult again = container.Call("delete", "--force", container.Id);
            List<string> rest = container.LeftInTheEnd();
            table.Add($"{call} #{when}", run.Place != FaultPlace.Missed, left, again.Succeeded && rest.Count == 0, $"{again.Stderr} {string.Join("; ", rest)}");
        }
        table.Print();
        table.Failures.Should().BeEmpty();
    }

    /// <summary>
    /// A start that is killed around the moment it lets init go: the state tells the truth, created or running, and either `start` finishes it
    /// or says that it runs.
    /// </summary>
    [TestCase("connect", 1, "created")]
    [TestCase("renameat2", 1, "created")]
    [TestCase("sendmsg", 1, "either")]
    [TestCase("recvmsg", 1, "running")]
    [TestCase("unlinkat", 1, "running")]
    [TestCase("unlinkat", 2, "running")]
    public void StartIsKilled(string call, int when, string expected)
    {
        using var container = new FaultContainer();
        container.Bundle.Args("sleep", "100").Save();
        container.CallCreate().ShouldSucceed();
        Strace.Run(container.Command("start", container.Id), call, "signal=KILL", $"{when}", marker: "state.json").Place.Should().NotBe(FaultPlace.Missed);
        string Status() => container.Call("state", container.Id).ShouldSucceed().Json["status"]!.GetValue<string>();
        bool running = Eventually.Becomes(() => Status() == "running", expected switch { "created" => TimeSpan.FromMilliseconds(100), "running" => CommandOptions.DefaultTimeout, _ => TimeSpan.FromSeconds(1) });
        if (expected != "either")
        {
            Status().Should().Be(expected);
        }
        if (running)
        {
            container.Call("start", container.Id).ShouldFail(1, "already running");
            container.Call("delete", container.Id).ShouldFail(1, "not stopped");
        }
        else
        {
            container.Call("start", container.Id).ShouldSucceed();
            Eventually.True(() => Status() == "running", "the second start starts");
        }
    }

    /// <summary>The journal says that all was set up: then the container is one, and stays one when its program has ended.</summary>
    private static bool IsComplete(FaultContainer container) =>
        ProcessTree.ReadOrEmpty(Path.Combine(container.StateRoot, container.Id, "state.json")).Contains("\"phase\":\"created\"", StringComparison.Ordinal);
}
