using CommandLine;

namespace OciRuntime.Cli;

[Verb("run", HelpText = "create a container, start it and wait for its end")]
[Command(30, Prelude = Prelude.Seal)]
public sealed partial class RunOptions : CreateOptions
{
    [Option('d', "detach", HelpText = "do not wait: leave the container running in the background")]
    public bool Detach { get; set; }

    [Option("keep", HelpText = "do not delete the container when it has ended")]
    public bool Keep { get; set; }

    [Option("no-subreaper", HelpText = "do not adopt the container's orphaned processes")]
    public override bool NoSubreaper { get; set; }

    public override VerbHelp Describe() => new(
        """
        Creates the container from its bundle, starts it, passes signals on to it, waits until its program ends and removes it.
        With --detach it returns as soon as the program runs; "ocirun delete" removes the container later.
        """,
        [
            new("Run the bundle in the current directory", "ocirun run demo"),
            new("Run it in the background, then look at it and stop it",
                "ocirun run -d -b /srv/web web && ocirun state web && ocirun delete --force web"),
        ],
        [
            new("N", "the program's own exit code"),
            new("128+N", "signal N ended the program"),
            new("0", "with --detach: the program runs"),
            new("1", "the container could not be run; the message says why"),
        ]);
}
