using System.Diagnostics;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Protobuf;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>A shim ends by itself, or is killed, and somebody takes away what it leaves.</summary>
[LeavesNothing]
public sealed class ShimEndTests : ShimFixture
{
    /// <summary>
    /// The last client goes while a create hangs, and that fails then. From there on the shim's clock, which is made to stand still at 0,
    /// says that its five minutes end five minutes after the machine's start: when it goes on, they are over.
    /// </summary>
    [Test]
    public void It_ends_by_itself_when_its_last_client_has_gone_before_its_last_container()
    {
        const string EPERM = "1";
        // Of a machine that has not run for five minutes.
        TimeSpan patience = TimeSpan.FromMilliseconds(Math.Max(10_000, 310_000 - Environment.TickCount64));
        string go = $"{Shim.Directory}/go";
        TestBundle hanging = Shim.Bundle().Args("true");
        hanging.AddHook("createRuntime", "/bin/sh", "-c", $"while [ ! -e {go} ]; do sleep 0.05; done; exit 1");
        string id = $"{TestRun.Token}-hangs";
        _ = Shim.Client.CallAsync("Create", Shim.CreateRequest(id, hanging));
        Eventually.True(
            () => ProcessTree.DescendantsOf(Shim.Pid).Any(static pid => ProcessTree.CommandLine(pid).Contains("-e ")), "the hook");
        Shim.Client.Dispose();
        Meddler.Attach(Shim.Pid, "", EPERM, new CallPoint(0, CallPoint.NumberOf("clock_gettime"), 0), () =>
        {
            File.WriteAllText(go, "");
            Eventually.True(() => !ProcessTree.ChildrenOf(Shim.Pid).Any(), "the end of the create");
            Eventually.True(() => !Directory.Exists(Shim.StateDirectory(id)), "the end of the container");
            // What follows on the work.
            Thread.Sleep(200);
            return new CommandResult("", default, "", "", default);
        }).IsHit.Should().BeTrue();
        // Wakes the loop, which looks at its clock.
        _ = Syscall.kill(Shim.Pid, Signum.SIGCHLD);
        if (Eventually.Becomes(() => !ProcessTree.IsAlive(Shim.Pid), patience)) return;
        Shim.Reconnect();
        Assert.Fail("the shim is still there");
    }

    /// <summary>containerd's verb takes away what a killed shim leaves, and the state's part of it the plain command.</summary>
    [TestCase("Create")]
    [TestCase("Start")]
    [TestCase("Exec")]
    [TestCase("Delete")]
    public void It_may_be_killed_at_any_moment(string method)
    {
        const int Moments = 6, MicrosecondsBetween = 1500;
        for (int i = 0; i < Moments; i++)
        {
            using ShimUnderTest shim = new();
            using TestBundle bundle = shim.Bundle().Args("sleep", "1000");
            string id = Path.GetFileName(bundle.Directory);
            ProtobufWriter mount = new ProtobufWriter().Text(1, "bind").Text(2, bundle.Rootfs).Text(4, "rbind");
            ProtobufWriter create = shim.CreateRequest(id, bundle).Message(3, mount);
            if (method != "Create") shim.Client.Call("Create", create);
            if (method is "Exec" or "Delete") shim.Call("Start", id);
            if (method == "Exec") shim.Exec(id, "one", "sleep 1000", start: false);
            if (method == "Delete") shim.Kill(id, 9);
            if (method == "Delete") shim.Wait(id);
            _ = method switch
            {
                "Create" => shim.Client.CallAsync(method, create),
                "Exec" => shim.Client.CallAsync("Start", ShimUnderTest.Named(id, "one")),
                _ => shim.Client.CallAsync(method, ShimUnderTest.Named(id)),
            };
            long moment = Stopwatch.GetTimestamp();
            SpinWait.SpinUntil(() => Stopwatch.GetElapsedTime(moment).TotalMicroseconds > i * MicrosecondsBetween);
            shim.KillItself();
            if (i % 2 == 1) Ocirun.Run("--root", $"{shim.Root}/{TestRun.Token}", "delete", "--force", id).ShouldSucceed();
            File.WriteAllText($"{bundle.Directory}/address", shim.Address);
            shim.Verb("delete", id, bundle.Directory, "-bundle", bundle.Directory).ShouldSucceed();
            Directory.Exists(shim.StateDirectory(id)).Should().BeFalse();
            File.ReadAllText("/proc/self/mountinfo").Should().NotContain(bundle.Directory);
            File.Exists(shim.Socket).Should().BeFalse();
        }
    }

    [Test]
    public void What_a_killed_shim_leaves_is_deleted_by_another()
    {
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        // As containerd has it: the bundle is named after the container.
        string id = Path.GetFileName(bundle.Directory);
        Shim.Client.Call("Create", Shim.CreateRequest(id, bundle));
        Shim.Call("Start", id);
        int pid = Shim.PidOf(id);
        Shim.KillItself();
        File.WriteAllText($"{bundle.Directory}/address", Shim.Address);
        // Where it is not to be known where the state is, there would be none elsewhere.
        string options = $"{bundle.Directory}/options.json";
        File.Move(options, $"{options}.away");
        Directory.CreateDirectory(options);
        Shim.Verb("delete", id, bundle.Directory, "-bundle", bundle.Directory).ShouldFail(1, "options.json: is a directory (EISDIR)");
        ProcessTree.IsAlive(pid).Should().BeTrue();
        Directory.Delete(options);
        File.Move($"{options}.away", options);
        CommandResult deleted = Shim.Verb("delete", id, bundle.Directory, "-bundle", bundle.Directory).ShouldSucceed();
        deleted.Stderr.Should().BeEmpty();
        ShimUnderTest.Number(Shim.Printed, 1).Should().Be(pid);
        ShimUnderTest.Number(Shim.Printed, 2).Should().Be(137);
        ProcessTree.IsAlive(pid).Should().BeFalse();
        Directory.Exists(Shim.StateDirectory(id)).Should().BeFalse();
        File.Exists(Shim.Socket).Should().BeFalse();
    }
}
