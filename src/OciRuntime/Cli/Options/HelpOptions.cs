using CommandLine;

namespace OciRuntime.Cli;

[Verb("help", HelpText = "show help, in general or for one command")]
public sealed class HelpOptions : VerbOptions
{
    [Value(0, MetaName = "command", HelpText = "the command to explain")]
    public string? Command { get; set; }

    public override Arity Arity => new(0, 1);

    public override void AcceptArgument(int index, string value) => Command = value;

    public override VerbHelp Describe() => new(
        "Shows the list of commands, or all about one of them.",
        [new("All about create", "ocirun help create")]);
}
