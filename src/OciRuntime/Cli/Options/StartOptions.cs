using CommandLine;

namespace OciRuntime.Cli;

[Verb("start", HelpText = "start the program of a created container")]
[Command(20)]
public sealed partial class StartOptions : ContainerOptions
{
    public override VerbHelp Describe() => new(
        """Lets a container made by "ocirun create" run its program. Returns at once; "ocirun state" tells how it fares.""",
        [new("Start the container web", "ocirun start web")]);
}
