using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Linux;

/// <summary>A process that is stopped for a moment, as `verify --attach` does it, misses nothing.</summary>
public sealed class PtraceTests
{
    private const int SIGUSR1 = 10, StopMilliseconds = 5000;

    /// <summary>
    /// The signal comes between attaching and stopping: the process stops with it in its hands, and what a tracer does not give back it
    /// never gets.
    /// </summary>
    [Test]
    public void A_signal_that_comes_while_somebody_attaches_arrives()
    {
        using RunningCommand process = Command.Start("sh", "-c", "trap 'echo got it' USR1; echo ready; while :; do sleep 0.01; done");
        Eventually.True(() => process.Stdout == "ready\n", "it runs");
        OciException.Check(Ptrace.Seize(process.Pid), "seize");
        process.Signal(SIGUSR1);
        Eventually.True(() => new ProcessView(process.Pid).Status("State").StartsWith('t'), "it stops with the signal");
        long stopped = Ptrace.Stop(process.Pid, StopMilliseconds);
        stopped.Should().Be(SIGUSR1);
        OciException.Check(Ptrace.Detach(process.Pid, (int)stopped), "detach");
        Eventually.True(() => process.Stdout == "ready\ngot it\n", "the signal arrives");
    }

    [Test]
    public void One_that_has_none_gets_none()
    {
        using RunningCommand process = Command.Start("sleep", "1000");
        OciException.Check(Ptrace.Seize(process.Pid), "seize");
        long stopped = Ptrace.Stop(process.Pid, StopMilliseconds);
        stopped.Should().Be(0);
        OciException.Check(Ptrace.Detach(process.Pid, (int)stopped), "detach");
        process.IsRunning.Should().BeTrue();
        new ProcessView(process.Pid).Status("TracerPid").Should().Be("0");
    }
}
