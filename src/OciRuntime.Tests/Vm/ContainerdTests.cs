using System.Buffers.Binary;
using FluentAssertions;
using Google.Protobuf;
using NUnit.Framework;
using OciRuntime.Tests.Clients;
using OciRuntime.Tests.Clients.Containerd.Cri;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <summary>
/// containerd as a unit of systemd's, told by `setup` to have systemd make the cgroups: pods asked for as the kubelet does, and
/// checkpoints by ctr.
/// </summary>
/// <param name="suite">Debian's.</param>
/// <param name="shim">Which is between them.</param>
[TestFixture("trixie", ShimKind.Stock, Category = "ByHand")]
[TestFixture("trixie", ShimKind.Own, Category = "ByHand")]
[TestFixture("testing", ShimKind.Stock, Category = "ByHand")]
[TestFixture("resolute", ShimKind.Stock, Category = "ByHand")]
[Category("Slow")]
[ForeignDaemon]
public sealed class ContainerdTests(string suite, ShimKind shim)
{
    private const string PauseImage = "docker.io/library/pause:local";

    // In requests that are written before there are any IDs, and of the same length.
    private static readonly string Pod = new('p', 64), Container = new('c', 64);

    private readonly string _directory = TestRun.NewDirectory("cri");
    private readonly VmChecks _vm = new();

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        ClientImage.WriteOciLayout($"{_directory}/image.tar");
        ClientImage.WriteOciLayout($"{_directory}/pause.tar", PauseImage, "sleep", "100000");
        _vm.Within(9).Of(suite).Options("--systemd", "--dir", $"{_directory}:/cri").Prelude($$"""
            files() { dir=$1; shift; for f in "$@"; do v=; while read -r l; do v="$v${v:+,}$l"; done <$dir/$f; echo "$f=$v"; done; }
            units() { systemctl list-units --all --plain --no-legend "$@"; }
            # cri METHOD: of this pod and this container; prints what of the answer is text.
            cri() {
              sed "s/{{Pod}}/$pod/g; s/{{Container}}/$container/g" /cri/$1 >/tmp/request
              curl --silent --show-error --http2-prior-knowledge --unix-socket /run/containerd/containerd.sock --header 'content-type: application/grpc' --header 'te: trailers' \
                --data-binary @/tmp/request --dump-header /tmp/trailers --output /tmp/answer http://containerd/runtime.v1.RuntimeService/$1
              grep -q '^grpc-status: 0' /tmp/trailers || { cat /tmp/trailers >&2; return 1; }
              tr -c '[:print:]' '\n' </tmp/answer | grep . || :
              rm /tmp/request /tmp/trailers /tmp/answer
            }
            mkdir -p /etc/containerd
            # A pod on the machine's network has its hosts.
            echo 127.0.0.1 localhost >/etc/hosts
            # criu locks a network with iptables, for which this machine has no modules.
            for name in iptables-restore ip6tables-restore; do printf '#!/bin/sh\nexec cat >/dev/null\n' >/usr/sbin/$name; chmod 755 /usr/sbin/$name; done
            while read -r module; do insmod "/lib/modules/$module.ko"; done </lib/modules/criu
            printf '%s\n' 'version = 2' '[plugins."io.containerd.grpc.v1.cri"]' 'sandbox_image = "{{PauseImage}}"' >/etc/containerd/config.toml
            ln -s "$(command -v ocirun)" "$(command -v ocirun | sed s/ocirun$/{{ShimKinds.Program}}/)"
            ocirun --systemd-cgroup setup containerd --default {{(shim == ShimKind.Own ? "--shim" : "")}} --write
            systemctl start containerd || journalctl -u containerd >&2
            ctr --namespace k8s.io images import /cri/pause.tar
            ctr --namespace k8s.io images import /cri/image.tar
            ctr images import /cri/image.tar
            """);
        AddPod();
        AddCheckpoint();
        _vm.Run();
    }

    /// <summary>A call of the Container Runtime Interface, as gRPC frames its message.</summary>
    private void Write(string name, IMessage request)
    {
        byte[] message = request.ToByteArray(), frame = new byte[5 + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, 5);
        File.WriteAllBytes($"{_directory}/{name}", frame);
    }

    private void AddPod()
    {
        PodSandboxConfig pod = new()
        {
            Metadata = new PodSandboxMetadata { Name = "pod", Uid = "uid", Namespace = "tests" },
            LogDirectory = "/tmp",
            Linux = new LinuxPodSandboxConfig
            {
                CgroupParent = "/kubepods.slice/kubepods-poduid.slice",
                SecurityContext =
                    new LinuxSandboxSecurityContext { NamespaceOptions = new NamespaceOption { Network = NamespaceMode.Node } },
            },
        };
        ContainerConfig container = new()
        {
            Metadata = new ContainerMetadata { Name = "one" },
            Image = new ImageSpec { Image = ClientImage.Name },
            Command = { "sleep", "1000" },
            Linux = new LinuxContainerConfig
            {
                Resources = new LinuxContainerResources
                {
                    MemoryLimitInBytes = 64 << 20,
                    CpuPeriod = 100_000,
                    CpuQuota = 50_000,
                    CpuShares = 512,
                    CpusetCpus = "1",
                },
                SecurityContext = new LinuxContainerSecurityContext { NamespaceOptions = pod.Linux.SecurityContext.NamespaceOptions },
            },
        };
        Write("RunPodSandbox", new RunPodSandboxRequest { Config = pod });
        Write("CreateContainer", new CreateContainerRequest { PodSandboxId = Pod, Config = container, SandboxConfig = pod });
        Write("StartContainer", new ContainerRequest { ContainerId = Container });
        Write("ExecSync", new ExecSyncRequest { ContainerId = Container, Cmd = { "cat", "/proc/self/cgroup" } });
        Write("UpdateContainerResources", new UpdateContainerResourcesRequest
        {
            ContainerId = Container,
            Linux = new LinuxContainerResources { MemoryLimitInBytes = 32 << 20, CpuPeriod = 100_000, CpuQuota = 20_000 },
        });
        foreach (string method in (string[])["StopPodSandbox", "RemovePodSandbox"])
            Write(method, new PodSandboxRequest { PodSandboxId = Pod });
        _vm.Add(nameof(A_pods_limits_are_in_unit_and_kernel), static _ => { }, """
            pod=$(cri RunPodSandbox | grep -o '[0-9a-f]\{64\}') || exit
            container=$(cri CreateContainer | grep -o '[0-9a-f]\{64\}') && cri StartContainer || exit
            scope=cri-containerd-$container.scope
            look() {
              files /sys/fs/cgroup/kubepods.slice/kubepods-poduid.slice/$scope memory.max cpu.max cpu.weight cpuset.cpus
              systemctl show $scope -p Slice,MemoryMax,CPUQuotaPerSecUSec,CPUWeight,AllowedCPUs
            }
            look
            cri ExecSync | grep -o '0::/.*'
            cat /proc/[0-9]*/cmdline | tr '\0' '\n' | grep -o 'containerd-shim-[a-z]*-v2$' | sort -u
            # Both are this runtime's.
            ocirun --root /run/containerd/runc/k8s.io list -q | grep -c -e $container -e $pod
            cri UpdateContainerResources && systemctl daemon-reload && look | grep -e memory.max -e cpu.max -e MemoryMax -e CPUQuota
            cri StopPodSandbox && cri RemovePodSandbox || exit
            units 'cri-containerd-*'; ocirun --root /run/containerd/runc/k8s.io list -q
            systemctl stop kubepods.slice
            """);
    }

    // ctr asks no other shim than the usual one for systemd's cgroups.
    private (string Runtime, string Cgroup, string Directory) Ctr => shim == ShimKind.Own
        ? ("--runtime io.containerd.ocirun.v2", "/ctr-one", "ctr-one")
        : ("--runc-binary /usr/sbin/ocirun --runc-systemd-cgroup", "system.slice:ctr:one", "system.slice/ctr-one.scope");

    private void AddCheckpoint() => _vm.Add(nameof(A_task_goes_on_from_its_checkpoint), static _ => { }, $$"""
        mkdir /data
        ctr run --detach --null-io {{Ctr.Runtime}} --cgroup {{Ctr.Cgroup}} --memory-limit 41943040 \
          --mount type=bind,src=/data,dst=/data,options=rbind:rw {{ClientImage.Name}} one \
          sh -c 'read life </proc/sys/kernel/random/uuid; while :; do echo $life >/data/new; mv /data/new /data/life; sleep 0.1; done' || exit
        await() { tries=0; until "$@" || [ $tries -ge 100 ]; do tries=$((tries + 1)); sleep 0.1; done; "$@"; }
        await [ -e /data/life ] && read -r life </data/life
        ctr container checkpoint --image --task one docker.io/library/checkpoint:1 || exit
        ctr task rm --force one; ctr container rm one; units 'ctr-*'; rm /data/life
        ctr container restore --live two docker.io/library/checkpoint:1 || exit
        # The same process as before, not its program once more.
        await [ -e /data/life ] && read -r now </data/life && [ "$now" = "$life" ] && echo goes on
        ctr task ls | grep two | tr -s ' 0-9' ' '
        files /sys/fs/cgroup/{{Ctr.Directory}} memory.max
        systemctl show ctr-one.scope -p MemoryMax
        ctr task rm --force two; ctr container rm two; units 'ctr-*'; ocirun --root /run/containerd/runc/default list -q
        rm -r /data; find /tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-*' -exec rm -rf {} +
        """);

    [Test]
    public void A_pods_limits_are_in_unit_and_kernel()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines[..4].Should().Equal("memory.max=67108864", "cpu.max=50000 100000", "cpu.weight=59", "cpuset.cpus=1");
        lines[4..9].Should().BeEquivalentTo(
            "Slice=kubepods-poduid.slice", "MemoryMax=67108864", "CPUQuotaPerSecUSec=500ms", "CPUWeight=59", "AllowedCPUs=1");
        lines[9..12].Should().Equal("0::/", shim == ShimKind.Own ? ShimKinds.Program : "containerd-shim-runc-v2", "2");
        lines[12..].Should().BeEquivalentTo(
            "memory.max=33554432", "cpu.max=20000 100000", "MemoryMax=33554432", "CPUQuotaPerSecUSec=200ms");
    }

    [Test]
    public void A_task_goes_on_from_its_checkpoint() => _vm.Result().ShouldSucceed().Lines.Should()
        .Equal("goes on", "two RUNNING", "memory.max=41943040", shim == ShimKind.Own ? "MemoryMax=infinity" : "MemoryMax=41943040");

    /// <summary>What was written for the machine.</summary>
    [OneTimeTearDown]
    public void RemoveFiles() => Cleaner.DeleteTree(_directory);
}
