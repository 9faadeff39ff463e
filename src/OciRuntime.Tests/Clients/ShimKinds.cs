namespace OciRuntime.Tests.Clients;

/// <summary>What engines know of our own shim.</summary>
internal static class ShimKinds
{
    /// <summary>The type, by which containerd finds the program in its PATH.</summary>
    public const string OwnType = "io.containerd.ocirun.v2", Program = "containerd-shim-ocirun-v2";

    /// <summary>Where it keeps the runtime's state unless it is told.</summary>
    public const string OwnRoot = "/run/containerd/runc";
}
