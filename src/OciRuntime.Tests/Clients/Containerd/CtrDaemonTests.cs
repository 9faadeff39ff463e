using System.Diagnostics;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Containerd;

/// <summary>Containers outlive containerd, containerd outlives a shim, and many start at once.</summary>
[ThisMachinesEngines]
public sealed class CtrDaemonTests(ShimKind shim) : CtrFixture(shim)
{
    [Test]
    public void Dead_shims_container_is_deleted_by_containerd()
    {
        string id = Detached();
        int shim = ProcessTree.DescendantsOf(Environment.ProcessId)
            .Single(pid => ProcessTree.CommandLine(pid) is var line && line.Contains("containerd-shim") && line.Contains(Ctr.Directory));
        int init = ProcessTree.ChildrenOf(shim).Single();
        _ = Syscall.kill(shim, Signum.SIGKILL);
        Eventually.True(() => !ProcessTree.IsAlive(init) && StateLeft().Length == 0, "the end of the container");
        Eventually.True(() => Ctr.Run("container", "rm", id).Succeeded, "removal of the container's record");
        // A killed shim cannot remove its socket, and containerd does not either (SocketAddress() in its runtime/v2/shim). Ours does when
        // it is called to delete what the other has left.
        byte[] address = System.Text.Encoding.UTF8.GetBytes($"{Ctr.Directory}/c.sock/default/{id}");
        string socket = $"/run/containerd/s/{Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(address))}";
        if (Shim == ShimKind.Own) Eventually.True(() => !File.Exists(socket), "the end of the socket");
        else File.Delete(socket);
    }

    [Test]
    public void Tasks_survive_a_restart_of_containerd()
    {
        string running = Detached(), ended = Detached(), paused = Detached();
        Ctr.Run("task", "pause", paused).ShouldSucceed();
        int pid = Init(running).Pid, other = Init(ended).Pid;
        ContainerdHost.Restart(() =>
        {
            _ = Syscall.kill(other, Signum.SIGKILL);
            Eventually.True(() => !ProcessTree.Exists(other), "its shim has seen the end");
        });
        string[] kept = Engine.ForgetsTasksThatEndedAlone(Shim) ? [running, paused] : [running, paused, ended];
        Tasks().Should().BeEquivalentTo(
            ((string[])[$"{running} RUNNING", $"{paused} PAUSED", $"{ended} STOPPED"]).Take(kept.Length));
        Init(running).Pid.Should().Be(pid);
        Ctr.Run(["task", "exec", .. Pipes, "--exec-id", "one", running, "echo", "hi"]).ShouldSucceed().Stdout.Should().Be("hi\n");
        Ctr.Run("task", "resume", paused).ShouldSucceed();
        foreach (string id in (string[])[running, paused])
        {
            Ctr.Run("task", "kill", "--signal", "KILL", id).ShouldSucceed();
            Eventually.True(() => Tasks().Contains($"{id} STOPPED"), $"{id} stopped");
        }
        foreach (string id in kept) Ctr.Run("task", "delete", id).ShouldSucceed().Stderr.Should().Contain("exit code 137");
        foreach (string id in (string[])[running, paused, ended]) Ctr.Run("container", "rm", id).ShouldSucceed();
    }

    [Test]
    public void Fifty_containers_start_at_once()
    {
        string[] ids = [.. Enumerable.Range(0, 50).Select(_ => NewId())];
        long start = Stopwatch.GetTimestamp();
        AtOnce(ids, id => ["run", "--detach", "--null-io", .. Container(id, [], "sleep", "1000")]);
        TestContext.Out.WriteLine($"50 containers of {Ocirun.Binary.Name} run after {Stopwatch.GetElapsedTime(start).TotalSeconds:F1} s");
        Tasks().Should().BeEquivalentTo(ids.Select(id => $"{id} RUNNING"));
        AtOnce(ids, id => ["task", "rm", "--force", id]);
        AtOnce(ids, id => ["container", "rm", id]);
        Tasks().Should().BeEmpty();
    }

    private static void AtOnce(string[] ids, Func<string, string[]> command)
    {
        RunningCommand[] all = [.. ids.Select(id => Ctr.Start(command(id)))];
        foreach (RunningCommand one in all) using (one) one.Wait(TimeSpan.FromSeconds(60)).ShouldSucceed();
    }
}
