using CommandLine;

namespace OciRuntime.Cli;

/// <summary>What <c>mounts</c> does.</summary>
public enum MountsAction
{
    Add,
    Remove,
}

[Verb("mounts", HelpText = "add mounts to a container that is there, or remove some")]
[Command(150, Prelude = Prelude.Seal)]
public sealed partial class MountsOptions : VerbOptions
{
    [Value(0, Required = true, HelpText = "what to do")]
    public MountsAction Action { get; set; }

    [Value(1, MetaName = "container-id", Required = true, HelpText = "name of the container")]
    public string Id { get; set; } = "";

    [Value(2, MetaName = "file", Required = true, HelpText = "JSON array of mounts as in config.json, - for standard input")]
    public string File { get; set; } = "";

    public override VerbHelp Describe() => new(
        """
        Adds mounts to a container that has not stopped: all of them or, when one fails, none. Relative sources are relative to the bundle.
        Or removes what is mounted at their destinations: all are looked for first, and an error says which of them are gone.
        """,
        [
            new("Give web a directory",
                "echo '[{\"destination\":\"/data\",\"source\":\"/srv/data\",\"options\":[\"rbind\",\"ro\"]}]' | ocirun mounts add web -"),
            new("Take it away again", "echo '[{\"destination\":\"/data\"}]' | ocirun mounts remove web -"),
            new("The mounts in a file", "ocirun mounts add web mounts.json"),
        ]);
}
