using NUnit.Framework;

namespace OciRuntime.Tests.Clients.Containerd.Cri;

/// <summary>Tests that make pods, and see to their end. The daemon is reached through a socket, which no reading of code shows.</summary>
[NeedsMachine]
[ForeignDaemon]
[TestFixture(ShimKind.Stock, Category = "StockShim")]
[TestFixture(ShimKind.Own, Category = "OwnShim")]
public abstract class CriFixture(ShimKind shim)
{
    private protected ShimKind Shim => shim;

    [SetUp]
    public void ChooseShim() => ContainerdHost.Use(Shim);

    internal static RuntimeService.RuntimeServiceClient Cri => ContainerdHost.Cri.Runtime;

    [TearDown]
    public void RemovePods()
    {
        foreach (PodSandbox pod in Cri.ListPodSandbox(new ListPodSandboxRequest()).Items)
        {
            Cri.StopPodSandbox(new PodSandboxRequest { PodSandboxId = pod.Id });
            // Takes the containers along.
            Cri.RemovePodSandbox(new PodSandboxRequest { PodSandboxId = pod.Id });
        }
        ContainerdHost.WaitForTheEndOfState(StateLeft);
    }

    internal static string[] StateLeft(string handler) =>
        Directory.Exists($"{ContainerdHost.RuntimeRoot(handler)}/k8s.io")
        ? Directory.GetFileSystemEntries($"{ContainerdHost.RuntimeRoot(handler)}/k8s.io") : [];

    private static string[] StateLeft() => [.. ContainerdHost.Handlers.SelectMany(StateLeft)];
}
