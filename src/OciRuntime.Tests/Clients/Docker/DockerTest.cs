using NUnit.Framework;

namespace OciRuntime.Tests.Clients.Docker;

/// <summary>Tests that share a daemon in its usual configuration, and leave no container, network or volume in it.</summary>
public abstract class DockerTest(ShimKind shim) : DockerFixture(shim)
{
    private protected DockerHost Docker { get; private set; } = null!;

    /// <summary>Starts the daemon.</summary>
    [OneTimeSetUp]
    public void StartDaemon() => Docker = new DockerHost(Shim);

    /// <summary>After each test.</summary>
    [TearDown]
    public void RemoveContainers() => Docker.Clear();

    /// <summary>Ends the daemon.</summary>
    [OneTimeTearDown]
    public void EndDaemon() => Docker.Dispose();
}
