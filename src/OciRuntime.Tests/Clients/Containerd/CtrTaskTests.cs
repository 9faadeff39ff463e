using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;
using OciRuntime.Tests.Verify;

namespace OciRuntime.Tests.Clients.Containerd;

/// <summary>The life of ctr's tasks: states, signals, numbers, events.</summary>
[ThisMachinesEngines]
public sealed class CtrTaskTests(ShimKind shim) : CtrFixture(shim)
{
    // SIGKILL and SIGSTOP cannot be caught, the shell needs SIGCHLD for itself.
    private static readonly int[] Catchable = [.. Enumerable.Range(1, 31).Except([9, 17, 19]), 34, 35, 64];

    [Test]
    public void Task_is_killed_and_deleted()
    {
        string id = Detached();
        Tasks().Should().Contain($"{id} RUNNING");
        Ctr.Run("task", "kill", "--signal", "KILL", id).ShouldSucceed();
        Eventually.True(() => Tasks().Contains($"{id} STOPPED"), $"{id} stopped");
        // The shim knows the end of a container by these words of the runtime alone.
        Ctr.Run("task", "kill", "--signal", "KILL", id).ShouldFail(1, "process already finished");
        Ctr.Run("task", "delete", id).ShouldSucceed().Stderr.Should().Contain("exit code 137");
        Ctr.Run("container", "rm", id).ShouldSucceed();
    }

    /// <summary>`container create` cannot be told a binary: this is the runtime that containerd finds under runc's name.</summary>
    [Test]
    public void Container_is_created_first_and_started_later()
    {
        using TestBundle bundle = new TestBundle().WithCgroup().Script("echo out; exit 4");
        bundle.Config["root"]!["path"] = bundle.Rootfs;
        bundle.Save();
        string id = NewId();
        Ctr.Run(["container", "create", .. RuntimeType, "--config", bundle.ConfigPath, id]).ShouldSucceed();
        Tasks().Should().BeEmpty();
        for (int i = 0; i < 2; i++) Ctr.Run(["task", "start", .. Pipes, id]).ShouldFail(4).Stdout.Should().Be("out\n");
        Ctr.Run("task", "start", "--detach", "--null-io", id).ShouldSucceed();
        Eventually.True(() => Tasks().Contains($"{id} STOPPED"), $"{id} stopped");
        Ctr.Run("task", "delete", id).ShouldSucceed().Stderr.Should().Contain("exit code 4");
        Ctr.Run("container", "rm", id).ShouldSucceed();
    }

    [Test]
    public void Task_is_paused_and_resumed()
    {
        string id = Detached();
        Ctr.Run("task", "pause", id).ShouldSucceed();
        Tasks().Should().Contain($"{id} PAUSED");
        Ctr.Run("task", "resume", id).ShouldSucceed();
        Tasks().Should().Contain($"{id} RUNNING");
        Processes(id).Should().Equal(Init(id).Pid);
        // A paused one, too, is removed by force.
        Ctr.Run("task", "pause", id).ShouldSucceed();
        Ctr.Run("task", "rm", "--force", id).ShouldSucceed();
        Ctr.Run("container", "rm", id).ShouldSucceed();
    }

    [Test]
    public void Running_task_is_deleted_by_force()
    {
        string id = Detached();
        Ctr.Run("task", "rm", "--force", id).ShouldSucceed().Stderr.Should().Contain("exit code 137");
        Ctr.Run("container", "rm", id).ShouldSucceed();
    }

    [Test]
    public void Every_signal_arrives()
    {
        string log = TestRun.NewPath("log"), id = NewId();
        string script =
            $"for n in {string.Join(' ', Catchable)}; do trap \"echo $n\" $n; done; echo ready; while :; do sleep 1000 & wait; done";
        Ctr.Run(["run", "--detach", "--log-uri", $"file://{log}", .. Container(id, [], "sh", "-c", script)]).ShouldSucceed();
        Expect("ready");
        foreach (int signal in Catchable) Send(signal.ToString(), signal);
        Send("SIGHUP", 1);
        Send("USR1", 10);
        Send("RTMIN+1", 35);
        File.Delete(log);

        void Send(string name, int number)
        {
            Ctr.Run("task", "kill", "--signal", name, id).ShouldSucceed();
            Expect(number.ToString());
        }

        void Expect(string line) => Eventually.True(() => File.Exists(log) && File.ReadLines(log).LastOrDefault() == line, line);
    }

    /// <summary>containerd finds the cgroup by the first process's pid and reads it itself.</summary>
    [Test]
    public void Metrics_are_the_cgroups()
    {
        Requires.Controller("memory");
        Requires.Controller("pids");
        string id = Detached(["--memory-limit", "67108864"], "sh", "-c", "sleep 1000 & sleep 1000 & wait");
        ProcessView init = Init(id);
        Eventually.True(() => Processes(id).Count() == 3, "the shell's children");
        // What is frozen uses nothing more.
        Ctr.Run("task", "pause", id).ShouldSucceed();
        JsonNode metrics = Ctr.Run("task", "metrics", "--format", "json", id).ShouldSucceed().Json;
        bool v1 = CgroupHost.V1MountPoint("memory") is not null;
        Number("pids", "current").Should().Be(3).And.Be(Read("pids", "pids.current"));
        Number("memory", v1 ? "usage/limit" : "usage_limit").Should()
            .Be(67108864).And.Be(Read("memory", v1 ? "memory.limit_in_bytes" : "memory.max"));
        Number("memory", v1 ? "usage/usage" : "usage").Should()
            .BePositive().And.Be(Read("memory", v1 ? "memory.usage_in_bytes" : "memory.current"));
        if (v1) Number("cpu", "usage/total").Should().BePositive().And.Be(Read("cpuacct", "cpuacct.usage"));
        Ctr.Run("task", "resume", id).ShouldSucceed();

        long Number(string group, string path) => (long)path.Split('/').Aggregate(metrics[group]!, (node, name) => node[name]!);

        long Read(string controller, string file) => long.Parse(File.ReadAllText($"{init.CgroupDirectory(controller)}/{file}"));
    }

    [Test]
    public void End_of_memory_is_an_event()
    {
        Requires.Controller("memory");
        using RunningCommand events = Ctr.Start("events");
        string id = NewId();
        // It listens once it shows anything at all.
        Eventually.True(() =>
        {
            Ctr.Run("images", "label", ClientImage.Name, $"x={TestRun.NextNumber()}").ShouldSucceed();
            return events.Stdout.Contains("/images/update");
        }, "the first event");
        Ctr.Run(RunArguments(["--memory-limit", "16777216"], id, "sh", "-c", "busybox tail /dev/zero; echo $?"))
            .ShouldSucceed().Text.Should().Be("137");
        string[] topics = ["/tasks/create", "/tasks/start", "/tasks/oom", "/tasks/exit", "/tasks/delete"];
        string[] seen = [];
        Eventually.True(() =>
            (seen = [.. events.Stdout.Split('\n').Where(line => line.Contains(id))
            .SelectMany(line => topics.Where(line.Contains))]).Length == topics.Length, "all events");
        if (Shim == ShimKind.Own)
        {
            seen.Should().Equal(topics);
            return;
        }
        // containerd's own tells the end of memory from another thread than the ends of processes.
        seen.Should().BeEquivalentTo(topics);
        seen.Where(static topic => topic != "/tasks/oom").Should().Equal("/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete");
    }

    [Test]
    public void What_is_promised_is_held()
    {
        Requires.OcirunItself();
        string id = Detached(["--memory-limit", "67108864", "--cpus", "0.5", "--read-only", "--seccomp", "--env", "A=b", "--mount",
            $"type=bind,src={Ctr.Directory},dst=/data,options=rbind:ro", "--cap-drop", "CAP_CHOWN"]);
        Verified.AllHeld(RuntimeRoot, id);
    }
}
