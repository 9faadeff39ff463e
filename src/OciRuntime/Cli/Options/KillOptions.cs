using CommandLine;

namespace OciRuntime.Cli;

[Verb("kill", HelpText = "send a signal to a container")]
[Command(70)]
public sealed partial class KillOptions : ContainerOptions
{
    public const string DefaultSignal = "SIGTERM";

    [Option('a', "all", HelpText = "signal every process of the container, not only its first")]
    public bool All { get; set; }

    [Option('r', "regex", HelpText = "take container-id as a regular expression and signal every container it matches")]
    public bool Regex { get; set; }

    [Value(1, MetaName = "signal", Default = DefaultSignal, HelpText = "number or name; SIG and case do not matter")]
    public string Signal
    {
        get;
        // Nothing is what a script passes on that has no signal in mind; so does runc understand it.
        set => field = value.Length > 0 ? value : field;
    } = DefaultSignal;

    public override VerbHelp Describe() => new(
        "Sends a signal to the first process of a container, or with --all to every one of them.",
        [
            new("Ask the container web to end", "ocirun kill web"),
            new("End all of its processes, no questions asked", "ocirun kill --all web KILL"),
        ]);
}
