using CommandLine;

namespace OciRuntime.Cli;

[Verb("man", HelpText = "print a manual page")]
public sealed class ManOptions : VerbOptions
{
    [Option('o', "output", MetaValue = "DIR", HelpText = "write the pages of the program and of all commands into this directory instead")]
    public string? Output { get; set; }

    [Value(0, MetaName = "command", HelpText = "the command to explain; without one, the program")]
    public string? Command { get; set; }

    public override Arity Arity => new(0, 1);

    public override void AcceptArgument(int index, string value) => Command = Verbs.Find(value) is null ? throw UnknownNames.Verb(value) : value;

    public override bool Accept(string name, ref ArgumentCursor a)
    {
        switch (name)
        {
            case "output" or "o": Output = a.Text(); return true;
            default: return base.Accept(name, ref a);
        }
    }

    public override VerbHelp Describe() => new(
        """
        Prints the manual page of the program or of a command in the language of man(1). "./build.sh install" puts all of them where man looks for them.
        """,
        [
            new("Read about create", "ocirun man create | man -l -"),
            new("Write all pages", "ocirun man --output /usr/local/share/man/man8"),
        ]);
}
