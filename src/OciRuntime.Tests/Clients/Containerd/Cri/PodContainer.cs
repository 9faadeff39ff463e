using System.Text.Json.Nodes;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Containerd.Cri;

/// <summary>A container of a pod.</summary>
/// <param name="id">containerd's ID for it, which is also the runtime's.</param>
/// <param name="logPath">Where its output is logged.</param>
internal sealed class PodContainer(string id, string logPath)
{
    private readonly RuntimeService.RuntimeServiceClient _cri = ContainerdHost.Cri.Runtime;

    public string Id => id;

    public ContainerStatus Status => VerboseStatus.Status;

    /// <summary>Its first process, looked at from the host.</summary>
    public ProcessView Init => new((int)JsonNode.Parse(VerboseStatus.Info["info"])!["pid"]!);

    /// <summary>The lines of its log; each has a time, a stream, P or F for a part or the full line, and the text.</summary>
    public string[] Log => File.Exists(logPath) ? File.ReadAllLines(logPath) : [];

    private ContainerStatusResponse VerboseStatus => _cri.ContainerStatus(new ContainerStatusRequest { ContainerId = id, Verbose = true });

    public void Start() => _cri.StartContainer(new ContainerRequest { ContainerId = id });

    /// <summary>Runs a command in it to the end.</summary>
    public ExecSyncResponse Exec(params string[] command) => Exec(0, command);

    /// <param name="timeout">In seconds; 0 for none.</param>
    /// <param name="command">The program and its arguments.</param>
    public ExecSyncResponse Exec(int timeout, params string[] command) =>
        _cri.ExecSync(new ExecSyncRequest { ContainerId = id, Timeout = timeout, Cmd = { command } });

    /// <summary>What a shell in it prints.</summary>
    public string Shell(string script) => Exec("sh", "-c", script).Stdout.ToStringUtf8();

    /// <param name="timeout">Seconds that it has after SIGTERM.</param>
    public void Stop(int timeout) => _cri.StopContainer(new StopContainerRequest { ContainerId = id, Timeout = timeout });

    public void Remove() => _cri.RemoveContainer(new ContainerRequest { ContainerId = id });

    /// <summary>The status after the end of its first process.</summary>
    public ContainerStatus WaitForEnd()
    {
        Eventually.True(() => Status.State == ContainerState.ContainerExited, "the container's end");
        return Status;
    }
}
