using FluentAssertions;
using Grpc.Core;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Containerd.Cri;

/// <summary>A container in the kubelet's hands: probes, logs, limits, statistics, its end, and kubectl's terminals.</summary>
[ThisMachinesEngines]
public sealed class CriContainerTests(ShimKind shim) : CriFixture(shim)
{
    /// <summary>Probes and hooks.</summary>
    [Test]
    public void Commands_run_in_it()
    {
        PodContainer container = new Pod().Run(config =>
        {
            config.WorkingDir = "/tmp";
            config.Envs.Add(new KeyValue { Key = "A", Value = "b" });
        });
        ExecSyncResponse result = container.Exec("sh", "-c", "pwd; echo $A; echo err >&2; exit 7");
        (result.ExitCode, result.Stdout.ToStringUtf8(), result.Stderr.ToStringUtf8()).Should().Be((7, "/tmp\nb\n", "err\n"));
        ((Action)(() => container.Exec("/nope"))).Should().Throw<RpcException>().WithMessage("*OCI runtime exec failed*");
        ((Action)(() => container.Exec(1, "sleep", "780"))).Should().Throw<RpcException>().Which.StatusCode.Should()
            .Be(StatusCode.DeadlineExceeded);
        ProcessTree.DescendantsOf(Environment.ProcessId).Where(pid => ProcessTree.CommandLine(pid) == "sleep 780").Should()
            .BeEmpty("what takes too long is killed");
    }

    [Test]
    public void Output_is_logged_line_by_line()
    {
        PodContainer container = new Pod().RunShell("echo out; echo err >&2; exit 3");
        ContainerStatus status = container.WaitForEnd();
        (status.ExitCode, status.Reason).Should().Be((3, "Error"));
        const string time = @"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d) ";
        Eventually.True(() => container.Log.Length == 2, "both lines");
        container.Log.Order(StringComparer.Ordinal).Should().AllSatisfy(line => line.Should().MatchRegex(time));
        container.Log.Select(line => line[(line.IndexOf(' ') + 1)..]).Should().BeEquivalentTo("stdout F out", "stderr F err");
    }

    [TestCase("/nope", "no such file or directory")]
    [TestCase("nope", "executable file*not found in $PATH")]
    public void Missing_program_is_told(string program, string message)
    {
        PodContainer container = new Pod().Create(config =>
        {
            config.Command.Clear();
            config.Command.Add(program);
        });
        // crun says both with its own errno's words.
        ((Action)container.Start).Should().Throw<RpcException>()
            .WithMessage(Ocirun.Binary.Name == "crun" ? "*not found in $PATH: No such file or directory*" : $"*{message}*");
        ContainerStatus status = container.Status;
        (status.State, status.ExitCode, status.Reason).Should().Be((ContainerState.ContainerExited, 128, "StartError"));
    }

    [Test]
    public void Limits_are_updated_and_use_is_counted()
    {
        Requires.Controller("memory");
        PodContainer container = new Pod().Run(config => config.Linux.Resources = new LinuxContainerResources
        {
            MemoryLimitInBytes = 64 << 20,
            CpuShares = 512,
            CpuQuota = 50_000,
            CpuPeriod = 100_000,
        });
        ProcessView init = container.Init;
        Limits(init).Should().Be((64 << 20, 50_000));
        Cri.UpdateContainerResources(new UpdateContainerResourcesRequest
        {
            ContainerId = container.Id,
            Linux = new LinuxContainerResources { MemoryLimitInBytes = 96 << 20, CpuQuota = 25_000, CpuPeriod = 100_000 },
        });
        Limits(init).Should().Be((96 << 20, 25_000));

        ContainerStats stats = Cri.ContainerStats(new ContainerRequest { ContainerId = container.Id }).Stats;
        Cri.ListContainerStats(new ListContainerStatsRequest()).Stats.Select(one => one.Attributes.Id).Should().Equal(container.Id);
        stats.Memory.WorkingSetBytes.Value.Should().BeInRange(4096, 96 << 20);
        ulong used = stats.Cpu.UsageCoreNanoSeconds.Value;
        used.Should().BePositive();
        container.Shell("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done");
        Cri.ContainerStats(new ContainerRequest { ContainerId = container.Id }).Stats.Cpu.UsageCoreNanoSeconds.Value.Should()
            .BeGreaterThan(used);
    }

    [Test]
    public void Stop_asks_first_and_kills_then()
    {
        Pod pod = new();
        PodContainer obedient = pod.RunShell("trap 'echo asked; exit 3' TERM; echo ready; while :; do sleep 0.05; done");
        PodContainer deaf = pod.RunShell("trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done");
        Eventually.True(() => obedient.Log.Length == 1 && deaf.Log.Length == 1, "the traps");
        obedient.Stop(timeout: 30);
        (obedient.Status.ExitCode, obedient.Log.Length).Should().Be((3, 2));
        deaf.Stop(timeout: 1);
        (deaf.Status.ExitCode, deaf.Log.Length).Should().Be((137, 2));
    }

    [Test]
    public void Container_that_eats_memory_is_reported_as_killed_for_that()
    {
        Requires.Controller("memory");
        PodContainer container =
            new Pod().RunShell("exec busybox tail /dev/zero", config => config.Linux.Resources.MemoryLimitInBytes = 16 << 20);
        ContainerStatus status = container.WaitForEnd();
        (status.ExitCode, status.Reason).Should().Be((137, "OOMKilled"));
    }

    /// <summary>`kubectl exec -it`.</summary>
    [Test]
    public void Terminal_of_a_command()
    {
        PodContainer container = new Pod().Run();
        using RemoteCommand terminal =
            new(
            Cri.Exec(new ExecRequest { ContainerId = container.Id, Cmd = { "sh" }, Tty = true, Stdin = true, Stdout = true }));
        terminal.SetSize(columns: 100, rows: 30);
        terminal.Write("tty; until [ \"$(stty size)\" = '30 100' ]; do :; done; echo s''ized\n");
        terminal.ReadUntil("sized").Should().Contain("/dev/pts/0");
        terminal.Write("exit 9\n");
        terminal.WaitForEnd().Should().Be(9);
    }

    /// <summary>`kubectl attach`.</summary>
    [Test]
    public void Terminal_of_the_container()
    {
        PodContainer container = new Pod().RunShell("read line; echo got $line; read line", config => config.Tty = config.Stdin = true);
        using RemoteCommand terminal =
            new(Cri.Attach(new AttachRequest { ContainerId = container.Id, Tty = true, Stdin = true, Stdout = true }));
        terminal.Write("hello\n");
        terminal.ReadUntil("got hello");
        terminal.Write("\n");
        container.WaitForEnd().ExitCode.Should().Be(0);
        container.Status.Reason.Should().Be("Completed");
    }

    /// <summary>Bytes of memory and microseconds per period, as the kernel has them.</summary>
    private static (long Memory, long Quota) Limits(ProcessView process)
    {
        string memory = process.CgroupDirectory("memory"), cpu = process.CgroupDirectory("cpu");
        return CgroupHost.V1MountPoint("memory") is null
            ? (long.Parse(File.ReadAllText($"{memory}/memory.max")), long.Parse(File.ReadAllText($"{cpu}/cpu.max").Split(' ')[0]))
            : (long.Parse(File.ReadAllText($"{memory}/memory.limit_in_bytes")), long.Parse(File.ReadAllText($"{cpu}/cpu.cfs_quota_us")));
    }
}
