using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Seccomp;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>
/// Signals to a container that waits for `start`: those that end runc's init end this one, and the exit status says by which.
/// </summary>
[LeavesNothing]
public sealed class KillCreatedTests
{
    private const int SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGABRT = 6, SIGSEGV = 11, SIGTERM = 15;

    public enum Kind
    {
        Plain,

        /// <summary>A seccomp filter is loaded before privileges are given up, and denies calls that set up signals.</summary>
        EarlyFilter,

        /// <summary>The kernel does not spare the first process of no pid namespace.</summary>
        HostPids,
    }

    [Test]
    public void Ends_it([Values] Kind kind, [Values(SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGSEGV, SIGTERM)] int signal)
    {
        using TestBundle bundle = Bundle(kind);
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        container.InitPid.Should().BePositive();
        container.Kill($"{signal}").ShouldSucceed();
        ExitStatus status = container.WaitExit();
        if (Ocirun.IsUnderTest) status.Code.Should().Be(128 + signal);
        container.Status.Should().Be("stopped");
        container.Start().ShouldFail(1, "cannot start a container that has stopped");
    }

    /// <summary>They neither end it now nor are they kept for the program.</summary>
    [TestCase(Kind.Plain)]
    [TestCase(Kind.EarlyFilter)]
    [TestCase(Kind.HostPids)]
    public void Others_do_nothing(Kind kind)
    {
        using TestBundle bundle = Bundle(kind).Script("echo runs");
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        foreach (string signal in (string[])["USR1", "USR2", "PIPE", "ALRM", "CHLD", "WINCH", "CONT", "URG", "40"])
            container.Kill(signal).ShouldSucceed();
        container.Status.Should().Be("created");
        container.InitPid.Should().BePositive();
        container.Start().ShouldSucceed();
        container.WaitExit().Code.Should().Be(0);
        container.Output.Should().Be("runs\n");
    }

    /// <summary>The program gets each signal with its default action, and none is blocked or ignored.</summary>
    [TestCase(Kind.Plain)]
    [TestCase(Kind.EarlyFilter)]
    public void The_program_has_them_all_at_their_defaults(Kind kind)
    {
        using TestBundle bundle = Bundle(kind).Args("grep", "-E", "Sig(Blk|Ign|Cgt)", "/proc/self/status");
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        container.InitPid.Should().BePositive();
        container.Start().ShouldSucceed();
        container.WaitExit();
        container.Output.Should().Be("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n");
    }

    private static TestBundle Bundle(Kind kind)
    {
        TestBundle bundle = new TestBundle().Args("sleep", "1000");
        if (kind == Kind.HostPids) bundle.WithCgroup().RemoveNamespace("pid");
        if (kind == Kind.EarlyFilter)
        {
            bundle.NoNewPrivileges(false).Seccomp("SCMP_ACT_ALLOW")
                .Rule("SCMP_ACT_ERRNO", "signalfd4", "pidfd_send_signal");
        }
        return bundle;
    }
}
