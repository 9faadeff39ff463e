using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Podman;

/// <summary>Pods, with and without a container that holds their namespaces, and Kubernetes' way of writing them down.</summary>
public sealed class PodTests : PodmanTest
{
    private const string DefaultParent = "/libpod_parent";

    [Test]
    public void Containers_of_a_pod_share_namespaces()
    {
        Do("pod", "create", "--infra-image=bb", "--infra-command=sleep 1000", "--name=pod1", "--hostname=podhost",
            "--share=net,uts,ipc,pid", "--cgroup-parent", $"/{TestRun.Token}");
        Detached("w1", "--pod=pod1", "bb", "sleep", "1001");
        Detached("w2", "--pod=pod1", "bb", "sh", "-c", "hostname; ip -o addr show lo | grep -c inet; ps -o args; sleep 1002");
        ProcessView first = Init("w1"), second = Init("w2");
        foreach (string kind in (string[])["net", "uts", "ipc", "pid"])
            first.NamespaceInode(kind).Should().Be(second.NamespaceInode(kind), kind);
        first.NamespaceInode("mnt").Should().NotBe(second.NamespaceInode("mnt"));
        WaitLog("w2", "sleep 1002");
        Do("logs", "w2").Lines[0].Should().Be("podhost");
        Do("logs", "w2").Stdout.Should().ContainAll("sleep 1000\n", "sleep 1001\n");
        Do("pod", "pause", "pod1");
        Do("pod", "ps", "--format", "{{.Status}}").Text.Should().Be("Paused");
        Do("pod", "unpause", "pod1");
        Do("pod", "top", "pod1", "args").Stdout.Should().Contain("sleep 1000").And.Contain("sleep 1001");
        Do("pod", "stop", "--time=0", "pod1");
        Do("pod", "start", "pod1");
        Inspect("w1", "{{.State.Status}}").Should().Be("running");
        Do("pod", "rm", "--force", "--time=0", "pod1");
    }

    [Test]
    public void Pod_without_an_infra_container()
    {
        Do("pod", "create", "--infra=false", "--name=pod2", "--cgroup-parent", $"/{TestRun.Token}");
        Podman.Run(Line("run --rm", "--pod=pod2", "bb", "echo", "in the pod")).ShouldSucceed().Text.Should().Be("in the pod");
        Do("pod", "rm", "--force", "pod2");
    }

    /// <summary>The infra image of Podman's own making, with Debian's catatonit.</summary>
    [Test]
    public void Pod_becomes_a_description_and_a_pod_again()
    {
        bool wasThere = CgroupHost.Find(DefaultParent).Count > 0;
        Do("pod", "create", "--name=pod3", "--network=none", "--cgroup-parent", $"/{TestRun.Token}");
        Detached("k1", "--pod=pod3", "--env=A=b", "--memory=64m", "--cap-drop=net_raw", "bb", "/bin/sh", "-c",
            "echo $A; exec /bin/sleep 1000");
        WaitLog("k1", "b");
        string file = NewPath() + ".yaml";
        Do("generate", "kube", "--filename", file, "pod3");
        File.ReadAllText(file).Should().Contain("kind: Pod").And.Contain("memory");
        Do("pod", "rm", "--force", "--time=0", "pod3");
        Do("play", "kube", "--network=none", file);
        ProcessView init = Init("pod3-k1");
        Limit(init, "memory", "memory.limit_in_bytes").Should().Be("67108864");
        WaitLog("pod3-k1", "b");
        (Convert.ToUInt64(init.Status("CapBnd"), 16) >> 13 & 1).Should().Be(0, "CAP_NET_RAW was dropped");
        string pod = Do("pod", "ps", "--quiet", "--no-trunc").Text;
        Do("play", "kube", "--down", file);
        Cleaner.RemoveCgroups(pod);
        if (!wasThere) Eventually.True(RemoveDefaultParent, "the end of the played pod's cgroups");
    }

    // A played pod can be nowhere else. Only what is empty can be removed.
    private static bool RemoveDefaultParent()
    {
        try
        {
            foreach (string cgroup in CgroupHost.Find(DefaultParent).OrderByDescending(static path => path.Length))
                Directory.Delete(cgroup);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
