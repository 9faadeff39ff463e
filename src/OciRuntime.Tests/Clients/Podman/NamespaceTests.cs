using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Podman;

/// <summary>Namespaces that are the host's, another container's or new, networks, and cgroups.</summary>
public sealed class NamespaceTests : PodmanTest
{
    private static readonly string[] Kinds = ["cgroup", "ipc", "mnt", "net", "pid", "uts"];

    [Test]
    public void Namespaces_of_another_container()
    {
        Detached("n1", "--ipc=shareable", "--cgroupns=private", "bb", "sleep", "1000");
        Detached("n2", "--cgroupns=private", "--pid=container:n1", "--ipc=container:n1", "--uts=container:n1", "--network=container:n1",
            "bb", "sleep", "1001");
        Detached("n3", "--pid=private", "--cgroupns=private", "bb", "sleep", "1002");
        ProcessView first = Init("n1"), second = Init("n2"), third = Init("n3");
        Kinds.Where(kind => first.NamespaceInode(kind) == second.NamespaceInode(kind)).Should().Equal("ipc", "net", "pid", "uts");
        Kinds.Where(kind => first.NamespaceInode(kind) == third.NamespaceInode(kind)).Should().BeEmpty();
        Do("exec", "n2", "ps", "-o", "args").Lines.Should().Contain("sleep 1000").And.Contain("sleep 1001");
        Do("rm", "--force", "--time=0", "n2");
        ProcessTree.IsAlive(first.Pid).Should().BeTrue("only the second one's processes end with it");
    }

    [Test]
    public void Namespaces_of_the_host()
    {
        Detached("h1", "--pid=host", "--ipc=host", "--uts=host", "--network=host", "--cgroupns=host", "bb", "sleep", "1000");
        ProcessView host = new(Podman.NamespacesOf!.Value), init = Init("h1");
        Kinds.Where(kind => host.NamespaceInode(kind) == init.NamespaceInode(kind)).Should().Equal("cgroup", "ipc", "net", "pid", "uts");
    }

    [Test]
    public void Namespace_by_path()
    {
        int host = Podman.NamespacesOf!.Value;
        Detached("p1", $"--network=ns:/proc/{host}/ns/net", $"--pid=ns:/proc/{host}/ns/pid", "--cgroupns=private", "bb", "sleep", "1000");
        Kinds.Where(kind => new ProcessView(host).NamespaceInode(kind) == Init("p1").NamespaceInode(kind)).Should().Equal("net", "pid");
    }

    /// <summary>Netavark, with names, in the tests' own network namespace.</summary>
    [Test]
    public void Bridge_with_names_and_a_published_port()
    {
        Do("network", "create", "net1");
        Detached("server", "--network=net1", "--publish=127.0.0.1:8080:80", "bb", "nc", "-ll", "-p", "80", "-e", "echo", "served");
        Shell("--network=net1",
            "ping -c 1 -W 5 server >/dev/null && echo reached; ip -o addr show eth0 | grep -c inet; nc -w 5 server 80 </dev/null")
            .ShouldSucceed().Lines[0].Should().Be("reached");
        Do("port", "server").Text.Should().Be("80/tcp -> 127.0.0.1:8080");
        Shell("--network=bridge", "ip -o -4 addr show eth0").ShouldSucceed().Stdout.Should().Contain("inet 10.88.");
        Do("rm", "--force", "--time=0", "server");
        Do("network", "rm", "net1");
    }

    [Test]
    public void Cgroups_without_one_for_the_monitor()
    {
        Detached("g1", "--cgroups=no-conmon", "bb", "sleep", "1000");
        Init("g1").Cgroups.First(static entry => entry.Controllers.Contains("pids")).Path.Should().Contain("/libpod-");
        CgroupHost.Find($"{TestRun.Token}/conmon").Should().BeEmpty();
    }
}
