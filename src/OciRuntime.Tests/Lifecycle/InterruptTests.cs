using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>Signals to the runtime in the middle of a launch.</summary>
public sealed class InterruptTests
{
    private const int SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGTERM = 15;

    [MeasuresTime]
    [Test]
    public void A_signal_takes_everything_back(
        [Values("create", "run")] string verb, [Values(SIGHUP, SIGINT, SIGQUIT, SIGTERM)]
            int signal, [Values("createRuntime", "createContainer")] string kind)
    {
        using HookBundle hooks = new();
        string marker = $"60.{TestRun.NextNumber()}";
        hooks.Add(kind, $"touch $LOG/runs; sleep {marker} & sleep {marker}").Add("poststop", "cat > $LOG/poststop");
        using TestContainer container = new(hooks.Bundle);
        using RunningCommand command = Launch(container, verb);
        Eventually.True(() => hooks.Read("runs") is not null, "the hook runs");
        long sent = Environment.TickCount64;
        command.Signal(signal);
        // An impatient caller's second one must not stop the undoing.
        command.Signal(SIGTERM);
        CommandResult result = command.Wait();
        (Environment.TickCount64 - sent).Should().BeLessThan(2000);
        result.ShouldFail(null, "interrupted by signal");
        result.ExitCode.Should().BeOneOf(128 + signal, 128 + SIGTERM);
        container.State().ShouldFail(1, "container does not exist");
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
        CgroupHost.Find(hooks.Bundle.CgroupsPath!).Should().BeEmpty();
        hooks.Read("poststop").Should().NotBeNull();
        Eventually.True(() => Command.Run("pgrep", "-f", $"sleep {marker}").ExitCode == 1, "no process of the hook is left");
    }

    [Test]
    public void A_signal_during_a_poststart_hook_ends_the_container()
    {
        using HookBundle hooks = new();
        hooks.Add("poststart", "touch $LOG/runs; exec sleep 60").Add("poststop", "touch $LOG/poststop");
        string pidFile = TestRun.NewPath("pids");
        using TestContainer container = new(hooks.Bundle);
        using RunningCommand run = container.StartRun("--pid-file", pidFile);
        Eventually.True(() => hooks.Read("runs") is not null, "the hook runs");
        run.Signal(SIGTERM);
        run.Wait().ExitCode.Should().Be(128 + SIGTERM);
        container.State().ShouldFail(1, "container does not exist");
        hooks.Read("poststop").Should().NotBeNull();
        File.Exists(pidFile).Should().BeFalse();
    }

    /// <summary>Other signals do not end a launch by their default action.</summary>
    [Test]
    public void Signals_that_ask_for_nothing_are_ignored()
    {
        using HookBundle hooks = new("exit 0");
        hooks.Add("createRuntime", "touch $LOG/runs; until [ -e $LOG/go ]; do sleep 0.02; done");
        using TestContainer container = new(hooks.Bundle);
        using RunningCommand run = Launch(container, "run");
        Eventually.True(() => hooks.Read("runs") is not null, "the hook runs");
        foreach (int signal in (int[])[10, 12, 13, 14, 20, 28]) run.Signal(signal);
        File.WriteAllText(Path.Combine(hooks.Log, "go"), "");
        run.Wait().ShouldSucceed();
    }

    private static RunningCommand Launch(TestContainer container, string verb)
    {
        container.Bundle.Save();
        return Ocirun.Start(["--root", container.StateRoot, verb, "--bundle", container.Bundle.Directory, container.Id]);
    }
}
