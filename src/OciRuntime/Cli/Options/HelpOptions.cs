using CommandLine;

namespace OciRuntime.Cli;

[Verb("help", HelpText = "show help, in general or for one command")]
[Command(220)]
public sealed partial class HelpOptions : VerbOptions
{
    [Value(0, MetaName = "command", HelpText = "the command to explain")]
    public string? Command { get; set => field = value is null ? null : Verbs.Named(value).VerbName; }

    public override VerbHelp Describe() => new(
        "Shows the list of commands, or all about one of them.",
        [new("All about create", "ocirun help create")]);
}
