using CommandLine;

namespace OciRuntime.Cli;

/// <summary>Order of the rows of <c>top</c>.</summary>
public enum TopSort
{
    Cpu,
    Memory,
    Pids,
    Io,
    Name,
}

[Verb("top", HelpText = "show what all containers use, again and again")]
[Command(140, Prelude = Prelude.BlockSignals)]
public sealed partial class TopOptions : VerbOptions
{
    [Option("interval", MetaValue = "DURATION",
        HelpText = "time between two samples, such as 500ms, or a number of seconds; 2s unless given")]
    public string? Interval { get; set; }

    [Option("sort", MetaValue = "COLUMN", Default = TopSort.Cpu, HelpText = "cpu, memory, pids, io or name; most first")]
    public TopSort Sort { get; set; }

    [Option("once", HelpText = "print one table and end; so it does without a terminal, unless --interval is given")]
    public bool Once { get; set; }

    [Option("json", HelpText = "print each table as a JSON array on a line of its own")]
    public bool Json { get; set; }

    public override VerbHelp Describe() => new(
        """
        Shows the containers below the state directory (--root) with their use of processor, memory, processes and block devices. On a
        terminal the table is renewed until q or Ctrl-C is pressed.
        """,
        [
            new("All containers, those with most memory first", "ocirun top --sort memory"),
            new("One table, for a report", "ocirun top --once"),
            new("For a program, every five seconds", "ocirun top --json --interval 5s"),
        ]);
}
