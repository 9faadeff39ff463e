using CommandLine;

namespace OciRuntime.Cli;

[Verb("resume", HelpText = "let a paused container go on")]
[Command(100)]
public sealed partial class ResumeOptions : ContainerOptions
{
    public override VerbHelp Describe() => new(
        "Thaws the processes of a container that pause has frozen.",
        [new("Let the container web go on", "ocirun resume web")]);
}
