using CommandLine;

namespace OciRuntime.Cli;

[Verb("list", HelpText = "list the containers")]
[Command(60)]
public sealed partial class ListOptions : VerbOptions
{
    [Option('f', "format", MetaValue = "FORMAT", Default = ListFormat.Table, HelpText = "table or json")]
    public ListFormat Format { get; set; }

    [Option('q', "quiet", HelpText = "print only the names, one per line")]
    public bool Quiet { get; set; }

    public override VerbHelp Describe() => new(
        "Lists the containers below the state directory (--root), with process id, status, bundle, creation time and owner.",
        [
            new("All containers", "ocirun list"),
            new("Those that Docker started with ocirun", "ocirun --root /run/docker/runtime-runc/moby list"),
            new("For scripts", "ocirun list --format json"),
        ]);
}

/// <summary>How a list is printed.</summary>
public enum ListFormat
{
    Table, Json,
}
