using NUnit.Framework;

namespace OciRuntime.Tests.Clients.Docker;

/// <summary>Tests of Docker, once with each shim that its containerd can have.</summary>
[ForeignDaemon]
[TestFixture(ShimKind.Stock)]
[TestFixture(ShimKind.Own, Category = "DockersOwnShim")]
public abstract class DockerFixture(ShimKind shim)
{
    private protected ShimKind Shim => shim;
}
