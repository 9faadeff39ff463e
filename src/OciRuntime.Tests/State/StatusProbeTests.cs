using System.Diagnostics;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.State;

namespace OciRuntime.Tests.State;

public sealed class StatusProbeTests
{
    private static ContainerStatus Probe(TemporaryRoot root, string id)
    {
        using ContainerEntry entry = root.Store.Open(id);
        return entry.Probe(entry.ReadState());
    }

    [Test]
    public void Created_until_the_start_socket_is_gone_then_running_then_stopped()
    {
        using TemporaryRoot root = new();
        Process init = root.Sleeper();
        root.Create("x", s => s.Init = TemporaryRoot.IdentityOf(init));
        root.TouchStartSocket("x");
        Probe(root, "x").Should().Be(ContainerStatus.Created);
        File.Delete(root.FileOf("x", "start.sock"));
        Probe(root, "x").Should().Be(ContainerStatus.Running);
        init.Kill();
        init.WaitForExit();
        Probe(root, "x").Should().Be(ContainerStatus.Stopped);
    }

    [Test]
    public void Stopped_when_the_process_died_before_start()
    {
        using TemporaryRoot root = new();
        root.Create("x", s => s.Init = new ProcessIdentity(Environment.ProcessId, 1));
        root.TouchStartSocket("x");
        Probe(root, "x").Should().Be(ContainerStatus.Stopped, "the pid is in use, but by a process that started at another time");
    }

    [Test]
    public void Stopped_when_the_process_is_a_zombie()
    {
        using TemporaryRoot root = new();
        Process parent = root.Start("sh", "-c", "sleep 0.01 & exec sleep 1000");
        ProcessIdentity zombie = ProcessIdentityTests.WaitForZombieOf(parent.Id);
        root.Create("x", s => s.Init = zombie);
        Probe(root, "x").Should().Be(ContainerStatus.Stopped);
    }

    [Test]
    public void Creating_while_the_creator_or_the_process_lives()
    {
        using TemporaryRoot root = new();
        ProcessIdentity alive = TemporaryRoot.IdentityOf(root.Sleeper());
        ProcessIdentity dead = new(1, 12345);
        void Make(string id, ProcessIdentity creator, ProcessIdentity init) => root.Create(id, s =>
        {
            s.Phase = ContainerPhase.Creating;
            s.Creator = creator;
            s.Init = init;
        });
        Make("early", alive, default(ProcessIdentity));
        Make("late", alive, dead);
        Make("orphan", dead, alive);
        Make("over", dead, default(ProcessIdentity));
        Probe(root, "early").Should().Be(ContainerStatus.Creating);
        Probe(root, "late").Should().Be(ContainerStatus.Creating);
        Probe(root, "orphan").Should().Be(ContainerStatus.Creating);
        Probe(root, "over").Should().Be(ContainerStatus.Stopped);
    }
}
