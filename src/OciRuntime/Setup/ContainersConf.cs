namespace OciRuntime.Setup;

/// <summary>Podman's and Buildah's common configuration, containers.conf(5): a file in containers.conf.d.</summary>
internal sealed class ContainersConf(string engine) : DropIn("podman")
{
    public override string DefaultPath(string name, string? home) => $"{home ?? "/etc"}/containers/containers.conf.d/50-{name}.conf";

    public override string Next(SetupRequest request, bool user) => (engine, request.Default) switch
    {
        ("podman", true) => "the next container has it; podman info --format '{{.Host.OCIRuntime.Path}}' says so",
        ("podman", false) => $"podman --runtime {request.Name} run …",
        (_, true) => "the next buildah run --isolation oci has it",
        _ => $"buildah run --isolation oci --runtime {request.Name} …",
    };

    /// <summary>
    /// A list replaces the one that the engine has by itself, so it has to name those runtimes as well. Tables are merged.
    /// </summary>
    protected override string Content(SetupRequest r)
    {
        string name = Toml.String(r.Name);
        return $"""
            [engine]
            {(r.Default ? $"runtime = {name}" : $"# runtime = {name}")}
            runtime_supports_json = ["crun", "runc", "kata", "runsc", "youki", "krun", "ocijail", {name}]
            # Without an s it is what Podman 4 reads, whatever its manual says.
            runtime_supports_nocgroup = ["crun", "krun", {name}]
            runtime_supports_nocgroups = ["crun", "krun", {name}]

            [engine.runtimes]
            {Toml.Key(r.Name)} = [{Toml.String(r.Binary)}]
            """;
    }
}
