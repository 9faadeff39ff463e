using CommandLine;

namespace OciRuntime.Cli;

/// <summary>A command about one container.</summary>
public abstract partial class ContainerOptions : VerbOptions
{
    [Value(0, MetaName = "container-id", Required = true, HelpText = "name of the container")]
    public string Id { get; set; } = "";

    internal override string? ContainerId => Id;
}
