using CommandLine;

namespace OciRuntime.Cli;

[Verb("list", HelpText = "list the containers")]
public sealed class ListOptions : VerbOptions
{
    [Option('f', "format", MetaValue = "FORMAT", Default = ListFormat.Table, HelpText = "table or json")]
    public ListFormat Format { get; set; }

    [Option('q', "quiet", HelpText = "print only the names, one per line")]
    public bool Quiet { get; set; }

    public override Arity Arity => Arity.None;

    public override bool Accept(string name, ref ArgumentCursor a)
    {
        switch (name)
        {
            case "format" or "f": Format = ReadFormat(ref a); return true;
            case "quiet" or "q": Quiet = a.Flag(); return true;
            default: return base.Accept(name, ref a);
        }
    }

    public override VerbHelp Describe() => new(
        "Lists the containers below the state directory (--root), with process id, status, bundle, creation time and owner.",
        [
            new("All containers", "ocirun list"),
            new("Those that Docker started with ocirun", "ocirun --root /run/docker/runtime-runc/moby list"),
            new("For scripts", "ocirun list --format json"),
        ]);

    internal static ListFormat ReadFormat(ref ArgumentCursor a) => a.Value() switch
    {
        "table" or "" => ListFormat.Table,
        "json" => ListFormat.Json,
        var other => throw a.Invalid(other, "table or json"),
    };
}
