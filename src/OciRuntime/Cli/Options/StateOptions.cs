using CommandLine;

namespace OciRuntime.Cli;

[Verb("state", HelpText = "show the state of a container as JSON")]
[Command(50)]
public sealed partial class StateOptions : ContainerOptions
{
    public override VerbHelp Describe() => new(
        "Prints one JSON object: id, status (creating, created, running, paused or stopped), process id, bundle and annotations.",
        [
            new("Show the state of web", "ocirun state web"),
            new("Only its status", "ocirun state web | jq -r .status"),
        ]);
}
