using CommandLine;

namespace OciRuntime.Cli;

[Verb("mounts", HelpText = "add mounts to a container that is there, or remove some")]
public sealed class MountsOptions : VerbOptions
{
    [Value(0, MetaName = "add|remove", Required = true, HelpText = "what to do")]
    public string Action { get; set; } = "";

    [Value(1, MetaName = "container-id", Required = true, HelpText = "name of the container")]
    public string Id { get; set; } = "";

    [Value(2, MetaName = "file", Required = true, HelpText = "JSON array of mounts as in config.json, - for standard input")]
    public string File { get; set; } = "";

    public override Arity Arity => new(3, 3);

    public override void AcceptArgument(int index, string value)
    {
        switch (index)
        {
            case 0: Action = value; break;
            case 1: Id = value; break;
            default: File = value; break;
        }
    }

    public override VerbHelp Describe() => new(
        """
        Adds mounts to a container that has not stopped, or removes what is mounted at their destinations: all of them or, when one fails, none.
        Relative sources are relative to the bundle.
        """,
        [
            new("Give web a directory", "echo '[{\"destination\":\"/data\",\"source\":\"/srv/data\",\"options\":[\"rbind\",\"ro\"]}]' | ocirun mounts add web -"),
            new("Take it away again", "echo '[{\"destination\":\"/data\"}]' | ocirun mounts remove web -"),
            new("The mounts in a file", "ocirun mounts add web mounts.json"),
        ]);
}
