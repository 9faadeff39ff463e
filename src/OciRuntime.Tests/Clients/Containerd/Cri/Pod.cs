using System.Text.Json.Nodes;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Containerd.Cri;

/// <summary>A running pod, asked for in the kubelet's words; on containerd's own network unless it is changed.</summary>
internal sealed class Pod
{
    private readonly RuntimeService.RuntimeServiceClient _cri = ContainerdHost.Cri.Runtime;
    private readonly PodSandboxConfig _config;

    public Pod(Action<PodSandboxConfig>? change = null, string? handler = null)
    {
        string name = $"pod{TestRun.NextNumber()}";
        _config = new PodSandboxConfig
        {
            Metadata = new PodSandboxMetadata { Name = name, Uid = name, Namespace = "tests" },
            LogDirectory = Directory.CreateDirectory($"{ContainerdHost.Directory}/logs/{name}").FullName,
            Linux = new LinuxPodSandboxConfig
            {
                CgroupParent = $"/{TestRun.Token}",
                SecurityContext =
                    new LinuxSandboxSecurityContext { NamespaceOptions = new NamespaceOption { Network = NamespaceMode.Node } },
            },
        };
        change?.Invoke(_config);
        Id = _cri.RunPodSandbox(
            new RunPodSandboxRequest { Config = _config, RuntimeHandler = handler ?? ContainerdHost.Handler }).PodSandboxId;
    }

    public string Id { get; }

    public string Logs => _config.LogDirectory;

    public PodSandboxStatus Status => VerboseStatus.Status;

    /// <summary>The process that holds the pod's namespaces, as the host numbers it.</summary>
    public int Pid => (int)JsonNode.Parse(VerboseStatus.Info["info"])!["pid"]!;

    private PodSandboxStatusResponse VerboseStatus =>
        _cri.PodSandboxStatus(new PodSandboxStatusRequest { PodSandboxId = Id, Verbose = true });

    /// <summary>Creates a container that sleeps, or what the change makes of it.</summary>
    public PodContainer Create(Action<ContainerConfig>? change = null)
    {
        string name = $"c{TestRun.NextNumber()}";
        ContainerConfig config = new()
        {
            Metadata = new ContainerMetadata { Name = name },
            Image = new ImageSpec { Image = ClientImage.Name },
            Command = { "sleep", "1000" },
            LogPath = $"{name}.log",
            Linux = new LinuxContainerConfig
            {
                Resources = new LinuxContainerResources(),
                SecurityContext =
                    new LinuxContainerSecurityContext { NamespaceOptions = _config.Linux.SecurityContext.NamespaceOptions.Clone() },
            },
        };
        change?.Invoke(config);
        string id = _cri.CreateContainer(
            new CreateContainerRequest { PodSandboxId = Id, Config = config, SandboxConfig = _config }).ContainerId;
        return new PodContainer(id, $"{Logs}/{config.LogPath}");
    }

    /// <summary>Creates and starts.</summary>
    public PodContainer Run(Action<ContainerConfig>? change = null)
    {
        PodContainer container = Create(change);
        container.Start();
        return container;
    }

    /// <summary>Creates and starts a shell.</summary>
    public PodContainer RunShell(string script, Action<ContainerConfig>? change = null) => Run(config =>
    {
        config.Command.Clear();
        config.Command.Add(["sh", "-c", script]);
        change?.Invoke(config);
    });

    public void Stop() => _cri.StopPodSandbox(new PodSandboxRequest { PodSandboxId = Id });

    public void Remove() => _cri.RemovePodSandbox(new PodSandboxRequest { PodSandboxId = Id });
}
