using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;
using OciRuntime.Tests.Verify;

namespace OciRuntime.Tests.Clients.Docker;

/// <summary>What the options of `docker run` and `docker update` do, read back from the kernel.</summary>
public sealed class DockerOptionsTests(ShimKind shim) : DockerTest(shim)
{
    [Test]
    public void Limits_reach_the_kernel_and_are_updated()
    {
        Requires.NotRuntime("crun", "takes the zeros that Docker writes for what is not named as limits");
        ProcessView init = Docker.Detached("c1", "--memory=64m", "--memory-swap=64m", "--memory-reservation=32m", "--cpus=0.5",
            "--cpu-shares=512", "--pids-limit=50", "--cpuset-cpus=0", "--oom-score-adj=500",
            $"--cgroup-parent=/{TestRun.Token}/sub", "bb", "sleep", "1000");
        init.Cgroups.Should().Contain(entry => entry.Path.StartsWith($"/{TestRun.Token}/sub/"));
        init.Proc("oom_score_adj").Trim().Should().Be("500");
        Limit(init, "memory", "memory.limit_in_bytes", "memory.max").Should().Be("67108864");
        Limit(init, "memory", "memory.soft_limit_in_bytes", "memory.low").Should().Be("33554432");
        Limit(init, "cpu", "cpu.cfs_quota_us", "cpu.max").Should().StartWith("50000");
        Limit(init, "pids", "pids.max", "pids.max").Should().Be("50");
        Limit(init, "cpuset", "cpuset.cpus", "cpuset.cpus").Should().Be("0");

        Docker.Run("update", "--memory=100m", "--memory-swap=200m", "--memory-reservation=50m", "--cpus=0.25", "--pids-limit=33",
            "--cpuset-cpus=0-1", "c1").ShouldSucceed();
        Limit(init, "memory", "memory.limit_in_bytes", "memory.max").Should().Be("104857600");
        Limit(init, "memory", "memory.soft_limit_in_bytes", "memory.low").Should().Be("52428800");
        Limit(init, "cpu", "cpu.cfs_quota_us", "cpu.max").Should().StartWith("25000");
        Limit(init, "pids", "pids.max", "pids.max").Should().Be("33");
        Limit(init, "cpuset", "cpuset.cpus", "cpuset.cpus").Should().Be("0-1");
        Docker.Run("stats", "--no-stream", "--format", "{{.MemUsage}}", "c1").ShouldSucceed().Text.Should().EndWith("/ 100MiB");
        // What is not named is written as 0 and must stay.
        Docker.Run("update", "--cpus=0.75", "c1").ShouldSucceed();
        Limit(init, "memory", "memory.limit_in_bytes", "memory.max").Should().Be("104857600");
        Limit(init, "pids", "pids.max", "pids.max").Should().Be("33");
        Docker.Run("rm", "--force", "c1").ShouldSucceed();
        // Runtimes leave parents alone.
        Cleaner.RemoveCgroups($"{TestRun.Token}/sub");
    }

    [Test]
    public void Process_is_as_it_was_asked_for()
    {
        CommandResult result = Docker.RunContainer(
            "--user=1000:1000", "--group-add=55", "--workdir=/new/dir", "--hostname=box", "--env=A=b", "--cap-drop=all",
            "--cap-add=net_raw", "--ulimit=nofile=100:100", "--sysctl=net.ipv4.ip_unprivileged_port_start=79",
            "bb", "sh", "-c",
            "id; pwd; hostname; echo $A; ulimit -n; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; grep CapBnd /proc/self/status");
        result.ShouldSucceed().Stdout.Replace("\t", " ").Should()
            .StartWith("uid=1000(user) gid=1000(user) ").And.Contain("55").And.EndWith(
            "\n/new/dir\nbox\nb\n100\n79\nCapBnd: 0000000000002000\n");
    }

    [Test]
    public void Init_reaps_and_forwards_signals()
    {
        ProcessView init =
            Docker.Detached("c1", "--init", "bb", "sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done");
        Eventually.True(() => Docker.Run("logs", "c1").Stdout == "ready\n", "the trap is set");
        init.CommandLine[0].Should().Be("/sbin/docker-init");
        Docker.Run("stop", "c1").ShouldSucceed();
        Docker.Inspect("c1", "{{.State.ExitCode}}").Should().Be("5");
    }

    [Test]
    public void Mounts_and_volumes()
    {
        string data = Directory.CreateDirectory($"{Docker.Directory}/data").FullName;
        File.WriteAllText($"{data}/file", "from the host\n");
        Docker.RunContainer("--volume=vol:/vol", "bb", "sh", "-c", "echo kept > /vol/file").ShouldSucceed();
        ProcessView init = Docker.Detached("c1", "--read-only", "--tmpfs=/scratch:size=1m,mode=700",
            $"--mount=type=bind,src={data},dst=/data,readonly,bind-propagation=rslave", "--volume=vol:/vol",
            "--mount=type=tmpfs,dst=/fast,tmpfs-size=2m", "--shm-size=3m", "bb", "sleep", "1000");
        init.MountAt("/").Options.Should().Contain("ro");
        init.MountAt("/scratch").SuperOptions.Should().Contain("size=1024k").And.Contain("mode=700");
        init.MountAt("/fast").SuperOptions.Should().Contain("size=2048k");
        init.MountAt("/dev/shm").SuperOptions.Should().Contain("size=3072k");
        init.MountAt("/data").Options.Should().Contain("ro");
        init.MountAt("/data").PropagationType.Should().Be("slave");
        Docker.Run("exec", "c1", "sh", "-c",
            "cat /data/file /vol/file; touch /x; touch /data/x; touch /scratch/x /fast/x /vol/x && echo written")
            .ShouldSucceed().Stdout.Should().Be("from the host\nkept\nwritten\n");
    }

    [Test]
    public void Devices()
    {
        Requires.PathExists("/dev/fuse", "/dev/fuse");
        string script =
            "stat -c '%t:%T' /dev/reader; (: </dev/reader) && echo read; (: >/dev/reader) || echo refused; mknod /dev/zilch c 1 3 && echo "
            + "x >/dev/zilch && echo made; mknod /dev/kmsg2 c 1 11 && (: </dev/kmsg2) || echo refused";
        Docker.RunContainer("--device=/dev/fuse:/dev/reader:r", "--device-cgroup-rule=c 1:3 rwm", "bb", "sh", "-c", script)
            .ShouldSucceed().Lines.Should().Equal("a:e5", "read", "refused", "made", "refused");
    }

    [Test]
    public void Security_options()
    {
        JsonObject profile = new()
        {
            ["defaultAction"] = "SCMP_ACT_ALLOW",
            ["syscalls"] = new JsonArray(new JsonObject { ["names"] = new JsonArray("mkdir", "mkdirat"), ["action"] = "SCMP_ACT_ERRNO" }),
        };
        File.WriteAllText($"{Docker.Directory}/profile.json", profile.ToJsonString());
        CommandResult result = Docker.RunContainer($"--security-opt=seccomp={Docker.Directory}/profile.json",
            "--security-opt=no-new-privileges", "bb", "sh", "-c", "mkdir /x; grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status");
        result.ShouldSucceed().Stdout.Replace("\t", " ").Should().Be("NoNewPrivs: 1\nSeccomp: 2\n");
        result.Stderr.Should().Contain("Operation not permitted");
        // Docker's own profile is the default; unconfined is none.
        string status = "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status; grep -c ' /proc/sys ' /proc/mounts";
        Docker.RunContainer("bb", "sh", "-c", status).Stdout.Replace("\t", " ").Should().Be("NoNewPrivs: 0\nSeccomp: 2\n1\n");
        Docker.RunContainer("--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined", "bb", "sh", "-c",
            status).Stdout.Replace("\t", " ").Should().Be("NoNewPrivs: 0\nSeccomp: 0\n0\n");
    }

    [Test]
    public void Privileged()
    {
        foreach (string peer in (string[])["runc", "crun"])
        {
            if (!Requires.HasCapability(24))
                Requires.NotRuntime(peer, "refuses all capabilities where it has not all itself");
        }
        Docker.RunContainer("--privileged", "bb", "sh", "-c", "mount -t tmpfs tmpfs /tmp && ls /dev/kmsg && grep ' /sys ' /proc/mounts")
            .ShouldSucceed().Stdout.Should().Contain("/dev/kmsg").And.Contain("rw,");
        Docker.Detached("c1", "bb", "sleep", "1000");
        const ulong sysAdmin = 1 << 21;
        (Effective() & sysAdmin).Should().Be(0);
        (Effective("--privileged") & sysAdmin).Should().Be(sysAdmin);

        ulong Effective(params string[] options) =>
            Convert.ToUInt64(Docker.Run(["exec", .. options, "c1", "grep", "CapEff", "/proc/self/status"])
            .ShouldSucceed().Text.Split('\t')[1], 16);
    }

    [Test]
    public void Namespaces_are_shared_with_containers_and_the_host()
    {
        ProcessView first = Docker.Detached("c1", "--ipc=shareable", "bb", "sleep", "1000");
        ProcessView second =
            Docker.Detached("c2", "--pid=container:c1", "--ipc=container:c1", "--network=container:c1", "bb", "sleep", "1001");
        foreach (string shared in (string[])["pid", "ipc", "net"])
            second.NamespaceInode(shared).Should().Be(first.NamespaceInode(shared), shared);
        foreach (string own in (string[])["mnt", "uts"]) second.NamespaceInode(own).Should().NotBe(first.NamespaceInode(own), own);
        Docker.Run("exec", "c2", "busybox", "ps", "-o", "args").ShouldSucceed().Lines.Should()
            .Contain("sleep 1000").And.Contain("sleep 1001");
        // The namespace's first process is c1's: with it all of the namespace ends, c2 included.
        Docker.Run("kill", "c1").ShouldSucceed();
        Docker.WaitFor("c2", "{{.State.Running}}", "false");

        ProcessView host = Docker.Detached("c3", "--pid=host", "--ipc=host", "--network=host", "--uts=host", "--userns=host",
            "--cgroupns=host", "bb", "sleep", "1000");
        foreach (string shared in (string[])["pid", "ipc", "uts", "user", "cgroup"])
            host.NamespaceInode(shared).Should().Be(ProcessView.HostNamespaceInode(shared), shared);
        host.NamespaceInode("net").Should().Be(new ProcessView(Docker.Host.Pid).NamespaceInode("net"));
        ProcessView hidden = Docker.Detached("c4", "--cgroupns=private", "--network=none", "bb", "sleep", "1000");
        hidden.NamespaceInode("cgroup").Should().NotBe(ProcessView.HostNamespaceInode("cgroup"));
        Docker.Run("exec", "c4", "cat", "/proc/self/cgroup").ShouldSucceed().Lines.Should().OnlyContain(line => line.EndsWith(":/"));
    }

    private static string Limit(ProcessView init, string controller, string v1, string v2)
    {
        string directory = init.CgroupDirectory(controller);
        return File.ReadAllText($"{directory}/{(CgroupHost.V1MountPoint(controller) is null ? v2 : v1)}").Trim();
    }

    [TestCase("--read-only --cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges --user 1000:1000 --memory 64m --pids-limit 50 "
        + "--tmpfs /tmp:size=1m --shm-size 4m --ulimit nofile=512:512 --sysctl kernel.msgmax=4096 --device /dev/null:/dev/more")]
    [TestCase("--privileged")]
    public void What_is_promised_is_held(string options)
    {
        Requires.OcirunItself();
        Docker.Detached("c1", [.. options.Split(' '), "--volume", $"{Docker.Directory}/config:/data:ro", "bb", "sleep", "1000"]);
        string state = Shim == ShimKind.Own ? ShimKinds.OwnRoot : $"{Docker.Directory}/x";
        Verified.AllHeld(state, Docker.Inspect("c1", "{{.Id}}"), Docker.Host.Pid);
    }
}
