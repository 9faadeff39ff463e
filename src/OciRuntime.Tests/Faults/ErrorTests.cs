using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>A system call that is not there at all; for single failures see <see cref="SweepTests"/>.</summary>
public sealed class ErrorTests
{
    private static IEnumerable<string> NewCalls() =>
        ["openat2", "close_range", "fsopen", "fsconfig", "fsmount", "open_tree", "move_mount", "mount_setattr", "pidfd_open", "clone3",
        "memfd_create", "faccessat2", "pidfd_send_signal"];

    /// <summary>
    /// An old kernel, or an old seccomp profile around the runtime (EPERM), lacks a call altogether: a clean error that names it, or a way
    /// around.
    /// </summary>
    [Test]
    public void Kernel_without_a_call([ValueSource(nameof(NewCalls))] string call, [Values("ENOSYS", "EPERM")] string errno)
    {
        using FaultContainer container = new();
        FaultRun run = Strace.Run(container.RunToEnd, call, $"error={errno}", "1+", timeout: TimeSpan.FromSeconds(20));
        List<string> left = container.LeftInTheEnd();
        left.Should().BeEmpty("{0}", run.Result);
        if (run.Result.Succeeded)
        {
            run.Result.Stdout.Should().Be("golden\n");
            return;
        }
        Judge(run, left).Should().BeNull();
        if (errno == "ENOSYS") run.Result.Stderr.Should().Contain("needs Linux 5.12");
    }

    /// <summary>What a created container finds when it begins to wait, and nobody is there any more to be told.</summary>
    [TestCase("ENFILE")]
    [TestCase("ENOMEM")]
    public void A_shortage_of_the_hosts_ends_no_container_that_waits(string errno)
    {
        using FaultContainer container = new();
        FaultRun run = Strace.Run(container.Create, "accept4", $"error={errno}", "1");
        run.Place.Should().Be(FaultPlace.Runtime, "{0}", run.Result);
        container.Call("start", container.Id).ShouldSucceed();
        container.DeleteByForce().ShouldSucceed();
        container.LeftInTheEnd().Should().BeEmpty();
    }

    /// <summary>Null when all is as it should be, otherwise what is not.</summary>
    private static string? Judge(FaultRun run, List<string> left)
    {
        CommandResult result = run.Result;
        if (result.Succeeded)
        {
            return result.Stdout == "golden\n" ? left.Count == 0 ? null : $"left: {string.Join("; ", left)}"
                : $"exit code 0, but: {result}";
        }
        if (result.Status.Signal != 0 || result.ExitCode >= 128) return $"ended by a signal: {result}";
        if (Failure.Complaint(result) is { } complaint) return complaint;
        return left.Count == 0 ? null : $"left: {string.Join("; ", left)} after {result}";
    }
}
