using OciRuntime.Linux;

namespace OciRuntime.Setup;

/// <summary>Kubernetes: the object by which a pod asks for a runtime that containerd or CRI-O has under the name of the handler.</summary>
internal sealed class RuntimeClass() : DropIn("kubernetes")
{
    public override string? DefaultPath(string name, string? home) => null;

    public override void Check(SetupRequest request)
    {
        if (request.Default)
        {
            throw new OciException(
                "a RuntimeClass is what a pod asks for; the default is that of containerd or CRI-O: ocirun setup containerd --default");
        }
        if (request.Name.Any(static c => c is not ((>= 'a' and <= 'z') or (>= '0' and <= '9') or '-')))
            throw new OciException($"--name: Kubernetes takes a-z, 0-9 and -, not \"{request.Name}\"");
    }

    public override string Next(SetupRequest request, bool user) =>
        $"set up containerd or CRI-O on each node, then kubectl apply -f this; pods say runtimeClassName: {request.Name}";

    protected override string Content(SetupRequest r) => $"""
        apiVersion: node.k8s.io/v1
        kind: RuntimeClass
        metadata:
          name: {r.Name}
        handler: {r.Name}
        """;
}
