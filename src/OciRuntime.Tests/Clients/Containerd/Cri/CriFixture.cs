using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Containerd.Cri;

/// <summary>Tests that make pods, and see to their end.</summary>
public abstract class CriFixture
{
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
        // The shim deletes once more by force after its last answer.
        string[] left = [];
        if (!Eventually.Becomes(() => (left = StateLeft()).Length == 0, TimeSpan.FromSeconds(5))) Leaks.Report($"state left: {string.Join(' ', left)}");
    }

    internal static string[] StateLeft(string handler) =>
        Directory.Exists($"{ContainerdHost.RuntimeRoot(handler)}/k8s.io") ? Directory.GetFileSystemEntries($"{ContainerdHost.RuntimeRoot(handler)}/k8s.io") : [];

    private static string[] StateLeft() => [.. StateLeft(ContainerdHost.DefaultHandler), .. StateLeft(ContainerdHost.OtherHandler)];
}
