using CommandLine;

namespace OciRuntime.Cli;

[Verb("ps", HelpText = "list the processes of a container")]
public sealed class PsOptions : ContainerOptions
{
    private List<string> _psArguments = [];

    [Option('f', "format", MetaValue = "FORMAT", Default = ListFormat.Table, HelpText = "table or json")]
    public ListFormat Format { get; set; }

    [Value(1, MetaName = "ps option", HelpText = "options for the host's ps, one of whose columns must be PID (default: -ef)")]
    public IEnumerable<string> PsArguments { get => _psArguments; set => _psArguments = [.. value]; }

    public override Arity Arity => Arity.AtLeast(1);

    public override bool OptionsEndAtFirstArgument => true;

    public override void AcceptArgument(int index, string value)
    {
        if (index == 0)
        {
            Id = value;
        }
        else
        {
            _psArguments.Add(value);
        }
    }

    public override bool Accept(string name, ref ArgumentCursor a)
    {
        switch (name)
        {
            case "format" or "f": Format = ListOptions.ReadFormat(ref a); return true;
            default: return base.Accept(name, ref a);
        }
    }

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
