using CommandLine;

namespace OciRuntime.Cli;

[Verb("ps", HelpText = "list the processes of a container")]
[Command(110)]
public sealed partial class PsOptions : ContainerOptions
{
    [Option('f', "format", MetaValue = "FORMAT", Default = ListFormat.Table, HelpText = "table or json")]
    public ListFormat Format { get; set; }

    [Value(1, MetaName = "ps option", HelpText = "options for the host's ps, one of whose columns must be PID (default: -ef)")]
    public List<string> PsArguments { get; } = [];

    public override bool OptionsEndAtFirstArgument => true;

    public override VerbHelp Describe() => new(
        """
        Lists all processes in the container's cgroup with their process ids on the host: as the host's ps shows them, or with --format json
        as an array of numbers.
        """,
        [
            new("The processes of web", "ocirun ps web"),
            new("Their memory, biggest first", "ocirun ps web -eo pid,rss,args --sort=-rss"),
            new("For scripts", "ocirun ps --format json web"),
        ]);
}
