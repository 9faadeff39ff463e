using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Tests.Plan;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Launch;

/// <summary>A first process that has told of the one it has cloned, and does not end: a container may hold it, or its freezer.</summary>
public sealed class SuccessionTests
{
    private Fd _request = null!;
    private RunningCommand _first = null!, _second = null!;
    private ChildProcess _child = null!;

    [SetUp]
    public void Begin()
    {
        _request = Fd.Of(Processes.EventFd(), "eventfd");
        _first = Command.Start("sleep", "1000");
        _second = Command.Start("sleep", "1000");
        (Fd socket, Fd other) = OciRuntime.Linux.Sockets.Pair(OciRuntime.Linux.Sockets.SOCK_SEQPACKET);
        other.Dispose();
        _child = new ChildProcess(_first.Pid, Fd.Of(Processes.PidFdOpen(_first.Pid), "pidfd"), new Conversation(socket, plan: null));
    }

    [TearDown]
    public void End()
    {
        _child.Dispose();
        _first.Dispose();
        _second.Dispose();
        _request.Dispose();
    }

    [Test]
    public void Is_waited_for_with_the_callers_patience()
    {
        Action succeed = () => Succeed(patience: 2100);
        succeed.Should().Throw<OciException>().Which.Errno.Should().Be(Errno.ETIMEDOUT);
        ShouldBothEnd();
    }

    [Test]
    public void Is_not_waited_for_when_the_runtime_is_asked_to_end()
    {
        Files.Write(_request.Number, BitConverter.GetBytes(1UL)).Should().Be(sizeof(ulong));
        Action succeed = () => Succeed(patience: -1);
        succeed.Should().Throw<InterruptedException>();
        ShouldBothEnd();
    }

    private void Succeed(int patience)
    {
        using Interruption interruption = new(_request);
        _child.Succeed(_second.Pid, Plans.Exec().Find<ForkIntoPidNamespaceStep>()!, interruption, () => patience);
    }

    /// <summary>As whoever undoes the launch sees to it.</summary>
    private void ShouldBothEnd()
    {
        _child.Kill().Should().BeTrue();
        ProcessTree.IsAlive(_first.Pid).Should().BeFalse();
        ProcessTree.IsAlive(_second.Pid).Should().BeFalse();
    }
}
