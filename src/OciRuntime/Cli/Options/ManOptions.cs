using CommandLine;

namespace OciRuntime.Cli;

[Verb("man", HelpText = "print a manual page")]
[Command(230)]
public sealed partial class ManOptions : VerbOptions
{
    [Option('o', "output", MetaValue = "DIR", HelpText = "write the pages of the program and of all commands into this directory instead")]
    public string? Output { get; set; }

    [Value(0, MetaName = "command", HelpText = "the command to explain; without one, the program")]
    public string? Command { get; set => field = value is null ? null : Verbs.Named(value).VerbName; }

    public override VerbHelp Describe() => new(
        """
        Prints the manual page of the program or of a command in the language of man(1). "./build.sh install" puts all of them where man
        looks for them.
        """,
        [
            new("Read about create", "ocirun man create | man -l -"),
            new("Write all pages", "ocirun man --output /usr/local/share/man/man8"),
        ]);
}
