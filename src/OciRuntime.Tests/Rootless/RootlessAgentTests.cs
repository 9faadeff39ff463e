using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Seccomp;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rootless;

/// <summary>
/// SCMP_ACT_NOTIFY for an ordinary user, who cannot fetch a descriptor from init: it sends the listener before it does anything that the
/// agent holds back.
/// </summary>
[LeavesNothing]
public sealed class RootlessAgentTests
{
    [TestCase(false)]
    [TestCase(true)]
    public void Calls_that_init_itself_makes_can_be_held_back(bool noNewPrivileges)
    {
        using OrdinaryUser user = OrdinaryUser.WithoutRanges();
        using AgentSocket agent = new(static _ => 0);
        File.SetUnixFileMode(agent.Path, (UnixFileMode)0b110_110_110);
        using TestBundle bundle =
            Bundle(user, agent, noNewPrivileges, "execve", "openat", "open", "read", "close", "fcntl", "recvmsg", "prctl");
        using TestContainer container = user.Container(bundle);
        container.Run().ShouldSucceed().Stdout.Should().Be("runs\n");
        agent.Calls.Should().Contain(0);
    }

    /// <summary>What cannot work is said, instead of two processes waiting for each other.</summary>
    [Test]
    public void A_listener_that_cannot_be_sent_is_an_error()
    {
        using OrdinaryUser user = OrdinaryUser.WithoutRanges();
        using AgentSocket agent = new(static _ => 0);
        File.SetUnixFileMode(agent.Path, (UnixFileMode)0b110_110_110);
        using TestBundle bundle = Bundle(user, agent, noNewPrivileges: true, "sendmsg", "read");
        using TestContainer container = user.Container(bundle);
        container.Run()
            .ShouldFail(1,
            "/linux/seccomp: fetch the filter's listener from init: operation not permitted (EPERM): it takes CAP_SYS_PTRACE, unless "
            + "/linux/seccomp allows sendmsg: then init can send it");
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
    }

    private static TestBundle Bundle(OrdinaryUser user, AgentSocket agent, bool noNewPrivileges, params string[] names)
    {
        TestBundle bundle = user.Bundle().Script("echo runs").NoNewPrivileges(noNewPrivileges).Seccomp("SCMP_ACT_ALLOW")
            .Rule("SCMP_ACT_NOTIFY", names);
        bundle.Linux["seccomp"]!["listenerPath"] = agent.Path;
        return bundle;
    }
}
