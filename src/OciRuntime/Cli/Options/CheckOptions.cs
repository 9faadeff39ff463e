using CommandLine;

namespace OciRuntime.Cli;

[Verb("check", HelpText = "tell what this machine or a bundle lacks")]
[Command(205)]
public sealed partial class CheckOptions : VerbOptions
{
    [Option('b', "bundle", MetaValue = "DIR", HelpText = "look at the configuration of this bundle, too")]
    public string? Bundle { get; set; }

    [Option('f', "config", MetaValue = "FILE", Default = BundleOptions.DefaultConfig,
        HelpText = "configuration file, relative to the bundle")]
    public string Config { get; set; } = BundleOptions.DefaultConfig;

    [Option("format", MetaValue = "FORMAT", Default = DocumentFormat.Text, HelpText = "text or json")]
    public DocumentFormat Format { get; set; }

    public override VerbHelp Describe() => new(
        """
        Tries what containers are made of, as the user who calls it: system calls, namespaces, cgroups and their controllers, the ids of an
        ordinary user, programs that some commands call, limits of the machine and how much of them is used, the state directory. Each line
        is "ok", "limited" (some configurations fail) or "missing" (no container can be made, or not this one), with what that costs and
        what mends it. Nothing is changed, and what is made for a moment, a namespace for example, is gone at the end.

        With --bundle it also says, all at once, what of that configuration run would refuse or fail on: it goes through the launch's own
        steps, in namespaces that end with it, and looks for the files, namespaces, hooks and programs that it names.
        """,
        [
            new("Can containers run here?", "ocirun check"),
            new("For a fleet", "ocirun check --format json | jq -r '.findings[] | select(.verdict != \"ok\") | .name'"),
            new("Will this bundle start?", "ocirun check --bundle /srv/web"),
        ],
        [
            new("0", "nothing is missing"),
            new("1", "something is, or the command line is wrong"),
        ]);
}
