using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>
/// A container that ends while somebody kills it. Engines send SIGKILL to be sure; an error is for a container that had ended before.
/// </summary>
[LeavesNothing]
public sealed class KillRaceTests
{
    /// <summary>The process is there when the status is looked at, and gone when the signal is sent.</summary>
    [TestCase("pidfd_open", "KILL")]
    [TestCase("pidfd_send_signal", "KILL")]
    [TestCase("pidfd_open", "TERM")]
    [TestCase("pidfd_send_signal", "TERM")]
    public void Losing_it_is_no_error(string call, string signal)
    {
        Requires.OcirunItself();
        using TestBundle bundle = new TestBundle().Args("sleep", "1000");
        using TestContainer container = new TestContainer(bundle).Started();
        FaultRun run = Strace.Run([Ocirun.Binary.Path, "--root", container.StateRoot, "kill", container.Id, signal], call, "error=ESRCH",
            "1", marker: "state.json");
        run.Place.Should().Be(FaultPlace.Runtime);
        run.Result.ShouldSucceed().Stderr.Should().BeEmpty();
        _ = container.InitPid;
        container.Kill("KILL").ShouldSucceed();
        container.WaitExit();
        container.Kill(signal).ShouldFail(1, "container not running");
    }

    /// <summary>
    /// Without a pid namespace of its own SIGKILL is for whatever is left of the container, as with newer runcs: nothing, if need be.
    /// </summary>
    [Test]
    public void Of_a_shared_pid_namespace_all_that_is_left_is_killed()
    {
        using TestBundle bundle = new TestBundle().RemoveNamespace("pid").WithCgroup().Script("sleep 1000 & echo $!; exec sleep 1001");
        using TestContainer container = new TestContainer(bundle).Started();
        container.WaitOutput("\n");
        int other = int.Parse(container.Output);
        Libc.Check(Libc.kill(container.InitPid, Libc.SIGKILL), "kill");
        container.WaitExit();
        ProcessTree.IsAlive(other).Should().BeTrue();
        container.Kill("TERM").ShouldFail(1, "container not running");
        container.Kill("KILL").ShouldSucceed().Stderr.Should().BeEmpty();
        Children.Wait(other, TimeSpan.FromSeconds(5)).Should().Be(new ExitStatus(0, Libc.SIGKILL));
        container.Kill("KILL").ShouldSucceed().Stderr.Should().BeEmpty();
        container.Delete().ShouldSucceed();
        container.Kill("KILL").ShouldFail(1, "container does not exist");
    }
}
