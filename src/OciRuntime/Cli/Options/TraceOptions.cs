using CommandLine;

namespace OciRuntime.Cli;

[Verb("trace", HelpText = "show what --trace has written")]
[Command(195)]
public sealed partial class TraceOptions : VerbOptions
{
    [Option("largest", HelpText = "order by the time that each took itself, without what happened in it, the largest first")]
    public bool Largest { get; set; }

    [Value(0, MetaName = "file", Required = true, HelpText = "the file that was given to --trace")]
    public string File { get; set; } = "";

    public override VerbHelp Describe() => new(
        """
        Prints the timeline of a command that was called with --trace: the runtime's own work, the steps of the container's set-up with the
        words of "ocirun explain", and the system calls that took more than 50 microseconds; when each began and how long it took, in
        milliseconds. The file is in the format of Chrome's trace viewer, which https://ui.perfetto.dev shows as well.
        """,
        [
            new("Where does the time of a launch go?", "ocirun --trace /tmp/t.json run -b /srv/web web && ocirun trace /tmp/t.json"),
            new("What takes longest?", "ocirun trace --largest /tmp/t.json"),
        ]);
}
