using System.Diagnostics;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>
/// SIGKILL in the middle of things. After it `delete --force` succeeds and nothing is left, or the next `create` of the same id cleans up
/// by itself. At each system call: <see cref="SweepTests"/>.
/// </summary>
public sealed class KillTests
{
    /// <summary>At moments that no system call marks.</summary>
    [Test]
    public void Create_is_killed_at_random_moments()
    {
        using FaultContainer container = new();
        Random random = new(5257);
        for (int i = 0; i < 40; i++)
        {
            using RunningCommand create = Command.Start(Ocirun.Binary.Path, container.Create[1..], new CommandOptions());
            long until = Stopwatch.GetTimestamp() + (Stopwatch.Frequency * random.Next(0, 40_000) / 1_000_000);
            while (Stopwatch.GetTimestamp() < until)
            {
            }
            create.Kill();
            if (i % 2 == 1 && !container.IsComplete) container.CallCreate().ShouldSucceed();
            container.DeleteByForce().ShouldSucceed();
            container.LeftInTheEnd().Should().BeEmpty();
            container.ForgetPidFile();
        }
    }

    /// <summary>
    /// A start that is killed around the moment it lets init go: the state tells the truth, created or running, and either `start` finishes
    /// it or says that it runs.
    /// </summary>
    [TestCase("connect", 1, "created")]
    [TestCase("renameat2", 1, "created")]
    [TestCase("sendmsg", 1, "either")]
    [TestCase("recvmsg", 1, "running")]
    [TestCase("unlinkat", 1, "running")]
    [TestCase("unlinkat", 2, "running")]
    public void Start_is_killed(string call, int when, string expected)
    {
        using FaultContainer container = new();
        container.Bundle.Args("sleep", "100").Save();
        container.CallCreate().ShouldSucceed();
        Strace.Run(container.Command("start", container.Id), call, "signal=KILL", $"{when}", marker: "state.json").Place.Should()
            .NotBe(FaultPlace.Missed);
        string Status() => container.Call("state", container.Id).ShouldSucceed().Json["status"]!.GetValue<string>();
        bool running =
            Eventually.Becomes(() => Status() == "running",
            expected switch
            {
                "created" => TimeSpan.FromMilliseconds(100),
                "running" => CommandOptions.DefaultTimeout,
                _ => TimeSpan.FromSeconds(1),
            });
        if (expected != "either") Status().Should().Be(expected);
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
}
