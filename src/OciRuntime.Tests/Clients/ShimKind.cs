namespace OciRuntime.Tests.Clients;

/// <summary>What containerd has between itself and the runtime.</summary>
public enum ShimKind
{
    /// <summary>containerd-shim-runc-v2, which calls the runtime as a program.</summary>
    Stock,

    /// <summary>The runtime by its other name.</summary>
    Own,
}
