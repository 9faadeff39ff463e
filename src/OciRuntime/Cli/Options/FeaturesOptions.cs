using CommandLine;

namespace OciRuntime.Cli;

[Verb("features", HelpText = "show what this runtime supports, as JSON")]
[Command(200)]
public sealed partial class FeaturesOptions : VerbOptions
{
    public override VerbHelp Describe() => new(
        """
        Prints the features document of the OCI runtime specification: versions, mount options, namespaces, capabilities, seccomp, cgroups.
        """,
        [new("Is seccomp supported?", "ocirun features | jq .linux.seccomp.enabled")]);
}
