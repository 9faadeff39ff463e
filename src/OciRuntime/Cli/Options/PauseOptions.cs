using CommandLine;

namespace OciRuntime.Cli;

[Verb("pause", HelpText = "stop all processes of a container for a while")]
[Command(90)]
public sealed partial class PauseOptions : ContainerOptions
{
    public override VerbHelp Describe() => new(
        "Freezes every process of a container: they keep their memory and get no processor time until resume. Returns once they stand.",
        [
            new("Pause the container web", "ocirun pause web"),
            new("And let it go on", "ocirun resume web"),
        ]);
}
