using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Containerd.Cri;

/// <summary>Pods: their life, their runtime, and what their containers share.</summary>
[ThisMachinesEngines]
public sealed class CriPodTests(ShimKind shim) : CriFixture(shim)
{
    [Test]
    public void Pod_goes_through_its_life_with_the_default_runtime()
    {
        Pod pod = new();
        pod.Status.State.Should().Be(PodSandboxState.SandboxReady);
        StateLeft(ContainerdHost.Handler).Select(Path.GetFileName).Should().Equal(pod.Id);

        PodContainer container = pod.Create();
        container.Status.State.Should().Be(ContainerState.ContainerCreated);
        container.Start();
        ContainerStatus running = container.Status;
        running.State.Should().Be(ContainerState.ContainerRunning);
        running.StartedAt.Should().BeGreaterThan(running.CreatedAt);
        ProcessTree.IsAlive(container.Init.Pid).Should().BeTrue();

        container.Stop(timeout: 0);
        ContainerStatus ended = container.Status;
        (ended.State, ended.ExitCode, ended.Reason).Should().Be((ContainerState.ContainerExited, 137, "Error"));
        ended.FinishedAt.Should().BeGreaterThan(running.StartedAt);
        container.Remove();
        Cri.ListContainers(new ListContainersRequest()).Containers.Should().BeEmpty();

        int pause = pod.Pid;
        pod.Stop();
        pod.Status.State.Should().Be(PodSandboxState.SandboxNotready);
        ProcessTree.IsAlive(pause).Should().BeFalse();
        pod.Remove();
        Cri.ListPodSandbox(new ListPodSandboxRequest()).Items.Should().BeEmpty();
    }

    /// <summary>A RuntimeClass's handler, with its options.</summary>
    [Test]
    public void Runtime_is_chosen_by_the_handlers_name()
    {
        foreach (string handler in ContainerdHost.HandlersToChoose)
        {
            Pod pod = new(handler: handler);
            PodContainer container = pod.Run();
            pod.Status.RuntimeHandler.Should().Be(handler);
            StateLeft(handler).Select(Path.GetFileName).Should().BeEquivalentTo(pod.Id, container.Id);
            StateLeft(ContainerdHost.Handler).Should().BeEmpty();
            int shim = int.Parse(new ProcessView(pod.Pid).Status("PPid"));
            Path.GetFileName(ProcessTree.CommandLine(shim).Split(' ')[0]).Should()
                .Be(Shim == ShimKind.Own ? ShimKinds.Program : "containerd-shim-runc-v2");
            container.Shell("stat -L -c %g /proc/self/fd/1").Should()
                .Be(handler == ContainerdHost.OptionsHandler ? $"{ContainerdHost.IoGid}\n" : "0\n", handler);
        }
    }

    [Test]
    public void Containers_share_the_pods_network_ipc_and_host_name()
    {
        Pod pod = Networked();
        string address = pod.Status.Network.Ip;
        address.Should().StartWith("10.88.77.");
        PodContainer server = pod.RunShell("while :; do echo hi | busybox nc -l -p 80; done"), client = pod.Run();
        ProcessView pause = new(pod.Pid);
        foreach (string shared in (string[])["net", "ipc", "uts"])
        {
            ulong inode = pause.NamespaceInode(shared);
            inode.Should().NotBe(ProcessView.HostNamespaceInode(shared), shared);
            ((ulong[])[server.Init.NamespaceInode(shared), client.Init.NamespaceInode(shared)]).Should().AllBeEquivalentTo(inode, shared);
        }
        foreach (string own in (string[])["pid", "mnt"])
        {
            ((ulong[])[pause.NamespaceInode(own), server.Init.NamespaceInode(own), client.Init.NamespaceInode(own)]).Should()
                .OnlyHaveUniqueItems(own);
        }
        client.Shell("hostname; busybox ip -4 addr show eth0; cat /proc/sys/net/ipv4/ip_default_ttl").Should()
            .ContainAll("the-pod\n", address, "\n99\n");
        // The server may have gone by the end of input before echo has written.
        client.Shell("until busybox nc 127.0.0.1 80 | grep hi; do :; done").Should().Be("hi\n");
        // What runs beside containerd reaches the pod over the bridge.
        new Pod().Run().Shell($"until busybox nc {address} 80 | grep hi; do :; done").Should().Be("hi\n");
    }

    [Test]
    public void Containers_share_the_pods_processes_when_asked_for()
    {
        Pod pod = new(config => config.Linux.SecurityContext.NamespaceOptions.Pid = NamespaceMode.Pod);
        PodContainer one = pod.Run(), other = pod.Run();
        ulong inode = new ProcessView(pod.Pid).NamespaceInode("pid");
        ((ulong[])[one.Init.NamespaceInode("pid"), other.Init.NamespaceInode("pid")]).Should().AllBeEquivalentTo(inode);
        one.Shell("cat /proc/1/cmdline").Should().Be("sleep\0100000\0", "the pod's own process is the first one");
        // The pod's pid namespace outlives a container, so the kernel does not kill what the first process leaves.
        one.Exec("sh", "-c", "sleep 778 >/dev/null 2>&1 &");
        int child = WaitFor("sleep 778");
        one.Stop(timeout: 0);
        Eventually.True(() => !ProcessTree.IsAlive(child), "the end of the container's other process");
        other.Status.State.Should().Be(ContainerState.ContainerRunning);
    }

    /// <summary>What a shell leaves in the background may still bear its name when the shell has ended.</summary>
    private static int WaitFor(string commandLine)
    {
        int[] found = [];
        Eventually.True(() =>
            (found = [.. ProcessTree.DescendantsOf(Environment.ProcessId)
            .Where(pid => ProcessTree.CommandLine(pid) == commandLine)]).Length == 1, commandLine);
        return found[0];
    }

    /// <summary>`kubectl debug --target`.</summary>
    [Test]
    public void Container_joins_the_processes_of_another()
    {
        Pod pod = new(config => config.Linux.SecurityContext.NamespaceOptions.Pid = NamespaceMode.Container);
        PodContainer target = pod.Run();
        PodContainer debugger = pod.Run(config =>
        {
            config.Linux.SecurityContext.NamespaceOptions.Pid = NamespaceMode.Target;
            config.Linux.SecurityContext.NamespaceOptions.TargetId = target.Id;
        });
        debugger.Init.NamespaceInode("pid").Should().Be(target.Init.NamespaceInode("pid"));
        debugger.Shell("cat /proc/1/cmdline").Should().Be("sleep\01000\0");
    }

    [Test]
    public void Pod_uses_the_hosts_namespaces_when_asked_for()
    {
        Pod pod = new(config => config.Linux.SecurityContext.NamespaceOptions =
            new NamespaceOption { Network = NamespaceMode.Node, Pid = NamespaceMode.Node, Ipc = NamespaceMode.Node });
        PodContainer container = pod.Run();
        container.Init.NamespaceInode("pid").Should().Be(ProcessView.HostNamespaceInode("pid"));
        container.Init.NamespaceInode("ipc").Should().Be(ProcessView.HostNamespaceInode("ipc"));
        container.Init.NamespaceInode("net").Should()
            .Be(new ProcessView(ContainerdHost.NetworkPid).NamespaceInode("net"), "that is containerd's");
        container.Exec("sh", "-c", "sleep 779 >/dev/null 2>&1 &");
        int child = WaitFor("sleep 779");
        // Without a pid namespace of its own the shim asks for `kill --all` once the first process has ended.
        container.Stop(timeout: 0);
        Eventually.True(() => !ProcessTree.IsAlive(child), "the end of the container's other process");
    }

    [Test]
    public void Pod_survives_a_restart_of_containerd()
    {
        Pod pod = Networked();
        PodContainer ticking = pod.RunShell("while :; do echo tick; sleep 0.1; done"),
            ending = pod.RunShell("while [ ! -e /end ]; do sleep 0.1; done; exit 5");
        ProcessView init = ticking.Init, ended = ending.Init;
        ContainerdHost.Restart(() =>
        {
            File.WriteAllText(ended.InRoot("/end"), "");
            Eventually.True(() => !ProcessTree.IsAlive(ended.Pid), "a container ends while nobody looks");
        });
        pod.Status.State.Should().Be(PodSandboxState.SandboxReady);
        ticking.Status.State.Should().Be(ContainerState.ContainerRunning);
        ticking.Init.Should().Be(init);
        ticking.Shell("cat /proc/1/cmdline").Should().StartWith("sh\0-c\0");
        int lines = ticking.Log.Length;
        Eventually.True(() => ticking.Log.Length > lines, "the log goes on");
        ending.WaitForEnd().ExitCode.Should().Be(Engine.ForgetsTasksThatEndedAlone(Shim) ? 255 : 5);
        pod.Run().Shell("busybox ip -4 addr show eth0").Should().Contain(pod.Status.Network.Ip);
        ticking.Stop(timeout: 0);
        ticking.Status.ExitCode.Should().Be(137);
    }

    /// <summary>On the bridge.</summary>
    private static Pod Networked() => new(config =>
    {
        config.Hostname = "the-pod";
        config.Linux.SecurityContext.NamespaceOptions = new NamespaceOption { Network = NamespaceMode.Pod, Pid = NamespaceMode.Container };
        config.Linux.Sysctls["net.ipv4.ip_default_ttl"] = "99";
    });
}
