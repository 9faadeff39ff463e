using CommandLine;

namespace OciRuntime.Cli;

[Verb("events", HelpText = "show what a container uses, and when it runs out of memory")]
[Command(130)]
public sealed partial class EventsOptions : ContainerOptions
{
    public const string DefaultInterval = "5s";

    [Option("interval", MetaValue = "DURATION", Default = DefaultInterval,
        HelpText = "time between two records, such as 500ms, 5s or 1m30s")]
    public string Interval { get; set; } = DefaultInterval;

    [Option("stats", HelpText = "print one record and end")]
    public bool Stats { get; set; }

    public override VerbHelp Describe() => new(
        """
        Prints one JSON object per line: of type "stats" with the use of processor, memory, processes, block devices and network, every
        interval; of type "oom" at once when the kernel kills for lack of memory. Ends with the container.
        """,
        [
            new("What web uses now", "ocirun events --stats web"),
            new("Every second, only the memory", "ocirun events --interval 1s web | jq .data.memory.usage.usage"),
        ]);
}
