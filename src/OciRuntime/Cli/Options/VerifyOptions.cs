using CommandLine;

namespace OciRuntime.Cli;

[Verb("verify", HelpText = "compare a container with what its configuration promises")]
[Command(192)]
public sealed partial class VerifyOptions : ContainerOptions
{
    [Option("all", HelpText = "show what is as promised, too")]
    public bool All { get; set; }

    [Option("attach", HelpText = "stop each process for a moment, to compare its seccomp filter")]
    public bool Attach { get; set; }

    [Option("format", MetaValue = "FORMAT", Default = DocumentFormat.Text, HelpText = "text or json")]
    public DocumentFormat Format { get; set; }

    public override VerbHelp Describe() => new(
        """
        Reads back from the kernel what the configuration of a container promises, of the container and of each of its processes:
        namespaces, mounts, hidden and read-only paths, capabilities, seccomp, ids, limits, devices. What is promised is what "ocirun
        explain" shows, of the configuration that the container was created with. Each promise is "held" (also where there is less than is
        allowed), "drifted" (not so, and the container itself or whoever manages its limits had the right to change it), "broken" (not so,
        and nobody in the container had the right), or "unchecked", with the reason. Nothing is changed.
        """,
        [
            new("Is anything of web not as promised?", "ocirun verify web"),
            new("For a fleet", "ocirun verify --format json web | jq -r '.findings[] | select(.outcome == \"broken\") | .pointer'"),
            new("Its seccomp filters, too, instruction by instruction", "ocirun verify --attach web"),
        ],
        [
            new("0", "nothing is broken"),
            new("1", "something is, or the command line is wrong"),
            new("2", "it cannot be told: there is no such container, it has stopped, or it may not be looked into"),
        ]);
}
