using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// A container whose root serves a file system (FUSE) and does not answer: whoever looks something up there waits in the kernel, and cannot
/// be killed.
/// </summary>
[LeavesNothing]
public sealed class StalledFileSystemTests
{
    private const int SIGTERM = 15;
    private TestBundle _bundle = null!;
    private TestContainer _container = null!;

    [SetUp]
    public void Begin()
    {
        Requires.OcirunItself();
        Requires.PathExists("/dev/fuse", "FUSE");
        _bundle = new TestBundle().RunStalled("/tmp", "lookup").Capabilities("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE").Writable();
        _container = new TestContainer(_bundle).Started();
        _container.WaitOutput("mounted");
    }

    [TearDown]
    public void End()
    {
        _container?.Dispose();
        _bundle?.Dispose();
    }

    /// <summary>All mounts or none, also when one of them is never found; and others may use the container.</summary>
    [TestCase(false, Category = "Waits")]
    [TestCase(true)]
    public void Mounts_end_and_let_the_lock_go(bool bySignal)
    {
        using RunningCommand add = Mounts("add", LiveMount.Of("/before", "tmpfs", null), LiveMount.Of("/tmp/x", "tmpfs", null));
        _container.WaitOutput("stalled");
        if (bySignal) add.Signal(SIGTERM);
        CommandResult result = add.Wait(TimeSpan.FromSeconds(12));
        if (bySignal) result.ShouldFail(128 + SIGTERM, "interrupted by signal 15; undone");
        else result.ShouldFail(1, "a destination is not found within 5 s: a file system of the container's does not answer; undone");
        _container.Init.Mounts.Should().NotContain(static mount => mount.MountPoint == "/before");
        LiveMount.Add(_container, LiveMount.Of("/after", "tmpfs", null)).ShouldSucceed();
        _container.Init.MountAt("/after");
    }

    [Test]
    public void Removing_mounts_ends_and_lets_the_lock_go()
    {
        using RunningCommand remove = Mounts("remove", LiveMount.At("/tmp/x"));
        _container.WaitOutput("stalled");
        remove.Signal(SIGTERM);
        remove.Wait(TimeSpan.FromSeconds(12)).ShouldFail(128 + SIGTERM, "interrupted by signal 15; some of the mounts may be gone");
        LiveMount.Add(_container, LiveMount.Of("/after", "tmpfs", null)).ShouldSucceed();
    }

    [Test]
    public void Exec_ends_by_a_signal()
    {
        using RunningCommand exec = _container.StartExec([], "/tmp/program");
        _container.WaitOutput("stalled");
        exec.Signal(SIGTERM);
        exec.Wait(TimeSpan.FromSeconds(12)).ExitCode.Should().Be(128 + SIGTERM);
    }

    private RunningCommand Mounts(string action, params System.Text.Json.Nodes.JsonObject[] mounts)
    {
        string file = System.IO.Path.Combine(_bundle.Directory, "mounts.json");
        File.WriteAllText(file, LiveMount.Json(mounts));
        return Ocirun.Start(["--root", _container.StateRoot, "mounts", action, _container.Id, file]);
    }
}
