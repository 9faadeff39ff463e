using CommandLine;

namespace OciRuntime.Cli;

[Verb("delete", HelpText = "remove a container and all that was set up for it")]
[Command(80)]
public sealed partial class DeleteOptions : ContainerOptions
{
    [Option('f', "force", HelpText = "kill the container first if it still runs; succeed also when there is none")]
    public bool Force { get; set; }

    [Option('r', "regex", HelpText = "take container-id as a regular expression and delete every container it matches")]
    public bool Regex { get; set; }

    public override VerbHelp Describe() => new(
        """
        Removes a container that has stopped or was never started: its cgroups, its state, what its poststop hooks undo. The bundle stays.
        """,
        [
            new("Remove the stopped container web", "ocirun delete web"),
            new("Kill and remove everything whose name starts with test-", "ocirun delete --force --regex '^test-'"),
        ]);
}
