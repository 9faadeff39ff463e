namespace OciRuntime.Setup;

/// <summary>CRI-O: a file in crio.conf.d. It reads whatever lies there, by any name, so nothing else may be put there.</summary>
internal sealed class CrioConf() : DropIn("crio")
{
    public override string? DefaultPath(string name, string? home) => home is null ? $"/etc/crio/crio.conf.d/50-{name}.conf" : null;

    public override string Next(SetupRequest request, bool user) =>
        "systemctl restart crio; crio status config shows it"
        + (request.Default ? "" : $"; pods choose it by a RuntimeClass (ocirun setup kubernetes --name {request.Name})");

    protected override string Content(SetupRequest r) => $"""
        [crio.runtime]
        {(r.Default ? $"default_runtime = {Toml.String(r.Name)}" : $"# default_runtime = {Toml.String(r.Name)}")}

        [crio.runtime.runtimes.{Toml.Key(r.Name)}]
        runtime_type = "oci"
        runtime_path = {Toml.String(r.Binary)}
        runtime_root = "/run/ocirun"
        """;
}
